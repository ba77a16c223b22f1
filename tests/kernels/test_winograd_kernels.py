"""Winograd's kernels: exact on whole numbers, right to rounding on others, and adjoint."""

import numpy as np
import pytest
from kernels.direct import U, magnitudes, operands, triple
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

from minigan.conv import ladder_winograd as winograd
from minigan.conv.geometry import Geometry
from minigan.conv.tiles import transforms

ONE, TWO, PAD = (1, 1), (2, 2), (1, 1, 1, 1)
# (geometry, batch, input channels, output channels)
CASES = {
    "k4 s2 p1": (Geometry(8, 8, 4, 4, TWO, PAD), 2, 3, 7),
    "k3 s1 p1": (Geometry(6, 6, 3, 3, ONE, PAD), 2, 7, 3),
    "an odd number of outputs": (Geometry(9, 7, 3, 3), 3, 1, 17),
    "left-over rows": (Geometry(9, 7, 4, 4, TWO, (1, 0, 2, 1)), 2, 5, 1),
    "much padding below": (Geometry(4, 5, 3, 3, ONE, (0, 4, 2, 3)), 1, 3, 3),
    "more rows left than a tile covers": (Geometry(12, 5, 4, 4, TWO, (0, 0, 0, 0)), 1, 2, 2),
    "one output": (Geometry(3, 3, 3, 3), 1, 1, 1),
    "more than a tile of products": (Geometry(12, 12, 4, 4, TWO, PAD), 9, 17, 65),
    "a long sum over tiles": (Geometry(16, 16, 3, 3, ONE, PAD), 5, 3, 3),
}
ROUTINES = ("fprop", "dgrad", "wgrad")
EVERY = pytest.mark.parametrize("name", CASES)


def compute(routine, g, x, w, y, backend="emulator", seed=0, **options):
    """The routine's result, in memory that was full of NaN."""
    given, out = {
        "fprop": ((x, w), np.empty_like(y)),
        "dgrad": ((y, w), np.empty_like(x)),
        "wgrad": ((x, y), np.empty_like(w)),
    }[routine]
    plan = getattr(winograd, routine)(g, *given, out, **options)
    run(poisoned(plan, *given, options.get("b")), backend, seed=seed)
    return out


