"""The earth mover's distance as the best critic sees it.

    EM(x, y) = max over f with slopes of at most 1 of  E f(x) - E f(y)

(Kantorovich & Rubinstein.)  A trained network is one such f, if it is kept from getting steep:
what it finds can only be too little, never too much, once it is divided by its steepest slope.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._tensor import Tensor, tensor
from ...data import DataError
from ...metrics import points as checks
from ..output import progress
from ..players import CRITICS, Critic


class Estimate(NamedTuple):
    """What a critic says after some steps.

    Attributes:
        step: how many steps it has been trained.
        difference: E f(x) - E f(y), which WGAN calls its estimate of K·EM.
        steepest: the largest slope found at and between the points: K is at least this.
        bound: the product of the layers' operator norms: K is at most this.
    """

    step: int
    difference: float
    steepest: float
    bound: float

    @property
    def scaled(self) -> float:
        """difference/steepest: comparable with EM whatever unit the critic speaks in."""
        return self.difference / self.steepest if self.steepest else 0.0

    @property
    def certain(self) -> float:
        """difference/bound: never more than EM."""
        return self.difference / self.bound if self.bound else 0.0


def dual(
    x: Any, y: Any, kind: str = "gp", *, steps: int = 500, every: int = 25, seed: int = 0
) -> list[Estimate]:
    """Train a critic on two sets of points and write down what it says on the way.

    Every step sees all points, so that the best critic's difference is ``em(x, y)`` itself.

    Args:
        x, y: (N,) or (N, d) and (M, d), as for ``em``.
        kind: how the critic is kept from getting steep: "clip", "gp" or "spectral".
        steps: of training.
        every: how many of them lie between two estimates; the first is of the untrained critic.

    Raises:
        DataError: as for ``em``; an unknown kind; steps, every or seed no whole number.

    Source: Villani 2009, Optimal Transport, theorem 5.10; Arjovsky et al. 2017, arXiv 1701.07875.

    >>> last = dual([[0.0, 0.0]], [[1.0, 0.0]], "spectral", steps=100)[-1]    # EM is 1
    >>> last.certain <= 1.0
    True
    """
    x, y = checks.pair("dual", x, y)
    if kind not in CRITICS:
        raise DataError(f"dual: kind expects one of {', '.join(CRITICS)}; got {kind!r}")
    steps, every = checks.whole("dual", "steps", steps, 1), checks.whole("dual", "every", every, 1)
    seed = checks.whole("dual", "seed", seed, 0)
    real, fake = (tensor(points.astype(np.float32)) for points in (x, y))
    critic = Critic(kind, x.shape[1], seed)
    found = [_look(critic, real, fake, 0)]
    for step in progress(range(1, steps + 1), f"critic ({kind})"):
        critic.step(real, fake)
        if step % every == 0 or step == steps:
            found.append(_look(critic, real, fake, step))
    return found


def _look(critic: Critic, real: Tensor, fake: Tensor, step: int) -> Estimate:
    difference = critic.difference(real, fake).item()
    return Estimate(step, difference, critic.steepest(real, fake), critic.bound())
