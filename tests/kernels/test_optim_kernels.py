"""Optimizers' kernels over many arrays: step for step beside minigan.optim, in float64 too."""

import numpy as np
import pytest
from kernels.runner import BACKENDS, run

import minigan
from minigan.cuda import optim
from minigan.cuda.launch import LaunchError

STEPS = 4
COUNTS = [1, 3, 4, 257, 5000]


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def reference(make, start, gradients, dtype):
    """The parameters and the state after every step, by the CPU's optimizer in that dtype."""
    p = minigan.tensor(start.astype(dtype), requires_grad=True)
    optimizer, found = make([p]), []
    for g in gradients:
        p.grad = minigan.tensor(g.astype(dtype))
        optimizer.step()
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


SPLITS = [5, 133, 256]  # where the parameters' numbers are cut into arrays


def pieces(array):
    """One array as several, each a view of its own part."""
    return np.split(array, [n for n in SPLITS if n < array.size])


def sent(case, step, **options):
    """The launch that brings the settings of a case, before ``step``, and the rule."""
    _, name, settings, _, _ = CASES[case]
    settings = {**settings, **options}
    if name == "adam":
        settings |= {"decoupled": case == "adamw", "step": step - 1}
    if name == "sgd" and step == 1:
        settings["dampening"] = 0.0
    rule = np.zeros(optim.WORDS, np.uint32)
    return optim.send(rule, getattr(optim, f"{name}_settings")(**settings)), rule


