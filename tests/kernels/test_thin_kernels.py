"""The thin convolutions: exact on whole numbers, right to rounding on others, for any geometry."""

import numpy as np
import pytest
from kernels.direct import U, magnitudes, operands, triple
from kernels.poison import poisoned
from kernels.runner import BACKENDS, run

from minigan.conv import ladder_records
from minigan.conv import ladder_thin as thin
from minigan.conv.geometry import Geometry

DCGAN = Geometry(16, 16, 4, 4, (2, 2), (1, 1, 1, 1))
# (geometry, batch, input channels, output channels)
CASES = {
    "a discriminator's first layer": (DCGAN, 3, 3, 17),
    "from one channel, more pixels than a block takes": (DCGAN, 9, 1, 20),
    "its last layer": (Geometry(4, 4, 4, 4), 5, 65, 1),
    "a PatchGAN's verdicts": (Geometry(15, 14, 4, 4, (1, 1), (1, 1, 1, 1)), 6, 9, 1),
    "many verdicts": (Geometry(34, 33, 3, 3, (1, 1), (1, 1, 1, 1)), 16, 2, 1),
    "both sides thin": (Geometry(9, 8, 3, 3, (1, 1), (1, 1, 1, 1)), 2, 2, 4),
    "left-over rows": (Geometry(10, 9, 3, 3, (2, 3), (0, 1, 2, 0)), 2, 3, 7),
    "a stride beyond the filter": (Geometry(11, 7, 2, 1, (3, 2)), 2, 4, 5),
    "dilated, with a stride": (Geometry(13, 12, 3, 3, (2, 2), (2, 1, 0, 3), (2, 3)), 2, 3, 6),
    "dilation and stride share a factor": (
        Geometry(14, 15, 3, 3, (4, 2), (1, 2, 3, 0), (2, 4)),
        1,
        3,
        5,
    ),
    "groups": (Geometry(6, 7, 3, 3, (1, 1), (1, 1, 1, 1), (1, 1), 3), 2, 6, 15),
    "depthwise": (Geometry(6, 7, 3, 3, (2, 2), (1, 1, 1, 1), (1, 1), 7), 2, 7, 7),
    "one tap": (Geometry(5, 5, 1, 1), 2, 3, 33),
    "a wide filter": (Geometry(8, 9, 7, 7, (1, 1), (3, 3, 3, 3)), 1, 3, 8),
    "one number": (Geometry(1, 1, 1, 1), 1, 1, 1),
    "wide on both sides but in groups": (
        Geometry(4, 4, 3, 3, (1, 1), (1,) * 4, (1, 1), 17),
        2,
        51,
        34,
    ),
}
ROUTINES = ("fprop", "dgrad", "wgrad")
EVERY = [
    pytest.param(name, routine, id=f"{routine} {name}")
    for name, (g, _, c, k) in CASES.items()
    for routine in ROUTINES
    if thin.fits(routine, g, c, k)
]


def compute(routine, g, x, w, y, backend="emulator", seed=0, **options):
    """The routine's result, in memory that was full of NaN."""
    given, out = {
        "fprop": ((x, w), np.empty_like(y)),
        "dgrad": ((y, w), np.empty_like(x)),
        "wgrad": ((x, y), np.empty_like(w)),
    }[routine]
    plan = getattr(thin, routine)(g, *given, out, **options)
    run(poisoned(plan, *given, options.get("b")), backend, seed=seed)
    return out


def depth(routine, g, n, c, k):
    """The most products in one sum."""
    taps = g.R * g.S
    return {
        "fprop": taps * c // g.groups,
        "dgrad": taps * k // g.groups,
        "wgrad": n * g.P * g.Q,
    }[routine]


def test_every_routine_has_cases():
    assert [sum(routine == p.values[1] for p in EVERY) for routine in ROUTINES] == [16, 16, 16]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "routine"), EVERY)
def test_whole_numbers_are_exact(name, routine, backend):
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, whole=True)
    expected = triple(g, x, w, y)[ROUTINES.index(routine)]
    assert np.array_equal(compute(routine, g, x, w, y, backend), expected)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("name", "routine"), EVERY[:9])
