"""float32 in, float32 out: every public function, its gradients to order 2, every step between.

Under NumPy 2 one array made of a Python float, or one float64 scalar, turns the rest of a program
into float64: nothing fails, all is twice as slow.  So every Function that runs is watched.
"""

import inspect
import operator

import numpy as np
import pytest
from programs import OTHERS, TABLE, wide

import minigan
from minigan import Function, nn, tensor
from minigan.nn import functional as F
from minigan.ops._common import Cast

NUMBERS = [2, 0.5, True, wide(0.5), np.float32(0.5), np.int64(2)]
OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


@pytest.fixture
def watched(monkeypatch):
    """Fails the test at the first Function that gives a float other than float32, or converts."""
    call = Function.__call__

    def checked(self, *inputs):
        result = call(self, *inputs)
        assert result.dtype.kind != "f" or result.dtype == np.float32, type(self).__name__
        if isinstance(self, Cast):  # a mask may become float32, but nothing is wider to begin with
            assert inputs[0].dtype.kind != "f", "a conversion in a program of float32 only"
        return result

    monkeypatch.setattr(Function, "__call__", checked)


def check(f, shapes):
    rng = np.random.default_rng(0)
    xs = [tensor(rng.uniform(0.3, 1.2, s).astype(np.float32), requires_grad=True) for s in shapes]
    value = f(*xs)
    assert value.dtype == np.float32
    plain = minigan.grad(value.sum(), xs, retain_graph=True, allow_unused=True)
    assert all(g is None or g.dtype == np.float32 for g in plain)
    for _ in range(2):
        gradients = minigan.grad(
            (value * value).sum(), xs, create_graph=True, allow_unused=True, materialize_grads=True
        )
        assert all(g.dtype == np.float32 for g in gradients)
        value = minigan.cat([g.flatten() for g in gradients])
        if not value.requires_grad:
            break


ROWS = [(name, f, shapes) for name, (shapes, *programs) in TABLE.items() for f in programs]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(("f", "shapes"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_float32_stays_float32_to_order_2(f, shapes):
    check(f, shapes)


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("operation", OPERATORS, ids=lambda f: f.__name__)
def test_numbers_of_every_kind_on_either_side_do_not_widen(operation):
    for number in NUMBERS:
        check(lambda x, number=number: operation(x, number), [(2, 3)])
        check(lambda x, number=number: operation(number, x), [(2, 3)])


@pytest.mark.usefixtures("watched")
def test_a_training_step_runs_in_float32_throughout():
    """Layers, losses and an optimizer's update; parameters, buffers and gradients."""
    net = nn.Sequential(
        nn.Conv2d(2, 3, 3, 2, 1),
        nn.BatchNorm2d(3),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(27, 1),
    )
    optimizer = minigan.optim.Adam(net.parameters(), 1e-3)
    loss = nn.BCEWithLogitsLoss()(net(minigan.randn(4, 2, 5, 5)), minigan.ones(4, 1))
    loss.backward()
    optimizer.step()
    assert loss.dtype == np.float32
    for value in (*net.parameters(), *net.buffers(), *[p.grad for p in net.parameters()]):
        assert value.dtype.kind == "i" or value.dtype == np.float32


@pytest.mark.parametrize("namespace", [minigan, F], ids=["minigan", "functional"])
def test_every_public_function_is_in_the_table(namespace):
    """A new function needs a row in programs.TABLE, or a place among OTHERS."""
    public = getattr(namespace, "__all__", None) or [n for n in dir(namespace) if n[0] != "_"]
    functions = {n for n in public if callable(getattr(namespace, n))}
    functions -= {n for n in functions if inspect.ismodule(getattr(namespace, n))}
    assert functions - set(TABLE) - set(OTHERS.split()) == set()
