"""Winograd's transforms in exact fractions, its accuracy in float32, and where it is chosen."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from oracles import convolution_triple
from strategies import numbers

import minigan
from minigan.conv import Geometry, algorithm, cpu, dense, dense_plan
from minigan.conv.tiles import transforms

SIZES = [(1, 2), (2, 2), (2, 3), (3, 2), (3, 3), (4, 2), (5, 2), (4, 3)]


def fractions(matrix):
    """The simple fractions that a float64 matrix was rounded from."""
    exact = [[Fraction(float(v)).limit_denominator(1000) for v in row] for row in matrix]
    assert_array_equal([[float(v) for v in row] for row in exact], matrix)
    return exact


def applied(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


@pytest.mark.parametrize(("m", "r"), SIZES)
@given(data=st.data())
def test_the_transforms_correlate_exactly(m, r, data):
    """Aᵀ[(G w) ⊙ (B x)] = the m sums of r products, in fractions: no rounding at all."""
    A, G, B = (fractions(matrix) for matrix in transforms(m, r))
    integers = st.integers(-1000, 1000)
    w = data.draw(st.lists(integers, min_size=r, max_size=r))
    x = data.draw(st.lists(integers, min_size=m + r - 1, max_size=m + r - 1))
    products = [a * b for a, b in zip(applied(G, w), applied(B, x), strict=True)]
    found = applied(list(zip(*A, strict=True)), products)
    assert found == [sum(w[j] * x[i + j] for j in range(r)) for i in range(m)]


@pytest.mark.parametrize("r", [2, 3])
def test_tiles_of_two_need_additions_only(r):
    """B and A of F(2, r) hold 0, 1 and -1, so transforming images costs no product."""
    A, _, B = transforms(2, r)
    for matrix in (A, B):
        assert set(np.unique(matrix)) <= {-1.0, 0.0, 1.0}


LAYERS = {  # geometry, images, channels in and out: what GANs are made of
    "k4 s2 p1": (Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1)), 2, 48, 64),
    "k3 p1": (Geometry(12, 12, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 96, 64),
    "k2": (Geometry(13, 13, 2, 2), 2, 128, 32),
}


def errors(name, layer):
    """For each routine the root-mean-square error and that of the values, against float64."""
    g, n, c, k = layer
    shapes = ((n, c, g.H, g.W), (k, c, g.R, g.S), (n, k, g.P, g.Q))
    x, w, y = (numbers(i, shape, dtype=np.float32) for i, shape in enumerate(shapes))
    found = {}
    for routine, operands in (("fprop", (x, w)), ("dgrad", (y, w)), ("wgrad", (x, y))):
        with algorithm("im2col"):
            exact = getattr(cpu, routine)(g, *[v.astype(np.float64) for v in operands])
        with algorithm(name):
            assert cpu.choose(routine, g, n, c, k) == name
            got = getattr(cpu, routine)(g, *operands)
        error = np.sqrt(np.mean(np.square(got - exact)))
        found[routine] = error, np.sqrt(np.mean(np.square(exact)))
    return found


@pytest.mark.parametrize("layer", LAYERS.values(), ids=list(LAYERS))
def test_tiles_of_two_lose_little_in_float32(layer):
    """F(2×2, ·): at most four times the error of the direct products."""
    direct = errors("im2col", layer)
    for routine, (error, _) in errors("winograd", layer).items():
        assert error <= 4 * direct[routine][0], routine


SMALL = {  # images of up to 8×8 outputs
    "k4 s2 p1": (Geometry(14, 14, 4, 4, (2, 2), (1, 1, 1, 1)), 2, 64, 128),
    "k3 p1": (Geometry(8, 8, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 96, 64),
    "k3 p1, bands of six": (Geometry(12, 12, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 96, 64),
    "k6 s2": (Geometry(18, 16, 6, 6, (2, 2)), 2, 48, 64),
    "k5 s2 p2": (Geometry(16, 14, 5, 5, (2, 2), (2, 2, 2, 2)), 2, 48, 64),
    "k5 p2": (Geometry(14, 14, 5, 5, (1, 1), (2, 2, 2, 2)), 2, 128, 64),
}


@pytest.mark.parametrize("name", SMALL)
def test_dense_transforms_stay_within_a_hundred_thousandth(name):
    """F(4×7, 2×2), F(4×4, 3×3), F(4×6, 3×3), F(3×4, 5×5), …: 1e-5 of the values' size."""
    for routine, (error, size) in errors("dense", SMALL[name]).items():
        assert error <= 1e-5 * size, routine


