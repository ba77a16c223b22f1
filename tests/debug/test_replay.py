"""replay names a planted wrong operation, and none where all are right."""

import copy

import fakegpu
import numpy as np
import pytest
from devices.test_training_on_devices import trainer
from machine import needs_emulator

import minigan
from minigan import certificate, nn
from minigan.certificate import functions
from minigan.conv import plain
from minigan.debug import bounds, replay
from minigan.ops import kinks, reduction, softmax


@pytest.fixture
def fake(monkeypatch):
    return fakegpu.install(monkeypatch)


def penalty_step(device):
    """A critic's loss with a gradient penalty: every kind of gradient, twice."""
    minigan.manual_seed(1)
    convolution = nn.Conv2d(1, 4, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten()
    critic = nn.Sequential(*convolution, nn.Linear(64, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    critic.to(device)
    optimizer = minigan.optim.Adam(critic.parameters())
    x = minigan.randn(2, 1, 8, 8, device=device, requires_grad=True)
    (g,) = minigan.grad(critic(x).sum(), x, create_graph=True)
    loss = ((g.square().sum((1, 2, 3)) + 1e-12).sqrt() - 1).square().mean() + critic(x).mean()
    loss.backward()
    optimizer.step()
    critic(x)


def spoil(monkeypatch, owner, name, change):
    """Let a function give something else where its operands lie on the GPU."""
    original = getattr(owner, name)

    def wrong(*args):
        result = original(*args)
        on_gpu = not isinstance(args[1], np.ndarray)
        return change(result) if on_gpu else result

    monkeypatch.setattr(owner, name, wrong)


def one_element(factor):
    def change(array):
        array = array.copy()
        array.reshape(-1)[3:4] *= factor
        return array

    return change


def test_nothing_differs_where_all_is_right(fake):
    found = replay(penalty_step)
    assert found and found.first is None
    assert found.calls > 50 and 0 < found.closest < 0.3


def test_activations_that_wait_in_bf16_do_so_in_both_runs(fake, monkeypatch):
    """Also those that the second run is given because they differ in the last bits."""
    monkeypatch.setattr("minigan._autocast.LEAST", 1)
    spoil(monkeypatch, plain, "fprop", lambda y: y * np.float32(1 + 1e-6))

    def step(device):
        with minigan.autocast(device):
            penalty_step(device)

    found = replay(step)
    assert found and found.first is None
    assert found.closest > 0


@pytest.mark.parametrize("name", ["dcgan", "wgan-gp"])
def test_whole_training_steps_differ_nowhere(fake, name):
    def step(device):
        trained = trainer(name, device)
        for _ in range(2):
            trained.train_step()

    found = replay(step)
    assert found, found


@needs_emulator
def test_rules_that_a_gpu_computes_in_one_go_are_compared_whole(monkeypatch):
    """The project's kernels, emulated: a BatchNorm's gradient is one of them."""
    fake = fakegpu.install(monkeypatch, "80")

    def step(device):
        minigan.manual_seed(1)
        layers = nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1)
        net = nn.Sequential(*layers).to(device)
        loss = net(minigan.randn(7, 5, device=device)).square().mean()
        loss.backward()
        minigan.optim.Adam(net.parameters()).step()

    found = replay(step)
    assert found, found
    assert fake.gpu.launched


@pytest.mark.parametrize(
    ("owner", "name", "change", "op", "place"),
    [
        (kinks.LeakyReLU, "forward", one_element(1 + 1e-4), "LeakyReLU", "forward"),
        (kinks.LeakyReLUGrad, "forward", one_element(0), "LeakyReLUGrad", "gradient of LeakyReLU"),
        (plain, "wgrad", lambda a: a * (1 + 1e-4), "Wgrad", "gradient of FpropActivated"),
        (plain, "fprop", lambda a: a + 1e-4, "FpropActivated", "forward"),
        (reduction.Sum, "forward", lambda a: a * (1 + 2e-5), "Sum", "forward"),
    ],
)
def test_a_planted_mistake_is_named(fake, monkeypatch, owner, name, change, op, place):
    spoil(monkeypatch, owner, name, change)
    found = replay(penalty_step)
    assert not found
    assert found.first.what == op and place in found.first.place
    assert found.first.difference > found.first.bound > 0
    assert found.first.line.file == __file__
    text = str(found)
    assert op in text and "test_replay.py" in text and "allowed" in text


def test_the_first_is_named_and_later_ones_are_judged_alone(fake, monkeypatch):
    """What follows a wrong result gets the right one, so that it is not blamed."""
    spoil(monkeypatch, softmax.Softmax, "forward", lambda a: a * 1.01)

    def step(device):
        x = minigan.randn(3, 4, device=device, requires_grad=True)
        x.exp().softmax(1).log().sum().backward()

    assert [found.what for found in replay(step).differences] == ["Softmax"]


def test_a_wrong_optimizer_shows_in_the_next_inputs(fake, monkeypatch):
    step = minigan.optim.SGD.step

    def wrong(self, closure=None):
        step(self, closure)
        (p,) = self.param_groups[0]["params"]
        if p.device.type == "cuda":
            p.array[...] = p.array * 1.01

    def program(device):
        w = minigan.ones(3, device=device, requires_grad=True)
        optimizer = minigan.optim.SGD([w], lr=0.1)
        (w * w).sum().backward()
        optimizer.step()
        (w + 1).sum()

    assert replay(program)
    monkeypatch.setattr(minigan.optim.SGD, "step", wrong)
    assert replay(program).first.what == "input 0 of Add"


def test_random_numbers_are_the_cpus(fake):
    def step(device):
        x = minigan.ones(50, 50)  # the CPU's own draws come between
        minigan.randn(3)
        nn.functional.dropout(x.to(device) + minigan.randn(50, 50, device=device), 0.5).sum()

    before = minigan.get_rng_state()
    assert replay(step, seed=3)
    assert minigan.get_rng_state() == before


def test_a_network_from_outside_is_copied_by_the_step(fake):
    network = nn.Linear(3, 2)

    def step(device, copied):
        mine = copy.deepcopy(network).to(device) if copied else network.to(device)
        mine(minigan.ones(4, 3, device=device)).square().sum().backward()
        minigan.optim.SGD(mine.parameters(), lr=0.1).step()

    assert replay(lambda device: step(device, True))
    found = replay(lambda device: step(device, False))
    assert "input" in found.first.what


def test_other_operations_are_an_error(fake):
    def step(device):
        x = minigan.ones(3, device=device)
        x.exp() if device == "cpu" else x.log()

    with pytest.raises(RuntimeError, match="call 0 is Log on cuda:0, Exp on cpu"):
        replay(step)
    with pytest.raises(RuntimeError, match="cpu called 1 operations and rules, cuda:0 only 0"):
        replay(lambda device: minigan.ones(1).exp() if device == "cpu" else None)


def test_without_a_gpu_it_says_so(monkeypatch):
    monkeypatch.setattr(minigan.cuda, "is_available", lambda: False)
    with pytest.raises(RuntimeError, match='device "cuda"'):
        replay(penalty_step)


# ------------------------------------------------------------------------------ bounds


def forward(name, dtype, rng):
    shapes, program = functions.FUNCTIONS[name]
    inputs = [rng.uniform(0.3, 1.7, s).astype(dtype) for s in shapes]
    calls = []
    with minigan.autograd.op_hook(lambda call, run: calls.append(call) or run()):
        program(*[minigan.Tensor(x) for x in inputs])
    call = calls[-1]
    arrays = [x.array if isinstance(x, minigan.Tensor) else x for x in call.inputs]
    return call.function, tuple(arrays)


@pytest.mark.parametrize("name", sorted(functions.FUNCTIONS))
def test_bounds_hold_and_are_near(name):
    """float32's result lies within the bound of float64's, and the bound is no free pass."""
    function, inputs = forward(name, "float32", np.random.default_rng(0))
    found = np.array(function.forward(*bounds._copies(inputs)))
    allowed = bounds.bound(function, inputs, found)
    exact = np.array(function.forward(*bounds._wide(inputs)))
    assert (np.abs(found.astype(exact.dtype) - exact) <= allowed).all()
    assert (allowed <= 1e-3 * np.maximum(np.abs(exact), np.abs(exact).max())).all()


def test_every_sum_is_one_of_the_certificate():
    assert set(certificate.names()) >= bounds.SUMS
    for name in bounds.SUMS:  # of products of the operands, with coefficients of 1
        function, inputs = forward(name, "float64", np.random.default_rng(0))
        mixed = [x * np.where(np.arange(x.size).reshape(x.shape) % 2, 1, -1) for x in inputs]
        whole = function.forward(*[np.abs(x) for x in mixed])
        assert (np.abs(function.forward(*mixed)) <= whole * (1 + 1e-12)).all()
        twice = function.forward(2 * inputs[0], *inputs[1:])
        np.testing.assert_allclose(twice, 2 * whole, rtol=1e-12)
