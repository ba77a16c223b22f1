"""Losses over classes against their definitions, one target at a time: nll, cross entropy, KL."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import gradcheck, tensor
from minigan.nn import functional as F

SHAPES = [
    ((4,), ()),
    ((3, 4), (3,)),
    ((2, 4, 3), (2, 3)),
    ((2, 3, 2, 2), (2, 2, 2)),
    ((3, 1), (3,)),
]
every_shape = pytest.mark.parametrize(("shape", "places"), SHAPES, ids=str)
every_reduction = pytest.mark.parametrize("reduction", ["mean", "sum", "none"])


def draws(shape, places):
    """Logits, classes, weights of the classes, and probabilities in place of classes."""
    rng = np.random.default_rng([len(shape), *shape])
    dim = 0 if len(shape) == 1 else 1
    x = rng.standard_normal(shape) * 2
    target = np.asarray(rng.integers(0, shape[dim], places))
    weight = rng.uniform(0.5, 2, shape[dim])
    p = rng.uniform(0.1, 1, shape)
    return x, target, weight, p / p.sum(dim, keepdims=True)


def rows(x):
    """One place of the targets after the other, and its list of numbers, a number per class."""
    last = np.moveaxis(x, 0 if x.ndim == 1 else 1, -1)
    for place in np.ndindex(last.shape[:-1]):
        yield place, last[place].tolist()


def logs(row):
    total = math.log(math.fsum(math.exp(v) for v in row))
    return [v - total for v in row]


def reduced(losses, divisor, reduction):
    if reduction == "none":
        return losses
    return losses.sum() / (divisor if reduction == "mean" else 1)


def nll(x, target, weight, ignore_index, reduction):
    losses, divisor = np.zeros(target.shape), 0.0
    for place, row in rows(x):
        t = int(target[place])
        if t != ignore_index:
            losses[place] = -weight[t] * row[t]
            divisor += weight[t]
    return reduced(losses, divisor, reduction)


def smoothed(x, target, weight, ignore_index, reduction, smoothing):
    """Cross entropy with (1 - s)·one-hot + s/C; its mean divides by the targets' weights."""
    losses, divisor = np.zeros(target.shape), 0.0
    for place, row in rows(x):
        t, n = int(target[place]), len(row)
        if t != ignore_index:
            shares = [(1 - smoothing) * (c == t) + smoothing / n for c in range(n)]
            terms = zip(shares, weight, logs(row), strict=True)
            losses[place] = -math.fsum(p * w * v for p, w, v in terms)
            divisor += weight[t]
    return reduced(losses, divisor, reduction)


@every_shape
@every_reduction
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("ignored", [-100, 0])
def test_nll_is_minus_the_weighted_number_of_the_class(shape, places, reduction, weighted, ignored):
    x, target, weight, _ = draws(shape, places)
    if weight.size == 1:
        ignored = -100  # the only class stays
    if target.size > 1:
        target.flat[:2] = (
            ignored,
            weight.size - 1,
        )  # the first one is ignored
    w = weight if weighted else np.ones_like(weight)
    given = tensor(weight) if weighted else None
    y = F.nll_loss(tensor(x), tensor(target), given, ignored, reduction).numpy()
    assert_allclose(y, nll(x, target, w, ignored, reduction), rtol=1e-13, atol=1e-15)


@every_shape
@every_reduction
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weighted", [True, False])
def test_cross_entropy_of_classes_with_weights_smoothing_and_ignored_targets(
    shape, places, reduction, smoothing, weighted
):
    x, target, weight, _ = draws(shape, places)
    if target.size > 1:
        target.flat[0] = -1
    w = weight if weighted else np.ones_like(weight)
    y = F.cross_entropy(
        tensor(x), tensor(target), tensor(weight) if weighted else None, -1, reduction, smoothing
    )
    expected = smoothed(x, target, w, -1, reduction, smoothing)
    assert_allclose(y.numpy(), expected, rtol=1e-12, atol=1e-13)