def test_others_are_right_to_rounding(name, routine, backend):
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=1)
    at = ROUTINES.index(routine)
    bound = depth(routine, g, n, c, k) * U * magnitudes(g, x, w, y)[at]
    error = abs(compute(routine, g, x, w, y, backend) - triple(g, x, w, y)[at])
    assert (error <= bound).all()


def test_the_three_are_adjoint():
    """⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩."""
    g, n, c, k = CASES["left-over rows"]
    x, w, y = operands(g, n, c, k, seed=2)
    results = [compute(routine, g, x, w, y) for routine in ROUTINES]
    products = [
        float(np.vdot(a.astype(np.float64), b)) for a, b in zip((y, x, w), results, strict=True)
    ]
    size = float(np.vdot(abs(y), magnitudes(g, x, w, y)[0]))
    assert max(products) - min(products) <= 300 * U * size


@pytest.mark.parametrize("activation", ["none", "relu", "leaky_relu", "tanh"])
@pytest.mark.parametrize("routine", ["fprop", "dgrad"])
@pytest.mark.parametrize("name", ["left-over rows", "a stride beyond the filter", "groups"])
def test_bias_and_activation_come_with_it(name, routine, activation):
    """Pixels that no tap sees have no terms in their sum, but a bias."""
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=3)
    b = np.random.default_rng(4).standard_normal(k if routine == "fprop" else c, np.float32)
    at = ROUTINES.index(routine)
    z = triple(g, x, w, y)[at] + b.reshape(-1, 1, 1)
    expected = {
        "none": z,
        "relu": np.maximum(z, 0),
        "leaky_relu": np.where(z < 0, 0.2 * z, z),
        "tanh": np.tanh(z),
    }[activation]
    bound = magnitudes(g, x, w, y)[at] + abs(b).reshape(-1, 1, 1)
    found = compute(routine, g, x, w, y, b=b, activation=activation, slope=0.2)
    assert (abs(found - expected) <= (depth(routine, g, n, c, k) + 8) * U * bound).all()


@pytest.mark.parametrize("routine", ROUTINES)
@pytest.mark.parametrize("name", ["many verdicts", "its last layer", "a PatchGAN's verdicts"])
def test_the_same_bits_in_every_order(name, routine):
    g, n, c, k = CASES[name]
    x, w, y = operands(g, n, c, k, seed=5)
    found = {compute(routine, g, x, w, y, seed=seed).tobytes() for seed in (0, 1, 2, 3)}
    assert len(found) == 1


def test_all_forms_are_among_the_cases():
    """Every macro set that the plans choose from in these cases, and several ranges in wgrad."""
    chosen, ranges = set(), set()
    for name, routine in (p.values for p in EVERY):
        g, n, c, k = CASES[name]
        x, w, y = operands(g, n, c, k)
        given = {"fprop": (x, w, y), "dgrad": (y, w, x), "wgrad": (x, y, w)}[routine]
        for launch in getattr(thin, routine)(g, *given):
            chosen.add((launch.file, launch.defines, launch.architecture))
            ranges.add(launch.grid[2] if launch.name == "thin_wgrad" else 1)
    assert chosen <= set(thin.configurations())
    forms = {tuple(dict(d)[n] for n in ("LANES", "PIXELS")) for f, d, _ in chosen if f == thin.FILE}
    assert forms == set(thin.FORMS) and max(ranges) > 1


def test_division_by_multiplication():
    """divide() of common.cuh with the host's magic numbers, for every n below 2³¹ at its ends."""
    for d in [*range(1, 300), 1023, 1024, 1025, 65537, 2**30, 2**31 - 1]:
        value, magic, shift = ladder_records.divisor(d)
        assert value == d and magic < 2**32
        multiples = [k * d + e for k in (1, 7, (2**31 - 1) // d) for e in (-1, 0, 1)]
        for n in [0, 1, 2**31 - 1, *(m for m in multiples if m < 2**31)]:
            assert (n * magic // 2**32 + n) >> shift == n // d, (n, d)


def test_wide_sides_do_not_fit():
    assert not any(thin.fits(routine, DCGAN, 64, 128) for routine in ROUTINES)
    assert thin.fits("fprop", DCGAN, 3, 64) and thin.fits("dgrad", DCGAN, 3, 64)
    huge = Geometry(64, 64, 31, 31)
    assert not thin.fits("fprop", huge, 3, 64) and thin.fits("dgrad", huge, 3, 64)
