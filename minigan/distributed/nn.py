"""Collectives that gradients go through, to any order."""

from __future__ import annotations

from .._tensor import Tensor
from ..autograd import Function
from .process_group import current, expect_default


class AllReduce(Function):
    """y = Σ x over all ranks, on every rank.

    Where each rank r has a loss L_r of its own, the gradient is that of Σ L_r: the ranks' g, added.
    """

    reads = ((),)

    def forward(self, x):
        y = x.copy()
        current().all_reduce(y, "sum").wait()
        return y

    def vjp(self, needs, g, y, x):
        return (AllReduce()(g),)


def all_reduce(tensor: Tensor, group: None = None) -> Tensor:
    """The sum of the tensors of all ranks, as ``torch.distributed.nn.all_reduce``.

    It is differentiable, with respect to the sum of all ranks' losses; then all ranks walk back
    together.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0], requires_grad=True)
    >>> all_reduce(x * x).sum().backward()
    >>> x.grad  # where there is one rank
    tensor([2., 4.], dtype=float32)
    """
    expect_default("all_reduce", group)
    if not isinstance(tensor, Tensor) or tensor.dtype.kind not in "fc":
        given = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"all_reduce: expected a Tensor of floats, got {given}")
    return AllReduce()(tensor)
