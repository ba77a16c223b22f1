"""minigan: a from-scratch deep-learning engine on NumPy and CuPy that trains GANs.

>>> import minigan
>>> x = minigan.tensor([1.0, 2.0, 3.0], requires_grad=True)
>>> y = (x ** 3).sum()
>>> (g,) = minigan.grad(y, x, create_graph=True)   # 3x²
>>> minigan.grad(g.sum(), x)[0]                    # 6x
tensor([ 6., 12., 18.], dtype=float32)
"""

import typing as _typing
from importlib import import_module as _import_module

from . import _console

with _console.package_imports():
    from . import autograd, cuda, linalg, ops
    from ._tensor import Tensor, tensor
    from .array import (
        Device,
        Generator,
        bool_,
        default_generator,
        float16,
        float32,
        float64,
        get_default_dtype,
        int32,
        int64,
        manual_seed,
        set_default_dtype,
        uint8,
    )
    from .autograd import (
        Function,
        backward,
        enable_grad,
        grad,
        is_grad_enabled,
        no_grad,
        set_grad_enabled,
    )
    from .checker import GradcheckError, gradcheck
    from .cpu.threads import get_num_threads, set_num_threads
    from .ops import clone
    from .ops.accumulate import cumsum, norm, prod, std
    from .ops.arithmetic import add, div, mul, neg, square, sub
    from .ops.arrange import (
        broadcast_to,
        diagonal,
        flip,
        meshgrid,
        roll,
        split,
        tile,
        tril,
        triu,
        unbind,
    )
    from .ops.compare import allclose, eq, ge, gt, isfinite, isinf, isnan, le, lt, ne
    from .ops.conv import conv2d, conv_transpose2d
    from .ops.conv1d import conv1d, conv_transpose1d
    from .ops.creation import (
        arange,
        as_tensor,
        empty,
        eye,
        from_numpy,
        full,
        full_like,
        linspace,
        ones,
        ones_like,
        rand,
        rand_like,
        randint,
        randint_like,
        randn,
        randn_like,
        randperm,
        zeros,
        zeros_like,
    )
    from .ops.einsum import addmm, bmm, dot, einsum, mm, outer
    from .ops.extremes import amax, amin, argmax, argmin, max, maximum, min, minimum
    from .ops.kinks import abs, clamp, relu, sign, where
    from .ops.linalg import matmul
    from .ops.norm import batch_norm, dropout
    from .ops.pick import gather, index_select, masked_fill, take_along_dim
    from .ops.powers import exp, log, pow, sqrt
    from .ops.reduction import mean, sum, var
    from .ops.shape import (
        cat,
        chunk,
        flatten,
        narrow,
        permute,
        reshape,
        squeeze,
        stack,
        t,
        transpose,
        unflatten,
        unsqueeze,
    )
    from .ops.smooth import cos, erf, expm1, log1p, reciprocal, rsqrt, sigmoid, sin, tanh
    from .ops.softmax import log_softmax, logsumexp, softmax
    from .ops.steps import ceil, floor, round, trunc
    from .saving import load, save

if _typing.TYPE_CHECKING:
    from . import data, debug, gan, losses, metrics, nn, optim, utils

clip = clamp
true_divide = div
__version__ = "0.1.0"
device = Device

_LATER = ("data", "debug", "gan", "losses", "metrics", "nn", "optim", "utils")


def __getattr__(name: str) -> _typing.Any:
    """What tensors do without is imported when it is first asked for (PEP 562)."""
    if name in _LATER:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})


__all__ = [_name for _name in __dir__() if not _name.startswith("_")]
