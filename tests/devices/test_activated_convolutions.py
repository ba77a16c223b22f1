"""On a GPU a convolution, its bias and its activation are one launch, with the CPU's numbers."""

import fakegpu
import numpy as np
import pytest
from machine import needs_emulator
from numpy.testing import assert_allclose

import minigan
from minigan import nn
from minigan.cuda.epilogue import ACTIVATIONS, EPILOGUE

LAYERS = {  # the layer, its channels in, and its launches
    "ladder": (lambda: nn.Conv2d(5, 9, 4, 2, 1), 5, ["fprop"]),
    "few inputs": (lambda: nn.Conv2d(3, 9, 4, 2, 1), 3, ["few_inputs"]),
    "few outputs": (lambda: nn.Conv2d(9, 1, 3, 1, 1), 9, ["few_outputs"]),
    "transposed": (lambda: nn.ConvTranspose2d(9, 5, 4, 2, 1), 9, ["pack_filter", "dgrad"]),
    "transposed, few": (lambda: nn.ConvTranspose2d(9, 3, 3, 1, 1), 9, ["few_outputs"]),
    "left over": (lambda: nn.ConvTranspose2d(9, 5, 3, 2, 1, 1), 9, ["pack_filter", "dgrad"]),
}
AFTER = {
    "relu": (nn.ReLU(), 0.0, ["bias_act"]),
    "leaky_relu": (nn.LeakyReLU(0.2), 0.2, ["bias_act"]),
    "tanh": (nn.Tanh(), 0.0, []),  # alone it is CuPy's
}


def epilogues(launched):
    """What the launches were told to do at the end: (activation, slope, …)."""
    arguments = [a for entry in launched for a in entry["args"]]
    return [a.item() for a in arguments if getattr(a, "dtype", None) == EPILOGUE]


@needs_emulator
@pytest.mark.parametrize("name", AFTER)
@pytest.mark.parametrize("layer", LAYERS)
def test_one_launch_does_all(monkeypatch, layer, name):
    cupy = fakegpu.install(monkeypatch, "80")
    make, channels, launches = LAYERS[layer]
    activation, slope, alone = AFTER[name]
    x = minigan.randn(2, channels, 6, 7)
    net = nn.Sequential(make(), activation)
    expected = net(x).detach().numpy()
    net.to("cuda")
    x = x.to("cuda")
    before = len(cupy.gpu.launched)
    found = net(x)
    made = cupy.gpu.launched[before:]
    assert [entry["name"] for entry in made] == launches
    assert [last[:2] for last in epilogues(made)] == [(ACTIVATIONS[name], np.float32(slope))]
    assert_allclose(found.detach().cpu().numpy(), expected, rtol=1e-5, atol=1e-6)
    before = len(cupy.gpu.launched)
    activation(net[0](x))
    made = cupy.gpu.launched[before:]
    assert [entry["name"] for entry in made] == launches + alone
    assert epilogues(made)[0][0] == ACTIVATIONS["none"]


@needs_emulator
def test_under_autocast_the_tensor_cores_do_it_too(monkeypatch):
    cupy = fakegpu.install(monkeypatch, "80")
    net, x = nn.Sequential(nn.Conv2d(5, 9, 4, 2, 1), nn.LeakyReLU(0.2)), minigan.randn(2, 5, 6, 6)
    with minigan.autocast("cpu"):
        expected = net(x).detach().numpy()
    net.to("cuda")
    x = x.to("cuda")
    before = len(cupy.gpu.launched)
    with minigan.autocast("cuda"):
        found = net(x).detach().cpu().numpy()
    assert [entry["name"] for entry in cupy.gpu.launched[before:]] == ["fprop"]
    assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [nn.ReLU(), nn.LeakyReLU(0.2), nn.Tanh()], ids=repr)
def test_values_and_gradients_are_those_of_the_cpu(cuda_device, activation, dtype):
    def computed(device):
        minigan.manual_seed(0)
        net = nn.Sequential(nn.Conv2d(3, 4, 4, 2, 1), activation, nn.ConvTranspose2d(4, 3, 3))
        net = nn.Sequential(*net, activation).to(dtype=dtype).to(device)
        rng = np.random.default_rng(0)
        x = minigan.tensor(rng.standard_normal((2, 3, 6, 6)), dtype=dtype, device=device)
        x.requires_grad_()
        y = net(x)
        wanted = [x, *net.parameters()]
        first = minigan.grad((y * y * y).sum(), wanted, create_graph=True)
        second = minigan.grad(sum((g * g).sum() for g in first), wanted)
        return [t.detach().cpu().numpy() for t in (y, *first, *second)]

    for found, expected in zip(computed(cuda_device), computed("cpu"), strict=True):
        room = (1e-4 if dtype == "float32" else 1e-11) * max(1, np.abs(expected).max())
        assert_allclose(found, expected, rtol=0, atol=room)
