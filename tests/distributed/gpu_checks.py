"""Trainers on GPUs that are not there, one for each rank; run by test_training.py under mpiexec.

In the place of NCCL stands what copies to the CPU, reduces by MPI and copies back.
"""

from contextlib import contextmanager

import fakegpu
import numpy as np
import pytest
import ranks
from learnt import images, learnt, same_on_all

from minigan import distributed as dist
from minigan import nn, tensor
from minigan.distributed import process_group
from minigan.gan import Trainer, recipe
from minigan.gan.ranks import here
from minigan.gan.sampling import modules
from minigan.generators import same_numbers


class ByWayOfTheCPU:
    """Stands for ``Nccl``."""

    def __init__(self, rank, size, tell):
        assert tell(f"from rank {rank}") == "from rank 0"
        self.mpi = process_group.current().mpi

    def all_reduce(self, array, op):
        return self._moved(array, lambda host: self.mpi.all_reduce(host, op))

    def broadcast(self, array, source):
        return self._moved(array, lambda host: self.mpi.broadcast(host, source))

    def _moved(self, array, begin):
        host = np.ascontiguousarray(array.get())
        work = begin(host)
        return dist.Work(work.is_completed, lambda: array.set(host.reshape(array.shape)))


@contextmanager
def gpu():
    with pytest.MonkeyPatch.context() as patch, same_numbers():
        fakegpu.install(patch)
        patch.setattr(process_group, "Nccl", ByWayOfTheCPU)
        patch.setattr(process_group.current(), "nccl", None)
        yield


def trained(name, device, **options):
    chosen = recipe(name)
    settings = chosen.configure(options)
    t = Trainer(
        chosen, settings, images(size=8)[0], batch_size=4, seed=5, device=device, ranks=here(True)
    )
    rows = [t.train_step() for _ in range(2)]
    return t, rows


def check_a_gpu_for_each_rank_trains_as_the_cpus_do():
    """With averaged gradients, statistics of all ranks and BEGAN's controller on the GPU."""
    for name, options in (
        ("dcgan", {"optimizer": "sgd", "ema": 0.9}),
        ("began", {"optimizer": "sgd", "code": 3, "control": 0.5}),
        ("unrolled", {"optimizer": "sgd", "network": "mlp", "widths": "8", "critic_widths": "8"}),
    ):
        on_cpu, expected = trained(name, "cpu", **options)
        with gpu():
            on_gpu, rows = trained(name, "cuda", **options)
            same_on_all([name, learnt(on_gpu), rows])
            found = [n.to("cpu").state_dict() for n in modules(on_gpu.networks).values()]
        for row, other in zip(rows, expected, strict=True):
            np.testing.assert_allclose([*row.values()], [*other.values()], 1e-4, 1e-5)
        for network, state in zip(modules(on_cpu.networks).values(), found, strict=True):
            for key, value in network.state_dict().items():
                np.testing.assert_allclose(state[key].numpy(), value.numpy(), 1e-4, 1e-5)


def check_collectives_of_tensors_on_a_gpu():
    rank, n = dist.get_rank(), dist.get_world_size()
    with gpu():
        x = tensor([[1.0, 2.0, 3.0]] * 2, device="cuda").t()
        dist.all_reduce(x)
        assert x.device.type == "cuda" and x.tolist() == [[n * v] * 2 for v in (1.0, 2.0, 3.0)]
        x = tensor([float(rank)], device="cuda")
        dist.broadcast(x, n - 1)
        assert x.item() == n - 1
        a, b = (nn.Parameter(tensor([1.0], device="cuda")) for _ in range(2))
        dist.buckets.Reducer([a, b])
        (a * 2 + b if rank else a * 2).sum().backward()  # b is of rank 1 and above
        assert a.grad.item() == 2 and b.grad.item() == pytest.approx((n - 1) / n)


if __name__ == "__main__":
    ranks.main(globals())
