"""Losses between values against their formulas: l1, smooth l1, binary cross entropy, hinge."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, tensor
from minigan.nn import functional as F

rng = np.random.default_rng(8)
X = rng.standard_normal((3, 4)) * 2
T = rng.standard_normal((3, 4))
P, Q = rng.uniform(0.05, 0.95, (2, 3, 4))
SIGNS = np.where(rng.random((3, 4)) < 0.5, -1.0, 1.0)


def huber(beta):
    def of(x, t):
        d = abs(x - t)
        return d * d / (2 * beta) if d < beta else d - beta / 2

    return of


def entropy(p, t):
    return -(t * math.log(p) + (1 - t) * math.log(1 - p))


def hinge(margin):
    return lambda x, t: x if t == 1 else max(0.0, margin - x)


CASES = {
    "l1": (F.l1_loss, {}, lambda x, t: abs(x - t), X, T),
    "smooth l1": (F.smooth_l1_loss, {}, huber(1.0), X, T),
    "smooth l1, beta 0.3": (F.smooth_l1_loss, {"beta": 0.3}, huber(0.3), X, T),
    "smooth l1, beta 0": (F.smooth_l1_loss, {"beta": 0}, lambda x, t: abs(x - t), X, T),
    "bce": (F.binary_cross_entropy, {}, entropy, P, Q),
    "hinge": (F.hinge_embedding_loss, {}, hinge(1.0), X, SIGNS),
    "hinge, margin 0.2": (F.hinge_embedding_loss, {"margin": 0.2}, hinge(0.2), X, SIGNS),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_loss = pytest.mark.parametrize(
    "loss", [F.l1_loss, F.smooth_l1_loss, F.binary_cross_entropy, F.hinge_embedding_loss, F.kl_div]
)


@every_case
def test_losses_follow_their_formulas_and_reductions(case):
    loss, options, formula, x, t = case
    pairs = zip(x.ravel().tolist(), t.ravel().tolist(), strict=True)
    expected = [formula(a, b) for a, b in pairs]
    x, t = tensor(x), tensor(t)
    each = loss(x, t, reduction="none", **options)
    assert each.shape == (3, 4)
    assert_allclose(each.numpy().ravel(), expected, rtol=1e-13)
    total = math.fsum(expected)
    assert_allclose(loss(x, t, reduction="sum", **options).item(), total, rtol=1e-13)
    assert_allclose(loss(x, t, **options).item(), total / 12, rtol=1e-13)


@every_case
def test_derivatives_are_right_to_order_3(case):
    loss, options, _, x, t = case
    if loss is F.hinge_embedding_loss:
        signs = tensor(t)
        gradcheck(lambda x: loss(x * x * 0.3, signs, **options), x, order=3)
    elif loss is F.binary_cross_entropy:  # a probability, however far x is moved
        gradcheck(lambda x, t: loss(x.sigmoid(), t, reduction="none"), x, t, order=3)
    else:
        gradcheck(lambda x, t: loss(x, t, reduction="none", **options), x, t, order=3)


def test_smooth_l1_changes_its_slope_continuously_at_beta():
    x = tensor([-0.5, -0.25, 0.0, 0.25, 0.5, 3.0], requires_grad=True)
    y = F.smooth_l1_loss(x, minigan.zeros(6), "sum", beta=0.5)
    assert minigan.grad(y, x)[0].tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0, 1.0]


def test_equal_values_cost_nothing_and_have_no_slope():
    for loss in (F.l1_loss, F.smooth_l1_loss):
        x = tensor([1.0, -2.0], requires_grad=True)
        y = loss(x, x.detach())
        assert y.item() == 0
        assert minigan.grad(y, x)[0].tolist() == [0.0, 0.0]


# -- binary cross entropy of probabilities


def test_probabilities_0_and_1_cost_0_where_right_and_100_where_wrong():
    p, t = tensor([0.0, 1.0, 0.0, 1.0, 0.0]), tensor([0.0, 1.0, 1.0, 0.0, 0.25])
    assert F.binary_cross_entropy(p, t, reduction="none").tolist() == [0.0, 0.0, 100.0, 100.0, 25.0]


def test_derivatives_at_probabilities_0_and_1_are_finite():
    p = tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    t = tensor([0.0, 1.0, 1.0, 0.0], requires_grad=True)
    y = F.binary_cross_entropy(p, t, reduction="sum")
    first = minigan.grad(y, [p, t], create_graph=True)
    second = minigan.grad(sum((g * g).sum() for g in first), [p, t])
    assert all(np.isfinite(g.detach().numpy()).all() for g in [*first, *second])
    assert first[0].tolist() == [1.0, -1.0, 0.0, 0.0]  # where the logarithm is cut off, no slope


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_smallest_probabilities_cost_at_most_100(dtype):
    small = [np.finfo(dtype).smallest_subnormal, 1e-44, 1e-43, 1e-30]
    p = tensor(np.array(small, dtype))
    losses = F.binary_cross_entropy(p, minigan.ones(4, dtype=dtype), reduction="none").numpy()
    expected = [min(100.0, -math.log(v)) for v in p.tolist()]
    assert_allclose(losses, expected, rtol=1e-6 if dtype == "float32" else 1e-14)


@pytest.mark.parametrize("weight", [np.array([0.5, 2.0, 0.0, 1.0]), Q * 3])
def test_bce_weights_multiply_every_elements_loss(weight):
    p, t = tensor(P), tensor(Q)
    each = F.binary_cross_entropy(p, t, reduction="none").numpy() * weight
    y = F.binary_cross_entropy(p, t, tensor(weight))
    assert_allclose(y.item(), each.sum() / 12, rtol=1e-13)


@pytest.mark.parametrize("p", [-1e-6, 1.001, math.nan, math.inf])
def test_what_is_no_probability_is_refused(p):
    with pytest.raises(RuntimeError, match=r"^binary_cross_entropy: .* between 0 and 1"):
        F.binary_cross_entropy(tensor([0.5, p]), minigan.ones(2))


# -- hinge


def test_a_hinge_target_that_is_neither_counts_both_ways_as_in_pytorch():
    y = F.hinge_embedding_loss(tensor([0.25, 3.0]), minigan.zeros(2), reduction="none")
    assert y.tolist() == [1.0, 3.0]  # x + max(0, 1 - x)


def test_hinge_takes_integer_targets():
    y = F.hinge_embedding_loss(tensor([0.25, 0.25]), tensor([1, -1]), reduction="none")
    assert y.tolist() == [0.25, 0.75]
    assert y.dtype == np.float32


# -- all


@every_loss
def test_float32_stays_float32_scalars_are_allowed_and_nothing_has_no_mean(loss):
    x = tensor([0.5, 0.75], requires_grad=True)
    y = loss(x, minigan.ones(2))
    assert (y.dtype, y.shape, minigan.grad(y, x)[0].dtype) == (np.float32, (), np.float32)
    assert loss(tensor(0.5), tensor(1.0), reduction="none").shape == ()
    empty = minigan.zeros(0, 3)
    assert loss(empty, empty, reduction="none").shape == (0, 3)
    assert loss(empty, empty, reduction="sum").item() == 0
    with np.errstate(invalid="ignore"):
        assert math.isnan(loss(empty, empty).item())


@every_loss
def test_shapes_that_do_not_broadcast_and_unknown_reductions_are_refused(loss):
    name = loss.__name__
    strict = name == "binary_cross_entropy"  # also of shapes that would broadcast
    said = "must be the same as input shape" if strict else "do not broadcast"
    with pytest.raises(ValueError if strict else RuntimeError, match=f"^{name}: .* {said}"):
        loss(minigan.ones(2), minigan.ones(3))
    with pytest.raises(ValueError, match=f'^{name}: reduction must be .* got "average"'):
        loss(minigan.ones(2), minigan.ones(2), reduction="average")


def test_smooth_l1_refuses_a_negative_beta():
    with pytest.raises(RuntimeError, match=r"^smooth_l1_loss: beta must not be negative, got -1"):
        F.smooth_l1_loss(minigan.ones(2), minigan.ones(2), beta=-1)
