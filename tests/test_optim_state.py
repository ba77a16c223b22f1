"""Optimizer state: saved, loaded and gone on from, bit for bit, or refused."""

import copy
import json

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


def parameters():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape).astype("float32") for shape in ((3, 4), (), (5,))]
    return [minigan.from_numpy(a).requires_grad_() for a in arrays]


def train(optimizer, params, steps):
    for step in steps:
        rng = np.random.default_rng(1000 + step)
        for p in params:
            p.grad = minigan.from_numpy(rng.standard_normal(p.shape).astype("float32"))
        optimizer.step()


def copied(params):
    return [minigan.from_numpy(p.detach().numpy().copy()).requires_grad_() for p in params]


def same(a, b):
    return all(x.tolist() == y.tolist() for x, y in zip(a, b, strict=True))


def through_files(state):
    """As it comes back from arrays in one file and JSON in another: arrays, lists, text as keys."""
    plain = {
        key: {k: v if k == "step" else v.numpy().copy() for k, v in entry.items()}
        for key, entry in state["state"].items()
    }
    settings = json.loads(json.dumps(state["param_groups"]))
    return {"state": {str(key): entry for key, entry in plain.items()}, "param_groups": settings}


@every_optimizer
@pytest.mark.parametrize("passed", [lambda s: s, copy.deepcopy, through_files])
def test_a_loaded_optimizer_goes_on_bit_for_bit(make, passed):
    params = parameters()
    first = make([{"params": params[:2]}, {"params": params[2:], "lr": 0.03}])
    train(first, params, range(4))
    twins = copied(params)
    second = make([{"params": twins[:2]}, {"params": twins[2:]}], lr=7.0)
    second.load_state_dict(passed(first.state_dict()))
    train(first, params, range(4, 8))
    train(second, twins, range(4, 8))
    assert same(params, twins)


@every_optimizer
def test_loaded_state_is_a_copy_of_what_was_given(make):
    params = parameters()
    optimizer = make(params)
    train(optimizer, params, range(2))
    state = optimizer.state_dict()
    other = make(copied(params))
    other.load_state_dict(state)
    snapshot = copy.deepcopy(state)
    train(other, other.param_groups[0]["params"], range(2, 4))
    other.param_groups[0]["lr"] = 9.0
    assert state["param_groups"] == snapshot["param_groups"]
    for i, entry in snapshot["state"].items():
        assert state["state"][i]["step"] == entry["step"]
        slots = [key for key in entry if key != "step"]
        assert same([state["state"][i][k] for k in slots], [entry[k] for k in slots])


def test_loaded_settings_are_a_copy_too():
    p = minigan.zeros(2, requires_grad=True)
    optimizer = optim.Adam([p])
    state = optimizer.state_dict()
    state["param_groups"][0]["betas"] = betas = [0.5, 0.9]
    optimizer.load_state_dict(state)
    betas[0] = 0.0
    assert optimizer.param_groups[0]["betas"] == [0.5, 0.9]


def test_state_dict_is_laid_out_as_pytorchs():
    params = parameters()
    optimizer = optim.Adam([{"params": params[:2]}, {"params": params[2:], "lr": 0.5}], lr=0.1)
    assert optimizer.state_dict()["state"] == {}
    params[2].grad = minigan.ones(5)
    optimizer.step()
    state = optimizer.state_dict()
    assert list(state) == ["state", "param_groups"]
    assert [g["params"] for g in state["param_groups"]] == [[0, 1], [2]]
    assert [g["lr"] for g in state["param_groups"]] == [0.1, 0.5]
    assert {i: sorted(entry) for i, entry in state["state"].items()} == {
        2: ["exp_avg", "exp_avg_sq", "step"]
    }


def test_a_state_from_pytorch_can_be_loaded():
    # The layout of torch.optim.SGD(…, lr=0.5, momentum=0.9, dampening=0.5).state_dict() in 2.13.
    p = minigan.zeros(2, requires_grad=True)
    optimizer = optim.SGD([p])
    optimizer.load_state_dict(
        {
            "state": {0: {"momentum_buffer": np.array([1.0, 2.0])}},
            "param_groups": [
                {
                    **{"lr": 0.5, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0},
                    **{"nesterov": False, "maximize": False, "foreach": None, "fused": None},
                    **{"differentiable": False, "params": [0]},
                }
            ],
        }
    )
    p.grad = minigan.ones(2)
    optimizer.step()
    np.testing.assert_allclose(p.detach().numpy(), [-0.5 * 1.4, -0.5 * 2.3], rtol=1e-6)
    empty = {"state": {0: {"momentum_buffer": None}}, "param_groups": [{"params": [0]}]}
    optimizer.load_state_dict(empty)
    assert optimizer.state == {p: {}}


def wrong_size(state):
    state["param_groups"][0]["params"].append(1)


def wrong_shape(state):
    state["state"][0]["exp_avg"] = np.zeros((4, 3))


def unknown_slot(state):
    state["state"][0]["square_avg"] = np.zeros((3, 4))


def unknown_parameter(state):
    state["state"][3] = state["state"][0]


def negative_rate(state):
    state["param_groups"][0]["lr"] = -1.0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (wrong_size, r"groups of sizes \[3\], got \[4\]"),
        (wrong_shape, r"exp_avg of parameter 0 has shape \(4, 3\), expected \(3, 4\)"),
        (unknown_slot, r"\['square_avg'\] is not Adam's"),
        (unknown_parameter, "state of parameter 3, there are 3"),
        (negative_rate, "lr must not be negative"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(damage, message):
    params = parameters()
    optimizer = optim.Adam(params)
    train(optimizer, params, range(2))
    state = copy.deepcopy(optimizer.state_dict())
    damage(state)
    before = copy.deepcopy(optimizer.state_dict())
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(state)
    after = optimizer.state_dict()
    assert after["param_groups"] == before["param_groups"]
    for i, entry in before["state"].items():
        assert same(
            [after["state"][i][k] for k in ("exp_avg", "exp_avg_sq")],
            [entry[k] for k in ("exp_avg", "exp_avg_sq")],
        )


def test_state_takes_the_precision_of_its_parameter():
    p = minigan.zeros(2, requires_grad=True)
    optimizer = optim.Adam([p])
    entry = {"step": np.float32(3), "exp_avg": np.ones(2), "exp_avg_sq": np.ones(2)}
    optimizer.load_state_dict({"state": {0: entry}, "param_groups": [{"params": [0]}]})
    assert optimizer.state[p]["step"] == 3
    assert optimizer.state[p]["exp_avg"].dtype == np.float32


def test_a_state_put_back_lies_in_memory_as_its_parameter_does():
    """A channels-last weight has channels-last moments, before and after a state dict."""
    p = minigan.tensor(np.zeros((4, 3, 2, 2), np.float32).transpose(0, 2, 3, 1).copy())
    p = p.permute(0, 3, 1, 2).detach().requires_grad_()
    optimizer = optim.Adam([p], lr=0.1)
    (p * p + p).sum().backward()
    optimizer.step()
    plain = {
        key: {k: v if k == "step" else np.ascontiguousarray(v.numpy()) for k, v in slots.items()}
        for key, slots in optimizer.state_dict()["state"].items()
    }
    other = optim.Adam([p], lr=0.1)
    groups = optimizer.state_dict()["param_groups"]
    other.load_state_dict({"state": plain, "param_groups": groups})
    for slot in ("exp_avg", "exp_avg_sq"):
        found = other.state[p][slot].array
        assert found.strides == p.array.strides == optimizer.state[p][slot].array.strides
        assert np.array_equal(found, plain[0][slot])
