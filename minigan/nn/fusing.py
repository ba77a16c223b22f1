"""Which neighbours in a Sequential are computed as one."""

from __future__ import annotations

from .activations import LeakyReLU, ReLU
from .hooks import HOOKS
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d


def slope_after(module: Module, following: Module | None) -> float | None:
    """The slope of the rectifier that ``module``, a batch normalisation, can do in its own pass.

    None where it cannot: other layers (also subclasses, whose ``forward`` may be another), a slope
    outside 0 to 1, or hooks that want to see what passes between the two.

    >>> slope_after(BatchNorm2d(3), LeakyReLU(0.2))
    0.2
    """
    if type(module) not in (BatchNorm1d, BatchNorm2d) or type(following) not in (LeakyReLU, ReLU):
        return None
    if any(getattr(m, hooks) for m in (module, following) for hooks in HOOKS):
        return None
    slope = 0.0 if type(following) is ReLU else float(following.negative_slope)
    return slope if 0 <= slope < 1 else None
