"""Results are bit for bit the same on one, two and three threads."""

import numpy as np
import pytest
from strategies import numbers

import minigan
from minigan import fused, optim
from minigan.conv import Geometry, algorithm, cpu, dense
from minigan.cpu import threads


def the_same_bits(compute):
    """``compute()`` gives arrays; those of two and three threads are those of one."""
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for number in (1, 2, 3):
            patch.setattr(threads._team, "size", number)
            found.append([np.array(a) for a in compute()])
    for results in found[1:]:
        for one, other in zip(found[0], results, strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.fixture
def shared(monkeypatch):
    """The sizes of the loops that more than one thread had a part in."""
    sizes, share = [], threads._Team.share

    def counting(team, task, count):
        sizes.append(count)
        share(team, task, count)

    monkeypatch.setattr(threads._Team, "share", counting)
    return sizes


def single(seed, *shape):
    return numbers(seed, shape, dtype=np.float32)


def last(array):
    """The same with channels last in memory."""
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


STRIDED = Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1))
ONE_TAP = Geometry(16, 16, 1, 1)
CASES = [  # algorithm, geometry, channels in and out, routines
    ("dense", STRIDED, 32, 48, ("fprop", "dgrad", "wgrad")),
    ("dense", Geometry(13, 18, 3, 3), 32, 48, ("fprop", "dgrad", "wgrad")),
    ("winograd", STRIDED, 32, 48, ("fprop", "dgrad", "wgrad")),
    ("winograd", Geometry(15, 16, 3, 3), 32, 48, ("fprop", "dgrad", "wgrad")),
    ("residues", STRIDED, 32, 48, ("dgrad",)),
    ("im2col", STRIDED, 32, 48, ("fprop", "dgrad", "wgrad")),
    ("im2col", Geometry(16, 16, 3, 3, groups=4), 32, 48, ("fprop", "dgrad", "wgrad")),
    ("thin", STRIDED, 64, 3, ("fprop", "dgrad", "wgrad")),
    ("pointwise", ONE_TAP, 48, 64, ("fprop", "dgrad", "wgrad")),
    ("depthwise", Geometry(16, 16, 3, 3, groups=32), 32, 64, ("fprop", "dgrad", "wgrad")),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{c[0]} {c[1].R}×{c[1].S}" for c in CASES])
def test_convolutions(case, shared):
    name, g, c, k, routines = case
    n = 24
    x, y = single(0, n, c, g.H, g.W), single(1, n, k, g.P, g.Q)
    w, operands = single(2, k, c // g.groups, g.R, g.S), {}
    operands = {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}
    for routine in routines:
        shared.clear()
        with algorithm(name):
            assert cpu.choose(routine, g, n, c, k) == name
            the_same_bits(lambda r=routine: [getattr(cpu, r)(g, *operands[r])])
        assert shared, routine  # it was large enough to be cut


HALVED = Geometry(64, 64, 4, 4, (2, 2), (1, 1, 1, 1))
ALONE = [  # the same, and how many parts the threads have in each routine
    ("im2col", HALVED, 32, 48, {"fprop": 2, "dgrad": 2, "wgrad": 2}),
    ("im2col", Geometry(128, 128, 4, 4, (2, 2), (1,) * 4), 32, 48, {"fprop": 4, "dgrad": 2}),
    ("im2col", Geometry(65, 64, 5, 5, (3, 3)), 32, 48, {"fprop": 2, "dgrad": 3, "wgrad": 2}),
    ("im2col", Geometry(48, 48, 3, 3), 32, 48, {"fprop": 2, "dgrad": 2, "wgrad": 2}),
    ("residues", Geometry(48, 48, 3, 3), 32, 48, {"dgrad": 2}),
    ("thin", Geometry(128, 128, 5, 5), 64, 4, {"fprop": 2, "dgrad": 2}),
    ("pointwise", Geometry(64, 64, 1, 1), 64, 64, {"fprop": 2, "dgrad": 2, "wgrad": 4}),
    ("pointwise", Geometry(28, 28, 1, 1), 128, 128, {"wgrad": 2}),
]


@pytest.mark.parametrize("case", ALONE, ids=[f"{c[0]} {c[1].H} {c[1].R}×{c[1].S}" for c in ALONE])
def test_a_single_image(case, shared):
    """Threads share its rows, its products, or its residues modulo the stride."""
    name, g, c, k, parts = case
    x, w, y = single(0, 1, c, g.H, g.W), single(2, k, c, g.R, g.S), single(1, 1, k, g.P, g.Q)
    operands = {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}
    for routine, expected in parts.items():
        shared.clear()
        with algorithm(name):
            the_same_bits(lambda r=routine: [getattr(cpu, r)(g, *operands[r])])
        assert set(shared) == {expected}, routine


def test_places_of_a_transform_are_shared_by_several_calls(shared):
    g = Geometry(14, 14, 4, 4, (2, 2), (1, 1, 1, 1))
    x, w = single(0, 16, 64, 14, 14), single(2, 128, 64, 4, 4)
    with algorithm("dense"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(threads._team, "size", 2)
        patch.setattr(dense, "CALLS", 7)
        cpu.fprop(g, x, w)
        patch.setattr(dense, "CALL", 1)
        cpu.fprop(g, x, w)
    assert {7, 40} < set(shared)  # loops: 40 places, 6 at a time; one at a time


@pytest.mark.parametrize("order", [np.ascontiguousarray, last], ids=["NCHW", "NHWC"])
def test_normalisation_and_its_sums(order, shared):
    """Of 2.2 million numbers, whose last block is a part of one."""
    x, g = order(single(0, 17, 32, 64, 64)), order(single(1, 17, 32, 64, 64))
    dims = (0, 2, 3)
    w, b = single(2, 1, 32, 1, 1), single(3, 1, 32, 1, 1)

    def compute():
        y, mean, var = fused.normalise(x, w, b, dims, 1e-5, 0.2)
        back = fused.normalise_grad(g, x, y, w, None, mean, var, dims, 1e-5, 0.2)
        return y, mean, var, *back, fused.total(x, dims, False, x.dtype)

    the_same_bits(compute)
    assert shared


@pytest.mark.parametrize("slope", [0.0, 0.2])
@pytest.mark.parametrize("order", [np.ascontiguousarray, last], ids=["NCHW", "NHWC"])
def test_activations(order, slope, shared):
    x, g = order(single(0, 9, 32, 63, 65)), single(1, 9, 32, 63, 65)
    the_same_bits(lambda: [fused.leaky_relu(x, slope), fused.leaky_relu_grad(g, x, slope)])
    assert shared


@pytest.mark.parametrize("shape", [(999, 301, 77), (64, 1000, 2050), (2050, 1000, 64)], ids=str)
def test_products(shape, shared):
    n, k, m = shape
    a, b = single(0, n, k), single(1, k, m)
    the_same_bits(lambda: [fused.matmul(a, b), fused.matmul(b.T, a.T)])
    assert shared


OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1, nesterov=True),
    "Adam": lambda p: optim.Adam(p, 0.01, weight_decay=0.1, amsgrad=True),
    "AdamW": lambda p: optim.AdamW(p, 0.01, maximize=True),
    "RMSprop": lambda p: optim.RMSprop(p, 0.01, centered=True, momentum=0.5),
}


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_optimizers(name, shared):
    """Three steps of a large parameter and a small one; the gradient lies in another order."""
    start, small = single(0, 700, 1003), single(1, 5)

    def compute():
        p, q = (minigan.tensor(v, requires_grad=True) for v in (start, small))
        optimizer = OPTIMIZERS[name]([p, q])
        for i in range(3):
            p.grad = minigan.tensor(np.asfortranarray(single(i, 700, 1003)))
            q.grad = minigan.tensor(single(i, 5))
            optimizer.step()
        return p.array, q.array

    the_same_bits(compute)
    assert shared
