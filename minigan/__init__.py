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
    from . import autograd, backends, cuda, linalg, ops
    from ._autocast import autocast, bfloat16, get_autocast_dtype, is_autocast_enabled
    from ._tensor import Tensor, tensor
    from .array import (
        Device,
        bool_,
        float16,
        float32,
        float64,
        get_default_device,
        get_default_dtype,
        int8,
        int16,
        int32,
        int64,
        set_default_device,
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
    from .backends import use_deterministic_algorithms
    from .cpu.threads import get_num_threads, set_num_threads
    from .generators import (
        Generator,
        default_generator,
        get_rng_state,
        initial_seed,
        manual_seed,
        set_rng_state,
    )
    from .ops import clone
    from .ops.accumulate import cumsum, norm, prod, std
    from .ops.arithmetic import add, mul, neg, square, sub
    from .ops.arrange import (
        broadcast_to,
        diagonal,
        flip,
        meshgrid,
        repeat_interleave,
        roll,
        split,
        tile,
        tril,
        triu,
        unbind,
    )
    from .ops.bits import (
        bitwise_and,
        bitwise_left_shift,
        bitwise_not,
        bitwise_or,
        bitwise_right_shift,
        bitwise_xor,
        logical_and,
        logical_not,
        logical_or,
        logical_xor,
    )
    from .ops.blends import addcdiv, addcmul, lerp
    from .ops.compare import (
        allclose,
        eq,
        equal,
        ge,
        gt,
        isclose,
        isfinite,
        isinf,
        isnan,
        le,
        lt,
        ne,
    )
    from .ops.conv import conv2d, conv_transpose2d
    from .ops.conv1d import conv1d, conv_transpose1d
    from .ops.creation import (
        arange,
        as_tensor,
        empty,
        empty_like,
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
    from .ops.legacy import (
        BoolTensor,
        ByteTensor,
        DoubleTensor,
        FloatTensor,
        HalfTensor,
        IntTensor,
        LongTensor,
    )
    from .ops.linalg import matmul
    from .ops.norm import batch_norm, dropout
    from .ops.pick import gather, index_select, masked_fill, take_along_dim
    from .ops.powers import exp, log, log2, log10, pow, sqrt
    from .ops.quotients import div, floor_divide, fmod, remainder
    from .ops.reduction import all, any, mean, sum, var
    from .ops.sampling import bernoulli, multinomial, normal
    from .ops.scatter import scatter, scatter_add
    from .ops.shape import (
        cat,
        chunk,
        flatten,
        movedim,
        narrow,
        permute,
        reshape,
        select,
        squeeze,
        stack,
        t,
        transpose,
        unflatten,
        unsqueeze,
    )
    from .ops.smooth import cos, erf, expm1, log1p, reciprocal, rsqrt, sigmoid, sin, tanh
    from .ops.softmax import log_softmax, logsumexp, softmax
    from .ops.sorting import argsort, count_nonzero, masked_select, nonzero, sort, topk
    from .ops.steps import ceil, floor, round, trunc

if _typing.TYPE_CHECKING:
    from . import (
        comparison,
        data,
        debug,
        distributed,
        evaluation,
        gan,
        losses,
        metrics,
        nn,
        optim,
        toys,
        utils,
    )
    from .checker import GradcheckError, gradcheck
    from .saving import load, save

clip = clamp
true_divide = divide = div
inference_mode = no_grad  # there is nothing faster to be had
concat = cat
swapaxes = transpose
# PyTorch's other names for dtypes (they hide Python's own only in this namespace).
half, float, double, short, int, long = float16, float32, float64, int16, int32, int64
bool = bool_
from math import inf, nan, pi  # noqa: E402

from numpy import finfo, iinfo  # noqa: E402

Size = tuple
__version__ = "0.1.0"
device = Device

_LATER = (
    *("comparison", "data", "debug", "distributed", "evaluation", "gan", "losses", "metrics"),
    *("nn", "optim", "toys", "utils"),
)
_LATER_FROM = {
    "GradcheckError": "checker",
    "gradcheck": "checker",
    "load": "saving",
    "save": "saving",
}


def __getattr__(name: str) -> _typing.Any:
    """What tensors do without is imported when it is first asked for (PEP 562)."""
    if name in _LATER:
        return _import_module(f"{__name__}.{name}")
    if name in _LATER_FROM:
        found = getattr(_import_module(f"{__name__}.{_LATER_FROM[name]}"), name)
        return globals().setdefault(name, found)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, *_LATER_FROM})


__all__ = [_name for _name in __dir__() if not _name.startswith("_")]
