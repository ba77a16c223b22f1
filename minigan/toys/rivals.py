"""Distances as networks estimate them, and a parameter θ that descends what they say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import optim
from .._tensor import tensor
from ..autograd import grad
from ..gan.trainer import stream
from ..generators import Generator
from .apart import Apart, Four
from .output import host
from .players import Critic, Discriminator

BATCH = 256
SEEN = 4096  # fresh points for every number that is reported
RATE = 0.02  # of θ's descent, by SGD
WARM_UP, BETWEEN = 300, 10  # a player's steps before θ moves at all, and before each of its steps


class Estimated(NamedTuple):
    """What trained networks say of P₀ and P_θ.

    Attributes:
        values: TV, KL and JS from a discriminator, EM from a critic with gradient penalty.
        slopes: dKL/dθ, dJS/dθ and dEM/dθ through the same networks; None for TV, which a
            discriminator proves by counting, without a slope.
        discriminator: as it was in the end.
    """

    values: Four
    slopes: Four
    discriminator: Discriminator


def estimate(family: Apart, theta: float, steps: int, seed: int) -> Estimated:
    """Train a discriminator and a critic on fresh batches of 256 and see what they say.

    TV, KL and JS are the lower bounds that the discriminator proves; with the best one they would
    be the distances themselves.  KL and its slope weigh generated points by exp(logit): where these
    weights vary much, for the Gaussians from |θ| = 2 on, both scatter.
    """
    rng = Generator().manual_seed(stream(seed, f"{family.name} {theta}"))
    at = tensor(theta, dtype="float32", requires_grad=True)
    discriminator, critic = Discriminator(2, seed), Critic("gp", 2, seed)
    for _ in range(steps):
        real, fake = family.real(BATCH, rng), family.fake(at, BATCH, rng)
        discriminator.step(real, fake)
        critic.step(real, fake)
    real, fake = family.real(SEEN, rng), family.fake(at, SEEN, rng)
    said = [say(real, fake) for say in (discriminator.kl, discriminator.js, critic.difference)]
    slopes = [grad(value, at, retain_graph=True)[0].item() for value in said]
    values = Four(discriminator.tv(real, fake), *(value.item() for value in said))
    return Estimated(values, Four(None, *slopes), discriminator)


class Path(NamedTuple):
    """θ over the steps of a descent, and the player's function on a line, step by step."""

    theta: list[float]
    seen: list[np.ndarray]


def descend(
    family: Apart, player: str, start: float, steps: int, seed: int, at: np.ndarray
) -> Path:
    """Move θ down the slope of what a player says, the player being trained on the way.

    The player is trained for ``WARM_UP`` steps at the start and ``BETWEEN`` before each step of θ,
    which is one of SGD with rate ``RATE``.

    Args:
        player: "kl" or "js", a discriminator and what it says of these, or "em", a critic with
            gradient penalty.
        at: points (N, 2) where the player's function is written down.
    """
    rng = Generator().manual_seed(stream(seed, f"{family.name} descends {player}"))
    theta = tensor(start, dtype="float32", requires_grad=True)
    optimizer = optim.SGD([theta], lr=RATE)
    rival = Critic("gp", 2, seed) if player == "em" else Discriminator(2, seed)
    say = rival.difference if isinstance(rival, Critic) else getattr(rival, player)
    path = Path([], [])
    for step in range(steps + 1):
        for _ in range(BETWEEN if step else WARM_UP):
            rival.step(family.real(BATCH, rng), family.fake(theta, BATCH, rng))
        path.theta.append(theta.item())
        path.seen.append(host(rival.network(tensor(at)))[:, 0])
        optimizer.zero_grad()
        say(family.real(BATCH, rng), family.fake(theta, BATCH, rng)).backward()
        optimizer.step()
    return path


def exact_descent(family: Apart, player: str, start: float, steps: int) -> list[float]:
    """θ > 0 down the exact slope of "kl", "js" or "em", to 0; where there is none it stays.

    >>> from minigan.toys.apart import LINES
    >>> [round(theta, 2) for theta in exact_descent(LINES, "em", 0.05, 4)]
    [0.05, 0.03, 0.01, 0.0, 0.0]
    """
    path = [start]
    for _ in range(steps):
        slope = getattr(family.slope(path[-1]), player) or 0.0
        path.append(max(0.0, path[-1] - RATE * slope))
    return path
