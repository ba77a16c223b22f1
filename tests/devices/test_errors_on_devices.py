"""A mistake is the same error on a GPU as on the CPU: type and words."""

import numpy as np
import pytest
from devices.alike import Failed, assert_alike, outcome

import minigan
from minigan import Tensor, nn
from minigan.nn import functional as F

WRONG = {
    "index beyond": lambda x: x[3],
    "index far below": lambda x: x[0, -5],
    "too many indices": lambda x: x[0, 0, 0],
    "list beyond": lambda x: x[[0, 3]],
    "tensor beyond": lambda x: x[minigan.tensor([0, -4], device=x.device)],
    "second of two beyond": lambda x: x[[0, 1], minigan.tensor([0, 4], device=x.device)],
    "float index": lambda x: x[minigan.tensor([0.0], device=x.device)],
    "mask of another shape": lambda x: x[minigan.ones(2, 4, device=x.device) > 0],
    "two ellipses": lambda x: x[..., 0, ...],
    "assigned beyond": lambda x: x.__setitem__([0, 3], 1.0),
    "assigned misfit": lambda x: x.__setitem__(0, minigan.ones(3, device=x.device)),
    "assigned misfit by list": lambda x: x.__setitem__([0], minigan.ones(3, device=x.device)),
    "shapes": lambda x: x + minigan.ones(5, device=x.device),
    "matmul": lambda x: x @ x,
    "reshape": lambda x: x.reshape(5, 5),
    "expand": lambda x: x.expand(3, 5),
    "cat": lambda x: minigan.cat([x, x.t()]),
    "stack": lambda x: minigan.stack([x, x.t()]),
    "dimension": lambda x: x.sum(2),
    "empty max": lambda x: x[:0].max(),
    "bool of several": lambda x: bool(x),
    "item of several": lambda x: x.item(),
    "in place shape": lambda x: x.add_(minigan.ones(2, 3, 4, device=x.device)),
    "in place dtype": lambda x: x.long().add_(0.5),
    "one_hot": lambda x: minigan.one_hot(minigan.tensor([3], device=x.device), 2),
    "gather": lambda x: minigan.gather(x, 0, minigan.tensor([[3]], device=x.device)),
    "index_select": lambda x: minigan.index_select(x, 1, minigan.tensor([4], device=x.device)),
    "embedding": lambda x: F.embedding(minigan.tensor([3], device=x.device), x),
    "cross_entropy": lambda x: F.cross_entropy(x, minigan.tensor([0, 1, 4], device=x.device)),
    "bce": lambda x: F.binary_cross_entropy(x, x),
    "linear": lambda x: F.linear(x, minigan.ones(2, 3, device=x.device)),
    "conv2d": lambda x: F.conv2d(x.reshape(1, 1, 3, 4), minigan.ones(2, 2, 2, 2, device=x.device)),
    "batch_norm": lambda x: F.batch_norm(x[:1], None, None, training=True),
    "negative std": lambda x: minigan.normal(0.0, -x.abs() - 1),
    "einsum": lambda x: minigan.einsum("ij,jk->ik", x, x),
    "topk": lambda x: minigan.topk(x, 5),
    "unflatten": lambda x: x.unflatten(1, (3, 2)),
    "leaf in place": lambda x: x.requires_grad_().add_(1),
    "numpy of a gradient": lambda x: (x.requires_grad_() * 1).numpy(),
    "no graph": lambda x: x.sum().backward(),
    "load": lambda x: nn.Linear(4, 3).to(x.device).load_state_dict({"weight": x}),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_same_error(cuda_device, name):
    values = np.arange(12.0, dtype=np.float32).reshape(3, 4) + 2

    def run(device):
        return outcome(WRONG[name], Tensor(values.copy()).to(device))

    expected, found = run("cpu"), run(cuda_device)
    assert isinstance(expected, Failed)
    assert_alike(expected, found, cuda_device, name)


MIXED = {
    "add": lambda here, there: there + here,
    "radd": lambda here, there: here + there,
    "matmul": lambda here, there: there @ here.t(),
    "cat": lambda here, there: minigan.cat([here, there]),
    "where": lambda here, there: minigan.where(here > 0, there, there),
    "conv": lambda here, there: F.conv2d(there.reshape(1, 1, 3, 4), here.reshape(1, 1, 3, 4)),
    "add_": lambda here, there: there.add_(here),
    "clamp_": lambda here, there: there.clamp_(here),
    "mul_": lambda here, there: here.mul_(there),
    "lerp_": lambda here, there: here.lerp_(there, 0.5),
    "mse": lambda here, there: F.mse_loss(there, here),
    "linear": lambda here, there: nn.Linear(4, 2)(there),
}


@pytest.mark.parametrize("name", MIXED)
def test_tensors_of_two_devices_are_one_clear_error(cuda_device, name):
    here = minigan.ones(3, 4)
    there = minigan.ones(3, 4, device=cuda_device)
    with pytest.raises(RuntimeError, match=r"expected all tensors on one device, got (cpu|cuda:0)"):
        MIXED[name](here, there)


def test_a_tensor_on_a_gpu_says_how_it_becomes_numpys(cuda_device):
    x = minigan.ones(2, device=cuda_device)
    for convert in (Tensor.numpy, np.asarray):
        with pytest.raises(
            TypeError, match=r"this tensor is on a GPU; use tensor.cpu\(\).numpy\(\)"
        ):
            convert(x)
