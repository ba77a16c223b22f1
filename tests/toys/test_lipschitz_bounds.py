"""The bounds of layers against brute force, where they are reached, and what is refused."""

import numpy as np
import pytest

import minigan
from minigan import nn
from minigan.toys import lipschitz_rules
from minigan.toys.lipschitz_bounds import Residual, evaluated, layer_bounds, product_bound
from minigan.toys.lipschitz_samples import gradient_norms, quotients

# Largest slope of each on the line, as a grid of step 1e-4 sees it.
ACTIVATIONS = [
    nn.ReLU(),
    nn.ReLU6(),
    nn.LeakyReLU(0.2),
    nn.LeakyReLU(-3.0),
    nn.PReLU(init=1.7),
    nn.Tanh(),
    nn.Sigmoid(),
    nn.Softplus(),
    nn.Softplus(beta=3.0),
    nn.LogSigmoid(),
    nn.Softsign(),
    nn.Hardtanh(-0.5, 2.0),
    nn.ELU(),
    nn.ELU(2.5),
    nn.SELU(),
    nn.SiLU(),
    nn.GELU(),
    nn.GELU("tanh"),
]


@pytest.mark.parametrize("layer", ACTIVATIONS, ids=repr)
def test_activations_are_as_steep_as_said(layer):
    """No quotient of neighbours on [-12, 12] is larger, and the steepest reaches it: to 1e-3,
    since curves bend within a step and ELU and Softplus reach theirs at a kink or far out."""
    bound = product_bound(layer, (1,))
    x = np.linspace(-12, 12, 240_001)[:, None]
    found = quotients(evaluated(layer), x[1:], x[:-1]).max()
    assert (1 - 1e-3) * bound <= found <= bound * (1 + 1e-9)


def test_softmax_reaches_a_half_and_its_logarithm_the_root_of_n():
    x = np.array([[0.0, 0.0, -50.0, -50.0]])
    assert product_bound(nn.Softmax(1), (4,)) == 0.5
    assert gradient_norms(nn.Softmax(1), x)[0][0] == pytest.approx(0.5, rel=1e-9)
    peak = np.array([[60.0, 0.0, 0.0, 0.0]])
    assert product_bound(nn.LogSoftmax(-1), (4,)) == 2.0
    assert gradient_norms(nn.LogSoftmax(-1), peak)[0][0] == pytest.approx(2.0, rel=1e-6)
    random = np.random.default_rng(0).standard_normal((500, 4)) * 3
    assert gradient_norms(nn.Softmax(1), random)[0].max() <= 0.5 + 1e-12
    assert gradient_norms(nn.LogSoftmax(1), random)[0].max() <= 2.0 + 1e-12


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.LayerNorm(6), (6,)),
        (nn.LayerNorm((2, 3)), (2, 3)),
        (nn.GroupNorm(2, 4), (4, 2, 2)),
        (nn.InstanceNorm2d(2), (2, 3, 3)),
    ],
    ids=repr,
)
def test_normalising_a_sample_is_steepest_where_it_is_constant(layer, shape):
    """max |γ|/√ε = 3/√1e-5, reached there and nowhere exceeded; for γ = 1 the scale says 1."""
    if getattr(layer, "weight", None) is not None:
        layer.weight.data.fill_(-3.0)
    bound = product_bound(layer, shape)
    assert bound == pytest.approx((3 if layer.weight is not None else 1) / np.sqrt(1e-5))
    rng = np.random.default_rng(0)
    copy = evaluated(layer)
    constant = np.full((1, *shape), 0.7) + 1e-9 * rng.standard_normal((1, *shape))
    assert gradient_norms(copy, constant)[0][0] == pytest.approx(bound, rel=1e-6)
    anywhere = rng.standard_normal((200, *shape)) * 10 ** rng.uniform(
        -4, 1, (200, *[1] * len(shape))
    )
    assert gradient_norms(copy, anywhere)[0].max() <= bound * (1 + 1e-9)


def test_batch_norm_in_evaluation_is_a_scale():
    layer = nn.BatchNorm2d(2, eps=0.25)
    layer.weight.data = minigan.tensor([-3.0, 1.0])
    layer.running_var.copy_(minigan.tensor([8.75, 0.0]))
    assert product_bound(layer, (2, 3, 3)) == 2.0  # 3/√9 and 1/√0.25
    assert layer.training  # as before


def test_overlapping_windows_make_max_pooling_steep():
    """A single bright pixel in k3 s2 windows is seen by up to four of them: √4."""
    layer = nn.MaxPool2d(3, 2)
    assert product_bound(layer, (1, 5, 5)) == 2.0
    image = np.zeros((1, 1, 5, 5))
    image[0, 0, 2, 2] = 1.0
    assert quotients(layer, image, np.zeros_like(image))[0] == pytest.approx(2.0)
    assert product_bound(nn.MaxPool2d(2), (1, 4, 4)) == 1.0


def test_a_residual_adds_one():
    body = nn.Linear(3, 3, bias=False)
    body.weight.data = minigan.tensor(2 * np.eye(3), dtype="float32")
    block = Residual(body, nn.ReLU())
    assert product_bound(nn.Sequential(block, block), (3,)) == pytest.approx(9.0)
    x, y = np.ones((1, 3)), np.full((1, 3), 2.0)
    assert quotients(evaluated(block), x, y)[0] == pytest.approx(3.0)


