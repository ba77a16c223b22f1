"""autocast on a GPU: what it computes is what the CPU imitates."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

import minigan
import minigan.nn.functional as F
from minigan.fused import rounded


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_rounding_gives_the_same_bits(cuda_device):
    bits = np.random.default_rng(0).integers(0, 2**32, (50, 40), np.uint32)
    x = bits.view(np.float32).T
    with np.errstate(invalid="ignore"):
        expected = rounded(x)
        got = minigan.tensor(rounded(minigan.tensor(x, device=cuda_device).array)).cpu().numpy()
    assert_array_equal(got, expected)


def test_losses_and_gradients_are_those_of_the_cpu(cuda_device):
    """Sums of some hundred products, added in another order."""

    def computed(device):
        x = minigan.tensor(drawn(2, 3, 8, 8), device=device)
        w = minigan.tensor(drawn(4, 3, 4, 4, seed=1), device=device, requires_grad=True)
        v = minigan.tensor(drawn(64, 2, seed=2), device=device, requires_grad=True)
        with minigan.autocast(device):
            y = F.conv2d(x, w, stride=2, padding=1).flatten(1) @ v
        slope, _ = minigan.grad((y**2).sum(), [w, v], create_graph=True)
        second = minigan.grad((slope**2).sum(), [w, v])
        return [t.detach().cpu().numpy() for t in (y, slope, *second)]

    for got, expected in zip(computed(cuda_device), computed("cpu"), strict=True):
        assert_allclose(got, expected, rtol=2**-7, atol=2**-7 * np.abs(expected).max())
        assert_allclose(np.linalg.norm(got - expected), 0, atol=2e-3 * np.linalg.norm(expected))


def test_it_is_for_arrays_on_its_own_device(cuda_device):
    fine = 1 + 2.0**-12
    here, there = minigan.tensor([[fine]]), minigan.tensor([[fine]], device=cuda_device)
    one = minigan.ones(1, 1)
    with minigan.autocast("cuda"):
        assert (here @ one).item() == fine
        assert (there @ one.to(cuda_device)).item() == 1
    with minigan.autocast("cpu"):
        assert (here @ one).item() == 1
        assert (there @ one.to(cuda_device)).item() == fine


def test_activations_that_wait_are_packed_on_the_gpu(cuda_device, monkeypatch):
    """With and without it, products and rectifiers have the same gradients, to the second order."""

    def second():
        x = minigan.tensor(drawn(4, 3, 16, 16), device=cuda_device, requires_grad=True)
        w = minigan.tensor(drawn(8, 3, 4, 4, seed=1), device=cuda_device, requires_grad=True)
        v = minigan.tensor(drawn(512, 1, seed=2), device=cuda_device, requires_grad=True)
        with minigan.autocast(cuda_device):
            y = F.leaky_relu(F.conv2d(x * 1, w, stride=2, padding=1), 0.2).flatten(1) @ v
            (slope,) = minigan.grad(y.sum(), x, create_graph=True)
            return [g.cpu().numpy() for g in minigan.grad((slope**2).sum(), [w, v])]

    monkeypatch.setattr("minigan._autocast.LEAST", 10**9)
    plain = second()
    monkeypatch.setattr("minigan._autocast.LEAST", 1)
    for got, expected in zip(second(), plain, strict=True):
        assert_array_equal(got, expected)


def test_values_wait_on_the_cpu_and_come_back(cuda_device):
    x = minigan.tensor(drawn(3, 4), device=cuda_device, requires_grad=True)
    with minigan.autograd.graph.save_on_cpu():
        y = x.tanh()
    assert y.node.output.kept[1].device == "cpu"
    (g,) = minigan.grad(y.sum(), x)
    assert g.device == x.device
    assert_allclose(g.cpu().numpy(), 1 - np.tanh(drawn(3, 4)) ** 2, rtol=1e-5)
