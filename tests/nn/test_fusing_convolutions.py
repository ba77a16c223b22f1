"""A Sequential computes a convolution and the activation after it at once, where nobody looks."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import nn
from minigan._saved import Packed
from minigan.autograd import op_hook
from minigan.debug import detect_nan, graph, profile
from minigan.nn.fusing import as_one

ACTIVATIONS = [nn.ReLU(), nn.LeakyReLU(0.2), nn.LeakyReLU(0.0), nn.Tanh(), nn.ReLU(inplace=True)]
LAYERS = {
    "conv": (lambda: nn.Conv2d(3, 8, 4, 2, 1), "FpropActivated"),
    "reflect": (lambda: nn.Conv2d(3, 8, 3, 1, 1, padding_mode="reflect"), "FpropActivated"),
    "grouped": (lambda: nn.Conv2d(3, 6, 3, groups=3, bias=False), "FpropActivated"),
    "transposed": (lambda: nn.ConvTranspose2d(3, 8, 4, 2, 1), "DgradActivated"),
    "left over": (lambda: nn.ConvTranspose2d(3, 2, 3, 2, 1, 1, bias=False), "DgradActivated"),
}


def operations(program):
    """Names of the Functions that plain code calls."""
    names = []

    def note(call, run):
        if call.kind == "op" and call.level == 0:
            names.append(type(call.function).__name__)
        return run()

    with op_hook(note):
        program()
    return names


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=repr)
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("shape", [(2, 3, 7, 8), (3, 7, 8), (0, 3, 7, 8), (64, 3, 28, 28)], ids=str)
def test_one_operation_gives_the_numbers_of_two(layer, activation, shape):
    make, name = LAYERS[layer]
    net, rng = nn.Sequential(make(), activation), np.random.default_rng(0)
    x = minigan.tensor(rng.standard_normal(shape, np.float32).swapaxes(-1, -2), requires_grad=True)
    if len(shape) == 4:
        assert [n for n in operations(lambda: net(x)) if "prop" in n or "grad" in n] == [name]
    together, apart = net(x), activation(net[0](x))
    assert_array_equal(together.detach().numpy(), apart.detach().numpy())
    wanted = [x, *net.parameters()]
    g = minigan.tensor(rng.standard_normal(together.shape, np.float32))
    for a, b in zip(*(minigan.grad(y, wanted, g) for y in (together, apart)), strict=True):
        assert_array_equal(a.numpy(), b.numpy())


def test_a_recipe_trains_the_same_numbers_with_and_without():
    """A critic with a gradient penalty, and a generator that ends in tanh, through both."""

    def trained(fused):
        minigan.manual_seed(0)
        critic = nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 4))
        generator = nn.Sequential(
            nn.ConvTranspose2d(5, 4, 4), nn.ReLU(), nn.ConvTranspose2d(4, 1, 4, 2, 1), nn.Tanh()
        )
        if not fused:
            for net in (critic, generator):
                net[0].register_forward_hook(lambda module, inputs, output: None)
                net[-2].register_forward_hook(lambda module, inputs, output: None)
        parameters = [*critic.parameters(), *generator.parameters()]
        optimizer = minigan.optim.Adam(parameters)
        for _ in range(3):
            fake = generator(minigan.randn(6, 5, 1, 1))
            (g,) = minigan.grad(critic(fake).sum(), fake, create_graph=True)
            loss = critic(fake).mean() + ((g * g).sum((1, 2, 3)).sqrt() - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        names = operations(lambda: critic(generator(minigan.randn(1, 5, 1, 1))))
        return names, [p.detach().numpy().copy() for p in parameters]

    names, found = trained(True)
    assert names == ["DgradActivated", "DgradActivated", "FpropActivated", "Fprop"]
    plain, expected = trained(False)
    assert plain == ["Dgrad", "LeakyReLU", "Dgrad", "Tanh", "Fprop", "LeakyReLU", "Fprop"]
    for a, b in zip(found, expected, strict=True):
        assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_convolution_normalisation_activation_stay_as_they_are():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Conv2d(2, 1, 3))
    names = operations(lambda: net(minigan.randn(2, 1, 8, 8)))
    assert [n for n in names if n not in ("Reshape",)] == ["Fprop", "BatchNorm", "Fprop"]


@pytest.mark.parametrize(
    "hook",
    [
        lambda m, seen: m.register_forward_hook(lambda module, x, y: seen.append(module)),
        lambda m, seen: m.register_forward_pre_hook(lambda module, x: seen.append(module)),
        lambda m, seen: m.register_full_backward_hook(lambda module, gx, gy: seen.append(module)),
    ],
)
@pytest.mark.parametrize("place", [0, 1])
def test_hooks_see_what_passes_between(hook, place):
    net, seen = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh()), []
    handle = hook(net[place], seen)
    assert as_one(*net) is None
    x = minigan.randn(1, 1, 5, 5, requires_grad=True)
    net(x).sum().backward()
    assert seen == [net[place]]
    handle.remove()
    assert as_one(*net) is not None


def test_a_norm_of_the_weight_goes_one_after_the_other():
    """Spectral norm is a hook that makes the weight."""
    net = nn.Sequential(nn.utils.spectral_norm(nn.Conv2d(1, 2, 3)), nn.ReLU())
    x = minigan.randn(1, 1, 5, 5)
    assert as_one(*net) is None
    assert (net(x).detach().numpy() >= 0).all()


class OwnConv(nn.Conv2d):
    def forward(self, x):
        return super().forward(x) * 0 - 3


class OwnTanh(nn.Tanh):
    def forward(self, x):
        return x * 7


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (OwnConv(1, 2, 3), nn.ReLU()),
        (nn.Conv2d(1, 2, 3), OwnTanh()),
        (nn.Conv2d(1, 2, 3), nn.LeakyReLU(1.0)),
        (nn.Conv2d(1, 2, 3), nn.LeakyReLU(-0.5)),
        (nn.Conv2d(1, 2, 3), nn.LeakyReLU(float("nan"))),
        (nn.Conv2d(1, 2, 3), nn.Sigmoid()),
        (nn.Conv2d(1, 2, 3), nn.SiLU()),
        (nn.ReLU(), nn.Tanh()),
    ],
)
def test_subclasses_and_other_slopes_are_not_passed_over(first, second):
    assert as_one(first, second) is None and as_one(first, None) is None
    x = minigan.randn(1, 1, 5, 5)
    found, expected = nn.Sequential(first, second)(x), second(first(x))
    assert_array_equal(found.detach().numpy(), expected.detach().numpy())


@pytest.mark.parametrize("first", [nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)], ids=["conv", "norm"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_forward_of_its_own_is_called(first, place):
    """Some programs give one module another forward instead of making a class."""
    layers = nn.Sequential(copy.deepcopy(first), nn.ReLU())
    x = minigan.tensor(np.abs(np.random.default_rng(0).standard_normal((2, 3, 4, 4))))
    layers[place].forward = lambda x: x * 0 + 7
    assert_array_equal(layers.double()(x).detach().numpy(), np.full(x.shape, 7))


def test_one_dimension_goes_one_after_the_other():
    net = nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.ConvTranspose1d(2, 1, 3), nn.Tanh())
    names = operations(lambda: net(minigan.randn(2, 1, 9)))
    assert [n for n in names if n != "Reshape"] == ["Fprop", "LeakyReLU", "Dgrad", "Tanh"]


@pytest.mark.parametrize("activation", [nn.LeakyReLU(0.2), nn.Tanh()], ids=repr)
@pytest.mark.parametrize("side", [6, 40])  # the larger results wait for their gradients in BF16
def test_autocast_rounds_the_operands_of_both_and_of_their_gradients(activation, side):
    net = nn.Sequential(nn.Conv2d(2, 3, 3), activation)
    x = minigan.randn(2, 2, side, side, requires_grad=True)
    with minigan.autocast("cpu"):
        together, apart = net(x), net[1](net[0](x))
    assert_array_equal(together.detach().numpy(), apart.detach().numpy())
    assert not np.array_equal(together.detach().numpy(), net(x).detach().numpy())
    assert (type(together.node.output) is Packed) is (side == 40)
    wanted = [x, *net.parameters()]
    for a, b in zip(*(minigan.grad(y.sum(), wanted) for y in (together, apart)), strict=True):
        assert_array_equal(a.numpy(), b.numpy())


def test_a_copy_and_a_move_to_another_dtype_are_fused_too():
    net = copy.deepcopy(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh())).to(dtype="float64")
    assert operations(lambda: net(minigan.randn(1, 1, 5, 5, dtype="float64"))) == ["FpropActivated"]


# ------------------------------------------------------------------------------ the tools


def test_the_graph_and_the_profile_name_it():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.LeakyReLU(0.2), nn.ConvTranspose2d(2, 1, 3))
    x = minigan.randn(2, 1, 5, 5)
    text = str(graph(net(x), dict(net.named_parameters()))).splitlines()
    assert [" ".join(line.split()) for line in text[4:]] == [
        "#5 FpropActivated(const, #1, #2) (2, 2, 3, 3) float32",
        "#6 Dgrad(#5, #3, #4) (2, 1, 5, 5) float32",
    ]
    with profile() as measured:
        net(x).sum().backward()
    calls = {(row.op, row.level): row.calls for row in measured.rows}
    assert calls["FpropActivated", 0] == calls["FpropActivated.vjp", 1] == 1
    assert calls["LeakyReLUGrad", 1] == 1 and ("LeakyReLU", 0) not in calls


def test_detect_nan_names_it():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    named = pytest.raises(FloatingPointError, match="FpropActivated gave 1 NaN of 1 values")
    with named, detect_nan():
        net(minigan.tensor([[[[float("nan")]]]]))


def test_a_changed_result_is_an_error_that_names_it():
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Tanh())
    y = net(minigan.ones(1, 1, 2, 2))
    with minigan.no_grad():
        y.mul_(2)
    with pytest.raises(RuntimeError, match=r"the gradient of FpropActivated .* in place"):
        y.sum().backward()
