"""What the operations share: operands of one dtype, undone broadcasts, checks of arguments."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from operator import index
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module, get_default_dtype, result_dtype
from ..autograd import Function, is_grad_enabled

Number = int | float | complex


class Cast(Function):
    """y = x in another dtype; the gradient returns in x's own."""

    reads = ((),)

    def __init__(self, dtype: np.dtype):
        self.dtype = dtype

    def forward(self, x):
        return x.astype(self.dtype)

    def vjp(self, needs, g, y, x):
        return (cast(g, x.dtype),)


def cast(x: Tensor, dtype: Any) -> Tensor:
    """``x`` with another dtype (``x`` itself if it has it); only floats carry a gradient."""
    dtype = np.dtype(dtype)
    if x.dtype == dtype:
        return x
    if dtype.kind not in "fc":
        return Tensor(x.array.astype(dtype))
    return Cast(dtype)(x)


def as_tensor(name: str, x: Any) -> Tensor:
    """``x`` if it is a Tensor, else one clear error."""
    if isinstance(x, Tensor):
        return x
    raise TypeError(f"{name}: expected a Tensor, got {type(x).__name__}")


def as_float(name: str, x: Tensor) -> Tensor:
    """``x`` as a float tensor: integers and booleans become the default dtype, as in PyTorch."""
    x = as_tensor(name, x)
    return x if x.dtype.kind in "fc" else cast(x, get_default_dtype())


def at_once(routine: Callable[..., Any], *values: Any) -> Tensor | None:
    """A gradient computed by ``routine`` from arrays in one go; None if it is to be recorded."""
    if is_grad_enabled():
        return None
    made = routine(*[v.array if isinstance(v, Tensor) else v for v in values])
    return Tensor(np.asarray(made) if isinstance(made, np.generic) else made)


def operands(name: str, *values: Any, floating: bool = False) -> list:
    """Tensors of one dtype, and Python numbers left as they are (so that they stay weak).

    A Python number's kind counts (an int tensor times 0.5 is a float tensor), its precision does
    not; NumPy's scalars count as Python numbers.  ``floating`` turns integers into the default
    float dtype, as division does.
    """
    first, dtype = values[0], None  # the common case first: floats of one dtype, plain numbers
    if isinstance(first, Tensor) and (dtype := first.array.dtype).kind in "fc":
        for other in values[1:]:
            if type(other) not in _PLAIN_NUMBERS and not (
                isinstance(other, Tensor) and other.array.dtype == dtype
            ):
                break
        else:
            return list(values)
    values = [operand(name, v) for v in values]
    if not any(isinstance(v, Tensor) for v in values):
        raise TypeError(f"{name}: expected at least one Tensor, got only numbers")
    dtype = result_dtype(*[v.array if isinstance(v, Tensor) else v for v in values])
    if floating and dtype.kind not in "fc":
        dtype = get_default_dtype()
    return [cast(v, dtype) if isinstance(v, Tensor) else v for v in values]


_PLAIN_NUMBERS = {bool, int, float, complex}


def operand(name: str, value: Any) -> Any:
    """A Tensor or a Python number (np.float64 *is* a float, but not a weak one)."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return Tensor(value)
    if isinstance(value, (Tensor, int, float, complex)):
        return value
    raise TypeError(f"{name}: expected Tensors, arrays or numbers, got {type(value).__name__}")


def as_scalar(number: Number, like: Tensor, dtype: Any) -> Tensor:
    """A 0-d tensor on ``like``'s device."""
    return Tensor(array_module(like.array).asarray(number, dtype=dtype))


