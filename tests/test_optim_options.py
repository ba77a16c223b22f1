"""amsgrad and maximize follow the published formulas; PyTorch's other options are off or refused.

The reference is arithmetic on single numbers, one step after the other, written from the papers.
"""

import inspect
from math import sqrt

import numpy as np
import pytest

import minigan
from minigan import optim
from minigan.fused.blocked import BLOCK

START = 0.75
SLOPES = [0.5, -2.0, 0.25, 0.125, 1.0, -0.0625, 0.5, 3.0]


def adam(amsgrad, maximize, decoupled, lr=0.1, b1=0.8, b2=0.9, eps=1e-3, decay=0.25):
    p, m, v, largest, path = START, 0.0, 0.0, 0.0, []
    for t, slope in enumerate(SLOPES, start=1):
        g = -slope if maximize else slope
        if decoupled:
            p = p - lr * decay * p
        else:
            g = g + decay * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        largest = max(largest, v)
        second = (largest if amsgrad else v) / (1 - b2**t)
        p = p - lr * (m / (1 - b1**t)) / (sqrt(second) + eps)
        path.append(p)
    return path


def sgd(maximize, nesterov, lr=0.1, momentum=0.5, decay=0.25):
    p, velocity, path = START, 0.0, []
    for slope in SLOPES:
        g = (-slope if maximize else slope) + decay * p
        velocity = momentum * velocity + g
        p = p - lr * (g + momentum * velocity if nesterov else velocity)
        path.append(p)
    return path


def plain_sgd(maximize, lr=0.1):
    p, path = START, []
    for slope in SLOPES:
        p = p + lr * slope if maximize else p - lr * slope
        path.append(p)
    return path


def adagrad(maximize, lr=0.1, lr_decay=0.5, decay=0.25, start=0.125, eps=1e-3):
    p, total, path = START, start, []
    for t, slope in enumerate(SLOPES):
        g = (-slope if maximize else slope) + decay * p
        total = total + g * g
        p = p - lr / (1 + t * lr_decay) * g / (sqrt(total) + eps)
        path.append(p)
    return path


def rmsprop(maximize, centered, lr=0.1, alpha=0.75, momentum=0.5, decay=0.25, eps=1e-3):
    p, square, mean, velocity, path = START, 0.0, 0.0, 0.0, []
    for slope in SLOPES:
        g = (-slope if maximize else slope) + decay * p
        square = alpha * square + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        spread = square - mean * mean if centered else square
        velocity = momentum * velocity + g / (sqrt(spread) + eps)
        p = p - lr * velocity
        path.append(p)
    return path


ADAM = {"lr": 0.1, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.25}
SGD = {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.25}
ADAGRAD = {"lr": 0.1, "lr_decay": 0.5, "weight_decay": 0.25, "eps": 1e-3}
RMSPROP = {"lr": 0.1, "alpha": 0.75, "eps": 1e-3, "weight_decay": 0.25, "momentum": 0.5}
# The optimizer, its settings, where the formula goes, and where PyTorch 2.13 ends in float64.
CASES = [
    (optim.Adam, {**ADAM, "amsgrad": True}, adam(True, False, False), 0.565228892976),
    (optim.Adam, {**ADAM, "maximize": True}, adam(False, True, False), 0.726725461324),
    (
        optim.Adam,
        {**ADAM, "amsgrad": True, "maximize": True},
        adam(True, True, False),
        0.734319410488,
    ),
    (optim.AdamW, {**ADAM, "amsgrad": True}, adam(True, False, True), 0.530536429094),
    (optim.AdamW, {**ADAM, "maximize": True}, adam(False, True, True), 0.693419620009),
    (
        optim.AdamW,
        {**ADAM, "amsgrad": True, "maximize": True},
        adam(True, True, True),
        0.694441276399,
    ),
    (optim.SGD, {"lr": 0.1, "maximize": True}, plain_sgd(True), 1.08125),
    (optim.SGD, {**SGD, "maximize": True}, sgd(True, False), 0.873162123302),
    (optim.SGD, {**SGD, "maximize": True, "nesterov": True}, sgd(True, True), 1.030935912499),
    (
        optim.Adagrad,
        {**ADAGRAD, "initial_accumulator_value": 0.125, "maximize": True},
        adagrad(True),
        0.779466511715,
    ),
    (optim.RMSprop, {**RMSPROP, "maximize": True}, rmsprop(True, False), 1.108267225494),
    (
        optim.RMSprop,
        {**RMSPROP, "maximize": True, "centered": True},
        rmsprop(True, True),
        1.141481510554,
    ),
]
every_case = pytest.mark.parametrize(
    ("make", "settings", "path", "pytorch"), CASES, ids=[f"{c[0].__name__}-{c[1]}" for c in CASES]
)


def leaf(array):
    return minigan.from_numpy(array).requires_grad_()


def walk(make, settings, array):
    """Where every element stands after each step."""
    p = leaf(array.copy())
    optimizer = make([p], **settings)
    path = []
    for slope in SLOPES:
        gradient = np.full_like(array, slope)
        p.grad = minigan.from_numpy(gradient)
        optimizer.step()
        assert (gradient == slope).all()
        path.append(p.detach().numpy().copy())
    return path


