"""Small parameters are updated end to end: the same bits as one by one, in all circumstances."""

import copy
from functools import partial

import numpy as np
import pytest

import minigan
from minigan import optim
from minigan.optim import optimizer as base

SHAPES = ((), (1,), (7,), (3, 4), (2, 3, 2, 2), (0,), (50,))
OPTIMIZERS = {
    "SGD": partial(optim.SGD, lr=0.1),
    "SGD with momentum": partial(optim.SGD, lr=0.1, momentum=0.9, nesterov=True),
    "Adagrad": partial(optim.Adagrad, lr=0.1, initial_accumulator_value=0.5),
    "RMSprop": partial(optim.RMSprop, lr=0.1, centered=True, momentum=0.5),
    "Adam": partial(optim.Adam, lr=0.1, weight_decay=0.01),
    "Adam, climbing": partial(optim.Adam, lr=0.1, amsgrad=True, maximize=True),
    "AdamW": partial(optim.AdamW, lr=0.1),
}
ALL = pytest.mark.parametrize("make", list(OPTIMIZERS.values()), ids=list(OPTIMIZERS))


@pytest.fixture
def one_by_one(monkeypatch):
    """Switches it off, and on again."""
    return lambda off: monkeypatch.setattr(base, "SMALL", -1 if off else 1 << 14)


def parameters(dtype=np.float32):
    rng = np.random.default_rng(0)
    found = [rng.standard_normal(shape).astype(dtype) for shape in SHAPES]
    found[4] = found[4].transpose(3, 2, 0, 1)  # another order in memory
    return [minigan.tensor(a, requires_grad=True) for a in found]


def give_gradients(params, seed, without=()):
    rng = np.random.default_rng(seed)
    for i, p in enumerate(params):
        g = rng.standard_normal(p.shape).astype(p.dtype)
        p.grad = None if i in without else minigan.tensor(g)


def state_of(optimizer, params):
    return [
        {k: np.array(v.numpy() if k != "step" else v) for k, v in optimizer.state[p].items()}
        for p in params
        if p in optimizer.state
    ]


def assert_same_state(a, b):
    assert [sorted(s) for s in a] == [sorted(s) for s in b]
    for one, other in zip(a, b, strict=True):
        for key in one:
            assert one[key].tobytes() == other[key].tobytes(), key


def assert_same_both_ways(make, one_by_one, story):
    """``story(params, optimizer)`` leaves the same bits of values and state both ways."""
    found = []
    for off in (True, False):
        one_by_one(off)
        params = parameters()
        optimizer = story(params, make(params))
        assert bool(optimizer._together) != off  # it really went the one way or the other
        found.append(([p.detach().numpy() for p in params], state_of(optimizer, params)))
    for a, b in zip(found[0][0], found[1][0], strict=True):
        assert a.tobytes() == b.tobytes()
    assert_same_state(found[0][1], found[1][1])


@ALL
def test_the_same_bits_as_one_by_one(make, one_by_one):
    def story(params, optimizer):
        for step in range(4):
            give_gradients(params, step)
            optimizer.step()
        return optimizer

    assert_same_both_ways(make, one_by_one, story)


@ALL
def test_parameters_whose_gradients_come_and_go(make, one_by_one):
    """So their steps are counted apart, and they leave and join the others."""

    def story(params, optimizer):
        for step, without in enumerate([(), (2,), (), (0, 3), (1, 2, 4), (), ()]):
            give_gradients(params, step, without)
            optimizer.step()
        return optimizer

    assert_same_both_ways(make, one_by_one, story)


@ALL
def test_state_that_was_saved_loaded_copied_or_changed(make, one_by_one):
    def story(params, optimizer):
        for step in range(8):
            give_gradients(params, step)
            optimizer.step()
            if step == 1:
                saved = copy.deepcopy(optimizer.state_dict())
            elif step == 3:
                optimizer.load_state_dict(saved)
            elif step == 4:
                optimizer.state[params[2]]["step"] += 5
            elif step == 5:
                for name, value in optimizer.state[params[3]].items():
                    if name != "step":
                        value.mul_(0.5)
            elif step == 6:  # the copy belongs to copies of the parameters
                other = copy.deepcopy(optimizer)
                give_gradients(other.param_groups[0]["params"], 9)
                other.step()
        return optimizer

    assert_same_both_ways(make, one_by_one, story)


def test_each_state_array_is_a_part_of_one():
    params = parameters()
    optimizer = optim.Adam(params)
    give_gradients(params, 0)
    optimizer.step()
    owners = {id(optimizer.state[p]["exp_avg"].array.base) for p in params}
    assert len(owners) == 1
    for p in params:
        held = optimizer.state[p]["exp_avg"].array
        assert (held.shape == p.shape and held.strides == p.array.strides) or p.array.size < 2


def test_dtypes_and_settings_are_kept_apart():
    """Two groups with rates of their own, float32 and float64 in both."""
    singles, doubles = parameters(), parameters(np.float64)
    before = [[p.detach().numpy().copy() for p in params] for params in (singles, doubles)]
    groups = [
        {"params": [singles[2], doubles[2]], "lr": 0.5},
        {"params": [singles[6], doubles[6]], "lr": 0.25},
    ]
    optimizer = optim.SGD(groups)
    for params in (singles, doubles):
        give_gradients(params, 0)
    optimizer.step()
    for params, old in zip((singles, doubles), before, strict=True):
        for i, lr in ((2, 0.5), (6, 0.25)):
            assert params[i].dtype == old[i].dtype
            expected = old[i] - params[i].grad.numpy() * params[i].dtype.type(lr)
            np.testing.assert_array_equal(params[i].detach().numpy(), expected)


def test_what_a_graph_still_needs_is_known_to_have_changed():
    p, q = (minigan.tensor([2.0], requires_grad=True) for _ in range(2))
    y = (p * q).sum()
    p.grad, q.grad = minigan.tensor([1.0]), minigan.tensor([1.0])
    optim.SGD([p, q], lr=0.1).step()
    with pytest.raises(RuntimeError, match="changed in place"):
        y.backward()


def test_ever_other_sets_of_parameters_leave_nothing_behind():
    params = [minigan.tensor([float(i)], requires_grad=True) for i in range(8)]
    optimizer = optim.Adam(params)
    for number in range(1, 200):
        for i, p in enumerate(params):
            p.grad = minigan.tensor([1.0]) if number >> i & 1 else None
        optimizer.step()
    assert len(optimizer._together) <= 16
