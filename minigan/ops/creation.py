"""New tensors: constants, ranges and random numbers.

Where a size is asked for, it is ints, one tuple or list of ints, or the keyword ``size``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .. import generators
from .._tensor import Tensor, tensor
from ..array import Device, get_default_dtype, made
from ..generators import Generator, rng_on
from ._common import as_tensor as as_tensor_only
from ._common import size_from


def shape_of(name: str, positional: tuple, size: Any) -> tuple[int, ...]:
    """The size given in one of its ways."""
    if size is not None:
        if positional:
            raise TypeError(f"{name}: got size twice, as {positional} and as size={size!r}")
        if not isinstance(size, (tuple, list)):
            raise TypeError(f"{name}: expected a tuple of ints as size, got {size!r}")
        positional = (size,)
    shape = size_from(name, positional)
    if min(shape, default=0) < 0:
        raise RuntimeError(f"{name}: expected lengths of at least 0, got {shape}")
    return shape


def finish(array: Any, requires_grad: bool) -> Tensor:
    return Tensor(array).requires_grad_() if requires_grad else Tensor(array)


def _like(name: str, input: Tensor, dtype: Any, device: Any) -> dict[str, Any]:
    """The options of a tensor like ``input``, but for the dtype and device that are given."""
    x = as_tensor_only(name, input)
    return {"dtype": dtype or x.dtype, "device": device or x.device}


def full(
    size: Any,
    fill_value: float,
    dtype: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """A tensor of shape ``size`` holding ``fill_value`` everywhere."""
    fill_value = fill_value.item() if isinstance(fill_value, np.generic) else fill_value
    dtype = arrays.result_dtype(fill_value) if dtype is None else np.dtype(dtype)
    shape = size_from("full", (size,))
    return finish(made("full", device, shape, fill_value, dtype=dtype), requires_grad)


def zeros(
    *sizes: Any, size: Any = None, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros.

    >>> zeros(2, 3).shape, zeros((2, 3)).shape, zeros(size=(2, 3)).shape
    ((2, 3), (2, 3), (2, 3))
    """
    dtype = get_default_dtype() if dtype is None else dtype
    return full(shape_of("zeros", sizes, size), 0, dtype, device, requires_grad)


