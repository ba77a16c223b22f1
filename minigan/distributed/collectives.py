"""Collectives of Tensors: every rank calls them, all in the same order."""

from __future__ import annotations

from typing import Any

from .._tensor import Tensor
from .process_group import current, expect_group
from .work import Work


class ReduceOp:
    """What ``all_reduce`` makes of the ranks' numbers, as ``torch.distributed.ReduceOp``."""

    SUM, AVG, MIN, MAX, PRODUCT = "sum", "avg", "min", "max", "product"


def all_reduce(
    tensor: Tensor, op: str = ReduceOp.SUM, group: None = None, async_op: bool = False
) -> Work | None:
    """Change ``tensor`` in place to the sum of the tensors of all ranks, the same bits on each.

    Gradients do not see it; ``minigan.distributed.nn.all_reduce`` is differentiable.

    Args:
        op: of ReduceOp; AVG of floats only.
        group: None: all ranks.
        async_op: only begin, and return the Work to wait for.

    Raises:
        TypeError: no Tensor, or not of a dtype that the operation is known for.

    >>> import minigan
    >>> x = minigan.tensor([1.0, 2.0])
    >>> all_reduce(x)
    >>> x  # where there is one rank
    tensor([1., 2.], dtype=float32)
    """
    if op not in (known := [v for k, v in vars(ReduceOp).items() if k.isupper()]):
        raise ValueError(f"all_reduce: op expects one of {', '.join(known)}, got {op!r}")
    kinds = {"avg": "fc", "min": "iuf", "max": "iuf"}.get(op, "iufc")
    array = _array("all_reduce", tensor, kinds, group)
    return _begun(current().all_reduce(array, op), tensor, async_op)


def broadcast(
    tensor: Tensor, src: int = 0, group: None = None, async_op: bool = False
) -> Work | None:
    """Change ``tensor`` in place to what it is on rank ``src``.

    Args:
        group: None: all ranks.
        async_op: only begin, and return the Work to wait for.
    """
    ranks = current().size
    if not 0 <= src < ranks:
        raise ValueError(f"broadcast: src expects a rank from 0 to {ranks - 1}, got {src!r}")
    array = _array("broadcast", tensor, "biufc", group)
    return _begun(current().broadcast(array, src), tensor, async_op)


def barrier(group: None = None, async_op: bool = False, device_ids: Any = None) -> Work | None:
    """Wait until all ranks have come here; ``device_ids`` is of PyTorch's signature."""
    expect_group("barrier", group)
    work = current().barrier()
    return work if async_op else (work.wait() and None)


def _array(where: str, tensor: Any, kinds: str, group: Any) -> Any:
    expect_group(where, group)
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{where}: expected a Tensor, got {type(tensor).__name__}")
    if tensor.dtype.kind not in kinds:
        raise TypeError(f"{where}: cannot do that with {tensor.dtype}")
    return tensor.array


def _begun(work: Work, tensor: Tensor, async_op: bool) -> Work | None:
    tensor.version[0] += 1  # for a graph that needs the old values
    if async_op:
        return work
    work.wait()
    return None
