"""Fused operations as a GPU computes them: by which kernels, with the numbers of plain array calls.

The kernels run in the emulator, and arrays are NumPy's that pose as a GPU's.
"""

import numpy as np
import pytest
from kernels.posing import pose
from machine import needs_emulator
from numpy.testing import assert_allclose, assert_array_equal

import minigan
from minigan import fused, nn
from minigan.fused import plain

pytestmark = needs_emulator
DIMS = (0, 2, 3)


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture
def launched(monkeypatch):
    return pose(monkeypatch)


def close(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert_allclose(found, expected, rtol=2e-6, atol=2e-6)


ELEMENTWISE = {
    "leaky_relu": (1, (0.2,), "bias_act"),
    "sigmoid": (1, (), "smooth"),
    "softplus": (1, (), "smooth"),
    "logistic": (3, (), "logistic"),
    "leaky_relu_grad": (2, (0.2,), "backward"),
}


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 4), (), (1,)])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_elementwise(launched, name, shape):
    count, options, kernel = ELEMENTWISE[name]
    arrays = [np.asarray(draw(i, *shape)) for i in range(count)]
    before = [a.copy() for a in arrays]
    close(getattr(fused, name)(*arrays, *options), getattr(plain, name)(*arrays, *options))
    assert launched == [kernel]
    for now, then in zip(arrays, before, strict=True):
        assert_array_equal(now, then)


def test_a_relu_of_infinity_is_zero_not_nan(launched):
    x = np.array([-np.inf, np.inf, np.nan, -1.0], np.float32)
    assert_array_equal(fused.leaky_relu(x, 0.0), [0, np.inf, np.nan, 0])
    assert launched == ["bias_act"]


@pytest.mark.parametrize(
    "made",
    [
        lambda x: x.astype(np.float64),
        lambda x: x.astype(np.complex64),
        lambda x: x.T,
        lambda x: x[:, ::2],
        lambda x: x[:0],
    ],
    ids=["float64", "complex", "transposed", "strided", "empty"],
)
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_what_the_kernels_are_not_made_for_goes_the_plain_way(launched, name, made):
    count, options, _ = ELEMENTWISE[name]
    arrays = [made(draw(i, 4, 6)) for i in range(count)]
    expected = getattr(plain, name)(*arrays, *options)
    found = getattr(fused, name)(*arrays, *options)
    assert found.dtype == expected.dtype
    assert_array_equal(found, expected)
    assert launched == []


def sigma(x):
    return 1 / (1 + np.exp(-x))


GRADIENTS = {  # arrays, the formula, the kernel
    "tanh_grad": (2, lambda g, y: g * (1 - y * y), "backward"),
    "sigmoid_grad": (2, lambda g, y: g * y * (1 - y), "backward"),
    "logistic_grad": (
        4,
        lambda g, x, p, q: g * (q * sigma(x) - p * sigma(-x)),
        "logistic_backward",
    ),
}


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 4), (), (1,)])
@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_that_a_gpu_computes_in_one_launch(launched, name, shape):
    """They are the formulas, also for a g that lies otherwise in memory; nothing else changes."""
    count, formula, kernel = GRADIENTS[name]
    arrays = [np.asarray(draw(i, *shape)) for i in range(count)]
    before = [a.copy() for a in arrays]
    exact = formula(*(a.astype(np.float64) for a in arrays))
    for g in (arrays[0], arrays[0].copy("F")):
        found = getattr(fused, name)(g, *arrays[1:])
        assert found.dtype == np.float32 and found.shape == shape
        assert_allclose(found, exact, rtol=2e-6, atol=2e-6)
    assert launched == [kernel] * 2
    for now, then in zip(arrays, before, strict=True):
        assert_array_equal(now, then)


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradients_that_no_kernel_is_made_for_go_the_plain_way(monkeypatch, launched, name):
    """Other dtypes, strides and sizes; older GPUs."""
    count, formula, _ = GRADIENTS[name]
    arrays = [draw(i, 4, 6) for i in range(count)]

    def assert_plain(*given, rtol=2e-6):
        found = getattr(fused, name)(*given)
        assert found.dtype == np.result_type(*given)
        assert_allclose(found, formula(*given), rtol=rtol, atol=rtol)

    assert_plain(*(a.astype(np.float64) for a in arrays), rtol=1e-14)
    assert_plain(*(a[:, ::2] for a in arrays))
    assert_plain(*(a[:0] for a in arrays))
    assert_plain(arrays[0][:1], *arrays[1:])
    assert_plain(arrays[0].astype(np.float64), *arrays[1:])
    assert launched == []
    launched = pose(monkeypatch, capability=70)
    assert_plain(*arrays)
    assert launched == []


