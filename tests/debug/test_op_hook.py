"""op_hook: what it sees of a forward, a backward and a double backward pass, and how it ends."""

import threading

import numpy as np
import pytest

import minigan
from minigan import Function, autograd, grad, tensor
from minigan._mode import thread
from minigan.autograd import op_hook


def leaf(value):
    return tensor(value, dtype="float64", requires_grad=True)


class Recorder:
    """Notes (kind, op, level, the op whose gradient is running) of every call."""

    def __init__(self):
        self.calls = []

    def __call__(self, call, run):
        running = None
        if call.running is not None:
            running = type(call.running.function).__name__ if call.running.function else "leaf"
        self.calls.append((call.kind, type(call.function).__name__, call.level, running))
        return run()

    def take(self):
        calls, self.calls = self.calls, []
        return calls


def test_forward_backward_and_double_backward_have_levels_0_1_and_2():
    """y = e^x·c: its gradient g·c·y is two products, whose gradients are products again."""
    x, see = leaf(0.5), Recorder()
    with op_hook(see):
        y = x.exp() * 3.0
        assert see.take() == [("op", "Exp", 0, None), ("op", "Mul", 0, None)]
        (g,) = grad(y, x, create_graph=True)
        assert see.take() == [
            ("vjp", "Mul", 1, "Mul"),
            ("op", "Mul", 1, "Mul"),
            ("vjp", "Exp", 1, "Exp"),
            ("op", "Mul", 1, "Exp"),
        ]
        assert grad(g, x)[0].item() == pytest.approx(3 * np.exp(0.5))
        # g = 3·e^x, made at level 1, of which only the factor e^x depends on x.
        assert see.take() == [
            ("vjp", "Mul", 2, "Mul"),
            ("op", "Mul", 2, "Mul"),
            ("vjp", "Exp", 1, "Exp"),
            ("op", "Mul", 1, "Exp"),
        ]


def test_levels_are_known_of_graphs_made_before_the_hook():
    x, see = leaf(2.0), Recorder()
    (g,) = grad(x**3, x, create_graph=True)
    with op_hook(see):
        grad(g, x)
    assert {level for _, _, level, _ in see.calls} == {2}
    assert {node.level for node in below(g.node)} == {0, 1}


def below(node):
    seen, stack = {node}, [node]
    while stack:
        new = [e for e in stack.pop().edges if e is not None and e not in seen]
        seen.update(new)
        stack += new
    return seen


def test_a_third_derivative_has_level_3():
    x, see = leaf(2.0), Recorder()
    y = x**5
    for _ in range(2):
        (y,) = grad(y, x, create_graph=True)
    with op_hook(see):
        grad(y, x)
    assert max(level for _, _, level, _ in see.calls) == 3


def test_sums_of_gradients_and_accumulation_belong_to_the_pass():
    """x·x adds two gradients in the gradient of Mul; a second backward adds to the leaf."""
    x, see = leaf(2.0), Recorder()
    (x * x).backward()
    y = x * x
    with op_hook(see):
        y.backward()
    assert see.calls == [
        ("vjp", "Mul", 1, "Mul"),
        ("op", "Mul", 1, "Mul"),
        ("op", "Mul", 1, "Mul"),
        ("op", "Add", 1, "Mul"),
        ("op", "Add", 1, "leaf"),
    ]
    assert x.grad.item() == 8


def test_hooks_nest_from_the_outside_in_and_do_not_see_each_other():
    trail = []

    def named(name):
        def hook(call, run):
            trail.append(name)
            leaf(1.0) * 5.0  # not seen by any hook
            result = run()
            trail.append(name.upper())
            return result

        return hook

    with op_hook(named("a")), op_hook(named("b")):
        leaf(1.0) * 2.0
    assert trail == ["a", "b", "B", "A"]
    leaf(1.0) * 2.0
    assert len(trail) == 4 and thread.state.hooks == ()


def test_a_hook_may_change_the_result():
    x = leaf(3.0)
    with op_hook(lambda call, run: run().detach() if call.kind == "op" else run()):
        assert not (x * 2.0).requires_grad


@pytest.mark.parametrize("kind", ["op", "vjp"])
def test_an_exception_in_a_hook_leaves_everything_as_it_was(kind):
    x, see = leaf(3.0), Recorder()

    def fail(call, run):
        if call.kind == kind:
            raise KeyError(kind)
        return run()

    with op_hook(see):
        with pytest.raises(KeyError), op_hook(fail):
            (x * 2.0).backward()
        assert thread.state.hooks == (see,)
        assert thread.state.running is None and thread.state.recording
    assert thread.state.hooks == ()


def test_an_exception_in_a_rule_ends_the_pass():
    class Broken(Function):
        def forward(self, x):
            return x * 1

        def vjp(self, needs, g, y, x):
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        Broken()(leaf(1.0)).backward()
    assert thread.state.running is None and minigan.is_grad_enabled()


def test_a_pass_inside_a_rule_restores_the_level():
    """A rule that differentiates by itself, as checkpointing does."""
    levels = []

    class Inner(Function):
        def forward(self, x):
            return x**2

        def vjp(self, needs, g, y, x):
            with minigan.enable_grad():
                z = x.detach().requires_grad_()
                (inner,) = grad(z * z, z)
            result = g * inner
            return (result,)

    x = leaf(3.0)
    with op_hook(lambda call, run: levels.append(call.level) or run()):
        Inner()(x).backward()
    assert x.grad.item() == 6
    # forward; the rule; in it z·z, the rule of that one level up, two products, a sum; g·inner.
    assert levels == [0, 1, 1, 2, 2, 2, 2, 1]


def test_other_threads_are_not_seen():
    see, x = Recorder(), leaf(2.0)

    def work():
        (x * x).backward()

    with op_hook(see):
        other = threading.Thread(target=work)
        other.start()
        other.join()
    assert see.calls == [] and x.grad.item() == 4


def test_without_a_hook_nothing_of_it_runs(monkeypatch):
    monkeypatch.setattr(autograd, "around", lambda *args: pytest.fail("nobody is listening"))
    x = leaf(2.0)
    (g,) = grad(x.exp() * x, x, create_graph=True)
    g.backward()
    with pytest.raises(pytest.fail.Exception), op_hook(lambda call, run: run()):
        x * 2.0
