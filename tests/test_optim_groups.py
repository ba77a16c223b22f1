"""Optimizers around the formula: groups, settings, steps in place, gradients that are missing."""

import numpy as np
import pytest

import minigan
from minigan import optim

MAKERS = {
    "SGD": lambda params, **s: optim.SGD(params, **{"lr": 0.1, "momentum": 0.9, **s}),
    "RMSprop": lambda params, **s: optim.RMSprop(
        params, **{"lr": 0.1, "momentum": 0.9, "centered": True, **s}
    ),
    "Adam": lambda params, **s: optim.Adam(params, **{"lr": 0.1, **s}),
}
every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def parameters(seed=0):
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype("float32") for shape in ((3, 4), (), (5,))]
    return [minigan.from_numpy(a).requires_grad_() for a in arrays]


def give_gradients(params, step):
    rng = np.random.default_rng(1000 + step)
    for p in params:
        p.grad = minigan.from_numpy(rng.standard_normal(p.shape).astype("float32"))


def train(optimizer, params, steps):
    for step in steps:
        give_gradients(params, step)
        optimizer.step()


def values(params):
    return [p.detach().numpy().copy() for p in params]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


# -- groups


@every_optimizer
def test_a_groups_own_settings_act_on_its_parameters_only(make):
    together, apart = parameters(), parameters()
    optimizer = make([{"params": together[:1]}, {"params": together[1:], "lr": 0.02}], lr=0.3)
    train(optimizer, together, range(3))
    for own, lr in ((apart[:1], 0.3), (apart[1:], 0.02)):
        single = make(own, lr=lr)
        for step in range(3):
            give_gradients(apart, step)
            single.step()
    assert same(values(together), values(apart))


def test_a_group_added_later_takes_the_defaults_and_one_tensor_is_enough():
    a, b, c = parameters()
    optimizer = optim.SGD(iter([a]), lr=0.5, weight_decay=0.1)
    optimizer.add_param_group({"params": b, "lr": 0.25, "name": "head"})
    optimizer.add_param_group({"params": (p for p in [c])})
    first, second, third = optimizer.param_groups
    assert first["params"] == [a]
    assert second["params"] == [b]
    assert third["params"] == [c]
    assert (first["lr"], second["lr"], third["lr"]) == (0.5, 0.25, 0.5)
    assert second["weight_decay"] == 0.1
    assert second["name"] == "head"  # not a setting: kept


def test_settings_can_be_changed_between_steps():
    p = minigan.zeros(1, requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0)
    for lr in (1.0, 0.5, 0.0):
        optimizer.param_groups[0]["lr"] = lr
        p.grad = minigan.ones(1)
        optimizer.step()
    assert p.item() == -1.5


LEAF = minigan.zeros(2, requires_grad=True)


@pytest.mark.parametrize(
    ("params", "settings", "error", "message"),
    [
        ([], {}, ValueError, "got an empty parameter list"),
        (LEAF, {}, TypeError, "expects an iterable of Tensors or dicts, got one Tensor"),
        ({"params": [LEAF]}, {}, TypeError, "got one dict"),
        ([LEAF, 3], {}, TypeError, "params expects Tensors, got int"),
        ([("weight", LEAF)], {}, TypeError, "params expects Tensors, got tuple"),
        ([LEAF * 2], {}, ValueError, r"only leaf Tensors .* result \(shape \(2,\)\)"),
        ([LEAF, LEAF], {}, ValueError, r"\(shape \(2,\)\) appears more than once"),
        ([{"params": [LEAF]}, {"params": [LEAF]}], {}, ValueError, "appears more than once"),
        ([{"params": [LEAF]}, LEAF], {}, TypeError, 'a dict with "params", got Tensor'),
        ([{"parameters": [LEAF]}], {}, TypeError, 'expected a dict with "params"'),
        ([LEAF], {"lr": -0.1}, ValueError, "lr must not be negative, got -0.1"),
        ([LEAF], {"lr": float("nan")}, ValueError, "lr must not be negative, got nan"),
        ([LEAF], {"weight_decay": -1}, ValueError, "weight_decay must not be negative"),
        ([{"params": [LEAF], "lr": -2}], {}, ValueError, "lr must not be negative, got -2"),
    ],
)
@every_optimizer
def test_what_cannot_be_optimized_is_refused(make, params, settings, error, message):
    with pytest.raises(error, match=rf"^(SGD|RMSprop|Adam): .*{message}"):
        make(params, **settings)


