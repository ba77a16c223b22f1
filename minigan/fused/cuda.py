"""The fused operations on CuPy arrays, by the project's own kernels (``kernels/``).

They are made for float32 in contiguous memory on GPUs that the kernels are for; every function
gives None (or False) for whatever else.  Nothing here waits for the GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..array import Array, array_module
from ..cpu.memory import memory_order
from ..cuda import elementwise, graphs, launcher, network, norm, optim, pointwise, rounding
from ..cuda import images as pictures

OLDEST = 75  # the compute capability that the kernels are written for
LIMIT = 2**31  # numbers in an array, fewer


def _made_for(*arrays: Array) -> bool:
    """Whether the kernels can take these arrays as they are."""
    return _old_enough(arrays[0]) and all(
        a.dtype == np.float32 and a.flags.c_contiguous and 0 < a.size < LIMIT for a in arrays
    )


def _old_enough(array: Array) -> bool:
    return (launcher.capability(array) or 0) >= OLDEST


def _ready(like: Array, *arrays: Array) -> list[Array] | None:
    """The arrays, in contiguous memory, if they have the shape and dtype of ``like``."""
    if any(getattr(a, "shape", None) != like.shape or a.dtype != like.dtype for a in arrays):
        return None
    return [_contiguous(a) for a in arrays]


def _contiguous(a: Array) -> Array:
    return a if a.flags.c_contiguous else array_module(a).ascontiguousarray(a)


# ------------------------------------------------------------------------------ elementwise


def leaky_relu(x: Array, slope: float) -> Array | None:
    if not _made_for(x):
        return None
    y = array_module(x).empty_like(x)
    kind = "leaky_relu" if slope else "relu"
    launcher.run(pointwise.bias_act(x.reshape(1, 1, -1), None, y.reshape(1, 1, -1), kind, slope))
    return y


def leaky_relu_grad(g: Array, s: Array, slope: float) -> Array | None:
    return _backward("leaky_relu", g, s, slope)


def tanh_grad(g: Array, y: Array) -> Array | None:
    return _backward("tanh", g, y)


def sigmoid_grad(g: Array, y: Array) -> Array | None:
    return _backward("sigmoid", g, y)


def _backward(function: str, g: Array, s: Array, slope: float = 0.0) -> Array | None:
    given = _ready(s, g) if _made_for(s) else None
    if given is None:
        return None
    out = array_module(s).empty_like(s)
    launcher.run(elementwise.backward(function, given[0], s, out, slope))
    return out


def sigmoid(x: Array) -> Array | None:
    return _smooth("sigmoid", x)


def softplus(x: Array) -> Array | None:
    return _smooth("softplus", x)


def _smooth(function: str, x: Array) -> Array | None:
    if not _made_for(x):
        return None
    y = array_module(x).empty_like(x)
    launcher.run(elementwise.smooth(function, x, y))
    return y


def logistic(x: Array, p: Array, q: Array) -> Array | None:
    given = _ready(x, p, q) if _made_for(x) else None
    if given is None:
        return None
    y = array_module(x).empty_like(x)
    launcher.run(elementwise.logistic(x, *given, y))
    return y


def logistic_grad(g: Array, x: Array, p: Array, q: Array) -> Array | None:
    given = _ready(x, g, p, q) if _made_for(x) else None
    if given is None:
        return None
    out = array_module(x).empty_like(x)
    launcher.run(elementwise.logistic_backward(given[0], x, *given[1:], out))
    return out


def centred(images: Array, chosen: Any) -> Array | None:
    fits = _old_enough(images) and images.dtype == np.uint8 and images.flags.c_contiguous
    if not fits or not images.size or (chosen is not None and not chosen.flags.c_contiguous):
        return None
    count = len(images if chosen is None else chosen)
    y = array_module(images).empty((count, *images.shape[1:]), np.float32)
    launcher.run(pictures.centred(images, chosen, y))
    return y


def rounded(x: Array) -> Array | None:
    return _with_halves("rounded", x, x.dtype)


def packed(x: Array) -> Array | None:
    return _with_halves("packed", x, np.uint16)


def unpacked(halves: Array) -> Array | None:
    return _with_halves("unpacked", halves, np.float32)


def _with_halves(kernel: str, x: Array, dtype: Any) -> Array | None:
    if not _old_enough(x) or not x.flags.c_contiguous or not x.size:
        return None
    y = array_module(x).empty(x.shape, dtype)
    launcher.run(rounding.plan(kernel, x, y))
    return y


# ---------------------------------------------------------------------------- normalisation


def _by_channel(x: Array, dims: tuple[int, ...]) -> bool:
    """Whether everything but dimension 1 is summed over."""
    return x.ndim >= 2 and dims == (0, *range(2, x.ndim)) and x.shape[1] <= 65535


def _channels(v: Any) -> Array | None:
    """One number for each channel; None for the number that changes nothing."""
    if isinstance(v, (int, float)):
        return None
    return _contiguous(v).reshape(-1)


def _given(v: Any, x: Array, neutral: float) -> bool:
    """Whether v is one number for each channel of x, or ``neutral``."""
    if isinstance(v, (int, float)):
        return v == neutral
    return v.size == x.shape[1] and v.dtype == x.dtype


def normalise(
    x: Array, w: Any, b: Any, dims: tuple[int, ...], eps: float, slope: float
) -> tuple | None:
    if not _made_for(x) or not _by_channel(x, dims):
        return None
    if not _given(w, x, 1) or not _given(b, x, 0):
        return None
    xp, shape = array_module(x), (1, x.shape[1], *(1,) * (x.ndim - 2))
    y, mean, var = xp.empty_like(x), *(xp.empty(x.shape[1], x.dtype) for _ in range(2))
    parameters = _channels(w), _channels(b)
    launcher.run(norm.batch_norm(x, y, mean, var, *parameters, eps=eps, slope=slope))
    return y, mean.reshape(shape), var.reshape(shape)


def kept_shift(b: Array) -> Array:
    return b.copy()


def normalise_grad(
    g: Array,
    x: Array,
    y: Any,
    w: Any,
    shift: Array | None,
    mean: Array,
    var: Array,
    dims: tuple[int, ...],
    eps: float,
    slope: float,
) -> tuple | None:
    """What it keeps of b is its sign's part in the LeakyReLU, from which y need not be read."""
    given = _ready(x, g) if _made_for(x) and _by_channel(x, dims) else None
    if given is None or not _given(w, x, 1) or mean.dtype != np.float32:
        return None
    xp, dx = array_module(x), array_module(x).empty_like(x)
    sums = [xp.empty(x.shape[1], x.dtype) for _ in range(2)]
    known = (_channels(v) for v in (mean, var))
    parameters = _channels(w), None if shift is None else _channels(shift)
    launcher.run(norm.batch_norm_backward(given[0], x, *known, dx, *parameters, *sums, eps, slope))
    return dx, *(s.reshape(mean.shape) for s in sums)


