"""The modules that stand for CuPy, and what in them is not NumPy's with other arrays."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from . import array as arrays
from . import listing
from .gpu import GPU, arrays_in
from .names import Submodule
from .random import Random
from .ufuncs import SCALARS, is_array, ufunc


class Cupy(Submodule):
    """``cupy`` itself."""

    ndarray = arrays.ndarray

    def __init__(self, gpu: GPU):
        from .cuda import Cuda, RawModule

        super().__init__("cupy", gpu, np)
        self.gpu, gpu.module = gpu, self
        self.__version__ = listing.known()["version"]
        self.cuda = Cuda(gpu)
        self.linalg = Submodule("cupy.linalg", gpu, np.linalg)
        self.random = Random(gpu)
        strides = Submodule("cupy.lib.stride_tricks", gpu, np.lib.stride_tricks)
        strides.as_strided = self._as_strided
        self.lib = ModuleType("cupy.lib")
        self.lib.stride_tricks = strides
        self.RawModule = functools.partial(RawModule, gpu)
        self.finfo, self.iinfo = np.finfo, np.iinfo

    # -- making arrays

    def _made(self, values: np.ndarray) -> Any:
        """A fresh array; also that can be watched."""
        return self.gpu.apply(lambda: values.copy(order="K"))

    def array(
        self,
        obj: Any,
        dtype: Any = None,
        copy: bool = True,
        order: str = "K",
        subok: bool = False,
        ndmin: int = 0,
        *,
        blocking: bool = False,
    ) -> Any:
        if subok:
            raise NotImplementedError("array: subok")
        if is_array(obj):
            found = obj.astype(obj.dtype if dtype is None else dtype, order or "K", copy=copy)
        elif isinstance(obj, (tuple, list)) and any(True for _ in arrays_in(obj)):
            found = self.stack([self.array(x, copy=False) for x in obj])
            found = found if dtype is None else found.astype(dtype, copy=False)
        else:
            found = self.gpu.upload(obj, dtype, order)
        return (
            found
            if found.ndim >= ndmin
            else found.reshape((1,) * (ndmin - found.ndim) + found.shape)
        )

    def asarray(
        self,
        a: Any,
        dtype: Any = None,
        order: str | None = None,
        *,
        copy: bool | None = None,
        blocking: bool = False,
    ) -> Any:
        return self.array(a, dtype, bool(copy), order or "K", blocking=blocking)

    asanyarray = asarray

    def ascontiguousarray(self, a: Any, dtype: Any = None) -> Any:
        a = self.asarray(a, dtype)
        return a if a.flags.c_contiguous and a.ndim else a.reshape(a.shape or (1,)).copy()

    def asfortranarray(self, a: Any, dtype: Any = None) -> Any:
        a = self.asarray(a, dtype)
        return a if a.flags.f_contiguous else a.copy(order="F")

    def asnumpy(
        self,
        a: Any,
        stream: Any = None,
        order: str = "C",
        out: Any = None,
        *,
        blocking: bool = True,
    ) -> np.ndarray:
        return a.get(stream, order, out) if is_array(a) else np.asarray(a)

    def get_array_module(self, *args: Any) -> Any:
        return self if any(is_array(a) for a in args) else np

    def empty(self, shape: Any, dtype: Any = float, order: str = "C") -> Any:
        return self.gpu.hold(self.gpu.empty(shape, dtype, order))

    def zeros(self, shape: Any, dtype: Any = float, order: str = "C") -> Any:
        return self._made(np.zeros(shape, dtype, order))

    def ones(self, shape: Any, dtype: Any = float, order: str = "C") -> Any:
        return self._made(np.ones(shape, dtype, order))

    def full(self, shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
        if dtype is None:
            dtype = fill_value.dtype if is_array(fill_value) else np.asarray(fill_value).dtype
        found = self.empty(shape, dtype, order)
        self.copyto(found, fill_value, casting="unsafe")
        return found

    def empty_like(
        self,
        prototype: Any,
        dtype: Any = None,
        order: str = "K",
        subok: Any = None,
        shape: Any = None,
    ) -> Any:
        if subok is not None:
            raise TypeError("subok is not supported yet")
        if not is_array(prototype):
            raise TypeError(f"empty_like: Unsupported type {type(prototype)}")
        with prototype.device:
            like = np.empty_like(prototype._memory, dtype, order, shape=shape or prototype.shape)
            like[...] = self.gpu.empty(like.shape, like.dtype)
            return self.gpu.hold(like)

    def full_like(
        self,
        a: Any,
        fill_value: Any,
        dtype: Any = None,
        order: str = "K",
        subok: Any = None,
        shape: Any = None,
    ) -> Any:
        found = self.empty_like(a, dtype, order, subok, shape)
        self.copyto(found, fill_value, casting="unsafe")
        return found

    def zeros_like(
        self, a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
    ) -> Any:
        return self.full_like(a, 0, dtype, order, subok, shape)

    def ones_like(
        self, a: Any, dtype: Any = None, order: str = "K", subok: Any = None, shape: Any = None
    ) -> Any:
        return self.full_like(a, 1, dtype, order, subok, shape)

    def arange(self, start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Any:
        _refuse_arrays("arange", start, stop, step)
        return self._made(
            np.arange(start, stop, step, dtype=dtype)
            if stop is not None
            else np.arange(0, start, step, dtype=dtype)
        )

    def linspace(
        self,
        start: Any,
        stop: Any,
        num: int = 50,
        endpoint: bool = True,
        retstep: bool = False,
        dtype: Any = None,
        axis: int = 0,
    ) -> Any:
        _refuse_arrays("linspace", start, stop)
        return self._made(np.linspace(start, stop, num, endpoint, dtype=dtype))

    def eye(
        self, N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: str = "C"
    ) -> Any:
        return self._made(np.eye(N, M, k, dtype, order))

    def identity(self, n: int, dtype: Any = float) -> Any:
        return self.eye(n, dtype=dtype)

    def tri(self, N: int, M: int | None = None, k: int = 0, dtype: Any = float) -> Any:
        return self._made(np.tri(N, M, k, dtype))

    # -- what differs from NumPy

    def copyto(self, dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
        if not is_array(dst) or not (is_array(src) or isinstance(src, SCALARS)):
            raise TypeError(f"copyto: Unsupported types {type(dst)}, {type(src)}")
        if is_array(src) and not np.can_cast(src.dtype, dst.dtype, casting):
            raise TypeError(f"Cannot cast {src.dtype!r} to {dst.dtype!r} in {casting} casting mode")
        self.gpu.apply(
            lambda dst, src, where: np.copyto(
                dst, src, "unsafe", where=True if where is None else where
            ),
            dst,
            src,
            where,
        )

    def where(self, condition: Any, x: Any = None, y: Any = None) -> Any:
        if not is_array(condition):
            raise AttributeError(f"where: {type(condition).__name__} has no attribute 'astype'")
        if (x is None) != (y is None):
            raise ValueError("Must provide both 'x' and 'y' or neither.")
        if x is None:
            return condition.nonzero()
        types = [f"?{c}{c}->{c}" for c in "?bBhHiIlLefdFD"]
        return ufunc(self.gpu, "cupy_where", types, np.where)(
            condition.astype("?", copy=False), x, y
        )

    def broadcast_to(self, array: Any, shape: Any) -> Any:
        array = self.asarray(array)
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        values = np.broadcast_to(array._memory, shape)
        return array._view(
            np.lib.stride_tricks.as_strided(array._memory, shape, values.strides, writeable=True)
        )

    def _as_strided(self, x: Any, shape: Any = None, strides: Any = None) -> Any:
        if not is_array(x):
            raise TypeError(f"as_strided: Unsupported type {type(x)}")
        return x._view(np.lib.stride_tricks.as_strided(x._memory, shape, strides))

    def expand_dims(self, a: Any, axis: Any) -> Any:
        return a._view(np.expand_dims(a._memory, axis))

    def flip(self, a: Any, axis: Any = None) -> Any:
        return a._view(np.flip(a._memory, axis))

    def diagonal(self, a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
        return a.diagonal(offset, axis1, axis2)

    def isclose(
        self, a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
    ) -> Any:
        return self.gpu.apply(np.isclose, self.asarray(a), self.asarray(b), rtol, atol, equal_nan)

    def sort(self, a: Any, axis: int | None = -1, kind: Any = None) -> Any:
        a = a.ravel().copy() if axis is None else a.copy(order="K")
        a.sort(0 if axis is None else axis, kind)
        return a

    def argsort(self, a: Any, axis: int | None = -1, kind: Any = None) -> Any:
        return a.argsort(axis, kind)

    def tile(self, A: Any, reps: Any) -> Any:
        return self.gpu.apply(np.tile, A, reps)

    def real(self, val: Any) -> Any:
        return val.real

    def imag(self, val: Any) -> Any:
        return val.imag

    def scatter_add(self, *args: Any) -> Any:
        raise AttributeError("module 'cupy' has no attribute 'scatter_add': it is cupyx's")

    # -- settings

    def is_available(self) -> bool:
        return True

    def get_default_memory_pool(self) -> Any:
        return self.cuda.pool

    def get_default_pinned_memory_pool(self) -> Any:
        return self.cuda.pool


def _refuse_arrays(name: str, *values: Any) -> None:
    for value in values:
        if is_array(value) or isinstance(value, np.ndarray):
            raise TypeError(f"{name}: the fake takes numbers only, got {type(value)}")


class Cupyx(Submodule):
    """``cupyx`` and what lies in it."""

    def __init__(self, gpu: GPU):
        from scipy import special

        super().__init__("cupyx", gpu, np)
        self.scipy = ModuleType("cupyx.scipy")
        self.scipy.special = Submodule("cupyx.scipy.special", gpu, special)

    def rsqrt(self, x: Any, **kwargs: Any) -> Any:
        types = ["e->e", "f->f", "d->d", "F->F", "D->D"]
        return ufunc(self._gpu, "cupyx_rsqrt", types, lambda x: 1 / np.sqrt(x))(x, **kwargs)

    def empty_pinned(self, shape: Any, dtype: Any = float, order: str = "C") -> np.ndarray:
        self._gpu.pinned.append(self._gpu.empty(shape, dtype, order))
        return self._gpu.pinned[-1]

    def scatter_add(self, a: Any, slices: Any, value: Any) -> None:
        a.scatter_add(slices, value)

    def scatter_max(self, a: Any, slices: Any, value: Any) -> None:
        a.scatter_max(slices, value)

    def scatter_min(self, a: Any, slices: Any, value: Any) -> None:
        a.scatter_min(slices, value)
