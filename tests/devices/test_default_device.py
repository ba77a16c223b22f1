"""The default device: where tensors are made whose device is not said, as in PyTorch."""

import sys
import threading

import fakegpu
import numpy as np
import pytest

import minigan
from minigan import nn

FACTORIES = {
    "zeros": lambda **o: minigan.zeros(2, **o),
    "ones": lambda **o: minigan.ones(2, **o),
    "empty": lambda **o: minigan.empty(2, **o),
    "full": lambda **o: minigan.full((2,), 3.0, **o),
    "arange": lambda **o: minigan.arange(3, **o),
    "linspace": lambda **o: minigan.linspace(0, 1, 3, **o),
    "eye": lambda **o: minigan.eye(2, **o),
    "rand": lambda **o: minigan.rand(2, **o),
    "randn": lambda **o: minigan.randn(2, **o),
    "randint": lambda **o: minigan.randint(3, (2,), **o),
    "randperm": lambda **o: minigan.randperm(3, **o),
    "normal": lambda **o: minigan.normal(0.0, 1.0, (2,), **o),
    "tensor of a list": lambda **o: minigan.tensor([1.0], **o),
    "tensor of an array": lambda **o: minigan.tensor(np.ones(2), **o),
    "tensor of a tensor": lambda **o: minigan.tensor(minigan.ones(2, device="cpu"), **o),
    "as_tensor of an array": lambda **o: minigan.as_tensor(np.ones(2), **o),
    "as_tensor of a tensor": lambda **o: minigan.as_tensor(minigan.ones(2, device="cpu"), **o),
    "Parameter": lambda **o: nn.Parameter(minigan.zeros(2, **o)),
}
ELSEWHERE = {
    "from_numpy": lambda x: minigan.from_numpy(np.ones(2)),
    "Tensor of an array": lambda x: minigan.Tensor(np.ones(2)),
    "Tensor of a list": lambda x: minigan.Tensor([1.0]),
    "Tensor of a size": lambda x: minigan.Tensor(2, 3),
    "FloatTensor": lambda x: minigan.FloatTensor(2),
    "zeros_like": minigan.zeros_like,
    "ones_like": minigan.ones_like,
    "empty_like": minigan.empty_like,
    "randn_like": minigan.randn_like,
    "randint_like": lambda x: minigan.randint_like(x, 3),
    "new_zeros": lambda x: x.new_zeros(2),
    "new_tensor": lambda x: x.new_tensor([1.0]),
    "to": lambda x: x.to(minigan.float64),
    "an operation": lambda x: (x * 2 + 1).sum(),
    "bernoulli": minigan.bernoulli,
    "a Generator": lambda x: minigan.Generator(),
    "a Parameter of a tensor": nn.Parameter,
}
LAYERS = {
    "Linear": lambda **o: nn.Linear(2, 3, **o),
    "Conv2d": lambda **o: nn.Conv2d(2, 3, 3, **o),
    "ConvTranspose2d": lambda **o: nn.ConvTranspose2d(2, 3, 3, **o),
    "BatchNorm2d": lambda **o: nn.BatchNorm2d(2, **o),
    "InstanceNorm2d": lambda **o: nn.InstanceNorm2d(2, affine=True, **o),
    "LayerNorm": lambda **o: nn.LayerNorm(2, **o),
    "GroupNorm": lambda **o: nn.GroupNorm(1, 2, **o),
    "Embedding": lambda **o: nn.Embedding(3, 2, **o),
    "PReLU": lambda **o: nn.PReLU(**o),
}


@pytest.fixture(autouse=True)
def unset():
    yield
    minigan.set_default_device(None)


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
def test_a_new_tensor_is_made_on_it_unless_told_otherwise(fake, make):
    assert make().device == "cpu"
    with minigan.device("cuda"):
        assert make().device == "cuda"
        assert make(device="cpu").device == "cpu"
        with minigan.device("cpu"):
            assert make().device == "cpu" and make(device="cuda").device == "cuda"
        assert make().device == "cuda"
    assert make().device == "cpu"
    minigan.set_default_device("cuda")
    assert make().device == "cuda"
    minigan.set_default_device(None)
    assert make().device == "cpu"


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
def test_a_gpu_with_a_number_is_that_gpu(monkeypatch, make):
    fakegpu.install(monkeypatch, devices=2)
    assert make(device="cuda:1").device == "cuda:1"
    with minigan.device("cuda:1"):
        assert make().device == "cuda:1" and make(device="cuda").device == "cuda:0"