def test_an_older_gpu_goes_the_plain_way(monkeypatch):
    launched = pose(monkeypatch, capability=70)
    x = draw(0, 4, 6)
    assert_array_equal(fused.sigmoid(x), plain.sigmoid(x))
    assert launched == []


@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("affine", [True, False])
def test_normalise(launched, slope, affine):
    x = draw(0, 5, 3, 4, 4)
    w, b = (draw(1, 1, 3, 1, 1), draw(2, 1, 3, 1, 1)) if affine else (1.0, 0.0)
    found = fused.normalise(x, w, b, DIMS, 1e-5, slope)
    for a, e in zip(found, plain.normalise(x, w, b, DIMS, 1e-5, slope), strict=True):
        close(a, e)
    assert launched == ["norm_sum", "norm_centred", "norm_apply"]


def test_a_norm_over_other_dimensions_goes_the_plain_way(launched):
    x = draw(0, 5, 3, 4, 4)
    fused.normalise(x, 1.0, 0.0, (1, 2, 3), 1e-5)
    fused.normalise(x, np.float32(2.0).reshape(()), 0.0, DIMS, 1e-5)
    assert launched == []


class Net(nn.Module):
    """What a critic and a generator are made of, but for convolutions."""

    def __init__(self, seed):
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm2d(3), nn.LeakyReLU(0.2), nn.Flatten())
        self.linear = nn.Linear(48, 4, bias=False)  # its gradient would be rounding alone
        self.norm = nn.BatchNorm1d(4)
        rng = np.random.default_rng(seed)
        with minigan.no_grad():
            for p in self.parameters():
                p.copy_(rng.standard_normal(p.shape, np.float32))

    def forward(self, x):
        return minigan.tanh(self.norm(self.linear(self.layers(x))))


def trained(seed=0, steps=3):
    """Losses, parameters and buffers of a small network after a few steps."""
    net, losses = Net(seed), []
    optimizer = minigan.optim.Adam(net.parameters(), 0.01)
    for step in range(steps):
        x = minigan.tensor(draw(100 + step, 6, 3, 4, 4), requires_grad=True)
        logits = net(x)
        ones = minigan.ones(*logits.shape)
        loss = nn.functional.binary_cross_entropy_with_logits(logits * 3, ones)
        loss = loss + (logits.sigmoid() - 0.5).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    state = {k: v.numpy().copy() for k, v in net.state_dict().items()}
    return losses, {**state, "x.grad": x.grad.numpy().copy()}


def test_a_network_learns_the_same_as_on_the_cpu(monkeypatch):
    """Forward, backward, running statistics and optimizer, through the kernels and without."""
    losses, state = trained()
    with monkeypatch.context() as patch:
        launched = pose(patch)
        ours, found = trained()
    assert_allclose(ours, losses, rtol=1e-5)
    for name, expected in state.items():
        assert_allclose(found[name], expected, rtol=2e-3, atol=2e-5, err_msg=name)
    assert launched[:20] == [
        *("norm_sum", "norm_centred", "norm_apply", "average") * 2,
        *("logistic", "smooth", "backward", "logistic_backward", "backward"),
        *("norm_backward_sums", "norm_backward") * 2,
        *("settings", "adam_step", "adam"),
    ]
    assert launched.count("settings") == 1 and launched.count("adam") == 3


def test_a_penalty_is_differentiated_twice_as_on_the_cpu(monkeypatch):
    """Recorded gradients are made of Tensors, to any order."""

    def second():
        net = Net(1)
        x = minigan.tensor(draw(7, 6, 3, 4, 4), requires_grad=True)
        (g,) = minigan.grad(net(x).sum(), x, create_graph=True)
        ((g * g).sum()).backward()
        return [p.grad.numpy() for p in net.parameters()]

    expected = second()
    pose(monkeypatch)
    for found, exact in zip(second(), expected, strict=True):
        assert_allclose(found, exact, rtol=1e-3, atol=1e-4)