@pytest.mark.parametrize(("m", "r"), [(m, r) for r in range(2, 6) for m in range(2, 10 - r)])
def test_dense_transforms_are_those_of_the_points(m, r):
    """Aᵀ[(G w) ⊙ (B x)] is the correlation, to the precision of float64."""
    A, G, B = dense_plan.transforms(m, r)
    w, x = numbers(m, (r,)), numbers(r, (m + r - 1,))
    found = A.T @ ((G @ w) * (B @ x))
    assert_allclose(found, np.correlate(x, w, "valid"), rtol=0, atol=1e-13)


def test_points_beside_the_integers_lose_less(monkeypatch):
    """F(4×4, 2×2) at ±3/8, ±5/4 and ∞ against 0, ±1, 2 and ∞."""
    layer = LAYERS["k4 s2 p1"]
    found = errors("dense", layer)
    monkeypatch.setitem(dense_plan.POINTS, 5, (0, 1, -1, 2))
    monkeypatch.setattr(dense, "plan_of", dense_plan.Plan)
    plain = errors("dense", layer)
    for routine, (error, _) in found.items():
        assert error < 0.75 * plain[routine][0], routine


# ------------------------------------------------------------------------ which is chosen

DCGAN = Geometry(32, 32, 4, 4, (2, 2), (1, 1, 1, 1))
SAME = Geometry(22, 22, 3, 3, (1, 1), (1, 1, 1, 1))
ODD = Geometry(44, 44, 4, 4, (2, 2), (1, 1, 1, 1))  # 22 columns of outputs are no whole bands
CHOICES = [  # routine, geometry, n, c, k, what is chosen and why
    ("fprop", DCGAN, 64, 128, 256, "dense", "many channels"),
    ("wgrad", DCGAN, 64, 128, 256, "dense", "many channels"),
    ("fprop", ODD, 64, 128, 256, "winograd", "many channels, a width of no whole bands"),
    ("fprop", SAME, 64, 512, 512, "winograd", "three taps: tiles of four are not accurate"),
    ("dgrad", SMALL["k3 p1"][0], 64, 256, 256, "dense", "three taps on a small image"),
    ("fprop", SMALL["k4 s2 p1"][0], 64, 64, 128, "dense", "a row of seven is one tile"),
    ("fprop", Geometry(28, 28, 4, 4, (2, 2), (1,) * 4), 64, 64, 128, "dense", "two bands of seven"),
    ("fprop", SMALL["k4 s2 p1"][0], 64, 32, 64, "im2col", "too few channels for transforms"),
    ("fprop", Geometry(8, 8, 4, 4, (2, 2), (1,) * 4), 64, 512, 1024, "winograd", "large filters"),
    ("fprop", SMALL["k3 p1"][0], 4, 256, 256, "im2col", "too few pixels"),
    ("dgrad", Geometry(14, 14, 5, 5, pad=(2,) * 4), 64, 128, 64, "dense", "five taps"),
    ("fprop", Geometry(32, 32, 5, 5, (2, 2), (2,) * 4), 64, 64, 128, "dense", "five taps by twos"),
    ("fprop", Geometry(16, 16, 3, 3, (2, 2), (1,) * 4), 64, 64, 128, "im2col", "three as four"),
    ("fprop", DCGAN, 64, 3, 64, "im2col", "three channels: transforms cost more than they save"),
    ("fprop", DCGAN, 1, 128, 256, "im2col", "one image: too few pixels for the filters' transform"),
    ("dgrad", Geometry(64, 64, 5, 5, (2, 2), (2,) * 4), 64, 3, 64, "planar", "few channels in x"),
    ("dgrad", Geometry(32, 32, 3, 3, pad=(1,) * 4), 64, 3, 64, "planar", "few, and no stride"),
    ("dgrad", Geometry(28, 28, 3, 3, pad=(1,) * 4), 64, 1, 32, "im2col", "one, and no stride"),
    ("dgrad", DCGAN, 64, 1, 64, "im2col", "one channel: a plane is what an image is already"),
    ("dgrad", DCGAN, 64, 16, 32, "residues", "enough channels, stride 2"),
    (
        "dgrad",
        Geometry(14, 14, 5, 5, (2, 2)),
        64,
        32,
        64,
        "im2col",
        "many pixels beyond y's sight",
    ),
    ("wgrad", DCGAN, 64, 3, 64, "im2col", "few channels in x: nothing is added to planes"),
    ("fprop", Geometry(32, 32, 3, 3, pad=(1,) * 4), 16, 64, 64, "dense", "64 channels each"),
    ("fprop", Geometry(14, 14, 5, 5, (2, 2)), 64, 64, 128, "dense", "five taps, five outputs"),
    ("dgrad", Geometry(14, 14, 5, 5, (2, 2)), 64, 64, 128, "dense", "little, but adding costs too"),
    ("fprop", Geometry(14, 14, 5, 5, (2, 2)), 64, 32, 64, "im2col", "transforms save little"),
    ("dgrad", DCGAN, 4, 128, 256, "dense", "a thousand pixels"),
    ("dgrad", DCGAN, 2, 128, 256, "im2col", "five hundred: filters are many for them"),
    ("wgrad", DCGAN, 2, 128, 256, "dense", "five hundred, and nothing to add"),
    ("wgrad", Geometry(28, 28, 5, 5, pad=(2,) * 4), 64, 64, 1, "thin", "one channel in y"),
    ("dgrad", Geometry(28, 28, 5, 5, pad=(2,) * 4), 64, 64, 1, "residues", "filters of many taps"),
    ("dgrad", Geometry(28, 28, 3, 3, pad=(1,) * 4), 64, 64, 1, "thin", "filters of few taps"),
    ("dgrad", Geometry(28, 28, 5, 5, (2, 2), (2,) * 4), 64, 64, 1, "thin", "four classes"),
    ("fprop", Geometry(28, 28, 5, 5, pad=(2,) * 4), 1, 64, 1, "im2col", "too few pixels"),
    ("fprop", Geometry(4, 4, 4, 4), 64, 512, 1, "im2col", "one output sees all pixels"),
    ("dgrad", Geometry(4, 4, 4, 4), 64, 512, 1, "residues", "one output, all pixels"),
    ("fprop", Geometry(28, 28, 3, 3, pad=(1,) * 4), 64, 8, 3, "im2col", "three from eight"),
    ("wgrad", Geometry(28, 28, 3, 3, pad=(1,) * 4), 64, 8, 1, "thin", "one from eight"),
    ("fprop", Geometry(8, 8, 1, 1), 4, 64, 64, "pointwise", "one tap"),
    ("fprop", Geometry(8, 8, 1, 1, (2, 2)), 4, 64, 64, "im2col", "one tap, but not every pixel"),
    ("wgrad", Geometry(8, 8, 3, 3, groups=64), 4, 64, 64, "depthwise", "a group per channel"),
    ("wgrad", Geometry(8, 8, 3, 3, groups=32), 4, 64, 64, "im2col", "two channels per group"),
    ("dgrad", Geometry(8, 8, 3, 3, groups=32), 4, 64, 64, "residues", "groups"),
    ("fprop", Geometry(32, 32, 4, 4, (2, 1)), 64, 256, 256, "im2col", "two strides"),
    ("fprop", Geometry(32, 32, 3, 3, dilation=(2, 2)), 64, 256, 256, "im2col", "a dilation"),
    ("fprop", Geometry(32, 32, 4, 3), 64, 256, 256, "im2col", "not square"),
    ("fprop", Geometry(30, 30, 7, 7), 64, 256, 256, "im2col", "more than five taps"),
    ("fprop", Geometry(32, 32, 9, 9, (3, 3)), 64, 256, 256, "im2col", "a stride of 3"),
]


