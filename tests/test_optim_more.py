"""Adagrad and AdamW follow their published formulas; the constants come from PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigan
from minigan import optim
from minigan.fused.blocked import BLOCK


def adagrad(
    p, gradients, lr, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10
):
    total = np.full_like(p, initial_accumulator_value)
    for t, gradient in enumerate(gradients):
        g = gradient + weight_decay * p
        total = total + g**2
        p = p - lr / (1 + t * lr_decay) * g / (np.sqrt(total) + eps)
    return p


def adamw(p, gradients, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(gradients, 1):
        p = p * (1 - lr * weight_decay)
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        p = p - lr * (m / (1 - betas[0] ** t)) / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
    return p


# With the parameters a (2×2) and b after five steps on Σ sin(a·x) + Σ (a·b)² + b·x₁ with
# x = (1, t/2 - 1), rounded to 12 digits: PyTorch 2.13 in float64, the same settings.
CASES = [
    (
        *(optim.Adagrad, adagrad, {"lr": 0.1}),
        [0.147184056519, -0.821293837898, 1.755180770112, 0.146504615508, -0.497066858121],
    ),
    (
        *(optim.Adagrad, adagrad),
        {
            **{"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.05},
            **{"initial_accumulator_value": 0.5, "eps": 1e-3},
        },
        [0.239811178985, -0.83809097306, 1.783944479016, 0.179361874764, -0.519084199537],
    ),
    (
        *(optim.AdamW, adamw, {"lr": 0.02}),
        [0.400441225193, -0.906258175203, 1.899852448326, 0.171022332727, -0.650943729057],
    ),
    (
        *(optim.AdamW, adamw),
        {"lr": 0.02, "betas": (0.5, 0.9), "eps": 1e-4, "weight_decay": 0.3},
        [0.381226796841, -0.891901141875, 1.848715990513, 0.186927026013, -0.635581655048],
    ),
]
every_case = pytest.mark.parametrize(
    ("make", "reference", "settings", "pytorch"), CASES, ids=[str(c[2]) for c in CASES]
)
SHAPES = [(), (0,), (0, 3), (2, 3, 4), (BLOCK + 1,), (3, BLOCK - 7)]


def draws(shape, steps=5, dtype="float64"):
    rng = np.random.default_rng([len(shape), *shape])
    numbers = rng.standard_normal((steps + 1, *shape)).astype(dtype)
    start, *gradients = [np.asarray(x) for x in numbers]
    return start, gradients


def run(optimizer, p, gradients):
    for g in gradients:
        p.grad = minigan.from_numpy(g)
        optimizer.step()
    return p.detach().numpy()


def leaf(array):
    return minigan.from_numpy(array).requires_grad_()


@every_case
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_follows_the_formula_in_float64(make, reference, settings, pytorch, shape):
    start, gradients = draws(shape)
    p = leaf(start.copy())
    moved = run(make([p], **settings), p, gradients)
    assert moved.shape == shape
    assert_allclose(moved, reference(start, gradients, **settings), rtol=1e-11, atol=1e-12)


@every_case
def test_float32_and_other_memory_orders_follow_it_too(make, reference, settings, pytorch):
    start, gradients = draws((5, 4), dtype="float32")
    wide = start.astype("float64"), [g.astype("float64") for g in gradients]
    expected = reference(*wide, **settings)
    for order in (lambda a: a.T.copy().T, lambda a: a[::-1].copy()[::-1]):
        p = leaf(order(start))
        optimizer = make([p], **settings)
        assert_allclose(run(optimizer, p, gradients), expected, rtol=1e-5, atol=1e-6)
        slots = [v for k, v in optimizer.state[p].items() if k != "step"]
        assert {v.dtype for v in [p, *slots]} == {np.dtype("float32")}


@every_case
def test_five_steps_end_where_pytorchs_end(make, reference, settings, pytorch):
    a = minigan.tensor([[0.5, -1.0], [2.0, 0.25]], dtype="float64", requires_grad=True)
    b = minigan.tensor(-0.75, dtype="float64", requires_grad=True)
    optimizer = make([a, b], **settings)
    for t in range(5):
        optimizer.zero_grad()
        x = minigan.tensor([1.0, 0.5 * t - 1.0], dtype="float64")
        angle = (a * x).sum(1)
        # sin has the derivative cos; a tensor that carries it stands for Σ sin(a·x).
        slope = minigan.from_numpy(np.cos(angle.detach().numpy()))
        ((angle * slope).sum() + (a * b).square().sum() + b * x[1]).backward()
        optimizer.step()
    found = [*a.detach().flatten(0).tolist(), b.item()]
    assert_allclose(found, pytorch, rtol=0, atol=2e-12)


@every_case
def test_a_saved_state_goes_on_as_if_nothing_had_been(make, reference, settings, pytorch):
    start, gradients = draws((3, 2), steps=6)
    straight = leaf(start.copy())
    expected = run(make([straight], **settings), straight, gradients)
    first = leaf(start.copy())
    optimizer = make([first], **settings)
    halfway = run(optimizer, first, gradients[:3]).copy()
    second = leaf(halfway)
    resumed = make([second], lr=9.0)
    resumed.load_state_dict(optimizer.state_dict())
    assert np.array_equal(run(resumed, second, gradients[3:]), expected)


def test_state_is_named_as_in_pytorch():
    for make, slots in ((optim.Adagrad, ["sum"]), (optim.AdamW, ["exp_avg", "exp_avg_sq"])):
        p = leaf(np.ones(2))
        optimizer = make([p])
        run(optimizer, p, [np.ones(2)])
        state = optimizer.state_dict()
        assert sorted(state["state"][0]) == sorted(["step", *slots])
        assert state["param_groups"][0]["params"] == [0]


def test_defaults_are_pytorchs():
    p = [leaf(np.ones(1))]
    assert optim.Adagrad(p).defaults == {
        **{"lr": 0.01, "lr_decay": 0.0, "eps": 1e-10, "weight_decay": 0.0},
        **{"initial_accumulator_value": 0.0, "maximize": False},
    }
    assert optim.AdamW(p).defaults == {
        **{"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01},
        **{"amsgrad": False, "maximize": False},
    }


# -- what is their own


def test_adamw_decays_what_has_no_slope_and_leaves_what_has_no_gradient():
    p, q = leaf(np.full(2, 3.0)), leaf(np.full(2, 3.0))
    optimizer = optim.AdamW([p, q], lr=0.5, weight_decay=0.1)
    p.grad = minigan.zeros(2, dtype="float64")
    optimizer.step()
    assert_allclose(p.detach().numpy(), 3 * (1 - 0.5 * 0.1), rtol=1e-15)
    assert q.tolist() == [3.0, 3.0]


def test_adamw_without_decay_is_adam():
    start, gradients = draws((4,))
    p, q = leaf(start.copy()), leaf(start.copy())
    one = run(optim.AdamW([p], lr=0.1, weight_decay=0), p, gradients)
    assert np.array_equal(one, run(optim.Adam([q], lr=0.1), q, gradients))


def test_adamw_decay_does_not_enter_the_moments():
    p, q = leaf(np.full(2, 3.0)), leaf(np.full(2, 3.0))
    one, other = optim.AdamW([p], weight_decay=0.9), optim.AdamW([q], weight_decay=0.0)
    for optimizer, parameter in ((one, p), (other, q)):
        run(optimizer, parameter, [np.array([1.0, -2.0])])
    for slot in ("exp_avg", "exp_avg_sq"):
        assert one.state[p][slot].tolist() == other.state[q][slot].tolist()


def test_adagrad_stands_still_where_no_gradient_was_ever_seen():
    p = leaf(np.array([1.0, 2.0]))
    moved = run(optim.Adagrad([p], lr=0.1), p, [np.array([0.0, 4.0])] * 2)
    assert_allclose(moved, [1.0, 2.0 - 0.1 * (1 + 1 / np.sqrt(2))], rtol=1e-9)


def test_groups_have_accumulators_of_their_own():
    p, q = leaf(np.zeros(1)), leaf(np.zeros(1))
    groups = [{"params": [p]}, {"params": [q], "initial_accumulator_value": 3.0, "lr": 1.0}]
    optimizer = optim.Adagrad(groups, lr=0.5)
    p.grad = q.grad = minigan.ones(1, dtype="float64")
    optimizer.step()
    assert_allclose([p.item(), q.item()], [-0.5, -1 / 2], rtol=1e-9)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (optim.Adagrad, {"lr": -1}),
        (optim.Adagrad, {"lr_decay": -0.1}),
        (optim.Adagrad, {"initial_accumulator_value": -1}),
        (optim.Adagrad, {"eps": -1e-9}),
        (optim.Adagrad, {"weight_decay": float("nan")}),
        (optim.AdamW, {"weight_decay": -0.1}),
        (optim.AdamW, {"betas": (0.9, -0.1)}),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(make, settings):
    (name,) = settings
    with pytest.raises(ValueError, match=f"{make.__name__}: {name} must not be negative, got"):
        make([leaf(np.ones(1))], **settings)


def test_adamw_refuses_betas_of_1():
    with pytest.raises(ValueError, match="AdamW: betas must be below 1, got"):
        optim.AdamW([leaf(np.ones(1))], betas=(1.0, 0.9))