@pytest.mark.parametrize("make", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_has_a_place_already_stays_there(fake, make):
    x = minigan.ones(2)
    with minigan.device("cuda"):
        assert make(x).device == "cpu"


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_layers_are_made_on_it(fake, make):
    with minigan.device("cuda"):
        here, there = make(device="cpu"), make()
    for layer, device in ((here, "cpu"), (there, "cuda"), (make(), "cpu")):
        state = [*layer.parameters(), *layer.buffers()]
        assert state and {x.device.type for x in state} == {device}


def test_spectral_norm_and_a_step_of_training_stay_on_it(cuda_device):
    def trained():
        minigan.manual_seed(0)
        layer = nn.utils.spectral_norm(nn.Linear(3, 2))
        optimizer = minigan.optim.Adam(layer.parameters(), 0.1)
        for _ in range(2):
            optimizer.zero_grad()
            (layer(minigan.arange(6.0).reshape(2, 3)) ** 2).mean().backward()
            optimizer.step()
        return layer.weight.detach()

    expected = trained()
    with minigan.device(cuda_device):
        found = trained()
    assert found.device == cuda_device
    np.testing.assert_allclose(found.cpu().numpy(), expected.numpy(), rtol=1e-5)


def test_of_several_defaults_the_innermost_counts_and_is_asked_for():
    assert minigan.get_default_device() == "cpu"
    minigan.set_default_device("cuda:1")
    assert minigan.get_default_device() == "cuda:1"
    block = minigan.device("cpu")
    with block as entered:
        assert entered is block and minigan.get_default_device() == "cpu"
        with minigan.device("cuda"), minigan.device("cuda"):
            assert minigan.get_default_device() == "cuda:0"
        minigan.set_default_device("cuda:2")  # of what is outside of blocks
        assert minigan.get_default_device() == "cpu"
        with block:
            pass
        assert minigan.get_default_device() == "cpu"
    assert minigan.get_default_device() == "cuda:2"
    minigan.set_default_device(None)
    assert minigan.get_default_device() == "cpu"


def test_a_block_ends_with_an_error_too_and_nonsense_is_refused():
    with pytest.raises(ZeroDivisionError), minigan.device("cuda"):
        _ = 1 / 0
    assert minigan.get_default_device() == "cpu"
    with pytest.raises(RuntimeError, match='expected "cpu", "cuda" or "cuda:N", got "tpu"'):
        minigan.set_default_device("tpu")
    assert minigan.get_default_device() == "cpu"


def test_other_threads_have_their_own():
    seen = []

    def look():
        seen.append(minigan.get_default_device())
        minigan.set_default_device("cuda:3")

    minigan.set_default_device("cuda")
    with minigan.device("cuda:1"):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert minigan.get_default_device() == "cuda:1"
    assert seen == ["cpu"] and minigan.get_default_device() == "cuda"


def test_cupy_is_asked_for_when_a_tensor_is_made(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # import cupy raises ImportError
    minigan.set_default_device("cuda")
    with minigan.device("cuda"):
        assert minigan.ones(2, device="cpu").tolist() == [1, 1]
        with pytest.raises(RuntimeError, match="needs CuPy"):
            minigan.zeros(2)
        with pytest.raises(RuntimeError, match="needs CuPy"):
            minigan.tensor([1.0])


def test_a_generator_of_the_cpu_draws_for_it(cuda_device):
    expected = minigan.randn(3, generator=minigan.Generator().manual_seed(1))
    with minigan.device(cuda_device):
        found = minigan.randn(3, generator=minigan.Generator().manual_seed(1))
        there = minigan.Generator(cuda_device).manual_seed(1)
        with minigan.device("cpu"):  # PyTorch refuses this; here numbers travel
            moved = minigan.randn(3, generator=there)
    assert found.device == cuda_device and moved.device == "cpu"
    assert found.tolist() == moved.tolist() == expected.tolist()
