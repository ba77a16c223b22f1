"""Runs cases under sanitizers: ``sanitized.py address,undefined FOLDER case …``, as a process.

FOLDER holds the kernels.  A wrong result ends it with status 1, a sanitizer with its own.
"""

import sys
from pathlib import Path


def main(sanitizers: str, folder: str, *names: str) -> None:
    """Run the cases one after the other."""
    from kernels.cases import CASES

    for name in names:
        if not CASES[name]().right(folder=Path(folder), sanitize=tuple(sanitizers.split(","))):
            raise SystemExit(f"{name}: wrong numbers")
        print("passed", name)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main(*sys.argv[1:])
