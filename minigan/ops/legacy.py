"""PyTorch's older ways to make and convert tensors: ``FloatTensor(...)``, ``x.new_zeros(...)``.

``Tensor(data)`` and ``FloatTensor(data)`` copy data into one dtype; given lengths, as in
``FloatTensor(2, 3)``, they make a tensor of that shape whose values are not set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import array as arrays
from .. import cuda
from .._tensor import Tensor, tensor
from . import creation
from ._common import cast
from .copies import to


class TypedTensor:
    """A dtype that can be called to make a tensor of it: ``minigan.FloatTensor`` and so on.

    >>> import minigan
    >>> minigan.FloatTensor([1, 2]), minigan.LongTensor(2, 3).shape
    (tensor([1., 2.], dtype=float32), (2, 3))
    """

    def __init__(self, name: str, dtype: np.dtype, device: str = "cpu"):
        self.__name__, self.dtype, self.device = name, dtype, device

    def __repr__(self) -> str:
        return f"<tensor type {self.__name__}>"

    def __call__(self, *data: Any) -> Tensor:
        sizes = all(isinstance(n, (int, np.integer)) for n in data)
        if sizes or len(data) != 1:
            return creation.empty(*data or (0,), dtype=self.dtype, device=self.device)
        made = data[0].detach().array if isinstance(data[0], Tensor) else data[0]
        return tensor(made, dtype=self.dtype, device=self.device)


FloatTensor = TypedTensor("FloatTensor", arrays.float32)
DoubleTensor = TypedTensor("DoubleTensor", arrays.float64)
HalfTensor = TypedTensor("HalfTensor", arrays.float16)
IntTensor = TypedTensor("IntTensor", arrays.int32)
LongTensor = TypedTensor("LongTensor", arrays.int64)
ByteTensor = TypedTensor("ByteTensor", arrays.uint8)
BoolTensor = TypedTensor("BoolTensor", arrays.bool_)
_TYPES = (
    FloatTensor,
    DoubleTensor,
    HalfTensor,
    IntTensor,
    LongTensor,
    ByteTensor,
    BoolTensor,
)
for _type in _TYPES:  # ``minigan.cuda.FloatTensor``: that module stands below this one
    setattr(cuda, _type.__name__, TypedTensor(f"cuda.{_type.__name__}", _type.dtype, "cuda"))


def as_type(self: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """With another dtype, which may be a ``FloatTensor`` and the like; without one, its name.

    >>> import minigan
    >>> minigan.ones(1).type(), minigan.ones(1).type(minigan.LongTensor)
    ('FloatTensor', tensor([1]))
    """
    if dtype is None:
        names = (t.__name__ for t in _TYPES if t.dtype == self.dtype)
        return next(names, f"tensor of {self.dtype}")
    if isinstance(dtype, str) and dtype.rpartition(".")[2].endswith("Tensor"):
        dtype = next((t for t in _TYPES if t.__name__ == dtype.rpartition(".")[2]), dtype)
    if isinstance(dtype, TypedTensor):
        return to(self, dtype.device, dtype.dtype)
    return cast(self, dtype)


def _like(make: Any) -> Any:
    """A method that makes a tensor of the dtype and on the device of another one."""

    def new(
        self: Tensor,
        *size: Any,
        dtype: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        **options: Any,
    ) -> Tensor:
        return make(
            *size,
            dtype=dtype or self.dtype,
            device=device or self.device,
            requires_grad=requires_grad,
            **options,
        )

    new.__name__ = new.__qualname__ = f"new_{make.__name__}"
    new.__doc__ = f"As ``{make.__name__}``, of this tensor's dtype and on its device."
    return new


new_zeros, new_ones, new_empty, new_full, new_tensor = map(
    _like, (creation.zeros, creation.ones, creation.empty, creation.full, tensor)
)