def ones(
    *sizes: Any, size: Any = None, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones."""
    dtype = get_default_dtype() if dtype is None else dtype
    return full(shape_of("ones", sizes, size), 1, dtype, device, requires_grad)


def empty(
    *sizes: Any, size: Any = None, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """A tensor whose values are whatever the memory held."""
    dtype = get_default_dtype() if dtype is None else dtype
    array = made("empty", device, shape_of("empty", sizes, size), dtype)
    return finish(array, requires_grad)


def full_like(
    input: Tensor, fill_value: float, *, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """A tensor holding ``fill_value``, of ``input``'s shape and (unless given) dtype and device."""
    x = as_tensor_only("full_like", input)
    array = arrays.array_module(x.array).full_like(x.array, fill_value, dtype=dtype)
    return finish(array if device is None else arrays.to_device(array, device), requires_grad)


def zeros_like(
    input: Tensor, *, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """Zeros of ``input``'s shape and (unless given) dtype and device."""
    return full_like(input, 0, dtype=dtype, device=device, requires_grad=requires_grad)


def ones_like(
    input: Tensor, *, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """Ones of ``input``'s shape and (unless given) dtype and device."""
    return full_like(input, 1, dtype=dtype, device=device, requires_grad=requires_grad)


def empty_like(
    input: Tensor, *, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """Whatever the memory held, of ``input``'s shape and (unless given) dtype and device."""
    like = _like("empty_like", input, dtype, device)
    return empty(input.shape, requires_grad=requires_grad, **like)


def arange(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    dtype: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """start, start + step, … before end: ``arange(end)`` or ``arange(start, end, step)``.

    Raises:
        RuntimeError: a step of 0, or one that leads away from end.

    >>> arange(3), arange(1, 2, 0.5)
    (tensor([0, 1, 2]), tensor([1. , 1.5], dtype=float32))
    """
    if end is None:  # the only bound is the end
        start, end = 0, start
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: a step of {step} does not lead from {start} to {end}")
    if dtype is None and any(isinstance(bound, float) for bound in (start, end, step)):
        dtype = get_default_dtype()
    return finish(made("arange", device, start, end, step, dtype=dtype), requires_grad)


def linspace(
    start: float,
    end: float,
    steps: int,
    *,
    dtype: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers from ``start`` to ``end``, both included, equally far apart."""
    if steps < 0:
        raise RuntimeError(f"linspace: number of steps must be non-negative, got {steps}")
    dtype = get_default_dtype() if dtype is None else np.dtype(dtype)
    array = made("linspace", device, start, end, steps).astype(dtype)
    return finish(array, requires_grad)


def eye(
    n: int, m: int | None = None, *, dtype: Any = None, device=None, requires_grad: bool = False
) -> Tensor:
    """The identity matrix of n rows (and m columns)."""
    if n < 0 or (m or 0) < 0:
        raise RuntimeError(f"eye: expected lengths of at least 0, got {n} and {m}")
    array = made("eye", device, n, m, dtype=dtype or get_default_dtype())
    return finish(array, requires_grad)


def from_numpy(array: np.ndarray) -> Tensor:
    """A tensor on the memory of ``array``: changing one changes the other."""
    if not isinstance(array, np.ndarray):
        raise TypeError(f"from_numpy: expected a NumPy array, got {type(array).__name__}")
    return Tensor(array)


def as_tensor(data: Any, dtype: Any = None, device: Device | str | None = None) -> Tensor:
    """``data`` as a Tensor, without a copy where possible; on the default device if one is chosen.

    Where neither that nor ``device`` says otherwise, a Tensor stays on its device.
    """
    if isinstance(data, np.ndarray):
        data = Tensor(data)
    if not isinstance(data, Tensor):
        return tensor(data, dtype, device)
    return data.to(dtype=dtype, device=arrays.or_default(device))


# ------------------------------------------------------------------------------------- random


def _on_gpu(seed: int, device: Device) -> Any:
    from ..cuda.generator import source

    return source(seed, device)


generators.random_sources["cuda"] = _on_gpu


def _draw(name: str, method: str, shape, generator, dtype, device, requires_grad) -> Tensor:
    dtype = np.dtype(dtype or get_default_dtype())
    if dtype.kind != "f":
        raise NotImplementedError(f"{name}: expected a float dtype, got {dtype}")
    drawn = arrays.float64 if dtype == arrays.float64 else arrays.float32
    array = getattr(rng_on(device, generator), method)(shape, dtype=drawn)
    return finish(array.astype(dtype, copy=False), requires_grad)


def randn(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draws of the standard normal distribution."""
    shape = shape_of("randn", sizes, size)
    return _draw("randn", "standard_normal", shape, generator, dtype, device, requires_grad)


def rand(
    *sizes: Any,
    size: Any = None,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Draws of the uniform distribution on [0, 1)."""
    shape = shape_of("rand", sizes, size)
    return _draw("rand", "random", shape, generator, dtype, device, requires_grad)


def randint(
    low: int | None = None,
    high: Any = None,
    size: Any = (),
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Device | str | None = None,
) -> Tensor:
    """Whole numbers drawn from low … high - 1, int64 unless ``dtype`` says otherwise.

    ``randint(high, size)`` draws from 0 … high - 1; all arguments may be named.

    >>> randint(3, 4, size=(2,)), randint(high=1, size=(2,), dtype="float32")
    (tensor([3, 3]), tensor([0., 0.], dtype=float32))
    """
    if isinstance(high, (tuple, list)):  # randint(high, size)
        high, size = None, high
    bounds = [bound for bound in (low, high) if bound is not None]
    if not bounds:
        raise TypeError("randint: expected high, the end of the range")
    low, high = bounds if len(bounds) == 2 else (0, *bounds)
    if low >= high:
        raise RuntimeError(f"randint: expected low < high, got {low} and {high}")
    draws = rng_on(device, generator).integers(low, high, size=size_from("randint", (size,)))
    return Tensor(arrays.array_module(draws).asarray(draws, dtype=np.dtype(dtype or "int64")))


def randperm(
    n: int, *, generator: Generator | None = None, dtype: Any = None, device: Any = None
) -> Tensor:
    """A random permutation of 0 … n - 1, int64 unless ``dtype`` says otherwise."""
    array = rng_on(device, generator).permutation(n)
    return Tensor(array if dtype is None else array.astype(dtype))


def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Standard normal draws of ``input``'s shape and (unless given) dtype and device."""
    like = _like("randn_like", input, dtype, device)
    return randn(input.shape, generator=generator, requires_grad=requires_grad, **like)


def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Uniform draws on [0, 1) of ``input``'s shape and (unless given) dtype and device."""
    like = _like("rand_like", input, dtype, device)
    return rand(input.shape, generator=generator, requires_grad=requires_grad, **like)


def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Generator | None = None,
    dtype: Any = None,
    device: Any = None,
) -> Tensor:
    """Whole numbers low … high - 1 (or 0 … low - 1), of ``input``'s shape, dtype and device."""
    like = _like("randint_like", input, dtype, device)
    return randint(low, high, input.shape, generator=generator, **like)