@pytest.mark.parametrize("case", CHOICES, ids=[f"{c[0]}: {c[-1]}" for c in CHOICES])
def test_the_table_chooses(case):
    routine, g, n, c, k, expected, _ = case
    assert cpu.choose(routine, g, n, c, k) == expected
    with algorithm("im2col"):
        assert cpu.choose(routine, g, n, c, k) == "im2col"


@pytest.mark.parametrize(("kernels", "expected"), [(True, "im2col"), (False, "planar")])
def test_pairs_of_taps_are_added_at_once_where_the_product_is_fast(monkeypatch, kernels, expected):
    monkeypatch.setattr(cpu, "_chosen", cpu._chosen.__wrapped__)  # choices are remembered
    monkeypatch.setattr(cpu, "without_copies", lambda: kernels)
    assert cpu.choose("dgrad", DCGAN, 64, 3, 64) == expected
    assert cpu.choose("dgrad", Geometry(256, 256, 4, 4, (2, 2), (1,) * 4), 4, 3, 64) == "planar"


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint8, np.float16])
@pytest.mark.parametrize("forced", ["winograd", "dense"])
def test_numbers_without_fractions_never_go_to_winograd(dtype, forced):
    for routine in ("fprop", "dgrad", "wgrad"):
        assert cpu.choose(routine, DCGAN, 64, 512, 512, dtype) in ("im2col", "residues")
        with algorithm(forced):
            assert cpu.choose(routine, DCGAN, 64, 512, 512, dtype) in ("im2col", "residues")
            assert cpu.choose(routine, DCGAN, 64, 512, 512, np.float32) == forced


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64])
@settings(max_examples=4)
@given(groups=st.sampled_from([1, 2, 4]), taps=st.sampled_from([1, 3]))
def test_integers_stay_integers(dtype, groups, taps):
    """The same whole numbers, of the dtype of the operands, whichever algorithm takes them."""
    g = Geometry(5, 4, taps, taps, groups=groups)
    rng = np.random.default_rng(taps)
    shapes = ((2, 4, 5, 4), (4, 4 // groups, taps, taps), (2, 4, g.P, g.Q))
    x, w, y = (rng.integers(0, 2, shape) for shape in shapes)
    expected = convolution_triple(g, x, w, y)
    x, w, y = (v.astype(dtype) for v in (x, w, y))
    found = cpu.fprop(g, x, w), cpu.dgrad(g, y, w), cpu.wgrad(g, x, y)
    for got, exact in zip(found, expected, strict=True):
        assert got.dtype == dtype
        assert_array_equal(got, exact)


def test_a_large_convolution_of_integers_is_exact():
    """Large enough for Winograd, and with sums beyond what float32 counts."""
    rng = np.random.default_rng(0)
    x, w = rng.integers(-9999, 9999, (8, 32, 16, 16)), rng.integers(-9999, 9999, (64, 32, 4, 4))
    got = cpu.fprop(Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1)), x, w)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for n, k, p, q in rng.integers(0, (8, 64, 8, 8), (200, 4)):
        window = padded[n, :, 2 * p : 2 * p + 4, 2 * q : 2 * q + 4]
        assert got[n, k, p, q] == int(np.sum(window * w[k]))


