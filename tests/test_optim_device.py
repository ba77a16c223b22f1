"""Optimizers where the arrays' device has a routine: one launch, the numbers of the CPU's steps.

The kernels run in the emulator, and arrays are NumPy's that pose as a GPU's.
"""

import copy

import numpy as np
import pytest
from kernels.posing import pose
from machine import needs_emulator
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan.optim import SGD, Adagrad, Adam, AdamW, RMSprop

pytestmark = needs_emulator
SHAPES = [(3, 5), (7,), (), (40, 600)]

CASES = {
    "adam": lambda p: Adam(p, 0.01, (0.5, 0.9), 1e-3, weight_decay=0.1),
    "amsgrad": lambda p: Adam(p, 0.01, eps=1e-3, amsgrad=True, maximize=True),
    "adamw": lambda p: AdamW(p, 0.01, eps=1e-3),
    "rmsprop": lambda p: RMSprop(p, 0.01, eps=1e-3),
    "rmsprop with momentum": lambda p: RMSprop(p, 0.01, eps=1e-3, momentum=0.9),
    "centred": lambda p: RMSprop(p, 0.01, 0.9, 1e-2, centered=True, weight_decay=0.1),
    "sgd": lambda p: SGD(p, 0.1, weight_decay=0.1),
    "momentum": lambda p: SGD(p, 0.1, momentum=0.9, dampening=0.4),
    "nesterov": lambda p: SGD(p, 0.1, momentum=0.9, nesterov=True),
}
KERNELS = {"adam", "rmsprop", "sgd"}


def parameters():
    rng = np.random.default_rng(0)
    return [
        minigan.tensor(rng.standard_normal(shape, np.float32), requires_grad=True)
        for shape in SHAPES
    ]


def give(params, step, without=()):
    """Every parameter a gradient, but those at the places ``without``."""
    for i, p in enumerate(params):
        values = np.random.default_rng([step, i]).standard_normal(p.shape, np.float32)
        p.grad = None if i in without else minigan.tensor(values)


def alike(params, optimizer, others, other):
    for p, q in zip(params, others, strict=True):
        assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-5)
    states, expected = (o.state_dict()["state"] for o in (optimizer, other))
    assert states.keys() == expected.keys()
    for i, state in states.items():
        assert state.keys() == expected[i].keys() and state["step"] == expected[i]["step"]
        for slot in state.keys() - {"step"}:
            assert_allclose(state[slot].numpy(), expected[i][slot].numpy(), rtol=1e-5, atol=1e-5)


def stepped(make, steps=4, without=()):
    params = parameters()
    optimizer = make(params)
    for step in range(steps):
        give(params, step, without if step == 1 else ())
        optimizer.step()
    return params, optimizer


@pytest.mark.parametrize("case", CASES)
def test_the_same_as_on_the_cpu_in_one_launch_a_step(monkeypatch, case):
    expected = stepped(CASES[case])
    launched = pose(monkeypatch)
    alike(*stepped(CASES[case]), *expected)
    assert sum(name in KERNELS for name in launched) == 4
    assert launched.count("settings") == (2 if case == "momentum" else 1)  # dampening, from then on


def test_parameters_that_had_no_gradient_count_their_own_steps(monkeypatch):
    expected = stepped(CASES["adam"], without=(1, 2))
    launched = pose(monkeypatch)
    alike(*stepped(CASES["adam"], without=(1, 2)), *expected)
    assert launched.count("adam") == 1 + 1 + 2 + 2  # two sets of them since the second step


def test_a_changed_rate_is_sent(monkeypatch):
    def run():
        params = parameters()
        optimizer = Adam(params, 0.01, eps=1e-3)
        schedule = minigan.optim.lr_scheduler.StepLR(optimizer, 2, 0.1)
        for step in range(4):
            give(params, step)
            optimizer.step()
            schedule.step()
        return params, optimizer

    expected = run()
    launched = pose(monkeypatch)
    alike(*run(), *expected)
    assert launched.count("settings") == 2


def test_groups_of_settings_are_a_launch_each(monkeypatch):
    def make(params):
        return SGD([{"params": params[:2], "lr": 0.5}, {"params": params[2:]}], 0.1)

    expected = stepped(make)
    launched = pose(monkeypatch)
    alike(*stepped(make), *expected)
    assert launched == ["settings", "sgd"] * 2 + ["sgd"] * 6


def test_settings_of_many_groups_are_sent_once(monkeypatch):
    launched = pose(monkeypatch)
    params = [minigan.tensor([float(i)], requires_grad=True) for i in range(17)]
    optimizer = SGD([{"params": [p], "lr": 0.1 * i} for i, p in enumerate(params)], momentum=0.5)
    for step in range(3):
        give(params, step)
        optimizer.step()
    assert launched == ["settings", "sgd"] * 17 + ["sgd"] * 34


def test_state_goes_over_to_another_optimizer(monkeypatch):
    launched = pose(monkeypatch)
    params, optimizer = stepped(CASES["adam"], 2)
    twins = [p.detach().clone().requires_grad_() for p in params]
    other = CASES["adam"](twins)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for step in (2, 3):
        for ps, o in ((params, optimizer), (twins, other)):
            give(ps, step)
            o.step()
    for p, q in zip(params, twins, strict=True):
        assert_array_equal(p.detach().numpy(), q.detach().numpy())
    assert launched.count("settings") == 2


def test_a_copy_does_not_count_the_originals_steps(monkeypatch):
    pose(monkeypatch)
    params, optimizer = stepped(CASES["adam"], 2)
    (twins, other) = copy.deepcopy((params, optimizer))
    for ps, o in ((params, optimizer), (twins, other), (params, optimizer), (twins, other)):
        give(ps, 5)
        o.step()
    for p, q in zip(params, twins, strict=True):
        assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_a_gradient_in_another_memory_order_is_brought_in_order(monkeypatch):
    def run():
        p = minigan.tensor(np.ones((3, 5), np.float32), requires_grad=True)
        p.grad = minigan.tensor(np.arange(15, dtype=np.float32).reshape(5, 3).T)
        SGD([p], 0.5).step()
        return p.detach().numpy()

    expected = run()
    launched = pose(monkeypatch)
    assert_array_equal(run(), expected)
    assert launched == ["settings", "sgd"]


class Half(SGD):
    """An optimizer of somebody else's, with half the step."""

    def update(self, p, g, scratch, **constants):
        super().update(p, g * 0.5, scratch, **constants)


@pytest.mark.parametrize("make", [lambda p: Half(p, 0.1), lambda p: Adagrad(p, 0.1)])
def test_without_a_routine_it_is_done_as_on_the_cpu(monkeypatch, make):
    expected = stepped(make)
    launched = pose(monkeypatch)
    alike(*stepped(make), *expected)
    assert launched == []


def test_parameters_of_float64_are_done_as_on_the_cpu(monkeypatch):
    def run():
        p = minigan.tensor(np.ones((3, 5)), requires_grad=True)
        p.grad = minigan.tensor(np.arange(15.0).reshape(3, 5))
        Adam([p], 0.5).step()
        return p.detach().numpy()

    expected = run()
    launched = pose(monkeypatch)
    assert_array_equal(run(), expected)
    assert launched == []


def test_a_graph_that_needs_the_old_values_notices_the_step(monkeypatch):
    pose(monkeypatch)
    params = parameters()
    y = (params[0] ** 2).sum()
    give(params, 0)
    CASES["sgd"](params).step()
    with pytest.raises(RuntimeError, match="changed"):
        y.backward()
