"""Modules that have the names, and the functions the keywords, that CuPy's have."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from . import array as arrays
from . import listing
from .gpu import GPU, arrays_in, memory
from .ufuncs import is_array, ufunc

# What takes no array of the GPU: shapes, dtypes and numbers only.
_PLAIN = {
    "broadcast_shapes",
    "can_cast",
    "iscomplexobj",
    "isrealobj",
    "isscalar",
    "issubdtype",
    "may_share_memory",
    "min_scalar_type",
    "ndim",
    "promote_types",
    "result_type",
    "shape",
    "shares_memory",
}
_WAITING = {"nonzero", "argwhere", "flatnonzero", "unique", "allclose", "array_equal", "bincount"}


class Submodule(ModuleType):
    """A module whose names are those that CuPy's module of that name has."""

    def __init__(self, name: str, gpu: GPU, compute: Any, listed: str | None = None):
        super().__init__(name)
        self._gpu, self._compute = gpu, compute
        self._listed = listing.known()["modules"].get(listed or name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or self._listed is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in self._listed["ufuncs"]:
            entry = self._listed["ufuncs"][name]
            made = ufunc(self._gpu, entry["name"], entry["types"], getattr(self._compute, name))
        elif name in self._listed["functions"]:
            made = function(self._gpu, name, self._listed["functions"][name], self._compute)
        elif name in self._listed["others"] and hasattr(np, name):
            made = getattr(np, name)  # dtypes, constants
        else:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        setattr(self, name, made)
        return made


def function(gpu: GPU, name: str, signature: str, module: Any) -> Callable[..., Any]:
    """NumPy's function of that name on the memory of arrays, with CuPy's parameters only."""
    compute, parameters = getattr(module, name), listing.signature(signature)

    @functools.wraps(compute)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            parameters.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"cupy.{name}: {error}") from None
        if name in _PLAIN:
            given = [
                np.empty_like(memory(a), shape=()) if _shapeless(name, a) else memory(a)
                for a in args
            ]
            return compute(*given, **memory(kwargs))
        refuse_numpy(name, args, kwargs)
        if not any(True for _ in arrays_in(args, kwargs)):
            raise TypeError(f"cupy.{name}: expected arrays of the GPU, got {args}")
        if name in _WAITING:
            gpu.wait(name)
        out = kwargs.pop("out", None)
        result = gpu.apply(compute, *args, **kwargs)
        return arrays._fill(out, result)

    return call


def _shapeless(name: str, a: Any) -> bool:
    return name == "result_type" and is_array(a) and not a.ndim


def refuse_numpy(name: str, *values: Any) -> None:
    """TypeError for an array of NumPy's wherever CuPy expects one of its own."""
    for value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(f"cupy.{name}: Unsupported type {type(value)}")
        if isinstance(value, (tuple, list)):
            refuse_numpy(name, *value)
        elif isinstance(value, dict):
            refuse_numpy(name, *value.values())
