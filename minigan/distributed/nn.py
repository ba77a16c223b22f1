"""Collectives that gradients go through, to any order."""

from __future__ import annotations

from .._tensor import Tensor
from ..array import array_module
from ..autograd import Function
from .collectives import ReduceOp
from .process_group import current, expect_group


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


class AllGather(Function):
    """y[r] = rank r's x, on every rank: (n, *x.shape).

    The gradient is that of Σ L_r, as AllReduce's: the ranks' g[r], added.  What travels is the sum
    of arrays in which every rank has filled its own row, so it is meant for small ones.
    """

    reads = ((),)

    def forward(self, x):
        group = current()
        y = array_module(x).zeros((group.size, *x.shape), x.dtype)
        y[group.rank] = x
        group.all_reduce(y, "sum").wait()
        return y

    def vjp(self, needs, g, y, x):
        return (AllReduce()(g)[current().rank],)


def all_reduce(tensor: Tensor, op: str = ReduceOp.SUM, group: None = None) -> Tensor:
    """The sum of the tensors of all ranks, as ``torch.distributed.nn.all_reduce``.

    With ReduceOp.AVG it is their average.  It is differentiable, with respect to the sum of all
    ranks' losses; then all ranks walk back together.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0], requires_grad=True)
    >>> all_reduce(x * x).sum().backward()
    >>> x.grad  # where there is one rank
    tensor([2., 4.], dtype=float32)
    """
    _expect_floats("all_reduce", tensor, group)
    if op not in (ReduceOp.SUM, ReduceOp.AVG):
        raise ValueError(f"all_reduce: op expects sum or avg, which have gradients, got {op!r}")
    total = AllReduce()(tensor)
    return total if op == ReduceOp.SUM else total / current().size


def all_gather(tensor: Tensor, group: None = None) -> tuple[Tensor, ...]:
    """The tensors of all ranks, in their order, as ``torch.distributed.nn.all_gather``.

    They are of one shape and dtype on every rank.  It is differentiable, with respect to the sum of
    all ranks' losses; then all ranks walk back together.

    >>> import minigan
    >>> all_gather(minigan.tensor([1.0, 2.0]))  # where there is one rank
    (tensor([1., 2.], dtype=float32),)
    """
    _expect_floats("all_gather", tensor, group)
    rows = AllGather()(tensor)
    return tuple(rows[rank] for rank in range(current().size))


def _expect_floats(where: str, tensor: Tensor, group: None) -> None:
    expect_group(where, group)
    if not isinstance(tensor, Tensor) or tensor.dtype.kind not in "fc":
        given = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise TypeError(f"{where}: expected a Tensor of floats, got {given}")
