"""The enumeration against closed forms, the count of regions, and dense samples."""

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan
from minigan import nn
from minigan.toys.lipschitz_bounds import evaluated
from minigan.toys.lipschitz_exact import exact_constant, is_tiny
from minigan.toys.lipschitz_samples import Box, gradient_norms


def network(*parts):
    """Linear layers from (weight, bias), and whatever else stands between them."""
    modules = []
    for part in parts:
        if isinstance(part, nn.Module):
            modules.append(part)
            continue
        weight, bias = (np.array(each, np.float64) for each in part)
        layer = nn.Linear(weight.shape[1], weight.shape[0], dtype="float64")
        layer.weight.data, layer.bias.data = minigan.tensor(weight), minigan.tensor(bias)
        modules.append(layer)
    return nn.Sequential(*modules)


@st.composite
def tiny(draw, outputs=(1, 2)):
    """A drawn network of 1 or 2 hidden layers, at most 12 units, and its inputs' number."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = draw(st.integers(1, 3))
    sizes = [inputs, *draw(st.lists(st.integers(1, 6), min_size=1, max_size=2))]
    slope = draw(st.sampled_from([0.0, 0.2, 0.2, 1.5]))
    parts = []
    for before, after in zip(sizes, [*sizes[1:], draw(st.sampled_from(outputs))], strict=True):
        weight = rng.standard_normal((after, before))
        if draw(st.booleans()):
            weight = np.round(weight)  # parallel, equal and dead units
        parts += [(weight, np.round(rng.standard_normal(after), 1)), nn.LeakyReLU(slope)]
    return network(*parts[:-1]), inputs


def test_the_absolute_value():
    net = network(([[1], [-1]], [0, 0]), nn.ReLU(), ([[1, 1]], [0]))
    found = exact_constant(net, Box.of(-1, 2, (1,)))
    assert found.value == found.upper == 1.0
    assert found.patterns == 2


def test_only_what_the_box_holds_counts():
    """max(0, 3x - 3) is flat up to 1."""
    net = network(([[3]], [-3]), nn.ReLU(), ([[1]], [5]))
    assert exact_constant(net, Box.of(-4, 1, (1,))).value == 0.0
    assert exact_constant(net, Box.of(-4, 1.01, (1,))).value == pytest.approx(3.0)


def test_the_patterns_of_a_hidden_layer_are_the_regions_of_an_arrangement():
    """n lines in general position, all crossings in the box, cut it into 1 + n + C(n, 2) parts."""
    rng = np.random.default_rng(0)
    for n in (3, 6, 9):
        angles = np.pi * (np.arange(n) + 0.5 * rng.random(n)) / n
        weight = np.stack([np.cos(angles), np.sin(angles)], 1)
        net = network((weight, 0.1 * rng.standard_normal(n)), nn.ReLU(), (np.ones((1, n)), [0]))
        found = exact_constant(net, Box.of(-50, 50, (2,)))
        assert (found.patterns, found.thin) == (1 + n + comb(n, 2), 0)


def test_the_sum_of_positive_parts_has_the_best_subset():
    """f = Σ max(0, wᵢ·x): through 0, the constant is the longest sum of all w on one side."""
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((7, 2))
    net = network((weight, np.zeros(7)), nn.ReLU(), (np.ones((1, 7)), [0]))
    angles = np.linspace(0, 2 * np.pi, 100_001)
    on = weight @ np.stack([np.cos(angles), np.sin(angles)]) > 0
    best = np.linalg.norm(on.T @ weight, axis=1).max()
    assert exact_constant(net, Box.of(-1, 1, (2,))).value == pytest.approx(best, rel=1e-12)


@settings(max_examples=25)
@given(tiny())
def test_no_gradient_of_a_dense_sample_is_larger_and_the_steepest_is_there(drawn):
    """Both together: the value is a gradient's norm at a named point, and nothing found tops it."""
    net, inputs = drawn
    box = Box.of(-2, 2, (inputs,))
    found = exact_constant(net, box)
    copy = evaluated(net)
    dense = gradient_norms(copy, box.draw(3000, np.random.default_rng(0)), steps=50)[0]
    assert dense.max() <= found.upper * (1 + 1e-9)
    assert (box.low < found.at).all() and (found.at < box.high).all()
    assert gradient_norms(copy, found.at[None], steps=300)[0][0] == pytest.approx(
        found.value, rel=1e-3, abs=1e-12
    )
    assert found.value <= found.upper


