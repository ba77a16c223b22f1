"""TV, KL and JS against loops, SciPy's quadrature and closed forms; the bins against counting."""

from itertools import pairwise
from math import erf, inf, log, sqrt

import numpy as np
import pytest
from scipy import integrate, optimize

import minigan
from minigan.data import DataError
from minigan.toys.distances import (
    Grid,
    binned,
    gaussian_divergences,
    gaussian_em,
    gaussian_kl,
    gaussian_w2,
    js,
    kl,
    log_gaussian,
    of_densities,
    tv,
)

LN2 = log(2)


def by_hand(p, q):
    """TV, KL, JS with one loop over the outcomes."""
    tv = kl = js = 0.0
    for a, b in zip(p, q, strict=True):
        m = (a + b) / 2
        tv += abs(a - b) / 2
        if a:
            kl += a * log(a / b) if b else inf
            js += a * log(a / m) / 2
        if b:
            js += b * log(b / m) / 2
    return tv, kl, js


@pytest.mark.parametrize("seed", range(5))
def test_of_probabilities_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    p[seed % 3] = 0
    p /= p.sum()
    assert (tv(p, q), kl(p, q), js(p, q)) == pytest.approx(by_hand(p, q), rel=1e-12)
    assert tv(p, q) == tv(q, p) and js(p, q) == pytest.approx(js(q, p))
    assert kl(q, p) == inf
    assert kl(p, q) >= 2 * tv(p, q) ** 2  # Pinsker
    assert 0 <= js(p, q) <= LN2


def test_apart_they_are_as_large_as_can_be_and_together_zero():
    p, q = [0.5, 0.5, 0, 0], [0, 0, 0.25, 0.75]
    assert (tv(p, q), kl(p, q), js(p, q)) == (1, inf, pytest.approx(LN2, rel=1e-15))
    assert (tv(p, p), kl(p, p), js(p, p)) == (0, 0, 0)


def test_tensors_and_tables_are_distributions_too():
    p = minigan.tensor([[0.25, 0.25], [0.25, 0.25]])
    assert tv(p, np.array([[0.5, 0.5], [0, 0]])) == 0.5


@pytest.mark.parametrize(
    ("p", "q", "said"),
    [
        ([], [], "tv: p expects at least one probability"),
        ([1.0], [0.5, 0.5], r"the same outcomes, got shapes \(1,\) and \(2,\)"),
        (np.full((2, 3), 1 / 6), np.full((3, 2), 1 / 6), r"got shapes \(2, 3\) and \(3, 2\)"),
        ([0.5, 0.6], [0.5, 0.5], "tv: p expects probabilities"),
        ([0.5, 0.5], [np.nan, 1.0], "tv: q expects probabilities"),
        ([1.5, -0.5], [0.5, 0.5], "the least -0.5"),
    ],
)
def test_what_is_no_distribution_is_refused(p, q, said):
    with pytest.raises(DataError, match=said):
        tv(p, q)


@pytest.mark.parametrize("moments", [(0, 1, 1, 1), (0, 1, 3, 1), (0, 1, 1.5, 0.5), (0, 2, 0, 0.3)])
def test_gaussians_by_quadrature_against_scipy_and_closed_forms(moments):
    found = gaussian_divergences(*moments)
    m1, s1, m2, s2 = moments

    def js_density(x):
        p, q = np.exp(log_gaussian(x, m1, s1)), np.exp(log_gaussian(x, m2, s2))
        return sum(a * np.log(2 * a / (p + q)) if a else 0.0 for a in (p, q)) / 2

    js_scipy = integrate.quad(js_density, -25, 25, points=[m1, m2], limit=500)[0]
    assert found.js == pytest.approx(js_scipy, rel=1e-8)
    assert found.kl == pytest.approx(gaussian_kl(m1, s1**2, m2, s2**2), rel=1e-9)
    assert found.kl == pytest.approx(
        log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5, rel=1e-9
    )
    if s1 == s2:
        assert found.tv == pytest.approx(erf(abs(m1 - m2) / s1 / sqrt(8)), rel=1e-12)


