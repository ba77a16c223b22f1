"""Objectives: pure functions from what the critic says to the losses of the two players."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import log
from typing import NamedTuple

from .._tensor import Tensor
from ..losses import binary_cross_entropy_with_logits
from ..ops.creation import full_like
from ..ops.kinks import relu


def bce_critic(
    real: Tensor,
    fake: Tensor,
    real_targets: Tensor | None = None,
    fake_targets: Tensor | None = None,
) -> Tensor:
    """-E ln σ(D(x)) - E ln(1 - σ(D(G(z)))): tell real from fake.

    Args:
        real, fake: the critic's logits.
        real_targets, fake_targets: probabilities to aim at in place of 1 and 0.

    Source: Goodfellow et al. 2014, arXiv 1406.2661.  At the equilibrium D = ½ it is 2 ln 2.

    >>> import minigan
    >>> round(bce_critic(minigan.zeros(4, 1), minigan.zeros(4, 1)).item(), 4)
    1.3863
    """
    ones = full_like(real, 1.0) if real_targets is None else real_targets
    zeros = full_like(fake, 0.0) if fake_targets is None else fake_targets
    return binary_cross_entropy_with_logits(real, ones) + binary_cross_entropy_with_logits(
        fake, zeros
    )


def bce_generator(fake: Tensor, saturating: bool = False) -> Tensor:
    """-E ln σ(D(G(z))): make the critic say "real"; ln 2 at the equilibrium.

    The saturating form, E ln(1 - σ(D(G(z)))), is the minimax game itself; its gradient vanishes
    while the critic wins, which is why the other one is the default.

    >>> import minigan
    >>> round(bce_generator(minigan.zeros(4, 1)).item(), 4)
    0.6931
    """
    if saturating:
        return -binary_cross_entropy_with_logits(fake, full_like(fake, 0.0))
    return binary_cross_entropy_with_logits(fake, full_like(fake, 1.0))


def wgan_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E f(G(z)) - E f(x): minus the loss of a K-Lipschitz critic estimates K·W₁ from below.

    Source: Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875.

    >>> import minigan
    >>> wgan_critic(minigan.tensor([3.0, 5.0]), minigan.tensor([1.0, 1.0])).item()
    -3.0
    """
    return fake.mean() - real.mean()


def wgan_generator(fake: Tensor) -> Tensor:
    """-E f(G(z)): move the generated images to where the critic is high."""
    return -fake.mean()


def hinge_critic(real: Tensor, fake: Tensor) -> Tensor:
    """E max(0, 1 - D(x)) + E max(0, 1 + D(G(z))); 2 for any constant D in [-1, 1].

    Source: Lim & Ye 2017, arXiv 1705.02894.

    >>> import minigan
    >>> hinge_critic(minigan.tensor([2.0, 0.0]), minigan.tensor([-3.0, 0.5])).item()
    1.25
    """
    return relu(1 - real).mean() + relu(1 + fake).mean()


def lsgan_critic(real: Tensor, fake: Tensor, factor: float = 1.0) -> Tensor:
    """factor·(E(D(x) - 1)² + E D(G(z))²); factor ½ is the paper's.

    Source: Mao et al. 2016, arXiv 1611.04076.  At the equilibrium D = ½ it is factor/2.

    >>> import minigan
    >>> half = minigan.full((4, 1), 0.5)
    >>> lsgan_critic(half, half).item(), lsgan_generator(half).item()
    (0.5, 0.25)
    """
    return (((real - 1) ** 2).mean() + (fake**2).mean()) * factor


def lsgan_generator(fake: Tensor, factor: float = 1.0) -> Tensor:
    """factor·E(D(G(z)) - 1)²."""
    return ((fake - 1) ** 2).mean() * factor


class Objective(NamedTuple):
    """The losses of the two players.

    Attributes:
        critic: (on real, on fake) → loss, from what the critic says.
        generator: on fake → loss.
        lines: what the losses are where no critic can tell real from fake, and how it is written.
        probabilities: whether the critic speaks in logits of "real".
    """

    critic: Callable[..., Tensor]
    generator: Callable[[Tensor], Tensor]
    lines: dict[str, tuple[float, str]]
    probabilities: bool = False


_BCE = (2 * log(2), "2 ln 2")

OBJECTIVES = {
    "bce": Objective(bce_critic, bce_generator, {"d_loss": _BCE, "g_loss": (log(2), "ln 2")}, True),
    "saturating": Objective(
        bce_critic,
        partial(bce_generator, saturating=True),
        {"d_loss": _BCE, "g_loss": (-log(2), "−ln 2")},
        True,
    ),
    "wgan": Objective(wgan_critic, wgan_generator, {"d_loss": (0.0, "0"), "estimate": (0.0, "0")}),
    "hinge": Objective(hinge_critic, wgan_generator, {"d_loss": (2.0, "2")}),
    "lsgan": Objective(
        lsgan_critic, lsgan_generator, {"d_loss": (0.5, "1/2"), "g_loss": (0.25, "1/4")}
    ),
    "lsgan-half": Objective(
        partial(lsgan_critic, factor=0.5),
        partial(lsgan_generator, factor=0.5),
        {"d_loss": (0.25, "1/4"), "g_loss": (0.125, "1/8")},
    ),
}