def test_networks_are_opened_and_shapes_followed():
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2)),
        nn.Dropout(0.3),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 1),
    )
    found = layer_bounds(net, (1, 8, 8))
    assert [(each.name, each.out_shape) for each in found] == [
        ("0.0", (4, 4, 4)),
        ("0.1", (4, 4, 4)),
        ("1", (4, 4, 4)),
        ("2", (4, 2, 2)),
        ("3", (16,)),
        ("4", (1,)),
    ]
    assert found[2].upper == 1.0 and found[3].upper == pytest.approx(0.5)
    assert found[0].reshaped is not None and found[4].reshaped is None
    assert product_bound(net, (1, 8, 8)) == pytest.approx(np.prod([each.upper for each in found]))


def test_spectral_norm_counts_with_the_weight_it_makes():
    minigan.manual_seed(0)
    layer = nn.utils.spectral_norm(nn.Linear(6, 5), n_power_iterations=1)
    layer(minigan.zeros(1, 6))
    state = {name: value.numpy().copy() for name, value in layer.state_dict().items()}
    u, v, weight = (state[f"weight_{which}"].astype(float) for which in ("u", "v", "orig"))
    expected = np.linalg.norm(weight, 2) / (u @ weight @ v)
    assert expected > 1.01  # one iteration falls short of the norm
    assert product_bound(layer, (6,)) == pytest.approx(expected, rel=1e-9)
    for name, value in layer.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), state[name])


def test_borders_other_than_zeros():
    """Too large to write out, a convolution with a mirrored border has its border's norm too."""
    layer = nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect")
    large = layer_bounds(layer, (2, 40, 40))[0]
    assert "border" in large.how
    small = layer_bounds(layer, (2, 12, 12))[0]
    assert "singular" in small.how
    image = np.random.default_rng(0).standard_normal((4, 2, 40, 40))
    assert gradient_norms(evaluated(layer), image, steps=200)[0].max() <= large.upper
    assert small.upper <= 1.05 * large.upper


class Odd(nn.ReLU):
    def forward(self, x):
        return x * x


def test_what_is_unknown_is_refused_in_one_sentence():
    for layer, shape, kind, message in (
        (nn.Sequential(nn.Linear(2, 2), Odd()), (2,), TypeError, "there is no bound for Odd '1'"),
        (nn.GLU(), (4,), TypeError, "GLU has no finite bound: the slope of a product grows"),
        (nn.LayerNorm(3, eps=0.0), (3,), TypeError, "with ε = 0 the slope grows without end"),
        (nn.Softmax(0), (3,), TypeError, "one of a sample's own dimensions"),
        (nn.Softplus(threshold=1.0), (3,), TypeError, "it jumps where β·x = 1.0"),
        (nn.BatchNorm1d(3, track_running_stats=False), (3,), TypeError, "running statistics"),
        (nn.ModuleList([nn.ReLU()]), (3,), ValueError, "defines no forward"),
        (nn.Embedding(5, 2), (3,), ValueError, "expected integer indices"),
        (nn.Linear(3, 1), (2,), ValueError, r"Linear does not take inputs of shape \(2,\)"),
        (nn.Linear(3, 1), (), ValueError, "shape expects positive numbers"),
        (nn.Linear(3, 1), (0,), ValueError, "shape expects positive numbers"),
        (nn.Linear(3, 1), 3, TypeError, r"shape expects a tuple, as \(3, 32, 32\), got 3"),
        ("net", (2,), TypeError, "expected an nn.Module, got str"),
    ):
        with pytest.raises(kind, match=message) as caught:
            product_bound(layer, shape)
        assert "\n" not in str(caught.value)


def test_numbers_that_are_not_finite_and_hooks_are_refused():
    layer = nn.Linear(2, 1)
    layer.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="'weight' holds NaN or infinity"):
        product_bound(layer, (2,))
    layer = nn.Sequential(nn.ReLU())
    layer[0].register_forward_hook(lambda module, inputs, output: output * 3)
    with pytest.raises(TypeError, match="ReLU '0' has a hook that may change"):
        product_bound(layer, (2,))


def test_a_rule_can_be_given(monkeypatch):
    monkeypatch.setattr(lipschitz_rules, "RULES", dict(lipschitz_rules.RULES))

    class Triple(nn.Module):
        def forward(self, x):
            return 3 * x

    with pytest.raises(TypeError, match="no bound for Triple"):
        product_bound(Triple(), (2,))
    lipschitz_rules.rule(Triple)(lambda layer, shape, out_shape: (3.0, "its factor"))
    assert lipschitz_rules.RULES[Triple.forward](None, (), ())[0] == 3.0


def test_every_layer_of_the_library_is_known_or_refused_for_a_reason():
    """A new layer has to be thought about here."""
    unbounded = {
        "CosineSimilarity",
        "DataParallel",
        "Embedding",
        "Module",
        "ModuleDict",
        "ModuleList",
        "Parameter",
        "Sequential",  # opened
    }
    layers = {name for name in nn.__all__ if name[0].isupper() and not name.endswith("Loss")}
    without = {name for name in layers if getattr(getattr(nn, name), "forward", None) is None}
    known = {
        name for name in layers - without if getattr(nn, name).forward in lipschitz_rules.RULES
    }
    assert layers - known == unbounded