@pytest.mark.parametrize(
    "moments",
    [(0, 1, 1.5, 0.5), (0, 2, 0, 0.3), (-1, 0.7, 2, 0.71), (0, 1, 1, 1 + 1e-9), (3, 0.01, 0, 1)],
)
def test_tv_of_gaussians_against_scipys_quadrature(moments):
    """∫ |p - q|/2 in pieces that end where the densities cross, found by bisection on a raster."""
    m1, s1, m2, s2 = moments

    def difference(x):
        return np.exp(log_gaussian(x, m1, s1)) - np.exp(log_gaussian(x, m2, s2))

    reach = 12 * max(s1, s2)
    x = np.linspace(min(m1, m2) - reach, max(m1, m2) + reach, 20_001)
    signs = np.sign(difference(x))
    changes = np.flatnonzero(signs[:-1] * signs[1:] < 0)
    bends = [optimize.brentq(difference, x[i], x[i + 1], xtol=1e-14) for i in changes]
    peaks = [m + k * s for m, s in ((m1, s1), (m2, s2)) for k in (-6, 0, 6)]
    ends = np.unique([x[0], *bends, *peaks, x[-1]])
    pieces = [integrate.quad(difference, a, b, limit=200)[0] for a, b in pairwise(ends)]
    assert gaussian_divergences(*moments).tv == pytest.approx(np.abs(pieces).sum() / 2, rel=1e-9)


def test_tv_of_gaussians_published_to_ten_digits():
    assert gaussian_divergences(0, 1, 1.5, 0.5).tv == pytest.approx(0.7077832097, abs=5e-11)
    assert gaussian_divergences(0, 1, 0, 1).tv == 0


def test_densities_without_overlap():
    """Two uniform densities: TV 1, JS ln 2, KL ∞; and of one with itself, 0."""

    def log_uniform(low):
        return lambda x: np.where((x > low) & (x < low + 1), 0.0, -np.inf)

    apart = of_densities(log_uniform(0), log_uniform(1), -1, 3, panels=400)
    assert apart == pytest.approx((1, inf, LN2), rel=1e-12)
    half = of_densities(log_uniform(0), log_uniform(0.5), -1, 3, panels=400)
    assert (half.tv, half.kl) == (pytest.approx(0.5), inf)
    assert half.js == pytest.approx(LN2 / 2)
    assert of_densities(log_uniform(0), log_uniform(0), -1, 3, panels=400) == (0, 0, 0)


def test_what_is_no_density_is_refused():
    def flat(x):
        return np.zeros_like(x)

    with pytest.raises(DataError, match=r"log_p integrates to 2 on \[0, 2\], expected 1"):
        of_densities(flat, flat, 0, 2)
    with pytest.raises(DataError, match="expects low < high"):
        of_densities(flat, flat, 2, 0)


def test_gaussian_em_against_the_coupling_by_quantiles():
    """W₁ = ∫ |F⁻¹(u) - G⁻¹(u)| du, and F⁻¹ - G⁻¹ = μ + σZ at the quantile Z."""
    for m1, s1, m2, s2 in ((0, 1, 2, 1), (0, 1, 0.3, 3), (-1, 0.5, 1, 0.1)):

        def gap(z, m1=m1, s1=s1, m2=m2, s2=s2):
            return abs(m1 - m2 + (s1 - s2) * z) * np.exp(-z * z / 2) / sqrt(2 * np.pi)

        bend = [] if s1 == s2 else [(m2 - m1) / (s1 - s2)]
        exact = integrate.quad(gap, -12, 12, points=bend, limit=200)[0]
        assert gaussian_em(m1, s1, m2, s2) == pytest.approx(exact, rel=1e-9)


def test_gaussian_w2_where_covariances_commute_and_where_they_do_not():
    """Diagonal: ‖√Σ₁ - √Σ₂‖; else as scipy.linalg.sqrtm has it."""
    from scipy.linalg import sqrtm

    assert gaussian_w2([0, 0], np.diag([1.0, 4.0]), [3, 0], np.diag([4.0, 9.0])) == pytest.approx(
        sqrt(9 + 1 + 1)
    )
    a, b = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([[1.0, -0.5], [-0.5, 3.0]])
    cross = np.trace(sqrtm(a @ b)).real
    assert gaussian_w2([0, 0], a, [0, 0], b) ** 2 == pytest.approx(8 - 2 * cross)
    assert gaussian_w2(0.0, 1.0, 0.0, 9.0) == pytest.approx(2)