@every_shape
@every_reduction
@pytest.mark.parametrize("smoothing", [0.0, 0.3, 1.0])
def test_cross_entropy_of_probabilities_divides_its_mean_by_the_number_of_samples(
    shape, places, reduction, smoothing
):
    x, _, weight, p = draws(shape, places)
    losses = np.zeros(places)
    for (place, row), (_, shares) in zip(rows(x), rows(p), strict=True):
        terms = zip(shares, weight, logs(row), strict=True)
        n = len(row)
        losses[place] = -math.fsum(
            ((1 - smoothing) * q + smoothing / n) * w * v for q, w, v in terms
        )
    y = F.cross_entropy(
        tensor(x), tensor(p), tensor(weight), reduction=reduction, label_smoothing=smoothing
    )
    assert_allclose(y.numpy(), reduced(losses, losses.size, reduction), rtol=1e-12, atol=1e-13)


def test_cross_entropy_of_extreme_logits_is_exact():
    x = tensor([[1e4, 0.0], [-1e4, 1e4]], requires_grad=True)
    y = F.cross_entropy(x, tensor([1, 1]), reduction="none")
    assert y.tolist() == [1e4, 0.0]
    assert minigan.grad(y.sum(), x)[0].tolist() == [[1.0, -1.0], [0.0, 0.0]]


def test_the_gradient_is_softmax_minus_one_hot_over_the_count():
    x, target, _, _ = draws((3, 4), (3,))
    logits = tensor(x, requires_grad=True)
    (g,) = minigan.grad(F.cross_entropy(logits, tensor(target)), logits)
    expected = np.exp([logs(row) for row in x.tolist()])
    expected[np.arange(3), target] -= 1
    assert_allclose(g.numpy(), expected / 3, rtol=1e-12, atol=1e-15)


@every_shape
def test_derivatives_are_right_to_order_3(shape, places):
    x, target, weight, p = draws(shape, places)
    if target.size > 1:
        target.flat[0] = -100
    t, w = tensor(target), tensor(weight)
    gradcheck(lambda x: F.nll_loss(x * x, t, w), x, order=3)
    gradcheck(lambda x: F.cross_entropy(x, t, w, label_smoothing=0.2), x, order=3)
    gradcheck(lambda x, p: F.cross_entropy(x, p, w, reduction="none"), x, p, order=3)
    gradcheck(lambda x, p: F.kl_div(x, p, "batchmean"), x, p, order=3)
    gradcheck(lambda x, p: F.kl_div(x, p, log_target=True), x, p, order=3)


# -- few targets, or none


@pytest.mark.parametrize("loss", [F.nll_loss, F.cross_entropy])
def test_the_mean_over_no_targets_is_nan_and_the_sum_zero_as_in_pytorch(loss):
    x, none = minigan.zeros(2, 3, requires_grad=True), tensor([-100, -100])
    with np.errstate(invalid="ignore"):
        assert math.isnan(loss(x, none).item())
        assert math.isnan(loss(minigan.zeros(0, 3), minigan.zeros(0).long()).item())
    y = loss(x, none, reduction="sum")
    assert y.item() == 0
    assert minigan.grad(y, x)[0].tolist() == [[0.0] * 3] * 2
    assert loss(x, none, reduction="none").tolist() == [0.0, 0.0]
    assert loss(minigan.zeros(0, 3), minigan.zeros(0).long(), reduction="none").shape == (0,)


def test_cross_entropy_of_no_probabilities_is_nan_as_in_pytorch():
    with np.errstate(invalid="ignore"):
        assert math.isnan(F.cross_entropy(minigan.zeros(0, 3), minigan.zeros(0, 3)).item())


def test_what_stands_at_an_ignored_target_does_not_matter():
    x = tensor([[math.nan, 0.0], [math.inf, 0.0], [1.0, 1.0]], requires_grad=True)
    y = F.nll_loss(x, tensor([7, 7, 0]), ignore_index=7)
    assert y.item() == -1
    assert minigan.grad(y, x)[0].tolist() == [[0.0, 0.0], [0.0, 0.0], [-1.0, 0.0]]


def test_a_single_class_costs_nothing():
    assert F.cross_entropy(tensor([[3.0], [-8.0]]), tensor([0, 0])).item() == 0


# -- Kullback-Leibler divergence


