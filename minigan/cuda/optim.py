"""Plans of ``kernels/optim.cu``: one step of Adam, RMSprop or SGD over a flat store.

A flat store is one array of all parameters behind one another, with arrays of the same length for
their gradients and for the optimizer's state.  Names, defaults and formulas are those of
``minigan.optim``.  Every step may first clip the gradient's norm, in one more launch, and last
clip the parameters.
"""

from __future__ import annotations

from math import inf, sqrt
from typing import Any

import numpy as np

from .launch import Launch, LaunchError
from .streams import Configuration, check, flat_grid, launcher, partial_sums, vector

FILE = "optim.cu"


def _record(**fields: Any) -> np.void:
    """A struct of 32-bit floats and integers, in the order given."""
    kinds = [(k, np.int32 if isinstance(v, int) else np.float32) for k, v in fields.items()]
    return np.array(tuple(fields.values()), kinds)[()]


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def adam(
    p: Any,
    g: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any | None = None,
    *,
    step: int,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    decoupled: bool = False,
    **options: Any,
) -> list[Launch]:
    """Adam's step number ``step`` (from 1); AdamW's if ``decoupled``.

    ``max_exp_avg_sq`` makes it AMSGrad.  For the options see ``_plan``.

    >>> p, g, m, v = np.zeros((4, 10), np.float32)
    >>> [launch.name for launch in adam(p, g, m, v, step=1, max_norm=1.0)]
    ['grad_squares', 'adam']
    """
    settings = _record(
        beta1=float(betas[0]),
        share1=float(1 - betas[0]),
        beta2=float(betas[1]),
        share2=float(1 - betas[1]),
        eps=float(eps),
        rate=lr / (1 - betas[0] ** step),
        root=1 / sqrt(1 - betas[1] ** step),
        shrink=1.0 - lr * weight_decay if decoupled else 1.0,
    )
    decay = 0.0 if decoupled else weight_decay
    arrays = {
        "exp_avg": exp_avg,
        "exp_avg_sq": exp_avg_sq,
        "max_exp_avg_sq": max_exp_avg_sq,
    }
    return _plan("adam", p, g, arrays, settings, decay, **options)


def rmsprop(
    p: Any,
    g: Any,
    square_avg: Any,
    grad_avg: Any | None = None,
    momentum_buffer: Any | None = None,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
    momentum: float = 0.0,
    **options: Any,
) -> list[Launch]:
    """A step of RMSprop: ``grad_avg`` makes it the centred form, ``momentum_buffer`` adds momentum.

    For the options see ``_plan``.
    """
    settings = _record(
        lr=float(lr),
        alpha=float(alpha),
        share=float(1 - alpha),
        eps=float(eps),
        momentum=float(momentum),
    )
    arrays = {
        "square_avg": square_avg,
        "grad_avg": grad_avg,
        "momentum_buffer": momentum_buffer,
    }
    return _plan("rmsprop", p, g, arrays, settings, weight_decay, **options)


def sgd(
    p: Any,
    g: Any,
    momentum_buffer: Any | None = None,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
    first: bool = False,
    **options: Any,
) -> list[Launch]:
    """A step of SGD, with momentum if there is a ``momentum_buffer``.

    In the ``first`` step, with a buffer of zeros, dampening does not count.  For the options see
    ``_plan``.
    """
    settings = _record(
        lr=float(lr),
        momentum=float(momentum),
        share=1.0 if first else 1.0 - dampening,
        nesterov=int(nesterov),
    )
    return _plan(
        "sgd", p, g, {"momentum_buffer": momentum_buffer}, settings, weight_decay, **options
    )


def _plan(
    name: str,
    p: Any,
    g: Any,
    state: dict[str, Any | None],
    settings: np.void,
    weight_decay: float,
    maximize: bool = False,
    max_norm: float | None = None,
    clip_value: float | None = None,
    norm: Any | None = None,
) -> list[Launch]:
    """The launches of one step.

    Args:
        p, g, state: flat arrays of one length; p and state are changed.
        settings: the kernel's struct.
        maximize: climb.
        max_norm: the gradient's norm is first clipped to this, as ``clip_grad_norm_`` does.
        clip_value: afterwards parameters are limited to [-clip_value, clip_value].
        norm: with max_norm, one number that receives the norm before clipping.
    """
    if p.ndim != 1:
        raise LaunchError(f"{name}: p expects a flat array, got shape {p.shape}")
    check(name, p.shape, g=g, **state)
    for option, value in (("max_norm", max_norm), ("clip_value", clip_value)):
        if value is not None and not value >= 0:
            raise LaunchError(f"{name}: {option} must not be negative, got {value}")
    if norm is not None and max_norm is None:
        raise LaunchError(f"{name}: the norm is only computed where max_norm is given")
    if not p.size:
        return []
    width = vector(p.size, p, g, *state.values())
    launch, grid, size = launcher(FILE, VECTOR=width), flat_grid(p.size // width), np.uint64(p.size)
    plan, parts = [], None
    if max_norm is not None:
        parts = partial_sums(g, grid, np.float64)
        plan.append(launch("grad_squares", grid, g, parts, size))
    shared = _record(
        max_norm=float(max_norm or 0),
        sign=-1.0 if maximize else 1.0,
        decay=float(weight_decay),
        limit=float(inf if clip_value is None else clip_value),
        parts=grid[0],
    )
    arguments = (*state.values(), parts, norm, size, shared, settings)
    return [*plan, launch(name, grid, p, g, *arguments)]
