"""Matrix products."""

from __future__ import annotations

from .. import fused
from .._autocast import rounds
from .._tensor import Tensor
from ..autograd import Function
from ._common import operands, sum_to
from .shape import transpose


class MatMul(Function):
    """y = a·b over the last two dimensions;  ∂: ga = g·bᵀ, gb = aᵀ·g.

    Where b is the transpose of a matrix in memory, as a layer's weights are, gb = (gᵀ·a)ᵀ is one
    too: an optimizer takes the gradient as it lies.

    ``low``: factors are rounded to BF16, the gradients' too; None: if autocast says so.
    """

    reads = ((1,), (0,))
    coarse = True  # its factors are rounded anyway

    def __init__(self, low: bool | None = None):
        self.low, self.turned = low, False

    def forward(self, a, b):
        self.turned = b.ndim == 2 and b.flags.f_contiguous and not b.flags.c_contiguous
        if self.low is None:
            self.low = rounds(a)
        if self.low:
            a, b = fused.rounded(a), fused.rounded(b)
        return fused.matmul(a, b)

    def vjp(self, needs, g, y, a, b):
        ga = sum_to(MatMul(self.low)(g, transpose(b, -1, -2)), a) if needs[0] else None
        gb = None
        if needs[1] and self.turned and a.ndim == 2:
            gb = transpose(MatMul(self.low)(transpose(g, 0, 1), a), 0, 1)
        elif needs[1]:
            gb = sum_to(MatMul(self.low)(transpose(a, -1, -2), g), b)
        return ga, gb


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, batched over leading dimensions; 1-D operands are vectors.

    Shapes: (…, n, k) and (…, k, m) give (…, n, m); a vector is a row on the left, a column on the
    right, and its dimension is left out of the result.

    >>> import minigan
    >>> matmul(minigan.ones(5, 2, 3), minigan.ones(3)).shape
    (5, 2)
    """
    a, b = operands("matmul", input, other)
    if not isinstance(a, Tensor) or not isinstance(b, Tensor):
        raise TypeError("matmul: expected two Tensors, got a number")
    if not a.ndim or not b.ndim:
        raise RuntimeError(f"matmul: expected at least 1-D operands, got {a.shape} and {b.shape}")
    row, column = a.ndim == 1, b.ndim == 1
    left = a.reshape(1, -1) if row else a
    right = b.reshape(-1, 1) if column else b
    try:
        y = MatMul()(left, right)
    except ValueError as error:
        raise RuntimeError(
            f"matmul: shapes {a.shape} and {b.shape} cannot be multiplied"
        ) from error
    if row:
        y = y.reshape(y.shape[:-2] + y.shape[-1:])
    if column:
        y = y.reshape(y.shape[:-1])
    return y
