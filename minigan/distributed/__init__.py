"""Several processes that compute together, with the names of ``torch.distributed``.

    mpiexec -n 4 python train.py

    import minigan.distributed as dist

    dist.init_process_group()
    rank, ranks = dist.get_rank(), dist.get_world_size()
    network = nn.parallel.DistributedDataParallel(network)

Every process is a *rank*.  Collectives, such as ``all_reduce``, are called by all ranks, in the
same order.  Arrays on the CPU travel by MPI (mpi4py), arrays on GPUs by NCCL (CuPy's); mpi4py is
imported by ``init_process_group`` and not before.

Of ``torch.distributed`` there are only the names below; ``nn`` has an ``all_gather`` of floats.
There is no other gathering or scattering (``gather``, ``reduce_scatter``, ``all_to_all``), no
``reduce`` to one rank, no message from rank to rank (``send``, ``recv``), no collective of Python
objects, which PyTorch pickles, and no group but that of all ranks (``new_group``).
"""

from . import nn
from .collectives import ReduceOp, all_reduce, barrier, broadcast
from .process_group import (
    alone,
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    init_process_group,
    is_available,
    is_initialized,
)
from .work import Work

__all__ = [
    "ReduceOp",
    "Work",
    "all_reduce",
    "alone",
    "barrier",
    "broadcast",
    "destroy_process_group",
    "get_backend",
    "get_rank",
    "get_world_size",
    "init_process_group",
    "is_available",
    "is_initialized",
    "nn",
]
