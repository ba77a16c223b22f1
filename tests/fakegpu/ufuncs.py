"""Universal functions, as strict about what they take as CuPy's.

The dtype that is computed in is found as CuPy finds it: the first of the ufunc's types that the
arguments can be cast to, a Python number being weak where arrays are of its kind or higher.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .gpu import GPU

_KIND = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}
_ATOMIC = {
    "add": ("int32", "float16", "float32", "float64", "uint32", "uint64"),
    "max": ("int32", "float32", "float64", "uint32", "uint64"),
    "min": ("int32", "float32", "float64", "uint32", "uint64"),
}
_SCATTERS = {"cupy_add": "add", "cupy_maximum": "max", "cupy_minimum": "min"}
SCALARS = (bool, int, float, complex, np.bool_, np.number)


class ufunc:
    """One function of CuPy's: ``types`` as it lists them, computed by NumPy's (or SciPy's)."""

    def __init__(self, gpu: GPU, name: str, types: list[str], compute: Callable[..., Any]):
        self.gpu, self.name, self.types, self._compute = gpu, name, types, compute
        self.__name__ = name
        taken, given = types[0].split("->")
        self.nin, self.nout = len(taken), len(given)
        self.nargs = self.nin + self.nout

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(
        self,
        *args: Any,
        out: Any = None,
        dtype: Any = None,
        casting: str = "same_kind",
        _where: Any = None,
        **others: Any,
    ) -> Any:
        if others:
            raise TypeError(f"Wrong arguments {others}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self.name!r}: {len(args)}")
        inputs, outs = args[: self.nin], args[self.nin :]
        if out is not None:
            if outs:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            outs = out if isinstance(out, tuple) else (out,)
        for x in (*inputs, *([] if _where is None else [_where])):
            if not is_array(x) and not isinstance(x, SCALARS):
                raise TypeError(f"Unsupported type {type(x)}")
        taken, made = self._resolve(inputs, dtype)

        def compute(*inputs: Any) -> Any:
            cast = [np.asarray(x).astype(t) for x, t in zip(inputs, taken, strict=True)]
            results = self._computed(cast)
            results = results if isinstance(results, tuple) else (results,)
            found = [np.array(r, dtype=t, order="C") for r, t in zip(results, made, strict=True)]
            return tuple(found) if self.nout > 1 else found[0]

        for x, t in zip(inputs, taken, strict=True):
            if not is_array(x):
                np.array(x if isinstance(x, np.generic) else _fits(x, t))  # out of its bounds?
        if any(o is not None for o in outs):
            return self._into(compute, inputs, outs, made, casting, _where)
        if _where is not None:
            outs = [self.gpu.hold(self.gpu.empty(_shape(*inputs, _where), t)) for t in made]
            return self._into(compute, inputs, tuple(outs), made, casting, _where)
        return self.gpu.apply(compute, *inputs)

    def _computed(self, inputs: list[np.ndarray]) -> Any:
        if self.name == "cupy_power" and inputs[0].dtype.kind in "iu" and (inputs[1] < 0).any():
            a, b = np.broadcast_arrays(*inputs)  # NumPy raises, a GPU gives the integer part
            whole = np.power(a, np.maximum(b, 0))
            small = np.where(a == 1, 1, np.where(a == -1, np.where(b % 2, -1, 1), 0))
            return np.where(b < 0, small, whole)
        return self._compute(*inputs)

    def _into(self, compute, inputs, outs, made, casting, where) -> Any:
        if len(outs) != self.nout:
            raise ValueError("The 'out' tuple must have exactly one entry per ufunc output")
        shape = _shape(*inputs, *([] if where is None else [where]))
        for o, t in zip(outs, made, strict=True):
            if not is_array(o):
                raise TypeError(f"Output arguments type must be cupy.ndarray, got {type(o)}")
            if o.shape != np.broadcast_shapes(shape, o.shape) or len(shape) > o.ndim:
                raise ValueError(f"Out shape is mismatched: {shape} and {o.shape}")
            if not np.can_cast(t, o.dtype, casting):
                raise TypeError(
                    f"output (typecode '{t.char}') could not be coerced to provided output "
                    f"parameter (typecode '{o.dtype.char}') according to the casting rule "
                    f'"{casting}"'
                )

        def into(where: Any, outs: tuple, *inputs: Any) -> None:
            found = compute(*inputs)
            for o, r in zip(outs, found if self.nout > 1 else (found,), strict=True):
                np.copyto(o, r, casting="unsafe", where=True if where is None else where)

        self.gpu.apply(into, where, tuple(outs), *inputs)
        return outs[0] if self.nout == 1 else tuple(outs)

    def _resolve(self, inputs: tuple, dtype: Any) -> tuple[list, list]:
        """(the dtypes computed in, those of the results)."""
        if dtype is not None:
            for types in self.types:
                taken, given = types.split("->")
                if all(np.dtype(t) == np.dtype(dtype) for t in given):
                    return _dtypes(taken), _dtypes(given)
            raise TypeError(f"Wrong type ({dtype}) of arguments for {self.name}")
        found = [_described(x) for x in inputs]
        strong = [_KIND[t.kind] for t, weak in found if not weak]
        weak = [_KIND[t.kind] for t, weak in found if weak]
        weakly = bool(strong and weak and max(strong) >= max(weak))
        for types in self.types:
            taken, given = types.split("->")
            if all(
                np.can_cast(t, o) or (weak and weakly and np.result_type(weak(0), o) == o)
                for (t, weak), o in zip(found, _dtypes(taken), strict=True)
            ):
                return _dtypes(taken), _dtypes(given)
        raise TypeError(f"Wrong type ({tuple(t for t, _ in found)}) of arguments for {self.name}")

    # -- methods

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        if self.name not in _SCATTERS:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(a, indices, b, _SCATTERS[self.name])

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        shape = A.shape + (1,) * B.ndim
        return self(A.reshape(shape), B, **kwargs)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        methods = {"cupy_add": "sum", "cupy_multiply": "prod"}
        if self.name not in methods:
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        return getattr(array, methods[self.name])(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        methods = {"cupy_add": "cumsum", "cupy_multiply": "cumprod"}
        if self.name not in methods:
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return getattr(array, methods[self.name])(axis, dtype, out)

    def reduceat(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("reduceat: the fake has none")


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array of the GPU."""
    return hasattr(value, "_memory")


def _fits(number: Any, dtype: np.dtype) -> Any:
    """A Python number as the dtype; OverflowError where an integer does not fit."""
    return np.array(number, dtype) if type(number) is int and dtype.kind in "iu" else number


def _described(x: Any) -> tuple[np.dtype, Any]:
    """(dtype, the Python type where it is a weak number, else None)."""
    if hasattr(x, "dtype"):
        return x.dtype, None
    return np.asarray(x).dtype, None if type(x) is bool else type(x)


def _dtypes(characters: str) -> list[np.dtype]:
    return [np.dtype(c) for c in characters]


def _shape(*values: Any) -> tuple[int, ...]:
    return np.broadcast_shapes(*[getattr(v, "shape", ()) for v in values])


# ------------------------------------------------------------------------------- places


def scatter(a: Any, index: Any, value: Any, how: str) -> None:
    """``a[index]`` = value, or += and its kin, as kernels do it that run in no certain order.

    Where several values go to one place, any of them may stay.
    """
    gpu = a.device.gpu
    index, fancy, masks = normal(a, index, gpu)
    if masks:
        gpu.wait("mask")
    if is_array(value):
        ones = next((d for d, n in enumerate(value.shape) if n != 1), value.ndim)
        value = value.reshape(value.shape[ones:]) if ones else value
    elif fancy:
        value = gpu.upload(value, a.dtype)
    elif isinstance(value, np.ndarray) and value.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    elif not isinstance(value, (*SCALARS, np.ndarray)):
        raise TypeError(f"Unsupported type {type(value)}")
    atomic = fancy and how != "update" and not masks == fancy == 1
    if atomic and a.dtype.name not in _ATOMIC[how]:
        raise TypeError(f"scatter_{how} only supports {', '.join(_ATOMIC[how])} as data type")
    gpu.scatters += 1
    backwards = gpu.scatters % 2 == 1
    step = {"add": np.add, "max": np.maximum, "min": np.minimum}.get(how)

    def write(a: Any, index: Any, value: Any) -> None:
        if how == "update" and not fancy:
            a[index] = value
            return
        places = np.arange(a.size).reshape(a.shape)[index]
        value = np.broadcast_to(np.asarray(value).astype(a.dtype), places.shape).ravel()
        places = places.ravel()
        if backwards:
            places, value = places[::-1], value[::-1]
        where = np.unravel_index(places, a.shape) if a.ndim else ()
        if how == "update":
            a[where] = value if a.ndim else value.reshape(())
        else:
            step.at(a, where, value)

    gpu.apply(write, a, index, value)


def normal(a: Any, index: Any, gpu: GPU) -> tuple[tuple, int, int]:
    """(the index for NumPy, how many arrays are in it, how many of them are masks).

    Numbers beyond an array's end raise, in index arrays they start again from the other side.
    """
    entries = [_entry(i, gpu) for i in (index if isinstance(index, tuple) else (index,))]
    if sum(i is Ellipsis for i in entries) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    takes = [_takes(i) for i in entries]
    if sum(takes) > a.ndim:
        raise IndexError(
            f"too many indices for array: array is {a.ndim}-dimensional, but {sum(takes)} were "
            "indexed"
        )
    if not any(i is Ellipsis for i in entries):
        entries, takes = [*entries, Ellipsis], [*takes, 0]
    found, axis, fancy, masks = [], 0, 0, 0
    for i, count in zip(entries, takes, strict=True):
        if i is Ellipsis:
            axis += a.ndim - sum(takes)
        elif is_array(i):
            fancy, masks = fancy + 1, masks + (i.dtype.kind == "b")
            lengths = a.shape[axis : axis + count]
            if i.dtype.kind == "b":
                if any(m not in (0, n) for m, n in zip(i.shape, lengths, strict=True)):
                    raise IndexError(
                        f"boolean index did not match indexed array along dimension {axis}"
                    )
            elif i.size:
                if not lengths[0]:
                    raise IndexError("cannot do a non-empty take from an empty axes.")
                i = gpu.apply(lambda i, n=lengths[0]: i % n, i)
        elif i is not None and not isinstance(i, slice):
            n = a.shape[axis]
            if not -n <= int(i) < n:
                raise IndexError(f"Index {i} is out of bounds for axis {axis} with size {n}")
        axis += count
        found.append(i)
    return tuple(found), fancy, masks


def _entry(i: Any, gpu: GPU) -> Any:
    if i is None or i is Ellipsis or isinstance(i, slice) or is_array(i):
        if is_array(i) and i.dtype.kind not in "biu":
            raise IndexError(
                "arrays used as indices must be of integer or boolean type. (actual: "
                f"{i.dtype.type})"
            )
        return i
    if np.isscalar(i) and not isinstance(i, (bool, np.bool_)):
        return int(i) if isinstance(i, (int, np.integer)) else _refuse(i)
    values = np.asarray(i)
    if isinstance(i, (list, tuple)) and not values.size:
        values = values.astype(np.int32)
    return _entry(gpu.upload(values), gpu)


def _refuse(i: Any) -> None:
    raise IndexError(f"only integers, slices, ellipsis, None and arrays are valid indices: {i!r}")


def _takes(i: Any) -> int:
    """How many dimensions an entry of an index stands for."""
    if i is None or i is Ellipsis:
        return 0
    return i.ndim if is_array(i) and i.dtype.kind == "b" else 1
