"""The ladder of drawn networks stands; a rung out of place is noticed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan
from minigan import nn
from minigan.gan import ImageShape, recipe
from minigan.generators import Generator
from minigan.toys.lipschitz_bounds import Residual
from minigan.toys.lipschitz_ladder import ladder
from minigan.toys.lipschitz_samples import Box
from minigan.toys.mixtures_protocols import Maxout, Packed, pacgan_critic


@st.composite
def rectifiers(draw):
    """A network of up to 10 units on 1 to 3 inputs; some weights large, some biases dominant."""
    minigan.manual_seed(draw(st.integers(0, 2**31)))
    sizes = [draw(st.integers(1, 3)), *draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))]
    layers = []
    for before, after in zip(sizes, [*sizes[1:], draw(st.integers(1, 2))], strict=True):
        layer = nn.Linear(before, after, bias=draw(st.booleans()))
        layer.weight.data.mul_(draw(st.sampled_from([1e-3, 1.0, 5.0])))
        if layer.bias is not None:
            layer.bias.data.mul_(draw(st.sampled_from([0.0, 1.0, 1e3])))
        layers += [layer, draw(st.sampled_from([nn.ReLU, nn.LeakyReLU]))()]
    return nn.Sequential(*layers[:-1]), sizes[0]


@settings(max_examples=40)
@given(rectifiers(), st.sampled_from([1e-2, 1.0, 30.0]))
def test_found_exact_and_product_stand_in_order(drawn, half):
    """``ladder`` checks itself; here once more, without its help."""
    net, inputs = drawn
    found = ladder(net, Box.of(-half, half, (inputs,)), 200)
    slack = 1 + 1e-9
    assert max(found.quotient, found.gradient) <= found.exact.upper * slack
    assert found.exact.value <= found.product * slack
    for each in found.layers:
        assert max(each.quotient, each.gradient) <= each.upper * slack


def test_of_a_linear_network_all_rungs_are_one():
    """Two orthogonal matrices and a scale: every direction is as steep as every other."""
    rng = np.random.default_rng(0)
    layers = [nn.Linear(4, 4, dtype="float64") for _ in range(2)]
    for layer, scale in zip(layers, (2.0, 0.25), strict=True):
        layer.weight.data = minigan.tensor(scale * np.linalg.qr(rng.standard_normal((4, 4)))[0])
    found = ladder(nn.Sequential(*layers), Box.of(-1, 1, (4,)), 50)
    for rung in (found.quotient, found.gradient, found.exact.value, found.product):
        assert rung == pytest.approx(0.5, rel=1e-11)
    assert found.found == max(found.quotient, found.gradient)


def test_a_critic_of_images_has_a_ladder():
    minigan.manual_seed(3)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 4, 2, 1),
        nn.LeakyReLU(0.2),
        Residual(nn.Conv2d(4, 4, 3, padding=1), nn.Tanh()),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, 1),
        nn.Flatten(),
        nn.Linear(24, 3),
        nn.Sigmoid(),
    )
    found = ladder(net, Box.of(-1, 1, (1, 8, 8)), 16)
    assert found.exact is None and 0 < found.found <= found.product
    assert [each.layer for each in found.layers if each.reshaped] == ["Conv2d", "Conv2d"]
    assert net.training
    summary = found.summary()
    assert summary["exact"] is None and summary["product"] == found.product


def test_further_points_count():
    """A spike that few uniform points would find."""
    net = nn.Sequential(nn.Linear(1, 1, dtype="float64"), nn.ReLU())
    net[0].weight.data, net[0].bias.data = (
        minigan.tensor([[1000.0]], dtype="float64"),
        minigan.tensor([-999.9999], dtype="float64"),
    )
    box = Box.of(-1, 1, (1,))
    assert ladder(net, box, 20).gradient == 0.0
    assert ladder(net, box, 20, also=np.array([[1.0]])).gradient == 1000.0


def test_the_same_seed_gives_the_same_ladder():
    minigan.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    one, two, other = (ladder(net, Box.of(-1, 1, (2,)), 50, seed=seed) for seed in (0, 0, 1))
    assert one == two and one != other


def test_rungs_out_of_place_are_noticed():
    minigan.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    found = ladder(net, Box.of(-1, 1, (2,)))
    low = 0.99 * found.found
    exact = replace(found.exact, value=low, upper=low)
    layer = replace(found.layers[0], upper=0.9 * found.layers[0].gradient)
    for broken, message in (
        (replace(found, product=low), "the network: found ≤ product fails"),
        (replace(found, exact=exact), "the network: found ≤ exact fails"),
        (replace(found, exact=None, gradient=float("nan"), quotient=float("nan")), "found nan"),
        (replace(found, exact=None, product=None, gradient=float("nan")), ", nan"),
        (replace(found, layers=(layer,)), "Linear 0: found ≤ bound fails"),
        (
            replace(found, exact=replace(found.exact, value=2 * found.product)),
            "exact ≤ product fails",
        ),
    ):
        with pytest.raises(ArithmeticError, match=message):
            broken.check()
    assert found.check() is found


class Critic(nn.Module):
    """A plain module: x → w·tanh(Ax), computed by methods of its own."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 6, bias=False), nn.Linear(6, 1, bias=False)

    def features(self, x):
        return self.first(x).tanh()

    def forward(self, x):
        return self.last(self.features(x))


