"""Optimizers whose state or recorded steps outlive what they were made with.

Once on a GPU that the kernels are made for ("80", in the emulator) and once on an older one.
"""

import fakegpu
import numpy as np
import pytest
from machine import needs_emulator
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import cuda, nn
from minigan.optim import Adam, replaying

SHAPES = [(3, 5), (7,), (), (40, 600)]


@pytest.fixture(params=["70", pytest.param("80", marks=needs_emulator)])
def device(request, monkeypatch):
    fakegpu.install(monkeypatch, request.param)
    return "cuda"


@pytest.fixture
def kernels(monkeypatch):
    return fakegpu.install(monkeypatch, "80")


def parameters(where="cpu"):
    rng = np.random.default_rng(0)
    values = [rng.standard_normal(shape, np.float32) for shape in SHAPES]
    return [minigan.tensor(v, device=where).requires_grad_() for v in values]


def step(optimizer, params, number):
    for i, p in enumerate(params):
        values = np.random.default_rng([number, i]).standard_normal(p.shape, np.float32)
        p.grad = minigan.tensor(values, device=p.device)
    optimizer.step()


def assert_alike(found, expected):
    for p, q in zip(found, expected, strict=True):
        assert_allclose(p.detach().cpu().numpy(), q.detach().numpy(), rtol=1e-5, atol=1e-6)


def on_the_cpu(steps):
    params = parameters()
    optimizer = Adam(params, 0.01)
    for number in range(steps):
        step(optimizer, params, number)
    return params, optimizer


def test_state_made_on_the_cpu_goes_on_on_the_gpu(device):
    expected, _ = on_the_cpu(4)
    params, first = on_the_cpu(2)
    moved = [p.detach().to(device).requires_grad_() for p in params]
    optimizer = Adam(moved)
    optimizer.load_state_dict(first.state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.01
    for number in (2, 3):
        step(optimizer, moved, number)
    assert_alike(moved, expected)
    for p in moved:
        state = optimizer.state[p]
        assert state["step"] == 4
        assert state["exp_avg"].device == state["exp_avg_sq"].device == p.device
    assert first.state[params[0]]["step"] == 2  # a copy was loaded
    assert first.state[params[0]]["exp_avg"].device == "cpu"


def test_state_follows_a_module_that_is_moved_between_two_steps(device):
    """``module.to`` changes the parameters, which the optimizer knows already, in place."""

    def run(*devices):
        minigan.manual_seed(0)
        net = nn.Linear(5, 3)
        optimizer = Adam(net.parameters(), 0.01)
        for number, where in enumerate(devices):
            net.to(where)
            step(optimizer, [*net.parameters()], number)
        return [p.cpu() for p in net.parameters()]

    assert_alike(run("cpu", device, device, "cpu"), run("cpu", "cpu", "cpu", "cpu"))


@needs_emulator
def test_settings_that_a_recorded_step_reads_outlive_other_sets_of_parameters(kernels):
    """Seventeen other sets are moved between its replays: still the plain steps, bit for bit."""

    def run(recorded):
        params = [minigan.ones(i + 1, device="cuda").requires_grad_() for i in range(17)]
        gradients = [minigan.randn(*p.shape, device="cuda") for p in params]
        optimizer = Adam(params, 0.1)

        def give(chosen):
            for i, (p, g) in enumerate(zip(params, gradients, strict=True)):
                p.grad = g if i in chosen else None

        def plain():
            give(range(17))
            optimizer.step()

        def replayed():
            ((known, count),) = steps.items()
            replaying.count(optimizer, known, count)
            graph.replay()

        plain()
        if recorded:
            before, graph = replaying.counted(optimizer), cuda.CUDAGraph()
            with cuda.graph(graph):
                plain()
            graph.replay()
            steps = {k: n - before[k] for k, n in replaying.counted(optimizer).items()}
        else:
            plain()
        for i in range(17):
            give([i])
            optimizer.step()
        optimizer.param_groups[0]["lr"] = 0.05
        for _ in range(2):
            (replayed if recorded else plain)()
        return [p.detach().cpu().numpy() for p in params]

    minigan.manual_seed(1)
    expected = run(recorded=False)
    minigan.manual_seed(1)
    for found, exact in zip(run(recorded=True), expected, strict=True):
        assert_array_equal(found, exact)


@needs_emulator
def test_ever_other_sets_of_parameters_leave_nothing_behind(kernels):
    """And what is moved by the settings that are sent again is what the CPU moves."""

    def run(where):
        params = [minigan.ones(i + 1, device=where).requires_grad_() for i in range(18)]
        optimizer = Adam(params, 0.1)
        for _ in range(2):
            for p in params:
                optimizer.zero_grad()
                p.grad = minigan.ones(*p.shape, device=where)
                optimizer.step()
        return params, optimizer

    found, optimizer = run("cuda")
    assert_alike(found, run("cpu")[0])
    assert 0 < len(optimizer._kept) <= 16
