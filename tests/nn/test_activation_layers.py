"""Activation layers against their formulas, one number at a time; print and state as in PyTorch."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, nn, tensor


def sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v > -700 else 0.0


def gelu_tanh(v):
    return 0.5 * v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))


# A layer, its formula, and what PyTorch 2.13 prints.
CASES = [
    (nn.ELU(), lambda v: v if v > 0 else math.expm1(v), "ELU(alpha=1.0)"),
    (nn.ELU(0.7), lambda v: v if v > 0 else 0.7 * math.expm1(v), "ELU(alpha=0.7)"),
    (nn.SiLU(), lambda v: v * sigmoid(v), "SiLU()"),
    (nn.GELU(), lambda v: v * 0.5 * math.erfc(-v / math.sqrt(2)), "GELU(approximate='none')"),
    (nn.GELU("tanh"), gelu_tanh, "GELU(approximate='tanh')"),
    (nn.LogSigmoid(), lambda v: -math.log1p(math.exp(-v)) if v > -50 else v, "LogSigmoid()"),
    (nn.Hardtanh(), lambda v: min(max(v, -1), 1), "Hardtanh(min_val=-1.0, max_val=1.0)"),
    (nn.Hardtanh(-2, 0.5), lambda v: min(max(v, -2), 0.5), "Hardtanh(min_val=-2, max_val=0.5)"),
    (nn.Softsign(), lambda v: v / (1 + abs(v)), "Softsign()"),
    (nn.PReLU(), lambda v: v if v > 0 else 0.25 * v, "PReLU(num_parameters=1)"),
    (nn.PReLU(init=0.1), lambda v: v if v > 0 else 0.1 * v, "PReLU(num_parameters=1)"),
]
every_case = pytest.mark.parametrize(
    ("layer", "formula", "text"), CASES, ids=[text for *_, text in CASES]
)
NUMBERS = [0.0, -0.0, 1e-9, -1e-9, 0.3, -0.3, 1.7, -1.7, 2.5, -2.5, 30.0, -30.0, 100.0, -100.0]


@every_case
def test_activations_follow_their_formulas(layer, formula, text):
    layer = layer.double() if list(layer.parameters()) else layer
    y = layer(tensor(np.array(NUMBERS))).detach().numpy()
    rtol = 1e-7 if "PReLU" in text else 1e-12  # 0.1 was rounded to float32
    assert_allclose(y, [formula(v) for v in NUMBERS], rtol=rtol, atol=1e-14)
    layer.float()


@every_case
def test_derivatives_are_right_to_order_3_away_from_kinks(layer, formula, text):
    x = np.array([[-3.1, -1.6, -0.7, -0.2], [0.2, 0.4, 0.9, 4.2]])
    gradcheck(layer, x, order=3)


@every_case
def test_float32_stays_float32_and_scalars_and_nothing_are_allowed(layer, formula, text):
    x = tensor([-1.5, 0.25], requires_grad=True)
    y = layer(x)
    (g,) = minigan.grad((y * y).sum(), x, create_graph=True)
    (h,) = minigan.grad((g * g).sum(), x, allow_unused=True, materialize_grads=True)
    assert y.dtype == g.dtype == h.dtype == np.float32
    assert layer(tensor(0.5)).shape == ()
    assert layer(minigan.zeros(0, 3)).shape == (0, 3)


@every_case
def test_layers_print_and_hold_what_they_do_in_pytorch(layer, formula, text):
    assert repr(layer) == text
    assert list(layer.state_dict()) == (["weight"] if "PReLU" in text else [])


@pytest.mark.parametrize("layer", [nn.ReLU, nn.SiLU, nn.ELU, nn.LeakyReLU, nn.Hardtanh])
def test_inplace_is_printed_and_changes_no_result(layer):
    x = tensor([-2.0, 3.0])
    assert layer(inplace=True)(x).tolist() == layer()(x).tolist()
    assert x.tolist() == [-2.0, 3.0]
    assert repr(layer(inplace=True)).endswith("inplace=True)")


# -- the ends of the range


def test_large_numbers_neither_overflow_nor_lose_their_gradient():
    big = tensor([1e4, -1e4, 1e15, -1e15], requires_grad=True)
    for layer, values, slopes in (
        (nn.SiLU(), [1e4, 0, 1e15, 0], [1, 0, 1, 0]),
        (nn.GELU(), [1e4, 0, 1e15, 0], [1, 0, 1, 0]),
        (nn.ELU(), [1e4, -1, 1e15, -1], [1, 0, 1, 0]),
        (nn.LogSigmoid(), [0, -1e4, 0, -1e15], [0, 1, 0, 1]),
    ):
        y = layer(big)
        assert_allclose(y.detach().numpy(), np.array(values, "float32"), rtol=1e-6)
        assert minigan.grad(y.sum(), big)[0].tolist() == slopes


def test_hardtanh_has_slope_0_on_its_limits():
    x = tensor([-1.0, -0.999, 1.0, 1.001], requires_grad=True)
    assert minigan.grad(nn.Hardtanh()(x).sum(), x)[0].tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("limits", [(1.0, 1.0), (2.0, -2.0)])
def test_hardtanh_refuses_limits_that_leave_nothing(limits):
    with pytest.raises(ValueError, match="Hardtanh: expected min_val < max_val, got"):
        nn.Hardtanh(*limits)


def test_gelu_refuses_another_approximation():
    with pytest.raises(RuntimeError, match='gelu: approximate must be "none" or "tanh", got "x"'):
        nn.GELU("x")(minigan.ones(2))


# -- PReLU


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_prelu_has_a_slope_for_every_channel(shape):
    layer = nn.PReLU(3).double()
    slopes = np.array([0.5, -2.0, 0.0])
    with minigan.no_grad():
        layer.weight.copy_(slopes)
    x = np.random.default_rng(2).standard_normal(shape)
    wide = slopes.reshape(3, *(1,) * (len(shape) - 2))
    y = layer(tensor(x))
    assert_allclose(y.detach().numpy(), np.where(x > 0, x, x * wide), rtol=1e-14)
    (g,) = minigan.grad(y.sum(), layer.weight)
    negative = np.minimum(x, 0)
    assert_allclose(g.numpy(), [negative[:, c].sum() for c in range(3)], rtol=1e-13)
    gradcheck(minigan.nn.functional.prelu, x, slopes, order=3)
    assert repr(layer) == "PReLU(num_parameters=3)"


def test_prelu_refuses_another_number_of_channels():
    for shape in ((2, 4), (3,), (2, 1, 3)):
        with pytest.raises(RuntimeError, match=r"prelu: weight expects one value or one per"):
            nn.PReLU(3)(minigan.ones(*shape))


# -- softmax


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_layers_share_out_along_their_dim(dim):
    x = np.random.default_rng(3).standard_normal((3, 4, 2))
    e = np.exp(x)
    y, logs = nn.Softmax(dim)(tensor(x)), nn.LogSoftmax(dim)(tensor(x))
    assert_allclose(y.numpy(), e / e.sum(dim, keepdims=True), rtol=1e-13)
    assert_allclose(logs.numpy(), np.log(y.numpy()), rtol=1e-12)
    assert repr(nn.Softmax(dim)) == f"Softmax(dim={dim})"
    assert repr(nn.LogSoftmax(dim=dim)) == f"LogSoftmax(dim={dim})"
    gradcheck(nn.Softmax(dim), x, order=3)
    gradcheck(nn.LogSoftmax(dim), x, order=3)


def test_softmax_asks_for_its_dim():
    with pytest.raises(TypeError, match="softmax: expected dim"):
        nn.Softmax()(minigan.ones(2, 3))
    with pytest.raises(IndexError, match="log_softmax: dimension out of range"):
        nn.LogSoftmax(2)(minigan.ones(2, 3))


def test_relu6_selu_glu_and_softmax2d():
    """Against their definitions in NumPy."""
    x = np.linspace(-3, 9, 24).reshape(2, 4, 3)
    assert_allclose(nn.ReLU6()(minigan.tensor(x)).numpy(), np.clip(x, 0, 6))
    elu = np.where(x > 0, x, 1.6732632423543772 * np.expm1(np.minimum(x, 0)))
    assert_allclose(nn.SELU()(minigan.tensor(x)).numpy(), 1.0507009873554805 * elu, rtol=1e-14)
    gated = x[:, :2] / (1 + np.exp(-x[:, 2:]))
    assert_allclose(nn.GLU(1)(minigan.tensor(x)).numpy(), gated, rtol=1e-14)
    with pytest.raises(RuntimeError, match="glu: expected an even length of dimension -1, got 3"):
        nn.GLU()(minigan.tensor(x))
    image = minigan.tensor(x.reshape(2, 3, 2, 2))
    assert_allclose(nn.Softmax2d()(image).sum(1).numpy(), np.ones((2, 2, 2)), rtol=1e-14)
