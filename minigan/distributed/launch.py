"""What ``mpiexec`` tells a process in its environment, and a limit to waiting for the others.

MPI begins when all processes have come.  One that ends before that, because a package is missing on
its machine, say, is missed by nobody: MPICH's ``mpiexec`` and the other processes wait for ever,
inside MPI, where no thread of Python runs.  So a small process beside each looks at the clock.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

PLACES = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK")  # of MPICH and Open MPI
SIZES = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE")

# Ends its parent unless its own input is closed before, as it is when the parent has ended.
_WATCH = """
import os, select, signal, sys
if not select.select([0], [], [], float(sys.argv[2]))[0]:
    sys.stderr.write(sys.argv[3])
    sys.stderr.flush()
    os.kill(int(sys.argv[1]), signal.SIGTERM)
"""


def started_processes() -> int:
    """How many processes ``mpiexec`` started, this one among them; 1 without it."""
    return max(int(os.environ.get(name, "1")) for name in SIZES)


def place_here() -> int:
    """This process's number among those of its machine."""
    return max(int(os.environ.get(name, "0")) for name in PLACES)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """A block that ends this process if it takes longer, and thereby all that ``mpiexec`` started.

    The first process of a machine is the first to do so, that it is said once.
    """
    if started_processes() == 1:
        yield
        return
    said = (
        f"minigan: waited {seconds:g} s for all of the {started_processes()} processes that "
        "mpiexec started; one of them has ended or does something else\n"
    )
    seconds += place_here()
    watch = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _WATCH, str(os.getpid()), str(seconds), said],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        watch.stdin.close()
        watch.wait()
