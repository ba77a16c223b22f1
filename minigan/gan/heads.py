"""A critic that says more of an image than whether it is real.

    image → trunk → features ─┬→ logit      real or generated
                              ├→ classes    which class, as logits
                              └→ codes      which codes it was made from

Each head is a layer of its own: no output is part of two.

Source: Odena, Olah & Shlens 2016, arXiv 1610.09585; Chen et al. 2016, arXiv 1606.03657.
"""

from __future__ import annotations

from typing import NamedTuple

from .. import nn
from .._tensor import Tensor
from .conditional import Critic


class Verdict(NamedTuple):
    """What is said of a batch; None where there is no such head.

    Attributes:
        logit: (N, 1), positive for real.
        classes: logits (N, classes).
        codes: (N, codes).
    """

    logit: Tensor
    classes: Tensor | None
    codes: Tensor | None


class Headed(nn.Module):
    """``critic``, whose last layer gets others beside it; forward(x) gives a Verdict.

    >>> import minigan
    >>> critic = Headed(nn.Sequential(nn.Flatten(), nn.Linear(4, 3), nn.Linear(3, 1)), 10, 2)
    >>> [part.shape for part in critic(minigan.ones(5, 1, 2, 2))]
    [(5, 1), (5, 10), (5, 2)]
    """

    def __init__(self, critic: nn.Sequential, classes: int, codes: int = 0):
        super().__init__()
        *trunk, last = critic
        self.trunk = nn.Sequential(*trunk)
        self.logit = last
        self.classes = nn.Linear(last.in_features, classes) if classes else None
        self.codes = nn.Linear(last.in_features, codes) if codes else None

    def forward(self, x: Tensor) -> Verdict:
        features = self.trunk(x)
        classes = self.classes(features) if self.classes is not None else None
        codes = self.codes(features) if self.codes is not None else None
        return Verdict(self.logit(features), classes, codes)


def overheard(critic: Headed) -> tuple[Critic, list[Verdict]]:
    """``critic`` as one that says the logit alone, and the list of all that it will have said.

    So every objective and penalty takes it, and the other heads need no pass of their own.
    """
    heard: list[Verdict] = []

    def logit(x: Tensor) -> Tensor:
        heard.append(critic(x))
        return heard[-1].logit

    return logit, heard
