"""Objectives: pure functions from what the critic says to the losses of the two players."""

from __future__ import annotations

from .._tensor import Tensor
from ..losses import binary_cross_entropy_with_logits
from ..ops.creation import full_like


def bce_critic(
    real: Tensor, fake: Tensor, real_targets: Tensor | None = None, fake_targets=None
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
