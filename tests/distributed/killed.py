"""``minigan train --distributed`` with a rank that is killed: python killed.py WHERE COUNT OPTION …

WHERE is "gradient", a gradient on rank 1; "save", the checkpoint of rank 1, which rank 0 is writing
then; or the name of a file that rank 0 has written half of.  COUNT says the how manieth.
"""

import os
import signal
import sys
from itertools import count
from pathlib import Path

from minigan import cli, together
from minigan.distributed.buckets import Reducer
from minigan.distributed.process_group import current


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def dies_in(owner, name, rank, limit):
    method, calls = getattr(owner, name), count(1)

    def instead(self, *arguments):
        if current().rank == rank and next(calls) == limit:
            die()
        return method(self, *arguments)

    setattr(owner, name, instead)


def dies_writing(name, limit):
    replace, calls = os.replace, count(1)

    def instead(source, target):
        if Path(target).name == name and next(calls) == limit:
            os.truncate(source, os.path.getsize(source) // 2)
            die()
        replace(source, target)

    os.replace = instead


if __name__ == "__main__":
    where, limit = sys.argv[1], int(sys.argv[2])
    if where == "gradient":
        dies_in(Reducer, "_arrived", 1, limit)
    elif where == "save":
        dies_in(together.Follower, "_save", 1, limit)
    else:
        dies_writing(where, limit)
    sys.exit(cli.main(["train", *sys.argv[3:]]))
