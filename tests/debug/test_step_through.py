"""step_through: the steps of a small backward pass by hand, and that it ends as backward does."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigan import debug, grad, is_grad_enabled, nn, tensor
from minigan.ops.powers import Exp


def leaf(value):
    return tensor(value, dtype="float64", requires_grad=True)


def test_every_rule_with_its_gradients_in_order():
    """y = Σ c·e^(x·w): gradients by hand."""
    x, w = leaf([1.0, 2.0]), leaf([0.5, -0.5])
    c = tensor([3.0, 4.0], dtype="float64")
    e = np.exp(x.array * w.array)
    steps = list(debug.step_through((c * (x * w).exp()).sum(), names={"x": x, "w": w}))
    assert [s.op for s in steps] == ["Sum", "Mul", "Exp", "Mul"]
    assert [s.number for s in steps] == [1, 2, 3, 4]
    assert [s.inputs for s in steps] == [("Mul",), ("", "Exp"), ("Mul",), ("x", "w")]
    for step, g in zip(steps, ([1.0], [1.0, 1.0], c.array, c.array * e), strict=True):
        assert_array_equal(step.g.numpy().ravel(), g)
    assert steps[1].gradients[0] is None
    assert_array_equal(steps[1].gradients[1].numpy(), c.array)
    assert_array_equal(steps[3].gradients[0].numpy(), c.array * e * w.array)
    assert_array_equal(steps[3].gradients[1].numpy(), c.array * e * x.array)
    assert_array_equal(x.grad.numpy(), steps[3].gradients[0].numpy())


def test_a_step_knows_its_formula_and_where_its_rule_is_written():
    step = next(debug.step_through(leaf(1.0).exp()))
    assert step.formula == "y = e^x;  ∂y/∂x = y."
    source = Path(step.rule.file).read_text(encoding="utf-8").splitlines()
    assert source[step.rule.number - 1].strip() == "def vjp(self, needs, g, y, x):"
    assert step.rule.number == inspect.getsourcelines(Exp.vjp)[1]


def test_a_step_prints_nicely():
    x = leaf([1.0, 2.0, 3.0, 4.0, 6.0])
    first, second = debug.step_through((x * 2.0).sum(), names={"x": x})
    lines = str(second).splitlines()
    assert lines[0] == "step 2: Mul   y = a·b;  ∂y/∂a = b, ∂y/∂b = a."
    assert lines[1] == f"    rule at {second.rule.file}:{second.rule.number}"
    assert lines[2] == "    g        (5,) float64  [1., 1., 1., 1., …], norm 2.236"
    assert lines[3] == "    input 0  (5,) float64  [2., 2., 2., 2., …], norm 4.472  → x"
    assert lines[4] == "    input 1  a constant: no gradient wanted"
    assert "→ Mul" in str(first)


def gradients_after(run):
    """Of a small net's weights, after ``run`` on two of its losses with a gradient penalty."""
    rng = np.random.default_rng(0)
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Tanh(), nn.Flatten())
    for p in net.parameters():
        p.data = tensor(rng.standard_normal(p.shape), dtype="float32")
    for _ in range(2):
        x = tensor(rng.standard_normal((2, 1, 5, 5)), dtype="float32", requires_grad=True)
        y = net(x)
        (g,) = grad((y * y).sum(), x, create_graph=True)
        run((g * g).sum() + y.sum())
    return [p.grad.numpy() for p in net.parameters()]


def test_exhausted_it_leaves_the_gradients_of_backward():
    """Bit by bit, through a gradient penalty, twice into the same leaves."""
    found = gradients_after(lambda loss: list(debug.step_through(loss)))
    expected = gradients_after(lambda loss: loss.backward())
    assert len(found) == 4
    for a, b in zip(found, expected, strict=True):
        assert a.any()
        assert_array_equal(a, b)


def test_given_up_halfway_the_leaves_are_untouched_and_nothing_is_left_behind():
    x = leaf(2.0)
    y = x.exp().exp()
    steps = debug.step_through(y, retain_graph=True)
    next(steps)
    assert is_grad_enabled() and (x * x).requires_grad and (x * x).node.level == 0
    steps.close()
    assert x.grad is None
    y.backward()
    assert x.grad.item() == pytest.approx(np.exp(2) * np.exp(np.exp(2)))


def test_create_graph_records_and_what_runs_between_steps_is_plain():
    x = leaf(2.0)
    for step in debug.step_through(x**3, create_graph=True):
        assert step.gradients[0].requires_grad and (x * 1.0).node.level == 0
    assert grad(x.grad, x)[0].item() == 12
    x.grad = None


def test_hooks_are_honoured():
    x = leaf(2.0)
    y = x * 3
    y.register_hook(lambda g: g * 10)
    y.retain_grad()
    steps = list(debug.step_through(y * 5))
    assert [s.g.item() for s in steps] == [1, 50]
    assert y.grad.item() == 50 and x.grad.item() == 150


def test_the_same_errors_as_backward():
    x = leaf([1.0, 2.0])
    with pytest.raises(RuntimeError, match="step_through: a gradient can be implicitly created"):
        debug.step_through(x * 2)
    with pytest.raises(RuntimeError, match="step_through: output 0 does not require grad"):
        debug.step_through(tensor(1.0))
    y = (x * x).sum()
    assert len(list(debug.step_through(y, tensor(2.0, dtype="float64")))) == 2
    assert_array_equal(x.grad.numpy(), [4, 8])
    with pytest.raises(RuntimeError, match="a second time"):
        list(debug.step_through(y))