@pytest.mark.parametrize(
    ("make", "settings", "message"),
    [
        (optim.SGD, {"nesterov": True}, "nesterov needs a momentum and zero dampening"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "zero dampening"),
        (optim.SGD, {"momentum": -0.1}, "momentum must not be negative"),
        (optim.RMSprop, {"alpha": -0.1}, "alpha must not be negative"),
        (optim.RMSprop, {"eps": -1e-8}, "eps must not be negative"),
        (optim.Adam, {"betas": (0.9, 1.0)}, r"betas must be below 1, got \(0\.9, 1\.0\)"),
        (optim.Adam, {"betas": (-0.1, 0.9)}, "betas must not be negative"),
    ],
)
def test_settings_without_meaning_are_refused_as_defaults_and_in_a_group(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make([LEAF], **settings)
    with pytest.raises(ValueError, match=message):
        make([{"params": [LEAF], **settings}])


def test_a_refused_group_is_not_added():
    a, b, _ = parameters()
    optimizer = optim.Adam([a])
    with pytest.raises(ValueError, match="more than once"):
        optimizer.add_param_group({"params": [b, a]})
    assert len(optimizer.param_groups) == 1


# -- gradients and steps


@every_optimizer
def test_a_parameter_without_gradient_stays_and_has_no_state(make):
    params = parameters()
    before = values(params)
    optimizer = make(params)
    params[1].grad = minigan.ones(())
    optimizer.step()
    assert same(values(params[::2]), before[::2])
    assert params[1].item() != before[1]
    assert list(optimizer.state) == [params[1]]


@every_optimizer
def test_a_step_works_in_the_parameters_memory_counts_a_change_and_reads_the_gradient_only(make):
    params = parameters()
    memory, versions = [p.array for p in params], [p.version[0] for p in params]
    optimizer = make(params, weight_decay=0.1)
    give_gradients(params, 0)
    gradients = [p.grad.numpy().copy() for p in params]
    assert optimizer.step() is None
    assert all(p.array is array for p, array in zip(params, memory, strict=True))
    assert all(p.version[0] > v for p, v in zip(params, versions, strict=True))
    assert same([p.grad.numpy() for p in params], gradients)
    assert all(p.is_leaf and p.requires_grad for p in params)


@every_optimizer
def test_a_step_under_a_recorded_graph_makes_its_backward_fail_instead_of_being_wrong(make):
    p = parameters()[0]
    loss = (p * p).sum()
    p.grad = minigan.ones(3, 4)
    make([p]).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@every_optimizer
def test_a_closure_is_run_once_with_recording_on_before_the_step(make):
    p = parameters()[0]
    optimizer = make([p])
    losses = []

    def closure():
        assert minigan.is_grad_enabled()
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        losses.append(loss)
        return loss

    before = values([p])
    with minigan.no_grad():
        returned = optimizer.step(closure)
        assert not minigan.is_grad_enabled()
    assert losses == [returned]
    assert returned.item() == pytest.approx((before[0].astype("float64") ** 2).sum(), rel=1e-6)
    assert not same(values([p]), before)


def test_zero_grad_forgets_gradients_or_makes_them_zero_whatever_they_were():
    a, b, c = parameters()
    optimizer = optim.SGD([{"params": [a]}, {"params": [b, c]}])
    a.grad, b.grad = minigan.ones(3, 4), minigan.tensor(float("nan"))
    optimizer.zero_grad(set_to_none=False)
    assert a.grad.tolist() == [[0.0] * 4] * 3
    assert b.grad.item() == 0.0
    assert c.grad is None
    optimizer.zero_grad()
    assert a.grad is b.grad is c.grad is None


@every_optimizer
def test_a_gradient_that_was_recorded_can_be_followed(make):
    p = minigan.tensor([3.0], requires_grad=True)
    (p**3).sum().backward(create_graph=True)
    make([p]).step()
    assert p.item() < 3.0
    assert p.is_leaf
