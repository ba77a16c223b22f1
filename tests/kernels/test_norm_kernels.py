"""Batch normalisation on the GPU's kernels: against float64 formulas, and bits that never vary."""

import numpy as np
import pytest
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

from minigan.cuda import norm
from minigan.cuda.launch import LaunchError

U = 2.0**-24  # half the distance of 1 to the next float32
EPS = 1e-5
SHAPES = [(2, 1, 1, 1), (3, 3, 5, 7), (2, 7, 4, 4), (1, 17, 3, 3), (9, 65), (41, 3, 9, 9)]


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def by_channel(x):
    """(C, numbers of one channel) in float64."""
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1).astype(np.float64)


def like(rows, x):
    """The way back."""
    return np.moveaxis(rows.reshape(x.shape[1], x.shape[0], *x.shape[2:]), 0, 1)


class Case:
    """A batch, its parameters, and everything as float64 formulas say, rounding errors apart."""

    def __init__(self, shape, slope, shift=0.0, seed=0):
        c = shape[1]
        self.slope = slope
        self.x = draw(seed, *shape) + np.float32(shift)
        self.weight, self.bias = draw(seed + 1, c), draw(seed + 2, c)
        self.running = draw(seed + 3, c), abs(draw(seed + 4, c))
        rows = by_channel(self.x)
        self.count = rows.shape[1]
        self.mean, self.var = rows.mean(axis=1), rows.var(axis=1)
        self.inverse = 1 / np.sqrt(self.var + EPS)
        self.centred = rows - self.mean[:, None]
        self.z = (
            self.centred * (self.inverse * self.weight)[:, None]
            + self.bias.astype(np.float64)[:, None]
        )

    def forward(self, backend="emulator", seed=0):
        y = np.full_like(self.x, np.nan)
        mean, var = np.full((2, self.x.shape[1]), np.nan, np.float32)
        moved = [a.copy() for a in self.running]
        plan = norm.batch_norm(
            self.x, y, mean, var, self.weight, self.bias, *moved, 0.1, EPS, self.slope
        )
        self.slices = plan[0].grid[1]
        run(poisoned(plan, self.x, self.weight, self.bias, *moved), backend, seed=seed)
        return y, mean, var, *moved

    def backward(self, g, mean, var, backend="emulator", seed=0):
        dx = np.full_like(self.x, np.nan)
        dweight, dbias = np.full((2, self.x.shape[1]), np.nan, np.float32)
        plan = norm.batch_norm_backward(
            g, self.x, mean, var, dx, self.weight, self.bias, dweight, dbias, EPS, self.slope
        )
        run(poisoned(plan, g, self.x, mean, var, self.weight, self.bias), backend, seed=seed)
        return dx, dweight, dbias

    @property
    def additions(self):
        """How many additions stand between a number and the sum it goes into."""
        return self.count / 256 + 8 + 8 + norm.channel_grid(self.x, 1)[1]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_forward(shape, slope, backend):
    case = Case(shape, slope)
    y, mean, var, *moved = case.forward(backend)
    size = abs(by_channel(case.x)).mean(axis=1)
    error = (case.additions + 4) * U
    assert (abs(mean - case.mean) <= 2 * error * size).all()
    assert (abs(var - case.var) <= 2 * error * (case.var + U * size**2)).all()
    z = like(case.z, case.x)
    # A relative error of the variance is half of one in z; the mean's error counts in deviations.
    scale = abs(case.inverse * case.weight)[:, None]
    bound = abs(case.centred) * scale * (2 * error + 8 * U) + 4 * U * abs(case.z)
    bound += 2 * error * size[:, None] * scale + 4 * U * abs(case.bias)[:, None]
    assert (abs(y - np.where(z > 0, z, slope * z)) <= like(bound, case.x)).all()
    unbiased = case.var * case.count / (case.count - 1)
    for found, before, batch in zip(moved, case.running, (case.mean, unbiased), strict=True):
        expected = 0.9 * before.astype(np.float64) + 0.1 * batch
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("slope", [1.0, 0.2, 0.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_backward(shape, slope, backend):
    case = Case(shape, slope)
    _, mean, var, *_ = case.forward()
    g = draw(9, *shape)
    dx, dweight, dbias = case.backward(g, mean, var, backend)
    # Where z is so near 0 that rounding decides its sign, either derivative is right: no such case.
    assert abs(case.z).min() > 1e-5
    h = by_channel(g) * np.where(case.z > 0, 1, slope)
    product = (h * case.centred).sum(axis=1)
    scale = case.inverse * case.weight
    level, slant = h.mean(axis=1), product / case.count * case.inverse**2
    expected = scale[:, None] * (h - level[:, None] - case.centred * slant[:, None])
    terms = abs(h) + abs(h).mean(axis=1)[:, None]
    terms += abs(case.centred) * (
        abs(h * case.centred).mean(axis=1) * case.inverse**2
    )[:, None]  # fmt: skip
    error = 2 * (case.additions + 16) * U
    spread = 1 + abs(by_channel(case.x)).mean(axis=1) * case.inverse  # the mean's own error
    bound = error * abs(scale * spread**2)[:, None] * terms
    assert (abs(by_channel(dx) - expected) <= bound).all()
    size = abs(h * case.centred).sum(axis=1) + abs(h).sum(axis=1) / case.inverse
    assert (abs(dweight - product * case.inverse) <= error * spread * case.inverse * size).all()
    assert (abs(dbias - h.sum(axis=1)) <= error * abs(h).sum(axis=1)).all()


def test_the_gradient_is_orthogonal_to_what_normalisation_removes():
    """Adding a constant to a channel changes nothing, so Σ dx = 0; nor does a scale: Σ dx·x = 0."""
    case = Case((8, 5, 6, 6), 0.2)
    _, mean, var, *_ = case.forward()
    dx, *_ = case.backward(draw(9, *case.x.shape), mean, var)
    rows, scale = by_channel(dx), abs(by_channel(dx)).sum(axis=1)
    assert (abs(rows.sum(axis=1)) <= 1e-6 * scale).all()
    # With ε the second holds up to a share of ε/σ².
    assert (abs((rows * case.centred).sum(axis=1)) <= 1e-4 * scale).all()


@pytest.mark.parametrize("shift", [1e3, 1e5])
def test_a_mean_far_from_zero_does_not_cost_the_variance(shift):
    """At μ = 1000 σ, E[x²] - μ² in float32 would leave no digit; two passes leave five.

    At 100,000 σ the mean's rounding is itself some percent of σ, and has to be corrected.
    """
    case = Case((32, 3, 8, 8), 1.0, shift=shift)
    _, mean, var, *_ = case.forward()
    np.testing.assert_allclose(mean, case.mean, rtol=U)
    np.testing.assert_allclose(var, case.var, rtol=1e-5)


def test_whole_numbers_are_summed_exactly():
    rng = np.random.default_rng(1)
    x = rng.integers(-8, 9, (4, 3, 8, 8)).astype(np.float32)  # 256 numbers a channel
    y, (mean, var) = np.empty_like(x), np.empty((2, 3), np.float32)
    run(norm.batch_norm(x, y, mean, var))
    assert np.array_equal(mean, by_channel(x).mean(axis=1).astype(np.float32))
    g = rng.integers(-8, 9, x.shape).astype(np.float32)
    dbias = np.empty(3, np.float32)
    run(norm.batch_norm_backward(g, x, mean, var, np.empty_like(x), dbias=dbias))
    assert np.array_equal(dbias, by_channel(g).sum(axis=1))


def test_without_parameters_they_are_one_and_zero():
    case = Case((3, 5, 4, 4), 1.0)
    case.weight, case.bias = np.ones(5, np.float32), np.zeros(5, np.float32)
    y, mean, var, *_ = case.forward()
    bare = np.empty_like(y)
    run(norm.batch_norm(case.x, bare, np.empty_like(mean), np.empty_like(var)))
    assert np.array_equal(y, bare)
    g, bare = draw(9, *y.shape), np.empty_like(y)
    run(norm.batch_norm_backward(g, case.x, mean, var, bare))
    assert np.array_equal(case.backward(g, mean, var)[0], bare)


def test_a_constant_channel_gives_the_bias():
    x = np.full((2, 3, 2, 2), 3.7, np.float32)
    y, (mean, var) = np.empty_like(x), np.empty((2, 3), np.float32)
    bias = draw(0, 3)
    run(norm.batch_norm(x, y, mean, var, bias=bias))
    assert np.array_equal(var, np.zeros(3)) and np.array_equal(mean, x[0, :, 0, 0])
    assert np.array_equal(y, np.broadcast_to(bias.reshape(1, 3, 1, 1), x.shape))


def test_in_place_gradient():
    case = Case((3, 5, 4, 4), 0.2)
    _, mean, var, *_ = case.forward()
    g = draw(9, *case.x.shape)
    dx, *_ = case.backward(g, mean, var)
    run(norm.batch_norm_backward(g, case.x, mean, var, g, case.weight, case.bias, slope=0.2))
    assert np.array_equal(g, dx)


def test_the_same_bits_in_every_order():
    case, results = Case((33, 6, 16, 16), 0.2), set()
    g = draw(9, *case.x.shape)
    for seed in (0, 1, 2, 3):
        y, mean, var, *moved = case.forward(seed=seed)
        assert case.slices > 1
        gradients = case.backward(g, mean, var, seed=seed)
        results.add(b"".join(a.tobytes() for a in (y, mean, var, *moved, *gradients)))
    assert len(results) == 1


def test_the_compile_gate_knows_every_configuration():
    chosen = []
    for shape in ((2, 3, 4, 4), (2, 3, 3, 3)):
        x, c = np.empty(shape, np.float32), np.empty(3, np.float32)
        chosen += norm.batch_norm(x, x, c, c) + norm.batch_norm_backward(x, x, c, c, x)
    found = {(launch.file, launch.defines, launch.architecture) for launch in chosen}
    assert found == set(norm.configurations())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, c: norm.batch_norm(x[:1, :, :1, :1], x[:1, :, :1, :1], c, c), "more than 1"),
        (lambda x, c: norm.batch_norm(x, x[:1], c, c), "y expects shape"),
        (lambda x, c: norm.batch_norm(x, x, c, c[:1]), r"var expects shape \(3,\)"),
        (lambda x, c: norm.batch_norm(x[:0], x[:0], c, c), "empty"),
        (lambda x, c: norm.batch_norm(c, c, c, c), r"expected an array \(N, C, …\)"),
        (lambda x, c: norm.batch_norm_backward(x[:1], x, c, c, x), "g expects shape"),
        (lambda x, c: norm.batch_norm_backward(x, x, c, c, x, dbias=x), "dbias expects shape"),
    ],
)
def test_what_does_not_fit_is_refused(call, message):
    with pytest.raises(LaunchError, match=message):
        call(np.zeros((2, 3, 4, 4), np.float32), np.zeros(3, np.float32))
