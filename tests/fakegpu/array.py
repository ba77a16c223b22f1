"""An array of the GPU: NumPy's values, and CuPy's strictness about who may see them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from . import graphs, ufuncs
from .gpu import GPU, Device, memory
from .ufuncs import SCALARS, is_array


class Flags:
    """The memory order; CuPy has no more flags than these."""

    def __init__(self, array: ndarray):
        held = array._memory.flags
        self.c_contiguous, self.f_contiguous = held.c_contiguous, held.f_contiguous
        self.owndata = array.base is None
        self.forc = self.c_contiguous or self.f_contiguous
        self.fnc = self.f_contiguous and not self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray:
    """As ``cupy.ndarray``; ``_memory`` is the NumPy array that holds the values."""

    __slots__ = ("_base", "_device", "_memory")
    __array_priority__ = 100
    __hash__ = None

    def __init__(self, *args: Any, **kwargs: Any):
        raise TypeError("ndarray: the fake makes arrays by cupy.empty and its kin only")

    @classmethod
    def _of(cls, values: np.ndarray, device: Device, base: ndarray | None = None) -> ndarray:
        self = object.__new__(cls)
        self._memory, self._device, self._base = values, device, base
        return self

    def _view(self, values: np.ndarray) -> ndarray:
        """Another array in the same memory."""
        return ndarray._of(values, self._device, self if self._base is None else self._base)

    def _apply(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self._gpu.apply(function, self, *args, **kwargs)

    @property
    def _gpu(self) -> GPU:
        return self._device.gpu

    # -- what it is

    shape = property(lambda self: self._memory.shape)
    ndim = property(lambda self: self._memory.ndim)
    size = property(lambda self: self._memory.size)
    dtype = property(lambda self: self._memory.dtype)
    strides = property(lambda self: self._memory.strides)
    itemsize = property(lambda self: self._memory.itemsize)
    nbytes = property(lambda self: self._memory.nbytes)
    base = property(lambda self: self._base)
    flags = property(Flags)

    @shape.setter
    def shape(self, shape: Any) -> None:
        self._memory = self._memory.reshape(shape, copy=False)

    @property
    def device(self) -> Device:
        return Device(self._gpu, self._device.id)

    @property
    def data(self) -> SimpleNamespace:
        return SimpleNamespace(
            ptr=self._memory.ctypes.data, device=self.device, device_id=self._device.id, mem=self
        )

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "descr": self.dtype.descr,
            "stream": 1,
            "version": 3,
            "strides": None if self.flags.c_contiguous else self.strides,
            "data": (self._memory.ctypes.data, False),
        }

    # -- who may see the values

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to "
            "construct a NumPy array explicitly."
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """What NumPy's scalars do beside an array of the GPU (and nothing else may)."""
        if method != "__call__" or not any(isinstance(x, np.generic) for x in inputs):
            raise TypeError(f"numpy.{ufunc.__name__} was called on an array of the GPU")
        return getattr(current(self), ufunc.__name__)(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        raise TypeError(f"numpy.{func.__name__} was called on an array of the GPU")

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> np.ndarray:
        if out is not None and not blocking and self._gpu.is_pinned(out):
            if out.dtype != self.dtype or out.shape != self.shape:
                raise ValueError(f"get: out is {out.dtype} {out.shape}")
            self._gpu.send(self._memory, out)
            return out
        self._gpu.wait("get")
        if out is None:
            return np.array(self._memory, order=order)
        if out.dtype != self.dtype or out.shape != self.shape:
            raise ValueError(f"get: out is {out.dtype} {out.shape}")
        out[...] = self._memory
        return out

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray) or (arr.dtype, arr.shape) != (self.dtype, self.shape):
            raise TypeError("set: expected a numpy.ndarray of the same dtype and shape")
        self._gpu.uploads.append("set")
        if stream is None or stream is self._gpu.module.cuda.get_current_stream():
            self._apply(lambda a, b: a.__setitem__(..., b), np.array(arr))
        else:
            graphs.spoil(self._memory)
            stream.later(lambda: np.copyto(self._memory, arr))

    def item(self) -> Any:
        self._gpu.wait("item")
        return self._memory.item()

    def tolist(self) -> Any:
        self._gpu.wait("tolist")
        return self._memory.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        self._gpu.wait("tobytes")
        return self._memory.tobytes(order)

    def _number(self, kind: type) -> Any:
        self._gpu.wait(kind.__name__)
        if kind in (int, float, complex) and self._memory.ndim and self._memory.size == 1:
            return kind(self._memory.item())  # NumPy deprecates this, CuPy's users need not know
        return kind(self._memory)

    def __bool__(self) -> bool:
        return self._number(bool)

    def __int__(self) -> int:
        return self._number(int)

    def __index__(self) -> int:
        raise TypeError("only integer scalar arrays can be converted to a scalar index")

    def __float__(self) -> float:
        return self._number(float)

    def __complex__(self) -> complex:
        return self._number(complex)

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get(), spec)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def __copy__(self) -> ndarray:
        return self.copy()

    def __deepcopy__(self, memo: dict) -> ndarray:
        return self.copy()

    # -- places

    def __getitem__(self, index: Any) -> ndarray:
        index, fancy, masks = ufuncs.normal(self, index, self._gpu)
        if not fancy:
            return self._view(self._memory[memory(index)])
        if masks:
            self._gpu.wait("mask")
        return self._apply(lambda a, i: np.array(a[i], order="C"), index)

    def __setitem__(self, index: Any, value: Any) -> None:
        ufuncs.scatter(self, index, value, "update")

    def scatter_add(self, slices: Any, value: Any) -> None:
        ufuncs.scatter(self, slices, value, "add")

    def scatter_max(self, slices: Any, value: Any) -> None:
        ufuncs.scatter(self, slices, value, "max")

    def scatter_min(self, slices: Any, value: Any) -> None:
        ufuncs.scatter(self, slices, value, "min")

    def take(self, indices: Any, axis: int | None = None, out: Any = None) -> ndarray:
        a = self.reshape(-1) if axis is None else self
        d = 0 if axis is None else axis % self.ndim
        found = a[(slice(None),) * d + (indices,)]
        return found if out is None else _fill(out, found)

    # -- changes of form: views where memory allows it

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> ndarray:
        return self._apply(np.ndarray.reshape, *shape, order=order)

    def ravel(self, order: str = "C") -> ndarray:
        return self._apply(np.ndarray.ravel, order)

    def flatten(self, order: str = "C") -> ndarray:
        return self._apply(np.ndarray.flatten, order)

    def transpose(self, *axes: Any) -> ndarray:
        return self._view(self._memory.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> ndarray:
        return self._view(self._memory.swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> ndarray:
        return self._view(self._memory.squeeze(axis))

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        return self._view(self._memory.view() if dtype is None else self._memory.view(dtype))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> ndarray:
        values = self._memory.diagonal(offset, axis1, axis2)
        values.flags.writeable = True
        return self._view(values)

    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))

    @property
    def real(self) -> ndarray:
        return self._view(self._memory.real) if self.dtype.kind == "c" else self

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> ndarray:
        if self.dtype.kind == "c":
            return self._view(self._memory.imag)
        return self._apply(np.zeros_like)

    @imag.setter
    def imag(self, value: Any) -> None:
        self.imag[...] = value

    def conj(self) -> ndarray:
        return self._apply(np.conj) if self.dtype.kind == "c" else self

    conjugate = conj

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: Any = None,
        subok: Any = None,
        copy: bool = True,
    ) -> ndarray:
        if casting is not None or subok is not None:
            raise TypeError("astype: casting and subok are not supported yet")
        if not copy and np.dtype(dtype) == self.dtype:
            return self
        if np.dtype(dtype).kind not in "biufc":
            raise ValueError(f"Unsupported dtype {dtype}")
        return self._apply(np.ndarray.astype, np.dtype(dtype), order=order)

    def copy(self, order: str = "C") -> ndarray:
        return self._apply(np.ndarray.copy, order=order)

    def fill(self, value: Any) -> None:
        self[...] = value.item() if is_array(value) and not value.ndim else value

    def repeat(self, repeats: Any, axis: int | None = None) -> ndarray:
        if is_array(repeats):
            self._gpu.wait("repeat")
        return self._apply(np.repeat, repeats, axis)

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        _stable(kind)
        self._apply(lambda a: np.ndarray.sort(a, axis, "stable"))

    def argsort(self, axis: int | None = -1, kind: Any = None) -> ndarray:
        _stable(kind)
        return self._apply(np.argsort, axis, "stable")

    def nonzero(self) -> tuple[ndarray, ...]:
        self._gpu.wait("nonzero")
        return self._apply(np.nonzero)

    def dot(self, b: ndarray, out: Any = None) -> ndarray:
        return _fill(out, self._apply(np.dot, _operand(b)))

    # -- reductions

    def _reduced(self, name: str, out: Any, *args: Any, **kwargs: Any) -> ndarray:
        return _fill(out, self._apply(getattr(np, name), *args, **kwargs))

    def sum(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> ndarray:
        return self._reduced("sum", out, axis, dtype, keepdims=keepdims)

    def prod(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> ndarray:
        return self._reduced("prod", out, axis, dtype, keepdims=keepdims)

    def mean(
        self, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> ndarray:
        return self._reduced("mean", out, axis, dtype, keepdims=keepdims)

    def var(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: int = 0,
        keepdims: bool = False,
    ) -> ndarray:
        return self._reduced("var", out, axis, dtype, ddof=ddof, keepdims=keepdims)

    def std(
        self,
        axis: Any = None,
        dtype: Any = None,
        out: Any = None,
        ddof: int = 0,
        keepdims: bool = False,
    ) -> ndarray:
        return self._reduced("std", out, axis, dtype, ddof=ddof, keepdims=keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return self._reduced("max", out, axis, keepdims=keepdims)

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return self._reduced("min", out, axis, keepdims=keepdims)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return self._reduced("all", out, axis, keepdims=keepdims)

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
        return self._reduced("any", out, axis, keepdims=keepdims)

    def argmax(
        self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False
    ) -> ndarray:
        return self._reduced("argmax", out, axis, keepdims=keepdims)

    def argmin(
        self, axis: Any = None, out: Any = None, dtype: Any = None, keepdims: bool = False
    ) -> ndarray:
        return self._reduced("argmin", out, axis, keepdims=keepdims)

    def cumsum(self, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        return self._reduced("cumsum", out, axis, dtype)

    def cumprod(self, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
        return self._reduced("cumprod", out, axis, dtype)

    def clip(self, min: Any = None, max: Any = None, out: Any = None) -> ndarray:
        if min is None and max is None:
            raise ValueError("array_clip: must set either max or min")
        return _fill(out, self._apply(np.clip, _operand(min), _operand(max)))

    def round(self, decimals: int = 0, out: Any = None) -> ndarray:
        return self._reduced("round", out, decimals)

    def trace(
        self,
        offset: int = 0,
        axis1: int = 0,
        axis2: int = 1,
        dtype: Any = None,
        out: Any = None,
    ) -> ndarray:
        return self._reduced("trace", out, offset, axis1, axis2, dtype)


def current(array: ndarray) -> Any:
    """The CuPy that the array belongs to."""
    return array._gpu.module


def _fill(out: Any, values: ndarray) -> ndarray:
    if out is None:
        return values
    out[...] = values
    return out


def _stable(kind: Any) -> None:
    if kind not in (None, "stable"):
        raise ValueError("kind should be None or 'stable'")


def _operand(value: Any) -> Any:
    if value is not None and not is_array(value) and not isinstance(value, SCALARS):
        raise TypeError(f"Unsupported type {type(value)}")
    return value


# ------------------------------------------------------------------------------- operators

_OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "divmod": "divmod",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "matmul": "matmul",
}


def _declines(other: Any) -> bool:
    """Whether the other operand computes, as a Tensor does."""
    return not is_array(other) and getattr(other, "__array_ufunc__", other) is None


def _binary(name: str, mirrored: bool = False, inplace: bool = False) -> Any:
    def method(self: ndarray, other: Any) -> Any:
        if _declines(other):
            return NotImplemented
        operands = (other, self) if mirrored else (self, other)
        return getattr(current(self), name)(*operands, **({"out": self} if inplace else {}))

    return method


for _symbol, _name in _OPERATORS.items():
    setattr(ndarray, f"__{_symbol}__", _binary(_name))
    setattr(ndarray, f"__r{_symbol}__", _binary(_name, mirrored=True))
    if _symbol not in ("divmod", "matmul"):
        setattr(ndarray, f"__i{_symbol}__", _binary(_name, inplace=True))
for _symbol, _name in {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
    "eq": "equal",
    "ne": "not_equal",
}.items():
    setattr(ndarray, f"__{_symbol}__", _binary(_name))
for _symbol, _name in {
    "neg": "negative",
    "pos": "positive",
    "abs": "absolute",
    "invert": "invert",
}.items():
    setattr(ndarray, f"__{_symbol}__", lambda self, name=_name: getattr(current(self), name)(self))
ndarray.__hash__ = None
