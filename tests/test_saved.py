"""In which form values wait for their gradients: hooks of the user's, and BF16 under autocast."""

import gc
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import minigan
import minigan.nn.functional as F
from minigan import fused, nn
from minigan._autocast import LEAST
from minigan._saved import Packed
from minigan.autograd import graph


def drawn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def leaf(array):
    return minigan.tensor(array, requires_grad=True)


# -- hooks


def same(x):
    return x


def test_hooks_see_what_a_gradient_reads_and_give_it_back():
    seen, given = [], []

    def pack(x):
        assert not x.requires_grad and not minigan.is_grad_enabled()
        seen.append(x.numpy().copy())
        return len(seen) - 1

    def unpack(number):
        given.append(number)
        return minigan.tensor(seen[number])

    x, w = leaf(drawn(3)), leaf(drawn(3, seed=1))
    with graph.saved_tensors_hooks(pack, unpack):
        y = (x * w).exp() + x  # the product reads both factors, exp its result, the sum nothing
    product = x.detach() * w.detach()
    assert [a.tolist() for a in seen] == [x.tolist(), w.tolist(), product.exp().tolist()]
    assert not given
    y.sum().backward()
    assert sorted(given) == [0, 1, 2]
    assert_allclose(x.grad.numpy(), (product.exp() * w.detach() + 1).numpy(), rtol=1e-6)
    assert_allclose(w.grad.numpy(), (product.exp() * x.detach()).numpy(), rtol=1e-6)


def test_a_gradient_is_made_of_what_unpack_gives():
    x = leaf(np.float32([2, 3]))
    with graph.saved_tensors_hooks(lambda t: t * 10, same):
        y = x * x
    assert minigan.grad(y.sum(), x)[0].tolist() == [40, 60]


def test_they_work_to_any_order_and_are_asked_each_time():
    """∂³x⁴ = 24·x through packed values, kept for several passes."""
    x, count = leaf(np.float64([0.5, -2])), [0]

    def unpack(t):
        count[0] += 1
        return t

    with graph.saved_tensors_hooks(same, unpack):
        y = (x * x) * (x * x)
        (first,) = minigan.grad(y.sum(), x, create_graph=True)
        (second,) = minigan.grad(first.sum(), x, create_graph=True)
        (third,) = minigan.grad(second.sum(), x, retain_graph=True)
    once = count[0]
    assert_allclose(third.numpy(), 24 * x.detach().numpy())
    assert_array_equal(minigan.grad(second.sum(), x)[0].numpy(), third.numpy())
    assert count[0] > once


def test_blocks_do_not_add_up_and_end():
    calls = []
    outer = graph.saved_tensors_hooks(lambda x: calls.append("outer") or x, same)
    inner = graph.saved_tensors_hooks(lambda x: calls.append("inner") or x, same)
    x = leaf(drawn(2))
    with outer, inner:
        x.exp()
    with outer:
        with inner, pytest.raises(ZeroDivisionError):
            1 / 0  # noqa: B018
        x.exp()
    x.exp()
    assert calls == ["inner", "outer"]


def test_a_second_pass_and_changed_values_are_refused_as_without_hooks():
    x = leaf(drawn(2))
    with graph.saved_tensors_hooks(same, same):
        y = x.exp().sum()
        factor = minigan.ones(2)
        z = (x * factor).sum()
    y.backward()
    with pytest.raises(RuntimeError, match="have been freed"):
        y.backward()
    factor += 1
    with pytest.raises(RuntimeError, match="has been changed in place"):
        z.backward()


@pytest.mark.parametrize(
    ("unpack", "got"),
    [
        (lambda t: None, "got NoneType"),
        (lambda t: t.numpy(), "got ndarray"),
        (lambda t: t[:1], r"got one of shape \(1,\), float32, on cpu"),
        (lambda t: t.double(), r"got one of shape \(2,\), float64, on cpu"),
    ],
)
def test_another_thing_than_the_value_is_refused(unpack, got):
    x = leaf(drawn(2))
    with graph.saved_tensors_hooks(same, unpack):
        y = x.exp().sum()
    with pytest.raises(RuntimeError, match=rf"of shape \(2,\), float32, on cpu for Exp, {got}"):
        y.backward()


