"""The ladder: every rung is exact on whole numbers and right to rounding on others."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernels.direct import U, magnitudes, operands, triple
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run
from numpy.testing import assert_array_equal
from oracles import convolution_triple
from strategies import convolutions

from minigan.conv import ladder, ladder_tiles
from minigan.conv.geometry import Geometry
from minigan.conv.ladder_records import divisor, pixel_classes
from minigan.conv.ladder_tiles import (
    RUNGS,
    TILES,
    WINOGRAD,
    Tile,
    choose_rung,
    choose_splits,
    choose_tile,
    choose_winograd,
    tiles_of,
)
from minigan.cuda.launch import shared_limit

ROUTINES = ("fprop", "dgrad", "wgrad")
FACTOR = {4: 2.0**-11, 5: 2.0**-8}  # what a factor's rounding may change, relatively
ROW = Geometry(1, 40, 1, 3)
# (geometry, batch, input channels, output channels)
CASES = {
    "k4 s2 p1, more than a tile": (Geometry(12, 10, 4, 4, (2, 2), (1, 1, 1, 1)), 3, 17, 65),
    "k3 s1 p1": (Geometry(6, 7, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 7, 3),
    "rows left over": (Geometry(10, 9, 3, 2, (3, 2), (0, 1, 2, 0)), 2, 3, 7),
    "a stride beyond the filter": (Geometry(11, 7, 2, 1, (3, 2)), 1, 4, 5),
    "dilation and stride share a factor": (
        Geometry(14, 15, 3, 3, (4, 2), (1, 2, 3, 0), (2, 4)),
        1,
        3,
        5,
    ),
    "nine classes": (Geometry(8, 9, 4, 5, (3, 3), (2, 0, 1, 3)), 2, 3, 3),
    "groups": (Geometry(6, 7, 3, 3, (1, 2), (1, 1, 1, 1), (1, 1), 3), 2, 6, 15),
    "depthwise": (Geometry(6, 5, 3, 3, (2, 2), (1, 1, 1, 1), (1, 1), 7), 2, 7, 7),
    "a whole image at once": (Geometry(4, 4, 4, 4), 5, 65, 1),
    "from one pixel": (Geometry(4, 4, 4, 4), 1, 3, 33),
    "one row": (ROW, 1, 1, 1),
    "one number": (Geometry(1, 1, 1, 1), 1, 1, 1),
    "only padding is seen by the corners": (Geometry(2, 2, 3, 3, (1, 1), (3, 3, 3, 3)), 1, 2, 2),
}
LAYER = CASES["k4 s2 p1, more than a tile"]
EVERY = pytest.mark.parametrize("routine", ROUTINES)
BACKEND = pytest.mark.parametrize("backend", BACKENDS)
EVERY_TILE = {
    t.macros: t for row in TILES.values() for tiles in row.values() for t in tiles
}.values()


def given_to(routine, x, w, y):
    return {"fprop": (x, w), "dgrad": (y, w), "wgrad": (x, y)}[routine]


def planned(routine, g, x, w, y, **options):
    """A plan whose workspaces and results are full of NaN."""
    arrays = given_to(routine, x, w, y)
    mask = options.get("mask")
    plan = getattr(ladder, routine)(g, *arrays, **options)
    poisoned(plan.launches, *arrays, options.get("b"), mask and mask.saved)
    return plan


def compute(routine, g, x, w, y, backend="emulator", seed=0, **options):
    plan = planned(routine, g, x, w, y, **options)
    run(plan.launches, backend, seed=seed)
    return plan.output


def exact(routine, g, x, w, y):
    return triple(g, x, w, y)[ROUTINES.index(routine)]


def terms(routine, g, n, c, k):
    """At most so many products are added up for one number."""
    taps = g.R * g.S
    return {"fprop": c * taps, "dgrad": k * taps, "wgrad": n * g.P * g.Q}[routine] // (
        1 if routine == "wgrad" else g.groups
    )


@BACKEND
@EVERY
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", CASES)
def test_whole_numbers_are_exact(backend, routine, rung, name):
    g, n, c, k = CASES[name]
    arrays = operands(g, n, c, k, whole=True)
    found = compute(routine, g, *arrays, backend, rung=rung)
    assert_array_equal(found, exact(routine, g, *arrays))


@BACKEND
@EVERY
@pytest.mark.parametrize("tile", EVERY_TILE, ids=str)
def test_every_tile_is_exact(backend, routine, tile):
    """On a problem that overhangs it on both sides and takes several steps of the depth."""
    g, n, c, k = Geometry(10, 9, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 17, 67
    arrays = operands(g, n, c, k, 1, whole=True)
    found = compute(routine, g, *arrays, backend, rung=tile.rung, tile=tile)
    assert_array_equal(found, exact(routine, g, *arrays))


@BACKEND
@EVERY
@pytest.mark.parametrize("rung", RUNGS)
def test_other_numbers_are_right_to_rounding(backend, routine, rung):
    """Rounding each factor by δ changes a sum by 2δ·Σ|a||b|, adding m terms by m·u·Σ|a||b|."""
    g, n, c, k = LAYER
    arrays = operands(g, n, c, k)
    off = abs(compute(routine, g, *arrays, backend, rung=rung) - exact(routine, g, *arrays))
    size = magnitudes(g, *arrays)[ROUTINES.index(routine)]
    factor = FACTOR.get(rung, 0.0)
    assert (off <= ((terms(routine, g, n, c, k) + 2) * U + 2.01 * factor) * size).all()
    # and the rung has the precision that it says: rounding does show
    assert (off / size).max() > factor / 32


@EVERY
@pytest.mark.parametrize("rung", RUNGS)
@settings(max_examples=12)
@given(case=convolutions(), seed=st.integers(0, 2**16))
def test_any_geometry_is_exact_in_any_order(routine, rung, case, seed):
    g = case.geometry
    arrays = [a.astype(np.float32) for a in case.operands(np.int64)]
    expected = convolution_triple(g, *arrays)
    found = compute(routine, g, *arrays, rung=rung, seed=seed)
    assert_array_equal(found, expected[ROUTINES.index(routine)])


@BACKEND
@pytest.mark.parametrize("rung", RUNGS)
def test_the_three_are_adjoint(backend, rung):
    """⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩, exactly on whole numbers."""
    g, n, c, k = Geometry(13, 11, 5, 4, (2, 3), (2, 1, 0, 2), (1, 2), 2), 3, 10, 14
    x, w, y = operands(g, n, c, k, 2, whole=True)
    products = [
        np.vdot(with_it.astype(np.float64), compute(routine, g, x, w, y, backend, rung=rung))
        for routine, with_it in (("fprop", y), ("dgrad", x), ("wgrad", w))
    ]
    assert products[0] == products[1] == products[2] != 0


@EVERY
@pytest.mark.parametrize("rung", RUNGS)
def test_the_order_of_threads_changes_no_bit(routine, rung):
    g, n, c, k = LAYER
    arrays = operands(g, n, c, k)
    options = {"splits": 3} if routine == "wgrad" else {}
    first, *others = (
        compute(routine, g, *arrays, rung=rung, seed=seed, **options) for seed in (0, 1, 2)
    )
    for other in others:
        assert_array_equal(first, other)


@BACKEND
@pytest.mark.parametrize("rung", range(1, 6))
@pytest.mark.parametrize("splits", [1, 2, 5, 1000])
def test_splits_add_up(backend, rung, splits):
    g, n, c, k = Geometry(9, 9, 3, 3, (1, 1), (1, 1, 1, 1)), 3, 4, 5
    arrays = operands(g, n, c, k, whole=True)
    plan = planned("wgrad", g, *arrays, rung=rung, splits=splits)
    assert (len(plan.launches) == 2) == (splits > 1)
    run(plan.launches, backend)
    assert_array_equal(plan.output, exact("wgrad", g, *arrays))


# -------------------------------------------------------------------------------------- epilogues


ACTIVATED = {
    "none": lambda v: v,
    "relu": lambda v: np.maximum(v, 0),
    "leaky_relu": lambda v: np.where(v > 0, v, 0.25 * v),
    "tanh": np.tanh,
}


@BACKEND
@pytest.mark.parametrize("routine", ["fprop", "dgrad"])
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("activation", ACTIVATED)
def test_bias_and_activation(backend, routine, rung, activation):
    g, n, c, k = Geometry(6, 5, 4, 4, (2, 2), (1, 1, 1, 1), (1, 1), 2), 2, 6, 10
    arrays = operands(g, n, c, k, whole=True)
    b = np.arange(k if routine == "fprop" else c, dtype=np.float32) - 3
    how = {"b": b, "activation": activation, "slope": 0.25}
    found = compute(routine, g, *arrays, backend, rung=rung, **how)
    expected = ACTIVATED[activation](exact(routine, g, *arrays) + b[:, None, None])
    if activation == "tanh":  # 2 units in the last place, in CUDA's documentation
        assert (abs(found - expected) <= 4 * U * abs(expected) + 1e-30).all()
    else:
        assert_array_equal(found, expected)


@pytest.mark.parametrize("activation", ACTIVATED)
def test_nan_and_infinity_pass_through_an_activation(activation):
    x = np.array([np.nan, np.inf, -np.inf, 1], np.float32).reshape(1, 1, 1, 4)
    w = np.ones((1, 1, 1, 1), np.float32)
    g = Geometry(1, 4, 1, 1)
    for rung in (0, 2):
        found = compute("fprop", g, x, w, x, rung=rung, activation=activation, slope=0.25)
        expected = ACTIVATED[activation](x.astype(np.float64)).astype(np.float32)
        assert_array_equal(np.isnan(found), np.isnan(x))
        np.testing.assert_allclose(found[..., 1:], expected[..., 1:], rtol=1e-6)


@BACKEND
@pytest.mark.parametrize("routine", ["fprop", "dgrad"])
@pytest.mark.parametrize("rung", range(1, 6))
def test_statistics_of_the_channels(backend, routine, rung):
    """Mean and variance of what was written, though the mean is 1000 deviations away."""
    g, n, c, k = Geometry(8, 9, 4, 4, (3, 2), (1, 2, 1, 1), (1, 1), 2), 3, 6, 14
    x, w, y = operands(g, n, c, k)
    b = np.full(k if routine == "fprop" else c, 3000, np.float32)
    plan = planned(routine, g, x, w / 10, y, b=b, rung=rung, statistics=True)
    run(plan.launches, backend)
    made = plan.output.astype(np.float64)
    count, axes = made.size // made.shape[1], (0, 2, 3)
    # adding up m numbers costs at most m·u of the sum of their sizes, the division u more
    assert (abs(plan.mean - made.mean(axes)) <= (count + 1) * U * abs(made).mean(axes)).all()
    # the centre is off by d: the mean square about it is the variance + d²
    centred = made.var(axes) + (plan.mean - made.mean(axes)) ** 2
    assert (abs(plan.variance - centred) <= (count + 4) * U * centred).all()


@BACKEND
@pytest.mark.parametrize("routine", ["dgrad", "wgrad"])
@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("g", [LAYER[0], Geometry(7, 5, 3, 3)], ids=["16-byte loads", "4-byte"])
def test_the_mask_of_a_leaky_relu(backend, routine, rung, g):
    """0 counts as negative, as in the gradient of LeakyReLU."""
    x, w, y = operands(g, 2, 5, 9, whole=True)
    saved = operands(g, 2, 5, 9, 1, whole=True)[2]
    assert (saved == 0).any()
    mask = ladder.Mask(saved, 0.25)
    expected = exact(routine, g, x, w, np.where(saved > 0, y, 0.25 * y))
    assert_array_equal(compute(routine, g, x, w, y, backend, rung=rung, mask=mask), expected)


# -------------------------------------------------------------------------------------- precision


@BACKEND
@pytest.mark.parametrize(
    ("rung", "value", "rounded"),
    [
        (4, 1 + 2.0**-11, 1 + 2.0**-10),  # TF32: a tie goes away from zero
        (4, -1 - 2.0**-11, -1 - 2.0**-10),
        (4, 1 + 2.0**-12, 1),
        (5, 1 + 2.0**-8, 1),  # BF16: a tie goes to the even neighbour
        (5, 1 + 3 * 2.0**-8, 1 + 2.0**-6),
        (5, 1 + 2.0**-8 + 2.0**-20, 1 + 2.0**-7),
        (3, 1 + 2.0**-23, 1 + 2.0**-23),
    ],
)
def test_how_factors_are_rounded(backend, rung, value, rounded):
    x, w = np.full((1, 1, 1, 1), value, np.float32), np.ones((1, 1, 1, 1), np.float32)
    g = Geometry(1, 1, 1, 1)
    for first, second in ((x, w), (w, x)):
        assert compute("fprop", g, first, second, w, backend, rung=rung).item() == rounded


# ------------------------------------------------------------------------------------------ plans


@given(d=st.integers(1, 2**31 - 1), n=st.integers(0, 2**31 - 1))
def test_division_by_multiplication(d, n):
    _, magic, shift = divisor(d)
    assert magic < 2**32
    for number in (n, n // d * d, max(0, n // d * d - 1), 2**31 - 1):
        total = (number * magic >> 32) + number
        assert total < 2**32
        assert total >> shift == number // d


@given(
    size=st.integers(1, 20),
    stride=st.integers(1, 5),
    dilation=st.integers(1, 5),
    taps=st.integers(1, 5),
    pad=st.integers(0, 6),
)
def test_classes_hold_every_pixel_and_every_tap_that_reaches_it(size, stride, dilation, taps, pad):
    """stride·p + dilation·r = h + pad for exactly the outputs p and taps r that a class lists."""
    found = {}
    for c in pixel_classes(size, stride, dilation, taps, pad):
        for j in range(c["count"]):
            found[c["out_first"] + j * stride] = {
                (c["tap_first"] + i * c["tap_step"], c["first"] + j + i * c["step"])
                for i in range(c["taps"])
            }
    assert found == {
        h: {
            (r, (h + pad - dilation * r) // stride)
            for r in range(taps)
            if (h + pad - dilation * r) % stride == 0
        }
        for h in range(size)
    }


def test_the_gate_compiles_all_that_plans_launch():
    known = {(file, macros): least for file, macros, least in ladder.configurations()}
    for g, n, c, k in CASES.values():
        x, w, y = operands(g, n, c, k)
        for rung in RUNGS:
            plans = [ladder.fprop(g, x, w, rung=rung, statistics=rung > 0)]
            for mask in (None, ladder.Mask(y)):
                plans += [ladder.dgrad(g, y, w, rung=rung, mask=mask)]
                plans += [ladder.wgrad(g, x, y, rung=rung, mask=mask)]
            for launch in (launch for plan in plans for launch in plan.launches):
                assert launch.architecture == known[launch.file, launch.defines]


def test_the_gate_compiles_the_tiles_of_every_architecture_once(monkeypatch):
    before = set(ladder.configurations())
    new, known = Tile(3, 64, 128, 8, 3, "somewhere"), tiles_of(80, 3)[0]
    again = Tile(known.rung, known.rows, known.columns, known.depth, known.stages, "somewhere")
    monkeypatch.setitem(TILES, 90, TILES[90] | {3: (new, again)})
    after = list(ladder.configurations())
    assert len(after) == len(set(after))
    assert before <= set(after)
    added = {(file, macros[:5], least) for file, macros, least in set(after) - before}
    assert added == {(f"{name}.cu", new.macros, 80) for name in ROUTINES}


def test_four_classes_of_two_by_two_taps_take_one_launch():
    g = Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1))
    _, w, y = operands(g, 2, 3, 5)
    pack, product = ladder.dgrad(g, y, w).launches
    classes = product.arguments[-2]
    assert (pack.name, product.name, classes["count"]) == ("pack_filter", "dgrad", 4)
    assert [(int(v["R"]), int(v["S"])) for v in classes["conv"]] == [(2, 2)] * 4


def test_rungs_for_an_architecture():
    def chosen(**allowed):
        return [choose_rung(a, **allowed) for a in (75, 80, 90, 100)]

    assert chosen() == [2, 3, 3, 3]
    assert chosen(allow_tf32=True) == [2, 4, 4, 4]
    assert chosen(allow_bf16=True) == chosen(allow_tf32=True, allow_bf16=True) == [2, 5, 5, 5]


@pytest.mark.parametrize("architecture", TILES)
def test_tiles_for_an_architecture(architecture):
    assert list(TILES[architecture]) == ([1, 2] if architecture < 80 else [1, 2, 3, 4, 5])
    for rung, tiles in TILES[architecture].items():
        assert tiles == tiles_of(architecture, rung)
        for tile in tiles:
            assert tile.rung == rung and tile.threads <= 1024
            assert tile.architecture <= architecture
            assert tile.shared <= shared_limit(architecture)
        sizes = [tile.rows * tile.columns for tile in tiles]
        assert sizes == sorted(sizes, reverse=True)
        assert choose_tile(rung, 10**4, 10**6, architecture) == tiles[0]
        assert choose_tile(rung, 1, 1, architecture) == tiles[-1]


def test_a_gpu_without_an_entry_has_the_nearest_below_its_own(monkeypatch):
    one, other = Tile(3, 64, 64, 8, 2), Tile(3, 128, 128, 8, 2)
    monkeypatch.setattr(ladder_tiles, "TILES", {75: {2: ()}, 80: {3: (one,)}, 90: {3: (other,)}})
    asked = (75, 80, 86, 89, 90, 100)
    assert [tiles_of(a, 3)[0] for a in asked] == [one, one, one, one, other, other]
    with pytest.raises(ValueError, match="no compute capability has tiles of rung 5"):
        tiles_of(90, 5)


def test_winograd_is_chosen_by_measurement_only(monkeypatch):
    assert set(WINOGRAD) == set(TILES)
    for least in (None, 50.0):
        monkeypatch.setattr(ladder_tiles, "WINOGRAD", {75: None, 80: least, 90: None})
        chosen = [choose_winograd(80, 49.9), choose_winograd(80, 50.0), choose_winograd(86, 51.0)]
        assert chosen == [False, least is not None, least is not None]
        assert not choose_winograd(75, 1e9) and not choose_winograd(90, 1e9)


def test_splits_bring_two_blocks_for_each_multiprocessor():
    assert choose_splits(tiles_of(90, 2)[0], 1, 10**6, 90) == 264
    assert choose_splits(tiles_of(90, 2)[0], 10**3, 10**6, 90) == 1


@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("fprop: x must be float32, got float64", lambda g, x, w, y: ladder.fprop(g, x + 0.0, w)),
        ("fprop: rung must be 0 … 5, got 6", lambda g, x, w, y: ladder.fprop(g, x, w, rung=6)),
        (
            "wgrad: rung 2 was asked for with a tile of rung 3",
            lambda g, x, w, y: ladder.wgrad(g, x, y, tile=tiles_of(80, 3)[0]),
        ),
        (
            "fprop: b must have the shape (3,), got (2,)",
            lambda g, x, w, y: ladder.fprop(g, x, w, x[0, 0, 0, :2].copy()),
        ),
        ("dgrad: y must be contiguous", lambda g, x, w, y: ladder.dgrad(g, y[..., ::-1], w)),
        (
            "dgrad: saved must have the shape (1, 3, 4, 4), got (1, 2, 4, 4)",
            lambda g, x, w, y: ladder.dgrad(g, y, w, mask=ladder.Mask(x)),
        ),
        (
            "fprop: activation must be one of none, relu, leaky_relu, tanh, got 'gelu'",
            lambda g, x, w, y: ladder.fprop(g, x, w, activation="gelu"),
        ),
        (
            "fprop: statistics need rung 1 or higher and no activation, got rung 2 and 'relu'",
            lambda g, x, w, y: ladder.fprop(g, x, w, activation="relu", statistics=True),
        ),
        (
            "wgrad: splits must be positive, got 0",
            lambda g, x, w, y: ladder.wgrad(g, x, y, splits=0),
        ),
    ],
)
def test_a_caller_s_mistake_is_named(message, call):
    g = Geometry(4, 4, 1, 1)
    x, w, y = operands(g, 1, 2, 3)
    if "float64" in message:
        x = x.astype(np.float64)
    with pytest.raises((TypeError, ValueError)) as error:
        call(g, x, w, y)
    assert str(error.value) == message