def test_gaussian_kl_is_the_mean_of_the_log_ratio():
    """Over n = 10⁵ points, within 5 standard errors."""
    mean, cov = np.array([0.5, -1.0]), np.array([[2.0, 0.6], [0.6, 1.0]])
    other, wide = np.zeros(2), np.array([[1.5, -0.2], [-0.2, 2.0]])
    x = np.random.default_rng(0).multivariate_normal(mean, cov, 100_000)

    def log_density(m, c):
        d = x - m
        return -0.5 * np.einsum("ni,ij,nj->n", d, np.linalg.inv(c), d) - log(np.linalg.det(c)) / 2

    ratio = log_density(mean, cov) - log_density(other, wide)
    allowed = 5 * ratio.std() / sqrt(len(x))
    assert abs(gaussian_kl(mean, cov, other, wide) - ratio.mean()) < allowed


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: gaussian_em(0, 0, 0, 1), "gaussian_em: standard deviations expect numbers > 0"),
        (lambda: gaussian_em(np.nan, 1, 0, 1), "gaussian_em: a mean expects a number, got nan"),
        (lambda: gaussian_em(0, "1", 0, 1), "a standard deviation expects a number, got '1'"),
        (lambda: gaussian_divergences(np.nan, 1, 0, 1), "a mean expects a number, got nan"),
        (lambda: gaussian_divergences(0, 1, 0, 1e9), "within 100000 of the smaller standard"),
        (lambda: gaussian_divergences(1e9, 1, 0, 1), "within 100000 of the smaller standard"),
        (lambda: gaussian_w2([0, 0], np.eye(2), [0], np.eye(1)), "of one dimension, got 2 and 1"),
        (lambda: gaussian_kl(0, -1.0, 0, 1.0), "gaussian_kl: a covariance expects a symmetric"),
        (lambda: gaussian_kl([np.nan], 1.0, 0, 1.0), "gaussian_kl: a mean holds NaN"),
    ],
)
def test_what_is_no_gaussian_is_refused(call, said):
    with pytest.raises(DataError, match=said):
        call()


def test_a_grid_counts_every_point_once():
    """Against np.histogram2d inside; what lies outside counts at the border."""
    x = np.random.default_rng(0).normal(size=(500, 2))
    grid = Grid((-5.0, -4.0), (5.0, 4.0), 8)
    expected = np.histogram2d(*x.T, 8, [(-5, 5), (-4, 4)])[0]
    np.testing.assert_array_equal(grid.counts(x).reshape(8, 8), expected)
    outside = grid.counts(np.array([[99.0, -99.0], [5.0, -4.0]])).reshape(8, 8)
    assert outside[7, 0] == 2 == outside.sum()


def test_binned_is_the_divergence_of_the_counts():
    x, y, grid = [0.1, 0.1, 0.6], [0.3, 0.6, 0.9, 0.8], Grid((0.0,), (1.0,), 4)
    p, q = np.array([2, 0, 1, 0]) / 3, np.array([0, 1, 1, 2]) / 4
    plain = binned(x, y, grid, pseudo_count=0)
    assert plain == pytest.approx(by_hand(p, q))
    p, q = np.array([3, 1, 2, 1]) / 7, np.array([1, 2, 2, 3]) / 8
    assert binned(x, y, grid, pseudo_count=1).kl == pytest.approx(by_hand(p, q)[1])


def test_two_samples_of_one_gaussian_differ_by_what_counting_errors_explain():
    """TV = ½ Σ|p̂ - q̂|: E ≤ ½ Σ √(2 p(1 - p)/n), with a spread of at most √(1/2n)·√2.

    The sum changes by 1/n at most when one of 2n points does, so it exceeds its mean by t with
    probability exp(-n t²) at most (McDiarmid): t = 4/√n makes that 10⁻⁷.
    """
    n, grid = 2000, Grid((-4.0,), (4.0,), 20)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, n))
    edges = np.linspace(-4, 4, 21)
    p = np.diff([0.5 * (1 + erf(e / sqrt(2))) for e in edges])
    expected = 0.5 * np.sqrt(2 * p * (1 - p) / n).sum()
    assert 0 < binned(x, y, grid).tv < expected + 4 / sqrt(n)