def test_what_has_no_rule_has_no_product_and_is_still_measured():
    """The plain module computes what the Sequential does, whose ladder has all rungs."""
    minigan.manual_seed(0)
    plain = Critic()
    box = Box.of(-1, 1, (2,))
    known = ladder(nn.Sequential(plain.first, nn.Tanh(), plain.last), box, 50)
    found = ladder(plain, box, 50)
    assert (found.product, found.exact, len(found.layers)) == (None, None, 1)
    assert found.found == pytest.approx(known.found, rel=1e-9)
    assert found.found <= known.product
    assert found.layers[0].upper is None and "no bound for Critic" in found.layers[0].how
    mixed = ladder(nn.Sequential(nn.Linear(2, 4), nn.GLU()), box, 50)
    assert mixed.product is None and mixed.layers[0].upper > 0
    assert "the slope of a product grows" in mixed.layers[1].how
    assert mixed.summary()["product"] is None


def test_one_number_for_each_input_needs_no_axis_of_its_own():
    class Flat(Critic):
        def forward(self, x):
            return super().forward(x).squeeze(1)

    minigan.manual_seed(0)
    net, box = Flat(), Box.of(-1, 1, (2,))
    found = ladder(net, box, 20)
    assert found.product is None and found.found > 0
    with pytest.raises(TypeError, match=r"ReLU '1' expects inputs \(N, …\), the layer before"):
        ladder(nn.Sequential(net, nn.ReLU()), box, 20)


def test_a_critic_of_maxout_units_has_a_ladder():
    """W = (1, -1, 3)ᵀ as three pieces of one unit on the line: the constant is 3, at most √11."""
    one = Maxout(1, 1, 3)
    one.pieces.weight.data = minigan.tensor([[1.0], [-1.0], [3.0]])
    found = ladder(one, Box.of(-1, 1, (1,)), 50)
    assert found.found == pytest.approx(3.0) and found.product == pytest.approx(np.sqrt(11))
    minigan.manual_seed(0)
    found = ladder(pacgan_critic(2), Box.of(-1, 1, (2,)), 50)
    assert 0 < found.found <= found.product and found.exact is None
    assert [each.layer for each in found.layers] == ["Maxout"] * 3 + ["Linear"]


class Batchwise(nn.Module):
    def forward(self, x):
        return x - x.mean(0)


class Pair(nn.Module):
    def forward(self, x, labels):
        return x * labels


class Two(nn.Module):
    def forward(self, x):
        return x, x


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (Pair(), r"Pair takes \(x, labels\), expected one Tensor; wrap it"),
        (nn.Sequential(nn.Linear(2, 2), Two()), "Two '1' gives a tuple, expected one Tensor"),
        (Packed(pacgan_critic(4), 2), r"Packed gives shape \(1, 1\) for 2 inputs of shape \(2,\)"),
        (Batchwise(), "Batchwise makes an output depend on the rest of its batch"),
        (nn.BatchNorm1d(2, track_running_stats=False), "the rest of its batch"),
    ],
)
def test_what_is_no_function_of_one_input_is_refused_in_one_sentence(net, message):
    with pytest.raises(TypeError, match=message) as caught:
        ladder(net, Box.of(-1, 1, (2,)), 2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["cgan", "acgan", "infogan", "ebgan"])
def test_critics_of_the_recipes_that_are_no_function_are_refused(name):
    chosen = recipe(name)
    critic = chosen.networks(chosen.configure({}), ImageShape(1, 28, 28, 4), Generator()).critic
    with pytest.raises(TypeError, match=r"expected one Tensor.* wrap it in a Module"):
        ladder(critic, Box.of(-1, 1, (1, 28, 28)), 4)


def test_what_is_asked_wrongly_is_refused():
    net = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    box = Box.of(-1, 1, (2,))
    for options, kind, message in (
        ({"count": 1}, ValueError, "count expects a whole number from 2 on, got 1"),
        (
            {"also": np.zeros((3, 4))},
            ValueError,
            r"shape \(2,\) within the box, got shape \(3, 4\)",
        ),
        ({"also": np.full((1, 2), 2.0)}, ValueError, r"got shape \(1, 2\) outside"),
        ({"also": np.zeros((0, 2))}, ValueError, "at least one"),
        ({"also": np.full((1, 2), np.nan)}, ValueError, "NaN"),
        ({"also": [[1.0, 2.0], [3.0]]}, ValueError, "ladder: expected an array of real numbers"),
        ({"seed": -1}, ValueError, "ladder: seed expects a whole number from 0 on, got -1"),
        ({"seed": 1.5}, ValueError, "ladder: seed expects a whole number from 0 on, got 1.5"),
        ({"exact": True}, TypeError, "expects affine layers"),
    ):
        with pytest.raises(kind, match=message):
            ladder(net, box, **options)
    with pytest.raises(TypeError, match=r"ladder: box expects a Box, .*, got \(-1, 1\)"):
        ladder(net, (-1, 1))
    with pytest.raises(ValueError, match="does not take inputs of shape"):
        ladder(net, Box.of(-1, 1, (3,)))
    assert ladder(net, box, 20, exact=False).exact is None
