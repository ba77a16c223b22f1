"""Operations whose arrays are worth computing in one go, for every kind of array.

``plain`` says in array-module calls what each of them is, for any dtype, memory order and device.
Every kind of array may have routines of its own, which decline (give None) whatever they are not
made for: ``blocked`` and ``channels`` compute large float arrays on the CPU, a cache-sized block at
a time and in reused memory; ``cuda`` computes on a GPU, by the project's own kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..array import Array, array_module
from ..cpu.threads import scratch
from . import blocked, channels, halves, plain

_large = {
    "leaky_relu": blocked.leaky_relu,
    "leaky_relu_grad": blocked.leaky_relu_grad,
    "normalise": channels.normalise,
    "normalise_grad": channels.normalise_grad,
    "packed": halves.packed,
    "rounded": halves.rounded,
}


def _blocked(x: Array) -> bool:
    return type(x) is np.ndarray and x.size >= blocked.LEAST and x.dtype.char in "fd"


def _on_cpu(x: Array) -> bool:
    return isinstance(x, (np.ndarray, np.generic))


def _special(name: str, x: Array, *arguments: Any) -> Any:
    """What the routine for arrays such as ``x`` gives; None where there is none."""
    if _on_cpu(x):
        routine = _large.get(name) if _blocked(x) else None
    else:
        from . import cuda

        routine = getattr(cuda, name, None)
    return None if routine is None else routine(*arguments)


def leaky_relu(x: Array, slope: float) -> Array:
    """max(x, slope·x) for 0 ≤ slope ≤ 1; else x where it is positive and slope·x elsewhere."""
    y = _special("leaky_relu", x, x, slope)
    return plain.leaky_relu(x, slope) if y is None else y


def leaky_relu_grad(g: Array, s: Array, slope: float) -> Array:
    """g where s > 0, slope·g elsewhere."""
    y = _special("leaky_relu_grad", g, g, s, slope)
    return plain.leaky_relu_grad(g, s, slope) if y is None else y


def centred(images: Array, chosen: Array | None = None) -> Array:
    """The chosen ones (else all) of uint8 images, as float32 x/127.5 - 1."""
    y = _special("centred", images, images, chosen)
    return plain.centred(images, chosen) if y is None else y


def packed(x: Array) -> Array:
    """The BF16 numbers nearest to float32 ones, as uint16: the upper halves of their bits."""
    y = _special("packed", x, x)
    return plain.packed(x) if y is None else y


def unpacked(bits: Array) -> Array:
    """The float32 numbers of which ``packed`` kept the upper halves."""
    if type(bits) is np.ndarray and bits.size >= blocked.LEAST:
        y = halves.unpacked(bits)
    else:
        y = _special("unpacked", bits, bits)
    return plain.unpacked(bits) if y is None else y


def rounded(x: Array) -> Array:
    """float32 numbers rounded to BF16's eight binary digits; arrays of other dtypes as they are.

    To the nearest, ties to even; what is beyond the largest by half a step or more is infinite.

    >>> rounded(np.float32([1 + 1 / 256, 1 + 3 / 256, 3.4e38]))
    array([1.      , 1.015625,      inf], dtype=float32)
    """
    if x.dtype != np.float32:
        return x
    y = _special("rounded", x, x)
    return plain.rounded(x) if y is None else y


def tanh_grad(g: Array, y: Array) -> Array:
    """g·(1 - y²)."""
    given = _special("tanh_grad", g, g, y)
    return plain.tanh_grad(g, y) if given is None else given


def sigmoid(x: Array) -> Array:
    """1/(1 + e^-x)."""
    y = _special("sigmoid", x, x)
    return plain.sigmoid(x) if y is None else y


def sigmoid_grad(g: Array, y: Array) -> Array:
    """g·y·(1 - y)."""
    given = _special("sigmoid_grad", g, g, y)
    return plain.sigmoid_grad(g, y) if given is None else given


def softplus(x: Array) -> Array:
    """ln(1 + e^x)."""
    y = _special("softplus", x, x)
    return plain.softplus(x) if y is None else y


def logistic(x: Array, p: Array, q: Array) -> Array:
    """p·softplus(-x) + q·softplus(x)."""
    y = _special("logistic", x, x, p, q)
    return plain.logistic(x, p, q) if y is None else y


def logistic_grad(g: Array, x: Array, p: Array, q: Array) -> Array:
    """g·(q·σ(x) - p·σ(-x))."""
    y = _special("logistic_grad", g, g, x, p, q)
    return plain.logistic_grad(g, x, p, q) if y is None else y


def total(x: Array, dims: tuple[int, ...], keepdims: bool, dtype: Any) -> Array:
    """Σ x over dims."""
    if x.size >= blocked.LEAST and _blocked(x) and x.dtype == dtype:
        y = channels.total(x, dims, keepdims)
        if y is not None:
            return y
    return x.sum(axis=dims, keepdims=keepdims, dtype=dtype)


def normalise(x: Array, w: Array, b: Array, dims: tuple, eps: float, slope: float = 1.0) -> tuple:
    """(y, μ, σ²) with y = f((x - μ)/√(σ² + ε)·w + b), mean μ and biased variance σ² over dims.

    f is the LeakyReLU of that slope: 1 is no activation at all.
    """
    given = _special("normalise", x, x, w, b, dims, eps, slope)
    return plain.normalise(x, w, b, dims, eps, slope) if given is None else given


def kept_shift(b: Any, slope: float) -> Array | None:
    """What ``normalise_grad`` has to know of b, which may have changed by then."""
    return None if slope == 1 or not hasattr(b, "shape") else _special("kept_shift", b, b)


def normalise_grad(
    g: Array,
    x: Array,
    y: Any,
    w: Any,
    shift: Array | None,
    mean: Array,
    var: Array,
    dims: tuple,
    eps: float,
    slope: float,
) -> tuple | None:
    """The gradients of ``normalise`` in x, w and b, where there is a routine for all of it."""
    return _special("normalise_grad", x, g, x, y, w, shift, mean, var, dims, eps, slope)


def normalise_sums(g: Array, x: Array, mean: Array, dims: tuple) -> tuple:
    """(Σ g, Σ g·(x - mean)) over dims."""
    return plain.normalise_sums(g, x, mean, dims)


def scaled_sum(g: Array, x: Array, mean: Array, a: Array, b: Array, c: Array) -> Array:
    """a·g + b·(x - mean) + c, where mean, a, b and c are constant over dims."""
    return plain.scaled_sum(g, x, mean, a, b, c)


def reshape(x: Array, shape: tuple[int, ...]) -> Array:
    """``x`` in another shape: a view where that can be, else a copy in row-major order."""
    if x.size < blocked.LEAST or not isinstance(x, np.ndarray) or x.flags.c_contiguous:
        return x.reshape(shape)
    return blocked.reshape(x, shape)


def matmul(a: Array, b: Array) -> Array:
    """The matrix product over the last two dimensions."""
    made = isinstance(a, np.ndarray) and a.dtype.char in "fd"
    y = blocked.matmul(a, b) if made else None
    return a @ b if y is None else y


def in_blocks(task: Callable[[slice], None], flat: Array) -> None:
    """task(part) for parts that make up a 1-D array; they must not depend on each other."""
    if isinstance(flat, np.ndarray):
        blocked.in_blocks(task, flat.size)
    elif flat.size:
        task(slice(None))


# -------------------------------------------------------------------------- whole networks


def length(arrays: Sequence[Array], max_norm: float | None = None) -> Array | None:
    """√Σ of all squares, 0-d, where there is a routine for it.

    With ``max_norm`` every array is then multiplied by min(1, max_norm/(norm + 1e-6)), in place.
    """
    return _special("length", arrays[0], arrays, max_norm) if arrays else None


def limit(arrays: Sequence[Array], low: float, high: float) -> None:
    """Every number is limited to [low, high], in place."""
    if not arrays or _special("limit", arrays[0], arrays, low, high):
        return
    for a in arrays:
        xp = array_module(a)
        xp.maximum(a, low, out=a)
        xp.minimum(a, high, out=a)


def average(means: Sequence[Array], arrays: Sequence[Array], decay: float, share: float) -> None:
    """means ← decay·means + share·arrays, in place."""
    if not means or _special("average", means[0], means, arrays, decay, share):
        return
    for mean, array in zip(means, arrays, strict=True):
        mean *= decay
        mean += array * share if share != 1 else array


def can_step(parameters: Sequence[Array]) -> bool:
    """Whether ``step`` can move these parameters."""
    return bool(_special("can_step", parameters[0], parameters))


def step(name: str, settings: dict[str, Any], *arrays: Sequence[Array], kept: dict) -> None:
    """One step of the optimizer of that name and settings, for all parameters at once.

    ``arrays`` are the parameters, their gradients and, for each kind of state, theirs; ``kept``
    holds what the next step of the same parameters has in common with this one.
    """
    parameters, gradients, *state = arrays
    _special("step", parameters[0], name, settings, parameters, gradients, state, kept)


def prepare(name: str, settings: dict[str, Any], like: Array, kept: dict) -> None:
    """Bring the settings of ``step`` to the device of ``like``, unless they are there already."""
    _special("prepare", like, name, settings, like, kept)


def bring(numbers: np.ndarray, to: Array) -> Array:
    """Write the host's numbers to an array of their shape and dtype, without waiting; gives it."""
    if isinstance(to, np.ndarray):
        to[...] = numbers
    elif not _special("bring", to, numbers, to):
        to.set(numbers)
    return to


def working_memory(purpose: str, like: Array) -> Array:
    """An uninitialised array, on the CPU of memory that this thread uses again and again."""
    if isinstance(like, np.ndarray):
        return scratch(purpose, like.shape, like.dtype)
    return array_module(like).empty_like(like)


__all__ = [
    "average",
    "bring",
    "can_step",
    "centred",
    "in_blocks",
    "leaky_relu",
    "leaky_relu_grad",
    "length",
    "limit",
    "logistic",
    "logistic_grad",
    "matmul",
    "normalise",
    "normalise_grad",
    "normalise_sums",
    "packed",
    "prepare",
    "reshape",
    "rounded",
    "scaled_sum",
    "sigmoid",
    "sigmoid_grad",
    "softplus",
    "step",
    "tanh_grad",
    "total",
    "unpacked",
    "working_memory",
]
