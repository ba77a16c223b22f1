"""What CuPy has: its functions with their parameters, its ufuncs with their types.

The table beside this file was read off CuPy itself, so that the fake refuses what CuPy lacks also
where CuPy is not installed; a test compares the two where it is.

    python tests/fakegpu/listing.py        writes cupy.json anew, for another version of CuPy
"""

from __future__ import annotations

import functools
import importlib
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "cupy.json"
MODULES = (
    "cupy",
    "cupy.linalg",
    "cupy.random",
    "cupy.fft",
    "cupy.lib.stride_tricks",
    "cupyx",
    "cupyx.scipy.special",
)


@functools.cache
def known() -> dict[str, Any]:
    """The table: {"modules": {name: {"functions", "ufuncs", "others"}}, "ndarray", …}."""
    return json.loads(TABLE.read_text(encoding="utf-8"))


def read() -> dict[str, Any]:
    """The table of the CuPy that is installed (no GPU is needed)."""
    import cupy

    modules = {name: _module(importlib.import_module(name)) for name in MODULES}
    return {
        "version": cupy.__version__,
        "modules": modules,
        "ndarray": _members(cupy.ndarray),
        "Generator": _members(cupy.random.Generator),
        "cuda": sorted(name for name in dir(cupy.cuda) if not name.startswith("_")),
        "runtime": sorted(n for n in dir(cupy.cuda.runtime) if not n.startswith("_")),
    }


def _module(module: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"functions": {}, "ufuncs": {}, "others": []}
    for name in sorted(dir(module)):
        value = getattr(module, name)
        if name.startswith("_"):
            continue
        if type(value).__name__ == "ufunc":
            found["ufuncs"][name] = {"name": value.name, "types": value.types}
        elif inspect.isfunction(value) or name in ("matmul", "einsum"):
            found["functions"][name] = _signature(value)
        else:
            found["others"].append(name)
    return found


def _members(kind: type) -> dict[str, str]:
    """{name: signature, "" for what is no method}."""
    found = {}
    for name in sorted(dir(kind)):
        if name.startswith("_"):
            continue
        text = getattr(getattr(kind, name), "__doc__", None) or ""
        match = re.match(rf"[\w.]*\b{name}\(self(?:, )?(.*?)\)(?: ->.*)?\n", text + "\n")
        parts = re.split(r",\s*(?![^()\[\]{}]*[)\]}])", match[1]) if match else []
        found[name] = f"({', '.join(map(_parameter, parts))})" if match else ""
    return found


def _parameter(text: str) -> str:
    """ "axis=None" of "Py_ssize_t axis=-1": no types, and defaults that say only that they are."""
    name, equals, _ = text.partition("=")
    name = name.split(":")[0].split()[-1] if name.split() else ""
    return f"{name}=None" if equals else name


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    plain = [
        p.replace(
            annotation=inspect.Parameter.empty,
            default=p.default if p.default is p.empty else None,
        )
        for p in signature.parameters.values()
    ]
    return str(inspect.Signature(plain))


@functools.cache
def signature(text: str) -> inspect.Signature:
    """The signature that is written in the table."""
    return inspect.signature(eval(f"lambda {text[1:-1]}: None"))


def main() -> None:
    """Write the table."""
    TABLE.write_text(json.dumps(read(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