def test_jacobians_of_several_outputs_have_their_spectral_norm():
    weight = np.random.default_rng(2).standard_normal((4, 3))
    net = network((weight, np.zeros(4)))
    assert exact_constant(net, Box.of(-1, 1, (3,))).value == pytest.approx(
        np.linalg.norm(weight, 2), rel=1e-12
    )


def test_boxes_of_unequal_sides_do_not_bend_the_norm():
    """The search runs in a cube; the gradient is that of the network."""
    net = network(([[3, 0], [0, 4]], [0, 0]), nn.ReLU(), ([[1, 1]], [0]))
    box = Box.of([-1e-3, -50], [1e-3, 100])
    assert exact_constant(net, box).value == pytest.approx(5.0, rel=1e-12)


def test_thin_parts_are_told_apart():
    """max(0, x) - max(0, -x) = x is 1 steep; both units are on at 0 only, where 1 + 1 is no
    slope: the value is exact, and the upper end says that a thin part was met."""
    net = network(([[1], [-1]], [0, 0]), nn.ReLU(), ([[1, -1]], [0]))
    found = exact_constant(net, Box.of(-1, 1, (1,)))
    assert (found.value, found.upper, found.thin) == (1.0, 2.0, 2)


def test_dead_units_and_constants():
    net = network(([[0, 0], [1, 0]], [0, -5]), nn.ReLU(), ([[7, 7]], [1]))
    found = exact_constant(net, Box.of(-1, 1, (2,)))
    assert (found.value, found.patterns, found.programs) == (0.0, 1, 0)


def test_a_convolution_counts_as_its_matrix():
    minigan.manual_seed(0)
    conv = nn.Conv2d(1, 2, 3, padding=1, dtype="float64")
    rest = nn.Linear(8, 1, dtype="float64")
    norm = nn.BatchNorm2d(2, dtype="float64")
    norm.running_var.copy_(minigan.tensor([4.0, 0.25], dtype="float64"))
    net = nn.Sequential(conv, norm, nn.LeakyReLU(0.2), nn.Flatten(), rest)
    matrix = conv(minigan.eye(4, dtype="float64").reshape(4, 1, 2, 2)) - conv(
        minigan.zeros(1, 1, 2, 2, dtype="float64")
    )
    scale = 1 / np.sqrt(np.repeat([4.0, 0.25], 4) + 1e-5)
    weight = scale[:, None] * matrix.detach().numpy().reshape(4, 8).T
    bias = scale * np.repeat(conv.bias.detach().numpy(), 4)
    flat = network(
        (weight, bias),
        nn.LeakyReLU(0.2),
        (rest.weight.detach().numpy(), rest.bias.detach().numpy()),
    )
    low, high = -np.ones(4), np.array([1, 2, 1, 3])
    found = exact_constant(net, Box.of(low.reshape(1, 2, 2), high.reshape(1, 2, 2)))
    assert found.value == pytest.approx(exact_constant(flat, Box.of(low, high)).value, rel=1e-12)
    assert found.at.shape == (1, 2, 2)


def test_what_cannot_be_enumerated_is_refused():
    box = Box.of(-1, 1, (2,))
    wide = nn.Sequential(nn.Linear(2, 17), nn.ReLU(), nn.Linear(17, 1))
    with pytest.raises(ValueError, match="at most 16 units, got 17"):
        exact_constant(wide, box)
    smooth = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    with pytest.raises(TypeError, match="expects affine layers, ReLU and LeakyReLU, got Tanh '1'"):
        exact_constant(smooth, box)
    with pytest.raises(ValueError, match="does not take inputs of shape"):
        exact_constant(wide, Box.of(-1, 1, (3,)))
    long = nn.Sequential(nn.Linear(5000, 5000))
    assert not any([is_tiny(wide, (2,)), is_tiny(smooth, (2,)), is_tiny(long, (5000,))])
    assert is_tiny(nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)), (2,))


def test_a_box_is_a_box():
    with pytest.raises(TypeError, match=r"exact_constant: box expects a Box, .*, got \(-1, 1\)"):
        exact_constant(network(([[1]], [0])), (-1, 1))