def test_an_unknown_algorithm_is_refused():
    message = r"expected one of pointwise, .*, im2col, got 'nonsense'"
    with pytest.raises(ValueError, match=message), algorithm("nonsense"):
        pytest.fail("entered")


def test_the_innermost_algorithm_that_fits_is_taken():
    """Overrides nest, also the same one twice, and end with an error too."""
    small = 1, 2, 3  # images and channels for which the table takes im2col

    def chosen():
        return cpu.choose("fprop", DCGAN, *small), cpu.choose("fprop", SAME, *small)

    assert chosen() == ("im2col", "im2col")
    with algorithm("winograd"):
        with algorithm("dense"):  # which has no bands for 22 columns
            assert chosen() == ("dense", "winograd")
            with algorithm("winograd"):
                assert chosen() == ("winograd", "winograd")
            assert chosen() == ("dense", "winograd")
            with algorithm("pointwise"):  # fits neither
                assert chosen() == ("dense", "winograd")
        with pytest.raises(KeyError), algorithm("im2col"):
            {}[chosen()]
        assert chosen() == ("winograd", "winograd")
    assert chosen() == ("im2col", "im2col")


def test_layers_use_the_algorithm_of_their_block():
    """A convolution of Tensors is computed with what ``algorithm`` says."""
    x, w = minigan.ones(1, 2, 8, 8), minigan.ones(3, 2, 4, 4)
    used = []
    with pytest.MonkeyPatch.context() as patch, minigan.no_grad():
        chosen = cpu.choose
        patch.setattr(cpu, "choose", lambda *args: used.append(chosen(*args)) or used[-1])
        with algorithm("winograd"):
            minigan.conv2d(x, w, stride=2)
        minigan.conv2d(x, w, stride=2)
    assert used == ["winograd", "im2col"]
