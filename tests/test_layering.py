"""The house is built in floors: imports point downwards only, and heavy libraries stay outside."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import minigan

PACKAGE = Path(minigan.__file__).parent

# From the ground up.  A module may import what stands lower, and its neighbours on one floor as
# long as no circle of modules arises.
FLOORS = [
    {"cpu", "_console", "backends"},
    {"array"},
    {"generators"},
    {"places"},
    {"_mode", "_tensor"},
    {"_hooks", "_saved", "_walk"},
    {"autograd"},
    {"_autocast", "conv", "cuda", "fused", "distributed"},
    {"ops"},
    {"nn", "losses", "linalg"},
    {"optim", "data", "utils", "metrics", "serialize", "saving"},
    {"report", "curves", "figures", "plane", "reading"},
    {"gan", "certificate"},
    {"config", "precision"},
    {"record"},
    {"run", "trained"},
    {"evaluation"},
    {"toys"},
    {"comparison"},
    {"together"},
    {"training"},
    {"commands"},
    {"cli"},
    {"__main__"},
]
# Tools for the engine's user: on autograd alone, and nobody stands on them.
TOOLS = {"checker", "_checking", "debug"}
FLOOR = {name: level for level, names in enumerate(FLOORS) for name in names}
FLOOR |= dict.fromkeys(TOOLS, FLOOR["autograd"] + 0.5)
FLOOR["_checking"] = FLOOR["autograd"] + 0.25  # the checker's parts
FLOOR[""] = FLOOR["optim"] + 0.5  # the package itself gathers everything up to the optimizers

MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}


def targets(name, path):
    """(line, module) of every import in a file, also inside functions; a package's parts apart.

    ``from . import a, b`` names the modules a and b where there are such, else the package.
    """
    parts = ["minigan", *name.split(".")]
    package = parts if path.name == "__init__.py" else parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*base, *(node.module.split(".") if node.module else [])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield node.lineno, inner if inner.removeprefix("minigan.") in MODULES else base


def own_imports(name, path):
    """(line, module) for imports of this package, without its name in front."""
    for line, target in targets(name, path):
        if target == "minigan" or target.startswith("minigan."):
            yield line, target.removeprefix("minigan").removeprefix(".")


def home(name):
    return name.split(".")[0]


def test_every_module_has_its_floor():
    unknown = {home(name) for name in MODULES} - set(FLOOR)
    assert not unknown, f"say in FLOORS on which floor they stand: {sorted(unknown)}"


@pytest.mark.parametrize("name", MODULES)
def test_no_import_runs_up_the_floors(name):
    for line, target in own_imports(name, MODULES[name]):
        where = f"minigan/{name.replace('.', '/')}:{line} imports minigan.{target}"
        assert FLOOR[home(target)] <= FLOOR[home(name)], f"{where}, which stands above it"
        if home(name) not in TOOLS:
            assert home(target) not in TOOLS, f"{where}: nothing stands on the tools"


def test_no_circle_of_modules():
    """Functions' own imports count too: they only hide a circle from Python."""
    graph = {
        name: {target for _, target in own_imports(name, path) if target in MODULES}
        for name, path in MODULES.items()
    }
    for name in graph:  # importing a.b runs a first, unless it is a itself that imports its parts
        graph[name].discard(name)
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name not in done:
            for target in sorted(graph[name]):
                visit(target, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_cupy_is_imported_in_three_files_only():
    users = {
        name
        for name, path in MODULES.items()
        if any(home(target) == "cupy" for _, target in targets(name, path))
    }
    assert users <= {"array", "cuda", "conv.cuda"}


def test_no_module_bears_the_name_of_a_public_function():
    """``minigan.tensor`` must be the function, ``minigan.ops.conv`` the module."""
    for package in (minigan, minigan.ops, minigan.nn, minigan.conv, minigan.debug):
        inner = package.__name__.removeprefix("minigan").removeprefix(".")
        for name in MODULES:
            parent, _, last = name.rpartition(".")
            found = getattr(package, last, None) if parent == inner else None
            assert found is None or inspect.ismodule(found), f"minigan.{name} is hidden by {found}"


def test_the_engine_needs_numpy_only():
    """``import minigan`` loads nothing that draws, reads images, counts progress or compiles."""
    heavy = ["matplotlib", "scipy", "PIL", "tqdm", "cupy", "torch", "threadpoolctl", "hypothesis"]
    program = f"import sys, minigan; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_the_rules_see_what_breaks_them(tmp_path):
    """The reader of imports finds every form: relative, absolute, in functions, several at once."""
    source = tmp_path / "norm.py"
    source.write_text(
        "from .. import array as arrays, nn\n"
        "from ..autograd import grad\n"
        "import numpy as np, minigan.optim\n"
        "def f():\n"
        "    from . import shape\n"
        "    from minigan.gan import trainer\n"
    )
    found = [target for _, target in own_imports("ops.norm", source)]
    assert found == ["array", "nn", "autograd", "optim", "ops.shape", "gan.trainer"]
    package = tmp_path / "__init__.py"
    package.write_text("from . import shape\nfrom ..array import float32\n")
    assert [t for _, t in own_imports("ops", package)] == ["ops.shape", "array"]