def test_two_different_gaussians_on_a_grid_come_to_the_closed_forms():
    """N(0, 1) and N(1.5, ½²), n points of each in k bins whose probabilities are known by erf.

    TV(p̂, p) is at most ½ Σ √(p(1 - p)/n) in the mean and changes by 1/n with a point: it passes
    that by 3/√n with probability e⁻¹⁸ (McDiarmid).  What the bins themselves lose of TV is at most
    the smaller probability of those in which the densities cross.

    √JS obeys the triangle inequality, and JS(p̂, p) ≤ ½ KL(p̂ ‖ p), which is at most c(k - 1)/2n
    with c = 2.2 but with probability exp(-(k - 1)(c - 1 - ln c)) = 10⁻⁷ (Agrawal 2020).
    """
    n, k = 100_000, 40
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=n), 1.5 + 0.5 * rng.normal(size=n)
    grid, edges = Grid((-4.0,), (4.0,), k), np.linspace(-4, 4, k + 1)
    edges[[0, -1]] = -inf, inf  # what lies outside counts at the border
    p, q = (
        np.diff([0.5 * (1 + erf((e - mean) / std / sqrt(2))) for e in edges])
        for mean, std in ((0, 1), (1.5, 0.5))
    )
    found, exact = binned(x, y, grid), gaussian_divergences(0, 1, 1.5, 0.5)
    tv_of_bins, _, js_of_bins = by_hand(p, q)
    # (x - 1.5)²/0.25 + 2 ln ½ = x²
    crossed = np.searchsorted(edges, np.roots([3, -12, 9 - 2 * LN2]).real) - 1
    lost = np.minimum(p, q)[crossed].sum()
    assert 0 <= exact.tv - tv_of_bins <= lost
    assert js_of_bins <= exact.js
    tv_off = sum(np.sqrt(d * (1 - d) / n).sum() / 2 + 3 / sqrt(n) for d in (p, q))
    assert abs(found.tv - tv_of_bins) < tv_off
    js_off = 2 * sqrt(2.2 * (k - 1) / (2 * n))
    assert abs(sqrt(found.js) - sqrt(js_of_bins)) < js_off


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Grid.around(), "one or more samples of one dimension, got none"),
        (
            lambda: Grid.around([1.0], [[1.0, 2.0]]),
            r"samples of one dimension, got \(1, 1\), \(1, 2\)",
        ),
        (
            lambda: Grid((0.0,), (1.0,), 2.5),
            r"Grid: bins expects a whole number from 1 on, got 2\.5",
        ),
        (lambda: Grid((0.0,), (None,), 2), "Grid: a corner expects a number, got None"),
        (lambda: binned([0.5], [0.5], Grid((0.0,), (1.0,), 3), None), "pseudo_count expects"),
        (lambda: of_densities(np.sin, np.sin, None, 1), "of_densities: an end expects a number"),
        (lambda: of_densities(np.sin, np.sin, 0, 1, 1.5), "panels expects a whole number"),
    ],
)
def test_mistakes_around_grids_are_said_in_a_sentence(call, said):
    with pytest.raises(DataError, match=said):
        call()


def test_mistakes_with_grids():
    with pytest.raises(DataError, match="Grid: expects low < high"):
        Grid((0.0,), (0.0,), 3)
    with pytest.raises(DataError, match=r"from 1 to 10⁶ bins in all, got 101"):
        Grid((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 101)
    with pytest.raises(DataError, match="expects points of 2 dimensions, got 1"):
        Grid((0.0, 0.0), (1.0, 1.0), 3).counts([0.5])
    with pytest.raises(DataError, match="pseudo_count expects a number >= 0"):
        binned([0.5], [0.5], Grid((0.0,), (1.0,), 3), pseudo_count=-1)