# -------------------------------------------------------------------------- whole networks


def _network(*rows: Sequence[Array]) -> bool:
    """Whether the kernels can take all these arrays."""
    arrays = [a for row in rows for a in row]
    one = len({a.device for a in arrays}) == 1
    return (
        one
        and _old_enough(arrays[0])
        and all(a.dtype == np.float32 and a.flags.c_contiguous for a in arrays)
    )


def _in_order(arrays: Sequence[Array]) -> list[Array]:
    """Views in the order in which the arrays lie in memory, where that does not matter."""
    return [a if a.flags.c_contiguous else a.transpose(memory_order(a)) for a in arrays]


def length(arrays: Sequence[Array], max_norm: float | None = None) -> Array | None:
    arrays = _in_order(arrays)
    if not _network(arrays):
        return None
    out = array_module(arrays[0]).empty((), np.float32)
    launcher.run(network.norm(arrays, out, max_norm))
    return out


def limit(arrays: Sequence[Array], low: float, high: float) -> bool:
    arrays = _in_order(arrays)
    if not _network(arrays):
        return False
    launcher.run(network.limit(arrays, low, high))
    return True


def average(means: Sequence[Array], arrays: Sequence[Array], decay: float, share: float) -> bool:
    if not _network(means, arrays):
        return False
    launcher.run(network.average(means, arrays, decay, share))
    return True


def can_step(parameters: Sequence[Array]) -> bool:
    return _network(parameters)


def step(
    name: str,
    settings: dict[str, Any],
    parameters: Sequence[Array],
    gradients: Sequence[Array],
    state: Sequence[Sequence[Array]],
    kept: dict[str, Any],
) -> None:
    """The settings stay on the GPU, in ``kept``, and are sent when they have changed.

    Where the step is recorded, ``kept`` says so: replays read the settings from that memory.
    """
    gradients = [_contiguous(g) for g in gradients]
    prepare(name, settings, parameters[0], kept)
    if graphs.is_current_stream_capturing():
        kept["recorded"] = True
    launcher.run(getattr(optim, name)(kept["rule"], parameters, gradients, *state))
    if "step" in settings:  # which the rule has counted
        kept["settings"] = {**settings, "step": settings["step"] + 1}


def prepare(name: str, settings: dict[str, Any], like: Array, kept: dict[str, Any]) -> None:
    """Bring the settings to the GPU of ``like``, unless they are there."""
    if "rule" not in kept:
        kept["rule"] = array_module(like).empty(optim.WORDS, np.uint32)
    if kept.get("settings") != settings:
        launcher.run([optim.send(kept["rule"], getattr(optim, f"{name}_settings")(**settings))])
        kept["settings"] = settings


def bring(numbers: np.ndarray, to: Array) -> bool:
    if not _old_enough(to):
        return False
    launcher.run(optim.bring(numbers, to))
    return True
