"""Optimizers' kernels over a flat store: step for step beside minigan.optim, in float64 too."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

import minigan
from minigan.cuda import optim
from minigan.cuda.launch import LaunchError

STEPS = 4
COUNTS = [1, 3, 4, 257, 5000]


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def reference(make, start, gradients, dtype, max_norm=None, clip_value=None):
    """The parameters and the state after every step, by the CPU's optimizer in that dtype."""
    p = minigan.tensor(start.astype(dtype), requires_grad=True)
    optimizer, found = make([p]), []
    for g in gradients:
        p.grad = minigan.tensor(g.astype(dtype))
        if max_norm is not None:
            minigan.nn.utils.clip_grad_norm_([p], max_norm)
        optimizer.step()
        if clip_value is not None:
            p.data = p.data.clamp(-clip_value, clip_value)
        state = {k: v.numpy().copy() for k, v in optimizer.state[p].items() if k != "step"}
        found.append((p.detach().numpy().copy(), state))
    return found


ADAM = {"lr": 1e-2, "betas": (0.5, 0.9), "eps": 1e-2, "weight_decay": 0.1}
RMSPROP = {"lr": 1e-2, "alpha": 0.9, "eps": 1e-2, "weight_decay": 0.1}
SGD = {"lr": 0.1, "weight_decay": 0.1}
CASES = {
    "adam": (minigan.optim.Adam, "adam", ADAM, {}, ("exp_avg", "exp_avg_sq")),
    "amsgrad": (
        minigan.optim.Adam,
        "adam",
        ADAM,
        {"amsgrad": True},
        ("exp_avg", "exp_avg_sq", "max_exp_avg_sq"),
    ),
    "adamw": (minigan.optim.AdamW, "adam", ADAM, {}, ("exp_avg", "exp_avg_sq")),
    "rmsprop": (minigan.optim.RMSprop, "rmsprop", RMSPROP, {}, ("square_avg",)),
    "centred": (
        minigan.optim.RMSprop,
        "rmsprop",
        {**RMSPROP, "momentum": 0.5},
        {"centered": True},
        ("square_avg", "grad_avg", "momentum_buffer"),
    ),
    "sgd": (minigan.optim.SGD, "sgd", SGD, {}, ()),
    "momentum": (
        minigan.optim.SGD,
        "sgd",
        {**SGD, "momentum": 0.9, "dampening": 0.3},
        {},
        ("momentum_buffer",),
    ),
    "nesterov": (
        minigan.optim.SGD,
        "sgd",
        {**SGD, "momentum": 0.9, "nesterov": True},
        {},
        ("momentum_buffer",),
    ),
}


def stepped(case, start, gradients, backend="emulator", seed=0, **options):
    """The parameters and the state after every step, by the kernels."""
    _, name, settings, _, slots = CASES[case]
    p, found = start.copy(), []
    state = {slot: np.zeros_like(p) for slot in slots}
    for step, g in enumerate(gradients, 1):
        extra = {"step": step} if name == "adam" else {}
        if case == "adamw":
            extra["decoupled"] = True
        if case in ("momentum", "nesterov"):
            extra["first"] = step == 1
        plan = getattr(optim, name)(p, g, **state, **settings, **extra, **options)
        run(poisoned(plan, p, g, *state.values()), backend, seed=seed)
        found.append((p.copy(), {k: v.copy() for k, v in state.items()}))
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [{}, {"max_norm": 0.5, "clip_value": 0.3}, {"maximize": True}])
@pytest.mark.parametrize("case", CASES)
def test_step_for_step_beside_the_cpu(case, options, backend):
    """As far from the CPU's float64 steps as its float32 steps are, or nearly."""
    count = 259
    start, gradients = draw(0, count), draw(1, STEPS, count)
    found = stepped(case, start, gradients, backend, **options)
    cls, _, settings, more, slots = CASES[case]
    clips = {k: v for k, v in options.items() if k != "maximize"}
    climbs = {k: v for k, v in options.items() if k == "maximize"}
    expected = [
        reference(lambda ps: cls(ps, **settings, **more, **climbs), start, gradients, d, **clips)
        for d in (np.float32, np.float64)
    ]
    for (p, state), (p32, state32), (p64, state64) in zip(found, *expected, strict=True):
        triples = [(p, p32, p64)]
        for slot in slots:
            triples.append((state[slot], state32[slot], state64[slot]))
        for ours, cpu, exact in triples:
            # Both round some ten times a step; what differs is where they round.
            unit = 2.0**-23 * (abs(exact) + abs(start) + 1)
            assert (abs(ours - exact) <= 2 * abs(cpu - exact).max() + 4 * unit).all()


