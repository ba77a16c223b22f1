"""Parameter: the tensors that a network learns."""

from __future__ import annotations

from typing import Any

from .._tensor import Leaf, Tensor
from ..ops.creation import empty


class Parameter(Tensor):
    """A Tensor that a Module counts among its parameters; it requires grad.

    It stands on the memory of ``data``, without its history.

    >>> import minigan
    >>> Parameter(minigan.zeros(2)).requires_grad
    True
    """

    __slots__ = ()

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        data = empty(0) if data is None else data
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: expected a Tensor, got {type(data).__name__}")
        if requires_grad and data.dtype.kind not in "fc":
            raise RuntimeError(
                f"Parameter: only float tensors can require gradients, got {data.dtype}"
            )
        super().__init__(data.array, Leaf(requires_grad), data.version)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A parameter of the same values without a gradient."""
        copy = type(self)(Tensor(self.array.copy(order="K")), self.requires_grad)
        memo[id(self)] = copy
        return copy
