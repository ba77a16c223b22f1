"""Gradients of one's own: no leaf's gradient is seen by another leaf, or by anybody else."""

import mmap

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

import minigan
from minigan.array import exclusive
from minigan.cpu import memory

LARGE = (96, 200)  # of float32: more than memory.SMALL, so that it comes from the pool
KINDS = pytest.mark.parametrize(
    "new", [np.empty, memory.empty], ids=["NumPy's memory", "the pool's"]
)


@KINDS
def test_an_array_and_a_view_that_is_all_that_is_left_of_one(new):
    assert exclusive(new(LARGE, np.float32))
    for view in (
        lambda a: a.T,
        lambda a: a.reshape(-1),
        lambda a: a[:],
        lambda a: a.reshape(2, 48, 10, 20).transpose(0, 3, 1, 2),
        lambda a: a.T.reshape(200, 2, 48),
    ):
        alone = exclusive(view(new(LARGE, np.float32)))  # an assert would hold the array too
        assert alone


@KINDS
def test_a_view_of_what_somebody_holds_is_not(new):
    array = new(LARGE, np.float32)
    assert not exclusive(array.T)
    view = array.T
    other = view[:]
    del array
    assert not exclusive(view) and not exclusive(other)
    del other
    assert exclusive(view)


@KINDS
def test_a_part_or_a_repetition_is_not(new):
    """Not even when it is the only view: it is smaller, or its elements are one."""
    for part in (
        lambda a: a[1:],
        lambda a: a[::2],
        lambda a: np.broadcast_to(a[:1], (2, *LARGE)),
        lambda a: np.broadcast_to(a[:1], LARGE),
        lambda a: np.broadcast_to(a[0, 0], LARGE),
        lambda a: np.lib.stride_tricks.as_strided(a, LARGE, (0, 4)),
    ):
        alone = exclusive(part(new(LARGE, np.float32)))
        assert not alone


def test_somebody_elses_buffer_is_not(tmp_path):
    size = memory.SMALL
    for array in (
        np.frombuffer(bytearray(size), np.uint8),
        np.ndarray((size,), np.uint8, buffer=mmap.mmap(-1, size)),
        np.memmap(tmp_path / "file", np.uint8, "w+", shape=(size,)),
    ):
        assert not exclusive(array)


# --------------------------------------------------------------------- whole graphs

STEPS = {  # what a drawn program does with two values it has
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "double": lambda a, b: a + a,
    "transpose twice": lambda a, b: a.t().t() + b,
    "reshape": lambda a, b: a.reshape(-1).reshape(a.shape),
    "view": lambda a, b: a.t().reshape(a.shape) * 2,
    "sum and expand": lambda a, b: a.sum(0, keepdim=True).expand(a.shape) + b,
    "first row": lambda a, b: a[:1].expand(a.shape),
    "cat": lambda a, b: minigan.cat([a[:1], b[1:]]),
    "leaky": lambda a, b: minigan.nn.functional.leaky_relu(a, 0.2),
    "normalise": lambda a, b: minigan.batch_norm(a, training=True),
    "product": lambda a, b: (a @ b.t()) @ b,
    "flip": lambda a, b: a.flip(0),
    "detach": lambda a, b: a * b.detach(),
}


@settings(max_examples=150)
@given(
    shape=st.sampled_from([(2, 3), LARGE]),
    program=st.lists(
        st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 9), st.integers(0, 9)),
        max_size=5,
    ),
    given_gradient=st.sampled_from(["ones", "expanded", "transposed", "of the sum"]),
    twice=st.booleans(),
)
def test_gradients_of_leaves_are_their_own(shape, program, given_gradient, twice):
    """After backward, each leaf's gradient can be changed and nothing else changes.

    Not another leaf's gradient or value, the caller's gradient, or a value of the graph.
    """
    rng = np.random.default_rng(0)
    draws = rng.standard_normal((3, *shape)).astype(np.float32)
    leaves = [minigan.tensor(v, requires_grad=True) for v in draws]
    values = list(leaves)
    for name, i, j in program:
        values.append(STEPS[name](values[-1 - i % len(values)], values[j % len(values)]))
    last, others = values[-1], []
    if given_gradient == "of the sum":
        last, gradient = (last * last).sum() + leaves[0].sum(), None
    else:
        seed = np.ones(shape, np.float32)
        seed = np.broadcast_to(seed[:1], shape) if given_gradient == "expanded" else seed
        seed = seed.T.copy().T if given_gradient == "transposed" else seed
        gradient = minigan.from_numpy(seed.copy("K"))
        others.append(gradient.array)
    last.backward(gradient, retain_graph=True)
    if twice:
        last.backward(gradient, retain_graph=True)
    others += [v.array for v in values]
    gradients = [leaf.grad.array for leaf in leaves if leaf.grad is not None]
    for i, one in enumerate(gradients):
        assert one.flags.writeable
        kept = [v.copy() for v in others + gradients[:i] + gradients[i + 1 :]]
        one.fill(7)  # of a repeated element, every place would change at once
        one.reshape(-1)[:1] = 8
        rest = others + gradients[:i] + gradients[i + 1 :]
        for old, new in zip(kept, rest, strict=True):
            assert_array_equal(old, new)
        assert not any(np.shares_memory(one, v) for v in rest)
        assert np.count_nonzero(one == 8) <= 1


def test_a_gradient_that_is_repeated_can_be_changed():
    """Of the first of four sums: its gradient is one number, repeated as often as all four."""
    x = minigan.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    others = [minigan.tensor(float(i)) for i in range(3)]
    y = minigan.stack([x.sum(), *others])
    (y * y).sum().backward()
    x.grad[0] = 5.0
    x.grad.mul_(2.0)
    assert_array_equal(x.grad.numpy(), [10.0, 40.0, 40.0, 40.0])