@pytest.mark.parametrize("count", COUNTS)
def test_every_length(count):
    """Left-over numbers, blocks that are not full, several steps a thread: all moved, once."""
    start, gradients = draw(2, count), draw(3, 1, count)
    [(p, state)] = stepped("adam", start, gradients, max_norm=0.5)
    [(exact, _)] = reference(
        lambda ps: minigan.optim.Adam(ps, **ADAM), start, gradients, np.float64, max_norm=0.5
    )
    np.testing.assert_allclose(p, exact, rtol=1e-5, atol=1e-6)
    assert (p != start).all() and (state["exp_avg"] != 0).all()


def test_the_norm_is_told_and_taken_in_float64():
    g = np.full(300, 3e19, np.float32)  # its square is no float32
    norm, p = np.full(1, np.nan, np.float32), np.zeros(300, np.float32)
    run(optim.sgd(p, g, lr=1.0, max_norm=1.0, norm=norm))
    np.testing.assert_allclose(norm[0], 3e19 * np.sqrt(300), rtol=1e-6)
    np.testing.assert_allclose(p, -1 / np.sqrt(300), rtol=1e-6)


def test_a_norm_near_zero_is_not_divided_by():
    """max_norm/(norm + 1e-6): with both 1e-6 the gradient is halved."""
    p = np.zeros(1, np.float32)
    run(optim.sgd(p, np.full(1, 1e-6, np.float32), lr=1.0, max_norm=1e-6))
    np.testing.assert_allclose(p, -0.5e-6, rtol=1e-6)


def test_a_short_gradient_is_left_as_it_is():
    g, p, q = draw(4, 100), np.zeros(100, np.float32), np.zeros(100, np.float32)
    run(optim.sgd(p, g, lr=1.0, max_norm=1e3))
    run(optim.sgd(q, g, lr=1.0))
    assert np.array_equal(p, q) and np.array_equal(p, -g)


@pytest.mark.parametrize("where", ["gradient", "parameter"])
def test_nan_is_not_hidden(where):
    """A norm of NaN spreads to every gradient, as on the CPU; a limit does not turn NaN into it."""
    g, p = np.ones(10, np.float32), np.zeros(10, np.float32)
    (g if where == "gradient" else p)[3] = np.nan
    run(optim.sgd(p, g, lr=1.0, max_norm=1.0, clip_value=0.1))
    assert np.isnan(p[3]) and np.isnan(p).all() == (where == "gradient")


def test_the_same_bits_in_every_order():
    start, gradients, results = draw(5, 5000), draw(6, 2, 5000), set()
    for seed in (0, 1, 2, 3):
        found = stepped("adam", start, gradients, seed=seed, max_norm=0.5)
        results.add(found[-1][0].tobytes())
    plan = optim.adam(start, gradients[0], *np.zeros((2, 5000), np.float32), step=1, max_norm=0.5)
    assert plan[0].grid[0] > 1
    assert len(results) == 1


def test_the_compile_gate_knows_every_configuration():
    chosen = []
    for count in (4, 5):
        p = np.empty(count, np.float32)
        chosen += optim.adam(p, p, p, p, step=1) + optim.rmsprop(p, p, p)
        chosen += optim.sgd(p, p, max_norm=1.0)
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(optim.configurations())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: optim.sgd(p, p[:2]), r"g expects shape \(4,\)"),
        (lambda p: optim.sgd(p.reshape(2, 2), p), "flat array"),
        (lambda p: optim.sgd(p, p, max_norm=-1.0), "max_norm must not be negative"),
        (lambda p: optim.sgd(p, p, clip_value=float("nan")), "clip_value must not be negative"),
        (lambda p: optim.sgd(p, p, norm=p[:1]), "only computed where max_norm"),
        (lambda p: optim.adam(p, p, p, p[:1], step=1), "exp_avg_sq expects shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(LaunchError, match=message):
        call(np.zeros(4, np.float32))
