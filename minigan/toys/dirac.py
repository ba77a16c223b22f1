"""The smallest GAN there is: data at 0, a generator that is one number, a critic with one slope.

    real x = 0,   G = θ,   D(x) = ψ·x

It is at rest where θ = ψ = 0.  Whether a step of both players brings them nearer to it is told by
the Jacobian of the step as a map (θ, ψ) → (θ', ψ'): close to the rest, distances change by its
spectral radius ρ in every step.  The Jacobian is the derivative of a step along gradients, so it
takes second derivatives of the losses; for the unrolled GAN more.

Source: Mescheder, Geiger & Nowozin 2018, arXiv 1801.04406, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._tensor import Tensor, tensor
from ..autograd import grad
from ..gan.objectives import OBJECTIVES, Objective
from ..gan.penalties import gradient_penalty, r1_penalty
from ..generators import Generator
from ..ops.kinks import clamp
from ..ops.shape import stack
from .output import host

RATE = 0.1  # of both players' gradient steps
# The rest is (0, 0).  Derivatives are taken next to it: where D's slope is exactly 0 the norm in a
# penalty has none.
NEAR_REST = (0.0, 1e-9)

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Game:
    """One way to play it.

    Attributes:
        title: for figures.
        objective: of ``gan/objectives.py``.
        penalty: (critic, real, fake) → what the critic's loss has in addition.
        noise: standard deviation of what is added to real and generated points.
        limit: to which ψ is clipped; 0 not at all.
        unroll: steps of the critic that the generator looks ahead.
    """

    title: str
    objective: str
    penalty: Penalty | None = None
    noise: float = 0.0
    limit: float = 0.0
    unroll: int = 0


GAMES = {
    "gan": Game("GAN, minimax", "saturating"),
    "non-saturating": Game("GAN, non-saturating", "bce"),
    "wgan": Game("WGAN, not clipped", "wgan"),
    "clip": Game("WGAN, |ψ| clipped to ½", "wgan", limit=0.5),
    # While |θ| < 2λ the penalty keeps ψ from passing 0, and a critic of the wrong sign stays so.
    "gp": Game(
        "WGAN-GP, λ = ¼",
        "wgan",
        lambda critic, real, fake: 0.25 * gradient_penalty(critic, real, fake, Generator()),
    ),
    "r1": Game(
        "GAN + R1, γ = 0.8", "bce", lambda critic, real, fake: 0.8 * r1_penalty(critic, real)
    ),
    "noise": Game("GAN + noise of std 1", "bce", noise=1.0),
    "unrolled": Game("GAN, unrolled 5 steps", "saturating", unroll=5),
}


def noise_points(count: int = 64) -> np.ndarray:
    """Equally likely points (count, 1) in the place of N(0, 1): its quantiles, with variance 1.

    >>> points = noise_points()
    >>> abs(float(points.mean())) < 1e-12, round(float((points**2).mean()), 12)
    (True, 1.0)
    """
    from scipy.special import ndtri

    points = ndtri((np.arange(count) + 0.5) / count)
    return (points / np.sqrt((points**2).mean()))[:, None]


def step(game: Game, state: Tensor, alternating: bool = False, graph: bool = False) -> Tensor:
    """(θ, ψ) → (θ', ψ'), one gradient step of both players.

    Args:
        state: (2,), float64.
        alternating: the generator answers ψ', else both move from where they are.
        graph: record the step, so that it can be differentiated.
    """
    if not state.requires_grad:
        state = state.detach().requires_grad_()
    theta, psi = state[0], state[1]
    (slope,) = grad(critic_loss(game, theta, psi), psi, create_graph=graph)
    new_psi = psi - slope * RATE
    if game.limit:
        new_psi = clamp(new_psi, -game.limit, game.limit)
    # ψ' depends on θ too, but the generator takes it as it is: it moves a θ of its own.
    own = theta.clone()
    loss = generator_loss(game, own, new_psi if alternating else psi)
    (slope,) = grad(loss, own, create_graph=graph)
    return stack([theta - slope * RATE, new_psi])


def critic_loss(game: Game, theta: Tensor, psi: Tensor) -> Tensor:
    """The objective of the critic, with its penalty."""
    real, fake = _points(game, theta)
    loss = _objective(game).critic(psi * real, psi * fake)
    if game.penalty is not None:
        loss = loss + game.penalty(lambda x: psi * x, real, fake)
    return loss


def generator_loss(game: Game, theta: Tensor, psi: Tensor) -> Tensor:
    """The objective of the generator; unrolled, minus the critic's loss some steps ahead."""
    if not game.unroll:
        return _objective(game).generator(psi * _points(game, theta)[1])
    for _ in range(game.unroll):
        (slope,) = grad(critic_loss(game, theta, psi), psi, create_graph=True)
        psi = psi - slope * RATE
    return -critic_loss(game, theta, psi)


def _objective(game: Game) -> Objective:
    return OBJECTIVES[game.objective]


def _points(game: Game, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Real and generated points, (N, 1)."""
    real = game.noise * noise_points() if game.noise else np.zeros((1, 1))
    real = tensor(real, device=theta.device)
    return real, real + theta


def jacobian(game: Game, at: Any = NEAR_REST, alternating: bool = False) -> np.ndarray:
    """∂(θ', ψ')/∂(θ, ψ), float64 (2, 2), by the engine's derivatives of the step.

    >>> jacobian(GAMES["wgan"])
    array([[ 1. ,  0.1],
           [-0.1,  1. ]])
    """
    state = tensor(list(at), dtype="float64", requires_grad=True)
    after = step(game, state, alternating, graph=True)
    return np.stack([host(grad(after[i], state, retain_graph=True)[0]) for i in range(2)])


def rests(game: Game) -> bool:
    """Whether steps that begin close to θ = ψ = 0 stay close to it."""
    after = host(step(game, tensor(list(NEAR_REST), dtype="float64")))
    return bool(np.abs(after - NEAR_REST).max() < 1e-3 * RATE)


class Prediction(NamedTuple):
    """What the Jacobian says; ``radius`` is None where the game has no rest at 0."""

    eigenvalues: list[complex]
    radius: float | None

    @property
    def converges(self) -> bool:
        """Whether every step brings the players nearer to the rest."""
        return self.radius is not None and self.radius < 1 - 1e-9


def predict(game: Game, alternating: bool = False) -> Prediction:
    """Eigenvalues and spectral radius of the step's Jacobian at rest.

    >>> round(predict(GAMES["wgan"]).radius**2, 12), predict(GAMES["r1"]).converges
    (1.01, True)
    """
    if not rests(game):
        return Prediction([], None)
    values = np.linalg.eigvals(jacobian(game, NEAR_REST, alternating))
    return Prediction([complex(v) for v in values], float(np.abs(values).max()))


def play(game: Game, start: Any, steps: int, alternating: bool = False) -> np.ndarray:
    """The path (steps + 1, 2) of (θ, ψ)."""
    state = tensor(list(start), dtype="float64")
    path = [host(state)]
    for _ in range(steps):
        state = step(game, state, alternating).detach()
        path.append(host(state))
    return np.stack(path)


def converged(path: np.ndarray) -> bool:
    """Whether the last tenth of a path stays within a tenth of the first distance from 0."""
    far = np.hypot(*path.T)
    return bool(far[-max(1, len(far) // 10) :].max() < 0.1 * far[0])


def rate(path: np.ndarray) -> float:
    """The factor by which the distance from 0 changes in a step: a line through its logarithms."""
    logs = np.log(np.hypot(*path.T))
    return float(np.exp(np.polyfit(np.arange(len(logs)), logs, 1)[0]))
