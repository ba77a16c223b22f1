"""``DistributedDataParallel``: one network, trained by several processes, each on its own data.

``DataParallel`` is for scripts that wrap their networks in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ..autograd import is_grad_enabled
from ..distributed import broadcast
from ..distributed.buckets import Reducer
from ..distributed.process_group import current, expect_group
from .module import Module


class DataParallel(Module):
    """``module``, as it is: one device does all the work, as PyTorch's does where it finds none.

    Keys of the state dict begin with "module." here too.
    """

    def __init__(self, module: Module, device_ids: Any = None, output_device: Any = None):
        super().__init__()
        self.module = module

    def forward(self, *inputs: Any, **options: Any) -> Any:
        return self.module(*inputs, **options)


class DistributedDataParallel(Module):
    """``module`` as one of several processes trains it: gradients are averaged over all ranks.

    Parameters and buffers are rank 0's at first.  Every backward pass that reaches parameters
    leaves the ranks' average in their ``.grad``; it is on its way, in buckets, while the pass goes
    on.  So each rank's optimizer takes the same step.  With equal batches and a loss that is a mean
    this is the step of one process with all of the data (BatchNorm's statistics are each rank's
    own, unless it is a ``SyncBatchNorm``).  Ranks may use different parameters, but a pass that
    reaches some on one rank must reach some on all: they wait for each other.

    Keys of the state dict begin with "module.".

    Args:
        module: on every rank the same.
        broadcast_buffers: before a forward pass in training, every rank takes over the buffers of
            rank 0 (PyTorch's does so in evaluation too, where here a rank may be alone).
        init_sync: False leaves the parameters as they are.
        process_group: None, all ranks.
        bucket_cap_mb: MiB in a bucket (None: 25).
        device_ids, output_device, dim, find_unused_parameters, check_reduction,
            gradient_as_bucket_view, static_graph: of PyTorch's signature, without effect.
            Parameters that a pass does not use never need to be announced.

    Raises:
        RuntimeError: the ranks' parameters differ in number or shape.
        ValueError: ``mpiexec`` started several processes, and ``init_process_group`` was not
            called.

    >>> import minigan
    >>> net = DistributedDataParallel(minigan.nn.Linear(2, 1))
    >>> list(net.state_dict())
    ['module.weight', 'module.bias']

    Source: Li et al. 2020, arXiv 2006.15704.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Any = None,
        output_device: Any = None,
        dim: int = 0,
        broadcast_buffers: bool = True,
        init_sync: bool = True,
        process_group: None = None,
        bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False,
        check_reduction: bool = False,
        gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ):
        super().__init__()
        expect_group("DistributedDataParallel", process_group)
        self.module, self.broadcast_buffers = module, broadcast_buffers
        _expect_alike(module)
        if init_sync:
            synchronise([*module.parameters(), *module.buffers()])
        cap = 25.0 if bucket_cap_mb is None else bucket_cap_mb
        self.reducer = Reducer(module.parameters(), cap)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        if self.training and self.broadcast_buffers and self.reducer.enabled and is_grad_enabled():
            synchronise(self.module.buffers())
        return self.module(*inputs, **options)

    @contextmanager
    def no_sync(self) -> Iterator[None]:
        """A block in which passes add up gradients on each rank alone.

        The first pass after it averages them together with its own; between the two nothing may
        be asked of ``grad`` or ``backward(inputs=…)``, which would be taken for that pass.
        """
        before, self.reducer.enabled = self.reducer.enabled, False
        try:
            yield
        finally:
            self.reducer.enabled = before


def synchronise(tensors: Any) -> None:
    """Every tensor becomes what it is on rank 0, in place."""
    if current().size > 1:
        for tensor in tensors:
            broadcast(tensor, 0)


def _expect_alike(module: Module) -> None:
    own = json.dumps([[n, p.shape, str(p.dtype)] for n, p in module.named_parameters()])
    for rank, other in enumerate(current().texts(own)):
        if other != own:
            raise RuntimeError(
                "DistributedDataParallel: expected the same parameters on every rank; those of "
                f"rank {rank} differ from those of rank {current().rank}"
            )
