"""``minigan train --distributed`` in which rank 1 fails: python failing.py KIND OPTION …"""

import sys

from minigan import cli, together
from minigan.config import RunError
from minigan.distributed.process_group import current
from minigan.gan import Trainer

advance, Follower = Trainer.advance, together.Follower


class FailsAtTheBeginning(Follower):
    def __init__(self, config):
        raise RunError("nothing to follow")


def fails_at_step_4(self):
    if self.step == 3 and current().rank == 1:
        raise KeyError("planted")
    return advance(self)


if __name__ == "__main__":
    if sys.argv[1] == "at the beginning":
        together.Follower = FailsAtTheBeginning
    else:
        Trainer.advance = fails_at_step_4
    sys.exit(cli.main(["train", *sys.argv[2:]]))