def bound(routine, g, x, w, y):
    """What rounding can do: the bilinear form of absolute matrices and operands, times its depth.

    A tile's sums hold numbers that cancel in the end, so the direct form's Σ|a||b| at one place
    does not do; the largest one, times what the matrices can magnify, does.
    """
    magnified = np.prod([np.abs(m).sum(axis=1).max() for m in transforms(2, g.R // g.stride[0])])
    n, c, k = x.shape[0], x.shape[1], w.shape[0]
    depth = {"fprop": g.R**2 * c, "dgrad": g.R**2 * k, "wgrad": n * g.P * g.Q}[routine]
    size = magnitudes(g, x, w, y)[ROUTINES.index(routine)].max()
    return (depth + 20) * U * magnified**2 * size


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("routine", ROUTINES)
@EVERY
def test_whole_numbers_are_exact(name, routine, backend):
    """The filter's halves make quarters of whole numbers, which float32 holds exactly here."""
    g, n, c, k = CASES[name]
    assert winograd.fits(g)
    x, w, y = operands(g, n, c, k, whole=True)
    expected = triple(g, x, w, y)[ROUTINES.index(routine)]
    assert np.array_equal(compute(routine, g, x, w, y, backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("routine", ROUTINES)
@pytest.mark.parametrize("name", ["k4 s2 p1", "k3 s1 p1"])
def test_others_are_right_to_rounding(name, routine, backend):
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=1)
    expected = triple(g, x, w, y)[ROUTINES.index(routine)]
    error = abs(compute(routine, g, x, w, y, backend) - expected).max()
    assert error <= bound(routine, g, x, w, y)


@pytest.mark.parametrize("name", ["left-over rows", "k3 s1 p1"])
def test_the_three_are_adjoint(name):
    """⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩."""
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=2)
    results = [compute(routine, g, x, w, y) for routine in ROUTINES]
    products = [
        float(np.vdot(a.astype(np.float64), b)) for a, b in zip((y, x, w), results, strict=True)
    ]
    size = float(np.vdot(abs(y), magnitudes(g, x, w, y)[0]))
    assert max(products) - min(products) <= 300 * U * size


@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("routine", ["fprop", "dgrad"])
def test_bias_and_activation_come_with_it(routine, activation):
    """Pixels that no tap sees have no terms in their sum, but a bias."""
    g, n, c, k = CASES["left-over rows"]
    x, w, y = operands(g, n, c, k, whole=True)
    b = np.arange(-2, (k if routine == "fprop" else c) - 2, dtype=np.float32)
    z = triple(g, x, w, y)[ROUTINES.index(routine)] + b.reshape(-1, 1, 1)
    expected = {
        "none": z,
        "relu": np.maximum(z, 0),
        "leaky_relu": np.where(z < 0, 0.25 * z, z),  # exact, as all of these but tanh
        "tanh": np.tanh(z),
    }[activation]
    found = compute(routine, g, x, w, y, b=b, activation=activation, slope=0.25)
    assert (abs(found - expected) <= (4 * U if activation == "tanh" else 0)).all()


@pytest.mark.parametrize("routine", ROUTINES)
@pytest.mark.parametrize("name", ["k4 s2 p1", "a long sum over tiles"])
def test_the_same_bits_in_every_order(name, routine):
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=5)
    found = {compute(routine, g, x, w, y, seed=seed).tobytes() for seed in (0, 1, 2, 3)}
    assert len(found) == 1


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("tile", winograd.TILES)
def test_a_batch_of_products(tile, parts, last):
    """Whole and part tiles, a depth that is no multiple of 8, splits side by side."""
    rng = np.random.default_rng(6)
    batch, rows, columns, depth = 2, tile + 1, 2 * tile - 3, 53
    left = rng.integers(-8, 9, (batch, rows, depth)).astype(np.float32)
    right = rng.integers(-8, 9, (batch, columns, depth)).astype(np.float32)
    size = -(-depth // (parts * 8)) * 8
    out = np.full((parts, batch, rows, columns), np.nan, np.float32)
    stored = [np.ascontiguousarray(a if last else a.transpose(0, 2, 1)) for a in (left, right)]
    sizes = np.array((rows, columns, depth, size), winograd.SIZES)[()]
    run(
        [
            winograd.Launch(
                winograd.GEMM_FILE,
                "batched_gemm",
                (("TILE", tile), ("DEPTH_LAST", last)),
                (2, 2, batch * parts),
                ((tile // 8) ** 2, 1, 1),
                0,
                (*stored, out, sizes, np.int32(batch)),
            )
        ]
    )
    for part in range(parts):
        steps = slice(part * size, (part + 1) * size)
        assert np.array_equal(out[part], left[..., steps] @ right[..., steps].transpose(0, 2, 1))


def test_which_geometries_fit():
    assert winograd.fits(Geometry(32, 32, 4, 4, TWO, PAD))
    for other in (
        Geometry(32, 32, 5, 5),
        Geometry(32, 32, 4, 4),
        Geometry(32, 32, 2, 2),
        Geometry(32, 32, 3, 3, TWO, PAD),
        Geometry(32, 32, 3, 2),
        Geometry(32, 32, 4, 4, (2, 1)),
        Geometry(32, 32, 3, 3, ONE, PAD, TWO),
        Geometry(32, 32, 3, 3, ONE, PAD, ONE, 2),
        Geometry(32, 32, 6, 6, (3, 3)),
    ):
        assert not winograd.fits(other), other


def test_large_problems_take_large_tiles_and_small_ones_are_split():
    g = Geometry(32, 32, 4, 4, TWO, PAD)

    def shapes(n, c, k):
        return [
            np.broadcast_to(np.float32(0), s)
            for s in ((n, c, g.H, g.W), (n, k, g.P, g.Q), (k, c, 4, 4))
        ]

    x, y, w = shapes(32, 128, 256)
    products = [p for p in winograd.fprop(g, x, w, y) if p.name == "batched_gemm"]
    assert dict(products[0].defines)["TILE"] == 128
    x, y, w = shapes(16, 4, 8)
    products = [p for p in winograd.wgrad(g, x, y, w) if p.name == "batched_gemm"]
    assert products[0].grid[2] > 9 and dict(products[0].defines)["TILE"] == 64
    for p in products:
        assert (p.file, p.defines, p.architecture) in winograd.configurations()
