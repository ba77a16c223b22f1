"""Losses against their closed forms: in 700-digit decimals where floats would cancel."""

import decimal
import math

import numpy as np
import pytest

import minigan
from minigan import gradcheck, nn
from minigan.nn import functional as F

bce = F.binary_cross_entropy_with_logits
rng = np.random.default_rng(3)
X = rng.standard_normal((4, 3)) * 3
T = rng.random((4, 3))
LOGITS = [0.0, -0.0, 1e-9, 0.5, -2.25, 8.0, 20.0, -20.0, 40.0, -40.0, 700.0, -700.0, 1e4, -1e4]


def exactly(x, t):
    """The loss and its derivative σ(x) - t, rounded once."""
    with decimal.localcontext() as context:
        context.prec, context.Emin = 700, -(10**6)
        x, t, one = decimal.Decimal(x), decimal.Decimal(t), decimal.Decimal(1)
        loss = t * (one + (-x).exp()).ln() + (one - t) * (one + x.exp()).ln()
        return float(loss), float(one / (one + (-x).exp()) - t)


# -- binary cross entropy with logits


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("x", LOGITS)
def test_bce_and_its_gradient_are_right_to_the_last_bits_for_hard_targets(x, target):
    loss, slope = exactly(x, target)
    for dtype, rtol in (("float64", 1e-15), ("float32", 5e-7)):
        rounded = np.dtype(dtype).type(x)
        if rounded != x:
            continue
        logit = minigan.tensor([x], dtype=dtype, requires_grad=True)
        y = bce(logit, minigan.tensor([target], dtype=dtype))
        (g,) = minigan.grad(y, logit)
        tiny = np.finfo(dtype).smallest_normal
        np.testing.assert_allclose(y.item(), loss, rtol=rtol, atol=tiny)
        np.testing.assert_allclose(g.item(), slope, rtol=rtol, atol=tiny)