@pytest.mark.parametrize(
    "block",
    [
        lambda: graph.saved_tensors_hooks(same, same),
        graph.save_on_cpu,
        lambda: minigan.autocast("cpu"),
    ],
)
def test_a_graph_that_nobody_holds_goes_at_once(block):
    """No circle of references keeps its arrays until the collector comes."""
    x = leaf(drawn(LEAST))
    with block():
        inner = minigan.tanh(x)
        result = minigan.tanh(inner)
    kept = [weakref.ref(value.node.output) for value in (inner, result)]
    assert all(isinstance(value(), Packed) for value in kept)
    gc.disable()
    try:
        del inner, result
        assert [value() for value in kept] == [None, None]
    finally:
        gc.enable()


def test_hooks_have_to_be_functions():
    with pytest.raises(TypeError, match="pack_hook expects a function, got int"):
        graph.saved_tensors_hooks(1, same)
    with pytest.raises(TypeError, match="unpack_hook expects a function, got NoneType"):
        graph.saved_tensors_hooks(same, None)


def test_values_kept_on_the_cpu():
    x = leaf(drawn(2, 3))
    with graph.save_on_cpu(pin_memory=True):
        y = (x.tanh() * x).sum()
    (g,) = minigan.grad(y, x)
    t = np.tanh(x.detach().numpy())
    assert_allclose(g.numpy(), t + x.detach().numpy() * (1 - t * t), rtol=1e-5)


# -- BF16 under autocast


def network():
    """What all the functions that keep activations so are in, with an image of each size."""
    minigan.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 4, 3, 1, 1),
        nn.Sigmoid(),
        nn.Flatten(),
        nn.Linear(4 * 256, 64),
        nn.Tanh(),
        nn.Linear(64, 1),
    )


def kept(y):
    """(function, its number of arrays kept in BF16, and as they are) for the graph of y."""
    seen, stack, found = set(), [y.node], []
    while stack:
        node = stack.pop()
        if node in seen or node.function is None:
            continue
        seen.add(node)
        stack += [edge for edge in node.edges if edge is not None]
        values = [*(node.saved or ()), node.output]
        packed = [v for v in values if isinstance(v, Packed)]
        plain = [v for v in values if isinstance(v, (minigan.Tensor, np.ndarray))]
        found.append((type(node.function).__name__, packed, plain))
    return found


def test_activations_wait_in_bf16_and_are_kept_once():
    net, x = network(), minigan.tensor(drawn(16, 3, 16, 16))
    with minigan.autocast("cpu"):
        y = net(x)
    rows = kept(y)
    packed = {id(p): p for _, some, _ in rows for p in some}
    assert all(p.kept.dtype == np.uint16 and p.kept.shape == p.shape for p in packed.values())
    large = [v for _, _, some in rows for v in some if np.prod(v.shape) >= LEAST]
    assert all(v.shape == x.shape or v.shape == (1024, 64) for v in large)  # the filters, and x
    # Both rectifiers' results and what comes before BatchNorm; the sigmoid's, and as it is flat.
    # The tanh's are too few to be worth it.
    shapes = sorted(p.shape for p in packed.values())
    assert shapes == [(16, 4, 16, 16), (16, 8, 8, 8), *[(16, 8, 16, 16)] * 2, (16, 1024)]
    assert sum(len(some) for _, some, _ in rows) > len(packed)  # shared


def test_half_the_memory_waits():
    net, x = network(), minigan.tensor(drawn(64, 3, 16, 16))

    def bytes_of(y):
        arrays = {}
        for _, packed, plain in kept(y):
            for value in (*[p.kept for p in packed], *plain):
                array = value.array if isinstance(value, minigan.Tensor) else value
                if array.shape[:1] == (64,) and array.shape != x.shape:
                    arrays[id(array)] = array.nbytes
        return sum(arrays.values())

    full = bytes_of(net(x))
    with minigan.autocast("cpu"):
        low = bytes_of(net(x))
    assert 0.45 * full < low < 0.6 * full


def test_what_nobody_waits_for_is_let_go():
    from minigan import _autocast

    net, x = network(), minigan.tensor(drawn(16, 3, 16, 16))
    gc.collect()
    before = len(_autocast._kept)
    with minigan.autocast("cpu"):
        loss = net(x).sum()
        assert len(_autocast._kept) > before
        loss.backward()
    del loss
    gc.collect()
    assert len(_autocast._kept) == before