def test_a_bias_that_changes_before_the_backward_pass_does_not_matter(launched):
    """The gradient in x is that of the forward pass, also where its rectifier's kink has moved."""
    x = minigan.tensor(draw(3, 6, 3, 4, 4), requires_grad=True)
    gradients = []
    for change in (0.0, 5.0):
        net = nn.Sequential(nn.BatchNorm2d(3), nn.ReLU())
        y = net(x)
        with minigan.no_grad():
            net[0].bias.add_(change)
        (g,) = minigan.grad((y * minigan.tensor(draw(4, *y.shape))).sum(), x)
        gradients.append(g.numpy())
    assert_array_equal(*gradients)
    assert launched.count("norm_backward") == 2


# -- whole networks


def arrays_of(seed):
    return [draw(seed + i, *shape) for i, shape in enumerate([(3, 5), (7,), (), (0, 2)])]


def test_length_and_clipping(launched):
    arrays = arrays_of(0)
    exact = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))
    before = [a.copy() for a in arrays]
    assert_allclose(fused.length(arrays), exact, rtol=1e-6)
    assert_array_equal(arrays[0], before[0])
    assert_allclose(fused.length(arrays, 0.5), exact, rtol=1e-6)
    for a, b in zip(arrays, before, strict=True):
        assert_allclose(a, b * np.float32(0.5 / exact), rtol=1e-5)
    assert launched == ["squares", "total_norm", "squares", "total_norm", "clip"]


def test_limits_and_averages_of_a_network_are_one_launch(launched):
    arrays, means = arrays_of(4), arrays_of(8)
    expected = [np.clip(a, -0.5, 0.25) for a in arrays]
    fused.limit(arrays, -0.5, 0.25)
    mixed = [0.75 * m + 0.25 * a for m, a in zip(means, expected, strict=True)]
    fused.average(means, arrays, 0.75, 0.25)
    assert launched == ["limit", "average"]
    for found, exact in zip([*arrays, *means], [*expected, *mixed], strict=True):
        assert_allclose(found, exact, rtol=1e-6, atol=1e-7)


def test_arrays_that_the_kernels_cannot_take_are_done_one_by_one(launched):
    arrays = [draw(0, 4, 4), draw(1, 4, 8)[:, ::2]]
    expected = [np.clip(a, -0.5, 0.25) for a in arrays]
    assert fused.length(arrays) is None
    fused.limit(arrays, -0.5, 0.25)
    fused.average(arrays, [a.copy() for a in arrays], 0.5, 0.5)
    assert launched == []
    for found, exact in zip(arrays, expected, strict=True):
        assert_allclose(found, exact, rtol=1e-6)


def test_the_norm_and_limits_of_transposed_arrays(launched):
    arrays = [draw(0, 3, 4).T, draw(1, 2, 3, 4).transpose(2, 0, 1)]
    exact = np.sqrt(sum((a.astype(np.float64) ** 2).sum() for a in arrays))
    expected = [np.clip(a * np.float32(0.5 / exact), -0.01, 0.01) for a in arrays]
    assert_allclose(fused.length(arrays, 0.5), exact, rtol=1e-6)
    fused.limit(arrays, -0.01, 0.01)
    for a, e in zip(arrays, expected, strict=True):
        assert_allclose(a, e, rtol=1e-5)
    assert launched == ["squares", "total_norm", "clip", "limit"]


def test_clipping_gradients_does_not_wait_for_their_norm(monkeypatch):
    def clipped():
        params = [minigan.tensor(a, requires_grad=True) for a in arrays_of(12)]
        for p, g in zip(params, arrays_of(16), strict=True):
            p.grad = minigan.tensor(g)
        return params, nn.utils.clip_grad_norm_(params, 0.5)

    params, norm = clipped()
    with monkeypatch.context() as patch:
        launched = pose(patch)
        found, ours = clipped()
    assert launched == ["squares", "total_norm", "clip"]
    assert ours.shape == () and ours.dtype == norm.dtype
    assert_allclose(ours.numpy(), norm.numpy(), rtol=1e-6)
    for p, q in zip(found, params, strict=True):
        assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-5)