def begin_change(name: str, x: Tensor, *others: Any, recorded: bool = False) -> None:
    """Before a change of x in place: refuse what the graph would miss, then count the change.

    ``others`` are the operands; ``recorded`` says that the graph will know.
    """
    wanted = not recorded and is_grad_enabled()
    if wanted and any(isinstance(v, Tensor) and v.requires_grad for v in (x, *others)):
        raise RuntimeError(
            f"{name}: a tensor that requires grad cannot be changed in place while operations are "
            f"recorded; do it under no_grad() or use the operation without the underscore"
        )
    if isinstance(x.array, np.ndarray) and not x.array.flags.writeable:
        raise RuntimeError(f"{name}: this tensor is an expanded view; clone() it first")
    x.version[0] += 1


def values_for(name: str, x: Tensor, other: Any) -> Any:
    """The array or number in ``other``, which must broadcast to x's shape."""
    other = operand(name, other)
    if not isinstance(other, Tensor):
        return other
    lengths = zip(other.shape[::-1], x.shape[::-1], strict=False)
    if other.ndim > x.ndim or not all(n in (1, m) for n, m in lengths):
        raise RuntimeError(f"{name}: shape {other.shape} does not fit into {x.shape}")
    return other.array


def sum_to(g: Tensor, x: Any) -> Tensor:
    """Sum ``g`` over the dimensions along which ``x`` was broadcast to g's shape."""
    shape = x.shape
    if g.shape == shape:
        return g
    lead = g.ndim - len(shape)
    dims = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and g.shape[lead + i] != 1
    )
    return g.sum(dims, keepdim=True).reshape(shape) if dims else g.reshape(shape)


def numpy_names(function: Callable) -> Callable:
    """Accept NumPy's ``axis`` and ``keepdims`` for ``dim`` and ``keepdim``, as PyTorch does."""

    @wraps(function)
    def accepting(*args: Any, **kwargs: Any) -> Any:
        if not kwargs:
            return function(*args)
        for numpy_name, name in (("axis", "dim"), ("keepdims", "keepdim")):
            if numpy_name in kwargs:
                if name in kwargs:
                    raise TypeError(f"{function.__name__}: got both {name} and {numpy_name}")
                kwargs[name] = kwargs.pop(numpy_name)
        return function(*args, **kwargs)

    return accepting


def by_keyword(keyword: str) -> Callable[[Callable], Callable]:
    """The ints after the tensor may also be given as one sequence, by position or ``keyword``."""

    def accept(function: Callable) -> Callable:
        @wraps(function)
        def accepting(input: Tensor, *values: Any, **named: Any) -> Tensor:
            if not named:
                return function(input, *values)
            if keyword in named and not values:
                values = (named.pop(keyword),)
            return function(input, *values, **named)

        return accepting

    return accept


def normalise_dim(name: str, dim: int, ndim: int) -> int:
    """``dim`` counted from 0; PyTorch's TypeError for no integer, its IndexError beyond ndim."""
    try:
        place = index(None if isinstance(dim, bool) else dim)
    except TypeError:
        raise TypeError(f"{name}: expected an integer as dim, got {dim!r}") from None
    bound = max(ndim, 1)
    if not -bound <= place < bound:
        raise IndexError(
            f"{name}: dimension out of range (expected {-bound} to {bound - 1}, got {place})"
        )
    return place % bound


def normalise_dims(name: str, dim: Any, ndim: int) -> tuple[int, ...]:
    """``dim`` (None, an int or a sequence) as a tuple; None and () mean all dimensions."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        dim = (dim,)
    dims = tuple(normalise_dim(name, d, ndim) for d in dim)
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"{name}: a dimension appears more than once in {tuple(dim)}")
    return dims if ndim else ()


def size_from(name: str, size: tuple, what: str = "size") -> tuple[int, ...]:
    """A shape (or dims, says ``what``) given as separate ints or as one sequence."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    if all([type(n) is int for n in size]):
        return size if type(size) is tuple else tuple(size)
    if not all(isinstance(n, (int, np.integer, Tensor)) for n in size):
        raise TypeError(f"{name}: expected integers as {what}, got {size}")
    return tuple(int(n) for n in size)