@pytest.mark.parametrize("transposed", [False, True])
def test_gradients_of_products_lose_nothing_by_it(transposed, monkeypatch):
    """Factors are rounded anyway, and a rectifier reads a sign: the same bits, to second order."""
    net = nn.Sequential(
        nn.ConvTranspose2d(4, 8, 4, 2, 1) if transposed else nn.Conv2d(4, 8, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 8, 3, 1, 1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * (1024 if transposed else 64), 64),
        nn.LeakyReLU(0.1),
        nn.Linear(64, 1),
    )
    x = leaf(drawn(32, 4, 16, 16))

    def gradients():
        with minigan.autocast("cpu"):
            (slope,) = minigan.grad(net(x).sum(), x, create_graph=True)
            penalty = ((slope**2).sum((1, 2, 3)).sqrt() - 1).square().mean()
        return [g.numpy() for g in minigan.grad(penalty, list(net.parameters())[::2])]

    low = gradients()
    monkeypatch.setattr("minigan._autocast.LEAST", 10**9)
    for got, expected in zip(low, gradients(), strict=True):
        assert_array_equal(got, expected)


def test_smooth_functions_read_eight_digits():
    """∂tanh and ∂σ from rounded results, BatchNorm's from a rounded image."""
    x = leaf(drawn(8, 4, 16, 16))
    with minigan.autocast("cpu"):
        inner = x * 1
        for function in (minigan.tanh, minigan.sigmoid):
            y = function(inner)
            low = fused.rounded(y.detach().numpy())
            slope = 1 - low * low if function is minigan.tanh else low * (1 - low)
            (g,) = minigan.grad(y.sum(), x, retain_graph=True)
            assert_allclose(g.numpy(), slope, rtol=1e-5, atol=1e-6)
        weights = minigan.tensor(drawn(8, 4, 16, 16, seed=1))
        normed = F.batch_norm(inner, training=True)
        (g,) = minigan.grad((normed * weights).sum(), x)
    near = minigan.tensor(fused.rounded(x.detach().numpy()), requires_grad=True)
    (exact,) = minigan.grad((F.batch_norm(near, training=True) * weights).sum(), near)
    assert_allclose(g.numpy(), exact.numpy(), atol=2e-3)


def test_what_a_result_is_given_later_is_kept_anew():
    """By ``data`` it gets other memory, with a count of changes of its own."""
    x, w = leaf(drawn(64, 64)), leaf(drawn(64, 2, seed=1))
    with minigan.autocast("cpu"):
        inner = x * 1
        before = inner @ w
        inner.data = minigan.ones(64, 64)
        after = inner @ w
    assert_array_equal(minigan.grad(after.sum(), w)[0].numpy(), np.full((64, 2), 64))
    with pytest.raises(RuntimeError, match="has been changed in place"):
        minigan.grad(before.sum(), w)


def test_what_is_kept_as_it_is():
    """Parameters and images given, few numbers, other functions, other dtypes, outside of a block,
    and where the user's own hooks are at work."""
    x = leaf(drawn(LEAST))
    with minigan.autocast("cpu"):
        inner = x * 1
        assert not kept(minigan.exp(inner))[0][1]  # not one of those functions
        assert not kept(x.reshape(64, 64) @ leaf(drawn(64, 2)))[0][1]
        assert kept(inner.reshape(64, 64) @ leaf(drawn(64, 2)))[0][1]
        assert not kept(inner[:-1].tanh())[0][1]
        assert not kept((x.double() * 1).tanh())[0][1]
        assert kept(F.leaky_relu(inner, 0.2))[0][1] and kept(inner.tanh())[0][1]
        with minigan.autocast("cpu", enabled=False):
            assert not kept(inner.tanh())[0][1]
        with graph.saved_tensors_hooks(same, same):
            assert [p.kept.dtype for p in kept(inner.tanh())[0][1]] == [np.float32]
    assert not kept(inner.tanh())[0][1]
    with minigan.autocast("cuda"):
        assert not kept(inner.tanh())[0][1]