@pytest.mark.parametrize("target", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("x", LOGITS)
def test_bce_and_its_gradient_are_right_for_soft_targets(x, target):
    loss, slope = exactly(x, target)
    logit = minigan.tensor([x], dtype="float64", requires_grad=True)
    y = bce(logit, minigan.tensor([target], dtype="float64"))
    (g,) = minigan.grad(y, logit)
    np.testing.assert_allclose(y.item(), loss, rtol=1e-15)
    np.testing.assert_allclose(g.item(), slope, rtol=0, atol=1e-15)


def weighted(x, t, w, q):
    """Every element's loss by the definition, with σ written out."""
    sigma = 1 / (1 + np.exp(-x))
    return -w * (q * t * np.log(sigma) + (1 - t) * np.log(1 - sigma))


@pytest.mark.parametrize("weight", [None, np.array([0.5, 2.0, 0.0]), rng.random((4, 3))])
@pytest.mark.parametrize("pos_weight", [None, np.array([3.0, 1.0, 0.25])])
def test_bce_weights_multiply_elements_and_positive_parts(weight, pos_weight):
    one = np.ones(1)
    expected = weighted(
        X, T, one if weight is None else weight, one if pos_weight is None else pos_weight
    )
    given = [None if v is None else minigan.tensor(v) for v in (weight, pos_weight)]
    x, t = minigan.tensor(X), minigan.tensor(T)
    for reduction, result in (
        ("none", expected),
        ("sum", expected.sum()),
        ("mean", expected.mean()),
    ):
        for loss in (
            bce(x, t, given[0], reduction, given[1]),
            nn.BCEWithLogitsLoss(given[0], reduction, given[1])(x, t),
        ):
            np.testing.assert_allclose(loss.numpy(), result, rtol=1e-12)


def test_bce_with_weights_as_in_pytorch():
    # PyTorch 2.13, the same call.
    expected = [1.6630656719207764, 1.2538561820983887, 2.5033576488494873]
    loss = bce(
        minigan.tensor([0.3, -2.0, 5.0]),
        minigan.tensor([1.0, 0.25, 0.0]),
        minigan.tensor([1.0, 2.0, 0.5]),
        pos_weight=minigan.tensor([3.0, 1.0, 2.0]),
        reduction="none",
    )
    np.testing.assert_allclose(loss.numpy(), expected, rtol=2e-7)


def test_bce_derivatives_by_every_input_are_right_to_second_order():
    weight, pos_weight = T + 0.5, T[0] + 0.25
    gradcheck(lambda x, t: bce(x, t), X, T, order=2)
    gradcheck(lambda x, t, w, q: bce(x, t, w, "none", q), X, T, weight, pos_weight, order=2)


def test_bce_layers_weights_are_part_of_their_state():
    layer = nn.BCEWithLogitsLoss(minigan.ones(2), pos_weight=minigan.ones(2))
    assert list(layer.state_dict()) == ["weight", "pos_weight"]
    assert list(nn.BCEWithLogitsLoss().state_dict()) == []


# -- mean squared error


def test_mse_is_the_squared_difference():
    expected = (X - T) ** 2
    x, t = minigan.tensor(X), minigan.tensor(T)
    np.testing.assert_allclose(F.mse_loss(x, t, "none").numpy(), expected, rtol=1e-15)
    total = math.fsum(expected.ravel())
    assert math.isclose(F.mse_loss(x, t, "sum").item(), total, rel_tol=1e-14)
    assert math.isclose(F.mse_loss(x, t).item(), total / 12, rel_tol=1e-14)
    assert math.isclose(nn.MSELoss("sum")(x, t).item(), total, rel_tol=1e-14)


def test_mse_gradients_are_twice_the_difference_over_the_count():
    x, t = (minigan.tensor(v, requires_grad=True) for v in (X, T))
    gx, gt = minigan.grad(F.mse_loss(x, t), [x, t])
    np.testing.assert_allclose(gx.numpy(), 2 * (X - T) / 12, rtol=1e-14)
    np.testing.assert_allclose(gt.numpy(), 2 * (T - X) / 12, rtol=1e-14)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_mse_derivatives_are_right_to_second_order(reduction):
    gradcheck(lambda x, t: F.mse_loss(x, t, reduction), X, T, order=2)


# -- both


@pytest.mark.parametrize("loss", [bce, F.mse_loss])
def test_float32_stays_float32_and_scalars_are_allowed(loss):
    x = minigan.tensor([0.5, 2.0], requires_grad=True)
    y = loss(x, minigan.ones(2))
    assert y.dtype == np.float32
    assert y.shape == ()
    assert minigan.grad(y, x)[0].dtype == np.float32
    assert loss(minigan.tensor(0.5), minigan.tensor(1.0)).shape == ()


@pytest.mark.parametrize("shape", [(3,), (2, 1), (1, 2), ()])
def test_a_cross_entropy_refuses_other_shapes_even_where_they_would_broadcast(shape):
    with pytest.raises(ValueError, match=r"target shape .* must be the same as input shape \(2,\)"):
        bce(minigan.ones(2), minigan.ones(*shape))


@pytest.mark.parametrize(
    ("loss", "value"),
    [(F.mse_loss, 5 / 2), (F.l1_loss, 3 / 2), (F.smooth_l1_loss, 1.0), (F.kl_div, -3 / 2)],
)
def test_a_distance_broadcasts_other_shapes_with_a_warning(loss, value):
    """Of (1, 2) and of 0: means over all four pairs; kl_div's target is 1, its logarithm 0."""
    x = minigan.tensor([1.0, 2.0], requires_grad=True)
    target = minigan.full((2, 1), 1.0 if loss is F.kl_div else 0.0)
    with pytest.warns(UserWarning, match=r"shape \(2, 1\) differs .* broadcast to \(2, 2\)"):
        assert loss(x, target).item() == pytest.approx(value)
    with pytest.raises(RuntimeError, match=r"\(2,\) and target shape \(3,\) do not broadcast"):
        loss(x, minigan.ones(3))


@pytest.mark.parametrize("loss", [bce, F.mse_loss])
def test_an_unknown_reduction_is_refused(loss):
    with pytest.raises(ValueError, match='must be "mean", "sum" or "none", got "average"'):
        loss(minigan.ones(2), minigan.ones(2), reduction="average")


@pytest.mark.parametrize(
    ("logit", "target", "loss", "slope"),
    [
        (math.inf, 0.0, math.inf, 1.0),
        (math.inf, 0.5, math.inf, 0.5),
        (-math.inf, 1.0, math.inf, -1.0),
        (-math.inf, 0.5, math.inf, -0.5),
        (60000.0, 0.25, 45000.0, 0.75),
    ],
)
def test_logits_without_bounds_cost_without_bounds(logit, target, loss, slope):
    """float16 logits overflow to infinity: a loss of infinity, with a finite slope, not NaN."""
    x = minigan.tensor([logit], requires_grad=True)
    y = F.binary_cross_entropy_with_logits(x, minigan.tensor([target]))
    y.backward()
    assert y.item() == loss and x.grad.item() == slope