def stepped(case, start, gradients, backend="emulator", seed=0, **options):
    """The parameters and the state after every step, by the kernels, from one rule."""
    _, name, _, _, slots = CASES[case]
    p, found = start.copy(), []
    state = {slot: np.zeros_like(p) for slot in slots}
    for step, g in enumerate(gradients, 1):
        if step == 1 or (name == "sgd" and step == 2):  # else the rule knows what to do
            launch, rule = sent(case, step, **options)
            run([launch], backend, seed=seed)
        arrays = {slot: pieces(a) for slot, a in state.items()}
        plan = getattr(optim, name)(rule, pieces(p), pieces(g), **arrays)
        run(plan, backend, seed=seed)
        found.append((p.copy(), {k: v.copy() for k, v in state.items()}))
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("options", [{}, {"maximize": True}])
@pytest.mark.parametrize("case", CASES)
def test_step_for_step_beside_the_cpu(case, options, backend):
    """As far from the CPU's float64 steps as its float32 steps are, or nearly."""
    count = 259
    start, gradients = draw(0, count), draw(1, STEPS, count)
    found = stepped(case, start, gradients, backend, **options)
    cls, _, settings, more, slots = CASES[case]
    expected = [
        reference(lambda ps: cls(ps, **settings, **more, **options), start, gradients, d)
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
    """Left-over numbers, blocks that are not full, several blocks an array: all moved, once."""
    start, gradients = draw(2, count), draw(3, 1, count)
    [(p, state)] = stepped("adam", start, gradients)
    [(exact, _)] = reference(
        lambda ps: minigan.optim.Adam(ps, **ADAM), start, gradients, np.float64
    )
    np.testing.assert_allclose(p, exact, rtol=1e-5, atol=1e-6)
    assert (p != start).all() and (state["exp_avg"] != 0).all()


def test_more_arrays_than_a_table_holds():
    """150 arrays, some empty, take three launches; every number of every array is moved once."""
    rng = np.random.default_rng(7)
    sizes = rng.integers(0, 40, 150)
    p, g = ([draw(i, n) for i, n in enumerate(sizes, k)] for k in (0, 1000))
    before = [a.copy() for a in p]
    launch, rule = sent("sgd", 1)
    plan = optim.sgd(rule, p, g)
    assert len(plan) == -(-sum(sizes > 0) // 64) == 3
    run([launch, *plan])
    for new, old, slope in zip(p, before, g, strict=True):
        exact = old - 0.1 * (slope.astype(np.float64) + 0.1 * old)
        np.testing.assert_allclose(new, exact, rtol=1e-5, atol=1e-6)


def test_unaligned_and_odd_arrays_are_read_one_by_one():
    """An array that begins between two 16-byte words is as right as any."""
    p, g = draw(8, 100), draw(9, 100)
    launch, rule = sent("sgd", 1)
    expected = p.copy()
    run([launch, *optim.sgd(rule, [expected], [g])])
    plan = optim.sgd(rule, [p[1:98], p[99:]], [g[1:98], g[99:]])
    assert plan[0].arguments[0].record["wide"][:2].tolist() == [0, 0]
    untouched = p[[0, 98]].copy()
    run(plan)
    assert np.array_equal(p[1:98], expected[1:98]) and np.array_equal(p[99:], expected[99:])
    assert np.array_equal(p[[0, 98]], untouched)


def test_a_replayed_step_counts_on_and_a_sent_rate_is_taken():
    """The same launches again are the next step, as a captured one is replayed."""
    start, gradients = draw(10, 300), draw(11, 1, 300).repeat(4, 0)
    expected = stepped("adam", start, gradients)
    p, m, v = start.copy(), *np.zeros((2, 300), np.float32)
    launch, rule = sent("adam", 1)
    plan = optim.adam(rule, *map(pieces, (p, gradients[0], m, v)))
    run([launch])
    for exact, _ in expected:
        run(plan)
        assert np.array_equal(p, exact)
    launch, other = sent("adam", 5, lr=0.5)
    q, *moments = (a.copy() for a in (p, m, v))
    run([launch, *optim.adam(other, *map(pieces, (q, gradients[0], *moments)))])
    run([optim.send(rule, optim.adam_settings(**{**ADAM, "lr": 0.5, "step": 4})), *plan])
    assert np.array_equal(p, q) and abs(p - expected[-1][0]).max() > 0.1


@pytest.mark.parametrize("where", ["gradient", "parameter"])
def test_nan_is_not_hidden(where):
    g, p = np.ones(10, np.float32), np.zeros(10, np.float32)
    (g if where == "gradient" else p)[3] = np.nan
    launch, rule = sent("sgd", 1)
    run([launch, *optim.sgd(rule, [p], [g])])
    assert np.isnan(p).tolist() == [i == 3 for i in range(10)]


def test_the_compile_gate_knows_every_configuration():
    p, rule = [np.empty(5, np.float32)], np.zeros(optim.WORDS, np.uint32)
    chosen = [*optim.adam(rule, p, p, p, p), *optim.rmsprop(rule, p, p, p), *optim.sgd(rule, p, p)]
    chosen.append(optim.send(rule, optim.sgd_settings()))
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(optim.configurations())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, rule: optim.sgd(rule, [p], [p[:2]]), r"g expects shape \(4,\)"),
        (lambda p, rule: optim.sgd(rule, [p], [p, p]), "g expects 1 arrays, got 2"),
        (lambda p, rule: optim.sgd(rule, [p[::2]], [p[:2]]), "p expects float32 in contiguous"),
        (lambda p, rule: optim.sgd(rule, [p], [p.astype(float)]), "g expects float32"),
        (lambda p, rule: optim.adam(rule, [p], [p], [p], [p[:1]]), "exp_avg_sq expects shape"),
        (lambda p, rule: optim.send(rule[:3], optim.sgd_settings()), "rule expects 32 words"),
        (lambda p, rule: optim.send(p, optim.sgd_settings()), "words of uint32, got 4 of float32"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(LaunchError, match=message):
        call(np.zeros(4, np.float32), np.zeros(optim.WORDS, np.uint32))


@pytest.mark.parametrize("shape", [(), (3,), (5, 2, 2), (40,)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_of_the_host_are_brought_by_launches(dtype, shape):
    numbers, to = np.random.default_rng(0).standard_normal(shape), np.zeros(shape, dtype)
    numbers = np.asarray(numbers, dtype)
    plan = optim.bring(numbers, to)
    assert len(plan) == -(-numbers.nbytes // (4 * optim.WORDS))
    run(plan)
    assert np.array_equal(to, numbers)


@pytest.mark.parametrize("to", [np.zeros(4), np.zeros(3, np.float32), np.zeros(3, np.float16)])
def test_numbers_that_do_not_fit_are_not_brought(to):
    with pytest.raises(LaunchError, match=r"bring: expected an array of shape \(3,\), float"):
        optim.bring(np.zeros(3, np.float16 if to.dtype == np.float16 else np.float64), to)
