"""What is computed, what the graph keeps, and when it lets go."""

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import Function, grad, nn, tensor
from minigan import conv as routines
from minigan._tensor import Absent
from minigan._walk import plan


def leaf(value, dtype="float64"):
    return tensor(value, dtype=dtype, requires_grad=True)


# ------------------------------------------------------------------------------ what is computed


def critic_weights():
    rng = np.random.default_rng(0)
    return [leaf(rng.standard_normal(s)) for s in ((4, 3, 4, 4), (5, 4, 4, 4), (1, 5, 2, 2))]


@pytest.mark.parametrize(
    ("activation", "second"),
    [
        # Back through the gradient: fprop and wgrad of two layers, wgrad of the last.
        (lambda v: nn.functional.leaky_relu(v, 0.2), ["fprop"] * 2 + ["wgrad"] * 3),
        # A curved activation's slope depends on the values: down the first pass as well.
        (minigan.tanh, ["dgrad"] + ["fprop"] * 2 + ["wgrad"] * 5),
    ],
    ids=["leaky_relu", "tanh"],
)
def test_a_gradient_penalty_runs_only_the_convolutions_it_needs(monkeypatch, activation, second):
    """Three layers forward, three dgrads for ∂f/∂x (no wgrad), then what the penalty needs."""
    calls = []
    for name in ("fprop", "dgrad", "wgrad"):
        routine = getattr(routines, name)
        monkeypatch.setattr(
            routines, name, lambda *a, name=name, f=routine: calls.append(name) or f(*a)
        )
    w1, w2, w3 = critic_weights()
    x = leaf(np.random.default_rng(1).standard_normal((2, 3, 8, 8)))
    h = activation(minigan.conv2d(x, w1, stride=2, padding=1))
    h = activation(minigan.conv2d(h, w2, stride=2, padding=1))
    (g,) = grad(minigan.conv2d(h, w3).sum(), x, create_graph=True)
    assert sorted(calls) == ["dgrad"] * 3 + ["fprop"] * 3
    calls.clear()
    (g * g).sum().backward(inputs=[w1, w2, w3])
    assert sorted(calls) == second


def test_a_frozen_network_costs_no_weight_gradients(monkeypatch):
    """The generator's step through a frozen discriminator."""
    monkeypatch.setattr(routines, "wgrad", lambda *args: pytest.fail("wgrad was called"))
    x = leaf(np.ones((1, 3, 8, 8)))
    h = x
    for w in critic_weights():
        h = minigan.conv2d(h, w.requires_grad_(False), stride=2, padding=1)
    h.sum().backward()
    assert x.grad.shape == x.shape


def test_a_gradient_by_a_recent_value_does_not_walk_the_older_graph():
    """Nodes older than the oldest wanted input cannot lie between it and the outputs."""
    x = leaf(1.0)
    old = x
    for _ in range(1000):
        old = old + 1
    y = old * 2
    z = y * old
    order, useful = plan([z.node], {y.node})
    assert len(order) == 2 and useful == {z.node, y.node}


# ------------------------------------------------------------------------------ what is kept


def test_values_that_no_wanted_gradient_reads_are_not_kept():
    """x·w with only w wanted keeps x; Absent stands for w, with shape and dtype."""
    x, w = tensor([1.0, 2.0]), leaf([3.0, 4.0], "float32")
    saved = (x * w).node.saved
    assert saved[0] is x
    assert isinstance(saved[1], Absent)
    assert (saved[1].shape, saved[1].dtype, saved[1].ndim) == ((2,), np.float32, 1)
    for node in (
        (x + w).node,
        w.exp().node,  # reads its output, not its input
        w.sum().node,
        w.reshape(2, 1).node,
        nn.functional.leaky_relu(w).node,
    ):
        assert all(isinstance(s, Absent) for s in node.saved)
    assert (x + w).node.output is None and w.exp().node.output is not None


def test_an_operand_that_is_not_kept_dies_with_its_last_user():
    """Additions keep nothing: the arrays in a long sum are gone at once."""
    x = leaf(np.ones(4))
    y = x * 2
    alive = weakref.ref(y.array)
    z = y + 1
    del y
    assert alive() is None
    z.sum().backward()
    assert_array_equal(x.grad.numpy(), np.full(4, 2.0))


def test_buffers_are_freed_while_backward_goes_down():
    """When a node's vjp runs, what the nodes above it had saved is gone already."""
    arrays, counts = [], []

    class Spy(Function):
        def forward(self, x):
            return x * 1

        def vjp(self, needs, g, y, x):
            counts.append(sum(ref() is not None for ref in arrays))
            return (g,)

    x = leaf(np.full(5, 0.1))
    y = x
    for _ in range(4):
        y = Spy()(y).tanh()
        arrays.append(weakref.ref(y.array))
    loss = y.sum()
    del y
    loss.backward()
    # Below each tanh its own saved output is the last that may still be there.
    assert counts == sorted(counts, reverse=True) and counts[-1] <= 1
    assert not any(ref() is not None for ref in arrays)


def test_no_reference_cycles_even_after_differentiating_twice():
    """Everything of a step goes by reference counting: the garbage collector finds nothing."""
    weights = critic_weights()
    scale, shift = leaf(np.ones(4)), leaf(np.zeros(4))

    def step():
        x = leaf(np.random.default_rng(1).standard_normal((4, 3, 8, 8)))
        h = minigan.conv2d(x, weights[0], stride=2, padding=1)
        h = nn.functional.batch_norm(h, weight=scale, bias=shift, training=True).tanh()
        h = nn.functional.leaky_relu(minigan.conv2d(h, weights[1], stride=2, padding=1), 0.2)
        score = minigan.conv2d(h, weights[2])
        (g,) = grad(score.sum(), x, create_graph=True)
        norms = (g * g).flatten(1).sum(1).sqrt()
        (((norms - 1) ** 2).mean() + score.mean()).backward()
        for p in (*weights, scale, shift):
            assert p.grad is not None
            p.grad = None

    step()
    gc.collect()
    gc.disable()
    try:
        step()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_chain_of_100_000_nodes_needs_no_recursion():
    """Forward, backward and letting go."""
    x = leaf(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1e-5
    y = y * y
    assert grad(y, x, retain_graph=True)[0].item() == pytest.approx(4.0)
    y.backward()
    del y
    assert x.grad.item() == pytest.approx(4.0)


# ------------------------------------------------------------------------------ a second pass


def test_a_graph_can_be_used_once_unless_it_is_retained():
    x = leaf(3.0)
    y = x * x
    assert grad(y, x, retain_graph=True)[0].item() == 6
    assert grad(y, x)[0].item() == 6
    with pytest.raises(RuntimeError, match=r"a second time.* give retain_graph=True"):
        grad(y, x)


def test_create_graph_retains_unless_told_otherwise():
    x = leaf(3.0)
    y = x * x
    grad(y, x, create_graph=True)
    grad(y, x, create_graph=True, retain_graph=False)
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_what_kept_no_values_can_be_used_again():
    """As in PyTorch: a sum has nothing to free."""
    x = leaf([1.0, 2.0])
    y = x.sum() + 1
    y.backward()
    y.backward()
    assert_array_equal(x.grad.numpy(), [2, 2])
