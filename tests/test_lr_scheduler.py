"""Learning-rate schedules: closed formulas, PyTorch's numbers, going on from a state."""

import math

import pytest

import minigan
from minigan import optim
from minigan.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    LRScheduler,
    MultiStepLR,
    StepLR,
)

BASES = (0.1, 0.03)
EPOCHS = (0, 1, 6, 7, 12, 13, 25, 50)

# How it is made, its formula, and the first group's rates at EPOCHS in PyTorch 2.13.
SCHEDULES = {
    "StepLR": (
        lambda o, **k: StepLR(o, 7, 0.3, **k),
        lambda b, e: b * 0.3 ** (e // 7),
        (0.1, 0.1, 0.1, 0.03, 0.03, 0.03, 0.0026999999999999997, 2.1869999999999996e-05),
    ),
    "MultiStepLR": (
        lambda o, **k: MultiStepLR(o, [30, 5, 5, 11], 0.5, **k),
        lambda b, e: b * 0.5 ** sum(e >= m for m in (5, 5, 11, 30)),
        (0.1, 0.1, 0.025, 0.025, 0.0125, 0.0125, 0.0125, 0.00625),
    ),
    "ExponentialLR": (
        lambda o, **k: ExponentialLR(o, 0.9, **k),
        lambda b, e: b * math.prod([0.9] * e),
        (
            *(0.1, 0.09000000000000001, 0.05314410000000002, 0.04782969000000002),
            *(0.028242953648100012, 0.025418658283290013, 0.007178979876918534),
            0.0005153775207320121,
        ),
    ),
    "LinearLR": (
        lambda o, **k: LinearLR(o, 0.25, 0.75, 8, **k),
        lambda b, e: b * (0.25 + 0.5 * e / 8 if e < 8 else 0.75),
        (0.025, 0.03125, 0.0625, 0.06875, 0.075, 0.075, 0.075, 0.075),
    ),
    "LambdaLR": (
        lambda o, **k: LambdaLR(o, lambda epoch: 1 / (1 + epoch), **k),
        lambda b, e: b / (1 + e),
        (
            *(0.1, 0.05, 0.014285714285714285, 0.0125, 0.007692307692307693),
            *(0.007142857142857143, 0.0038461538461538464, 0.00196078431372549),
        ),
    ),
    "CosineAnnealingLR": (
        lambda o, **k: CosineAnnealingLR(o, 12, 0.002, **k),
        lambda b, e: 0.002 + (b - 0.002) * math.cos(math.pi * e / 24) ** 2,
        (
            *(0.1, 0.09833036548816435, 0.051, 0.038317866789976486, 0.002),
            *(0.0036696345118356526, 0.09833036548816429, 0.09343524478543776),
        ),
    ),
}
every_schedule = pytest.mark.parametrize("name", SCHEDULES)


def optimizer(*bases):
    groups = [{"params": [minigan.zeros(1, requires_grad=True)], "lr": lr} for lr in bases]
    return optim.SGD(groups, lr=9.0)


def rates(o):
    return [group["lr"] for group in o.param_groups]


# -- the rates


@every_schedule
def test_fifty_epochs_of_every_group_follow_the_formula(name):
    make, formula, _ = SCHEDULES[name]
    o = optimizer(*BASES)
    schedule = make(o)
    for epoch in range(51):
        assert rates(o) == pytest.approx([formula(b, epoch) for b in BASES], rel=1e-13)
        assert schedule.get_last_lr() == rates(o)
        assert schedule.last_epoch == epoch
        schedule.step()


@every_schedule
def test_the_rates_are_pytorchs_also_long_after_the_end(name):
    make, _, expected = SCHEDULES[name]
    o = optimizer(BASES[0])
    schedule = make(o)
    seen = []
    for _ in range(51):
        seen += rates(o)
        schedule.step()
    assert [seen[e] for e in EPOCHS] == pytest.approx(expected, rel=1e-12)


def test_the_optimizer_steps_with_the_rate_in_force():
    p = minigan.zeros(1, dtype="float64", requires_grad=True)
    o = optim.SGD([p], lr=1.0)
    schedule = ExponentialLR(o, 0.5)
    for _ in range(4):
        p.grad = minigan.ones(1, dtype="float64")
        o.step()
        schedule.step()
    assert p.item() == -(1 + 0.5 + 0.25 + 0.125)


def test_every_group_may_have_a_function_of_its_own():
    o = optimizer(1.0, 10.0)
    schedule = LambdaLR(o, [lambda e: 0.5**e, lambda e: 1 + e])
    schedule.step()
    schedule.step()
    assert rates(o) == [0.25, 30.0]
    with pytest.raises(ValueError, match="one function for each of 2 parameter groups, got 1"):
        LambdaLR(o, [lambda e: 1.0])


@every_schedule
def test_an_epoch_can_be_named(name):
    make, formula, _ = SCHEDULES[name]
    o = optimizer(*BASES)
    schedule = make(o)
    for epoch in (20, 3, 0):
        schedule.step(epoch)
        assert rates(o) == pytest.approx([formula(b, epoch) for b in BASES], rel=1e-13)


def test_of_two_schedules_the_last_to_step_counts_and_both_know_the_first_rate():
    o = optimizer(0.8)
    half = ExponentialLR(o, 0.5)
    half.step()
    assert rates(o) == [0.4]
    steady = StepLR(o, 100)
    assert rates(o) == [0.8]
    half.step()
    steady.step()
    assert rates(o) == [0.8]


# -- going on


@every_schedule
def test_a_schedule_with_the_loaded_state_goes_on_alike(name):
    make, _, _ = SCHEDULES[name]
    o, other = optimizer(*BASES), optimizer(0.5, 0.7)
    schedule, twin = make(o), make(other)
    for _ in range(9):
        schedule.step()
    twin.load_state_dict(schedule.state_dict())
    for _ in range(5):
        assert rates(other) == rates(o)
        assert twin.state_dict() == schedule.state_dict()
        schedule.step()
        twin.step()


@every_schedule
def test_going_on_with_the_last_epoch_and_the_optimizers_state(name):
    make, formula, _ = SCHEDULES[name]
    o, other = optimizer(*BASES), optimizer(*BASES)
    schedule = make(o)
    for _ in range(9):
        schedule.step()
    other.load_state_dict(o.state_dict())
    later = make(other, last_epoch=schedule.last_epoch - 1)  # epochs 0 … 8 lie behind
    for epoch in range(9, 14):
        assert later.last_epoch == epoch
        assert rates(other) == pytest.approx([formula(b, epoch) for b in BASES], rel=1e-13)
        later.step()


def test_the_state_is_a_copy():
    schedule = StepLR(optimizer(0.1), 2)
    state = schedule.state_dict()
    state["base_lrs"][0] = 7.0
    schedule.step()
    assert schedule.get_last_lr() == [0.1]


# -- mistakes


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda o: StepLR(o, 0), ValueError, "StepLR: step_size must be at least 1, got 0"),
        (lambda o: CosineAnnealingLR(o, 0), ValueError, "T_max must be at least 1, got 0"),
        (lambda o: LinearLR(o, 0.0), ValueError, r"start_factor must be in \(0, 1\], got 0.0"),
        (lambda o: LinearLR(o, 1.5), ValueError, "start_factor"),
        (lambda o: LinearLR(o, end_factor=-0.1), ValueError, r"end_factor must be in \[0, 1\]"),
        (lambda o: LinearLR(o, total_iters=0), ValueError, "total_iters must be at least 1"),
        (lambda o: StepLR(o, 2, last_epoch=3), KeyError, "'initial_lr' in parameter group 0"),
        (lambda o: StepLR([o], 2), TypeError, "StepLR: expected an optimizer, got list"),
        (lambda o: LRScheduler(o), NotImplementedError, "LRScheduler defines no rate"),
        (
            lambda o: StepLR(o, 2).load_state_dict({"last_epoch": 1, "base_lrs": [1.0, 2.0]}),
            ValueError,
            "expected 1 base_lrs, got 2",
        ),
    ],
)
def test_mistakes_are_named(make, kind, message):
    with pytest.raises(kind, match=message):
        make(optimizer(0.1))


def test_a_group_that_comes_later_is_unknown():
    o = optimizer(0.1)
    schedule = StepLR(o, 2)
    o.add_param_group({"params": [minigan.zeros(1, requires_grad=True)]})
    with pytest.raises(ValueError, match="StepLR: knows 1 parameter groups, the optimizer has 2"):
        schedule.step()
