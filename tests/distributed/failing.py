"""``minigan train --distributed`` in which one rank fails: python failing.py RANK KIND OPTION …"""

import sys

from minigan import cli, together
from minigan.config import RunError
from minigan.distributed.process_group import current
from minigan.gan import Trainer

FAILURES = {
    "disk full": OSError(28, "No space left on device"),
    "bug": ZeroDivisionError("planted"),
    "bug outside arithmetic": KeyError("planted"),
    "second Ctrl-C": KeyboardInterrupt(),
}


def main(rank, kind, *arguments):
    failing = lambda: current().rank == int(rank)  # noqa: E731
    if kind == "at the beginning":

        class Follower(together.Follower):
            def __init__(self, config):
                if failing():
                    raise RunError("nothing to follow")
                super().__init__(config)

        together.Follower = Follower
    else:
        step = Trainer.train_step

        def train_step(self):
            if self.step == 3 and failing():
                raise FAILURES[kind]
            return step(self)

        Trainer.train_step = train_step
    return cli.main(["train", *arguments])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