@every_case
@pytest.mark.parametrize("shape", [(), (2, 3), (BLOCK + 1,)], ids=str)
def test_every_step_is_the_formulas(make, settings, path, pytorch, shape):
    walked = walk(make, settings, np.full(shape, START))
    for found, expected in zip(walked, path, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    assert path[-1] == pytest.approx(pytorch, abs=1e-12)


@every_case
def test_float32_and_other_memory_orders_follow_it_too(make, settings, path, pytorch):
    start = np.full((4, 3), START, np.float32).T
    assert not start.flags.c_contiguous
    walked = walk(make, settings, start)
    assert walked[-1].dtype == np.float32
    np.testing.assert_allclose(walked[-1], path[-1], rtol=2e-6)


@every_case
def test_a_saved_state_goes_on_bit_for_bit(make, settings, path, pytorch):
    p = leaf(np.full(3, START))
    optimizer = make([p], **settings)
    for i, slope in enumerate(SLOPES):
        if i == 4:
            state = optimizer.state_dict()
            p = leaf(p.detach().numpy().copy())
            optimizer = make([p], lr=7.0)
            optimizer.load_state_dict(state)
        p.grad = minigan.from_numpy(np.full(3, slope))
        optimizer.step()
    np.testing.assert_array_equal(p.detach().numpy(), walk(make, settings, np.full(3, START))[-1])


def test_amsgrad_keeps_the_largest_and_is_no_decoration():
    p = leaf(np.array(START))
    optimizer = optim.Adam([p], **ADAM, amsgrad=True)
    largest = []
    for slope in SLOPES:
        p.grad = minigan.from_numpy(np.array(slope))
        optimizer.step()
        state = optimizer.state[p]
        largest.append(state["max_exp_avg_sq"].item())
        assert largest[-1] >= state["exp_avg_sq"].item()
    assert largest == sorted(largest)
    assert abs(adam(True, False, False)[-1] - adam(False, False, False)[-1]) > 1e-3


def test_groups_choose_for_themselves():
    up, down = leaf(np.zeros(1)), leaf(np.zeros(1))
    groups = [{"params": [up], "maximize": True, "amsgrad": True}, {"params": [down]}]
    optimizer = optim.Adam(groups, lr=0.5)
    up.grad, down.grad = minigan.ones(1, dtype="float64"), minigan.ones(1, dtype="float64")
    optimizer.step()
    np.testing.assert_allclose([up.item(), down.item()], [0.5, -0.5], rtol=1e-7)
    assert "max_exp_avg_sq" in optimizer.state[up]
    assert "max_exp_avg_sq" not in optimizer.state[down]


def test_an_older_state_without_these_settings_keeps_those_of_the_optimizer():
    p = leaf(np.zeros(1))
    optimizer = optim.Adam([p], maximize=True, amsgrad=True)
    optimizer.load_state_dict({"state": {}, "param_groups": [{"params": [0], "lr": 0.5}]})
    assert optimizer.param_groups[0]["maximize"]
    assert optimizer.param_groups[0]["amsgrad"]
    assert optimizer.param_groups[0]["lr"] == 0.5


# -- PyTorch's other options

# inspect.signature of each in PyTorch 2.13, without self and params.
SIGNATURES = {
    optim.SGD: "lr momentum dampening weight_decay nesterov * maximize foreach differentiable "
    "fused",
    optim.Adagrad: "lr lr_decay weight_decay initial_accumulator_value eps foreach * maximize "
    "differentiable fused",
    optim.RMSprop: "lr alpha eps weight_decay momentum centered capturable foreach maximize "
    "differentiable",
    optim.Adam: "lr betas eps weight_decay amsgrad * foreach maximize capturable differentiable "
    "fused",
    optim.AdamW: "lr betas eps weight_decay amsgrad * maximize foreach capturable differentiable "
    "fused",
}
HOW = ("foreach", "fused", "capturable", "differentiable")


@pytest.mark.parametrize("make", SIGNATURES)
def test_arguments_stand_where_pytorchs_do(make):
    found = list(inspect.signature(make).parameters.values())[1:]
    names = [x.name for x in found]
    keyword_only = [i for i, x in enumerate(found) if x.kind is x.KEYWORD_ONLY]
    if keyword_only:
        names.insert(keyword_only[0], "*")
    assert names == SIGNATURES[make].split()


@pytest.mark.parametrize(
    ("make", "option"),
    [(make, o) for make, names in SIGNATURES.items() for o in HOW if o in names.split()],
)
def test_options_on_how_to_compute_are_accepted_when_off_and_refused_otherwise(make, option):
    p = leaf(np.ones(1))
    for off in (None, False):
        optimizer = make([p], **{option: off})
        assert option not in optimizer.defaults
    with pytest.raises(ValueError, match=f"^{make.__name__}: {option}=True is not available here"):
        make([p], **{option: True})


def test_a_state_of_pytorchs_that_was_computed_otherwise_can_be_loaded():
    p = leaf(np.ones(1))
    optimizer = optim.Adam([p])
    group = {"params": [0], "lr": 0.5, "fused": True, "foreach": None, "amsgrad": True}
    optimizer.load_state_dict({"state": {}, "param_groups": [group]})
    p.grad = minigan.ones(1, dtype="float64")
    optimizer.step()
    assert p.item() == pytest.approx(0.5)
    assert "max_exp_avg_sq" in optimizer.state[p]
