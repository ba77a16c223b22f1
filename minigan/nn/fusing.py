"""Which neighbours in a Sequential are computed as one."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ..conv import Activation
from ..conv.activation import rectifier
from .activations import LeakyReLU, ReLU, Tanh
from .conv import Conv2d, ConvTranspose2d
from .hooks import HOOKS
from .module import Module
from .norm import BatchNorm1d, BatchNorm2d


def as_one(module: Module, following: Module | None) -> Callable[[Any], Any] | None:
    """What computes ``module`` and the activation after it in one pass over memory.

    A batch normalisation can end in a ReLU or LeakyReLU, a convolution in Tanh too.  None for
    other layers (also subclasses, and those given a ``forward`` of their own), a slope outside 0 to
    1, or hooks that want to see what passes between the two.

    >>> as_one(BatchNorm2d(3), LeakyReLU(0.2)).keywords
    {'slope': 0.2}
    >>> as_one(Conv2d(1, 3, 4), Tanh()).keywords
    {'activation': Activation(name='tanh', slope=0.0)}
    """
    kind, slope = type(module), _slope(following)
    if kind in (BatchNorm1d, BatchNorm2d) and slope is not None:
        ending: dict[str, Any] = {"slope": slope}
    elif kind in (Conv2d, ConvTranspose2d) and slope is not None:
        ending = {"activation": rectifier(slope)}
    elif kind in (Conv2d, ConvTranspose2d) and type(following) is Tanh:
        ending = {"activation": Activation("tanh")}
    else:
        return None
    both = module, following
    if any("forward" in vars(m) or any(getattr(m, hooks) for hooks in HOOKS) for m in both):
        return None
    return partial(module.activated, **ending)


def _slope(module: Module | None) -> float | None:
    """The slope of a rectifier, from 0 to 1; None of anything else."""
    if type(module) not in (LeakyReLU, ReLU):
        return None
    slope = 0.0 if type(module) is ReLU else float(module.negative_slope)
    return slope if 0 <= slope < 1 else None
