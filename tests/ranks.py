"""Programs for several processes: started by ``mpiexec``, their findings brought to the test."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minigan import distributed

ROOT = Path(__file__).resolve().parents[1]
HERE = Path(__file__).parent / "distributed"
HANGS = 600  # seconds; a program takes some, and many more where others keep the cores busy


def mpiexec():
    """The program, beside this Python or on the path."""
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


needs_mpi = pytest.mark.skipif(
    not distributed.is_available() or mpiexec() is None,
    reason='needs mpi4py and mpiexec: pip install "minigan[test]"',
)


def environment(**variables):
    """One thread for each rank, and this tree's package."""
    paths = [str(ROOT), str(ROOT / "tests"), os.environ.get("PYTHONPATH", "")]
    given = {"MINIGAN_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return {**os.environ, **given, **variables}


def start(ranks, *arguments, cwd=None, **variables):
    """Begin ``python ARGUMENTS`` on so many ranks, in a process group of their own."""
    command = [mpiexec(), "-n", str(ranks), sys.executable, *map(str, arguments)]
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(ranks, *arguments, code=0, cwd=None, **variables):
    """(stdout, stderr) of a program that ends with that exit code."""
    process = start(ranks, *arguments, cwd=cwd, **variables)
    try:
        out, err = process.communicate(timeout=HANGS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"{arguments} hangs: {process.communicate()}") from None
    assert process.returncode == code, f"exit code {process.returncode}\n{out}\n{err}"
    return out, err


def checks(module):
    """The names of the checks in a file of distributed/, in their order."""
    import ast

    body = ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8")).body
    return [f.name for f in body if isinstance(f, ast.FunctionDef) and f.name[:6] == "check_"]


def outcomes(module, ranks, *names):
    """What each check in that file says on so many ranks: "" where it holds on all of them.

    ``names`` are those of the checks to run; none: all.
    """
    out, _ = run(ranks, "-W", "error", HERE / f"{module}.py", *names)
    return json.loads(out.strip().splitlines()[-1])


def main(namespace):
    """Run the checks of a file on this rank, those named or all; rank 0 says how they went.

    A check that fails on one rank ends there, and the next begins together: checks must fail on all
    ranks or on none where collectives follow.
    """
    import traceback

    from minigan.distributed.process_group import current

    distributed.init_process_group()
    found = {}
    for name in sys.argv[1:] or [name for name in namespace if name.startswith("check_")]:
        try:
            namespace[name]()
            said = ""
        except Exception:
            said = traceback.format_exc()
        found[name] = "".join(f"rank {r}: {t}" for r, t in enumerate(current().texts(said)) if t)
    if distributed.get_rank() == 0:
        print(json.dumps(found))