@pytest.mark.parametrize(("reduction", "divisor"), [("mean", 12), ("batchmean", 3), ("sum", 1)])
@pytest.mark.parametrize("log_target", [False, True])
def test_kl_div_sums_target_times_the_difference_of_logarithms(reduction, divisor, log_target):
    x, _, _, p = draws((3, 4), (3,))
    pairs = zip(x.ravel().tolist(), p.ravel().tolist(), strict=True)
    total = math.fsum(q * (math.log(q) - v) for v, q in pairs)
    target = tensor(np.log(p) if log_target else p)
    y = F.kl_div(tensor(x), target, reduction, log_target)
    assert_allclose(y.item(), total / divisor, rtol=1e-13)


def test_kl_div_of_a_zero_target_is_zero_and_of_a_negative_one_nan():
    x = tensor([-1.0, -2.0], requires_grad=True)
    y = F.kl_div(x, minigan.zeros(2), "none")
    assert y.tolist() == [0.0, 0.0]
    assert minigan.grad(y.sum(), x)[0].tolist() == [0.0, 0.0]
    with np.errstate(invalid="ignore"):
        assert math.isnan(F.kl_div(x, tensor([-1.0, 1.0])).item())


def test_kl_div_of_one_number_takes_batchmean():
    y = F.kl_div(tensor(-1.0), tensor(0.5), "batchmean")
    assert_allclose(y.item(), 0.5 * (math.log(0.5) + 1), rtol=1e-6)


# -- dtypes and errors


def test_float32_stays_float32_and_small_integers_are_classes():
    x, w = minigan.zeros(2, 3, requires_grad=True), minigan.ones(3)
    for target in (np.array([0, 2]), np.array([0, 2], "uint8"), np.array([0, 2], "int32")):
        for loss in (F.nll_loss, F.cross_entropy):
            y = loss(x, tensor(target), w)
            assert (y.dtype, minigan.grad(y, x)[0].dtype) == (np.float32, np.float32)
    assert F.cross_entropy(x, minigan.ones(2, 3), w, label_smoothing=0.1).dtype == np.float32
    assert F.kl_div(x, minigan.ones(2, 3)).dtype == np.float32


X = minigan.zeros(2, 3)
T = tensor([0, 1])


@pytest.mark.parametrize("loss", [F.nll_loss, F.cross_entropy])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, tensor([0, 3])), IndexError, "out of bounds, expected classes 0 to 2"),
        ((X, tensor([0, -1])), IndexError, "out of bounds"),
        ((X, tensor([0.0, 1.0])), RuntimeError, "expected integer classes as target, got float32"),
        ((X, tensor([0, 1, 2])), ValueError, r"expected target of shape \(2,\) .* got \(3,\)"),
        ((X, tensor([[0], [1]])), RuntimeError, r"target of shape \(2,\) .* got \(2, 1\)"),
        ((minigan.zeros(2, 3, 4), minigan.zeros(2, 3).long()), RuntimeError, r"\(2, 4\)"),
        ((minigan.zeros(3), tensor([1])), RuntimeError, r"target of shape \(\)"),
        ((X, T, minigan.ones(2)), RuntimeError, r"each of 3 classes, got shape \(2,\)"),
        ((X, T, minigan.ones(3, 1)), RuntimeError, r"each of 3 classes, got shape \(3, 1\)"),
        ((X, T, None, -100, "average"), ValueError, '"mean", "sum" or "none", got "average"'),
        ((X, [0, 1]), TypeError, "expected a Tensor, got list"),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else getattr(value, "__name__", ""),
)
def test_errors_are_pytorchs_and_say_what_is_expected(loss, arguments, error, message):
    with pytest.raises(error, match=f"^{loss.__name__}: .*{message}"):
        loss(*arguments)


def test_cross_entropy_refuses_what_has_no_meaning():
    for smoothing in (1.5, -0.5, math.nan):
        with pytest.raises(RuntimeError, match=r"^cross_entropy: label_smoothing must lie in"):
            F.cross_entropy(X, T, label_smoothing=smoothing)
    with pytest.raises(RuntimeError, match=r"^cross_entropy: ignore_index is for classes"):
        F.cross_entropy(X, minigan.ones(2, 3), ignore_index=1)
    with pytest.raises(RuntimeError, match=r"^cross_entropy: expected input \(C,\)"):
        F.cross_entropy(tensor(1.0), tensor(0))
