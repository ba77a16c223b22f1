"""What moves apart: the closed forms, their slopes, and what networks make of them."""

from math import erf, inf, log, sqrt

import numpy as np
import pytest
from scipy import integrate

import minigan
from minigan.gan.objectives import bce_critic
from minigan.toys import parallel_lines, rivals, toy
from minigan.toys.apart import GAUSSIANS, LINES, Four, best_logit
from minigan.toys.distances import em, gaussian_divergences, js, kl, tv
from minigan.toys.rivals import RATE, SEEN, descend, estimate, exact_descent

LN2 = log(2)
THETAS = (-1.0, -0.4, 0.4, 1.0)


@pytest.mark.parametrize("theta", [*THETAS, 1e-9])
def test_the_lines_distances(theta):
    assert LINES.exact(theta) == (1, inf, LN2, abs(theta))
    assert LINES.slope(theta) == (0, None, 0, np.sign(theta))


def test_lines_that_coincide():
    assert LINES.exact(0.0) == (0, 0, 0, 0)
    assert LINES.slope(0.0) == (None, None, None, None)


@pytest.mark.parametrize("bins", [1, 7])
def test_the_lines_distances_are_those_of_bins_along_them(bins):
    """Z in equal bins, on one line or on two: the distances of discrete distributions."""
    along = np.full(bins, 1 / bins)
    here, there = np.stack([along, 0 * along]), np.stack([0 * along, along])
    apart, together = (tuple(f(here, at) for f in (tv, kl, js)) for at in (there, here))
    assert LINES.exact(0.5)[:3] == pytest.approx(apart)
    assert LINES.exact(0.0)[:3] == together


@pytest.mark.parametrize("family", [LINES, GAUSSIANS], ids=lambda f: f.name)
def test_of_one_distribution_networks_see_no_distance(family):
    """On fresh points: the difference of two means of terms that hardly vary by more than a coin's
    ½ (TV's are coins), n of each; five standard errors of it."""
    values = estimate(family, 0.0, 60, seed=0).values
    allowed = 5 * sqrt(2 * 0.25 / SEEN)
    assert max(abs(values.tv), abs(values.kl), abs(values.js), abs(values.em)) < allowed


@pytest.mark.parametrize("theta", [0.3, 2.0])
@pytest.mark.parametrize("family", [LINES, GAUSSIANS], ids=lambda f: f.name)
def test_samples_have_the_distance_em_and_its_slope(family, theta):
    """With the same noise on both sides the shift is the best coupling: EM = |θ| to rounding."""
    rng = minigan.Generator()
    at = minigan.tensor(theta, requires_grad=True)
    real = family.real(50, rng.manual_seed(3))
    fake = family.fake(at, 50, rng.manual_seed(3))
    assert em(real, fake) == pytest.approx(theta, rel=1e-5)
    distance = (fake - real).norm(dim=1).mean()
    assert minigan.grad(distance, at)[0].item() == pytest.approx(1, rel=1e-5)


@pytest.mark.parametrize("theta", [-2.5, 0.7, 3.0])
def test_the_gaussians_distances(theta):
    tv, kl, js, distance = GAUSSIANS.exact(theta)
    assert (tv, kl, distance) == (erf(abs(theta) / sqrt(8)), theta**2 / 2, abs(theta))
    found = gaussian_divergences(0, 1, theta, 1)
    assert found == pytest.approx((tv, kl, js), rel=1e-9)

    def js_density(x):
        p, q = (np.exp(-((x - m) ** 2) / 2) / sqrt(2 * np.pi) for m in (0, theta))
        return (p * np.log(2 * p / (p + q)) + q * np.log(2 * q / (p + q))) / 2

    assert js == pytest.approx(integrate.quad(js_density, -15, 15)[0], rel=1e-8)


@pytest.mark.parametrize("theta", [-2.5, -0.2, 0.7, 3.0])
def test_slopes_are_the_derivatives_of_the_distances(theta):
    """By central differences, whose error is of the order h² = 10⁻⁸."""
    h = 1e-4
    up, down = GAUSSIANS.exact(theta + h), GAUSSIANS.exact(theta - h)
    differences = [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]
    assert GAUSSIANS.slope(theta) == pytest.approx(differences, abs=1e-7)


@pytest.mark.parametrize("theta", [-0.5, 0.5])
def test_a_good_discriminator_of_lines_is_sure_and_has_no_slope(theta):
    """JS reaches ln 2 and cannot pass it; its derivative is far below the critic's, which is 1.

    The penalized critic's best slope is 1 + |θ|/20 (see ``slant``).  Its 0.15, and how sure the
    discriminator is, are margins for what 400 steps leave untrained; sampling errors are far below.
    """
    found = estimate(LINES, theta, 400, seed=0)
    tv, kl, js, distance = found.values
    assert tv == 1
    assert LN2 - 0.001 < js < LN2
    assert kl > 5
    assert found.slopes.tv is None
    assert abs(found.slopes.kl) < 0.02 and abs(found.slopes.js) < 0.01
    aim = 1 + abs(theta) / 20
    assert distance == pytest.approx(abs(theta) * aim, rel=0.15)
    assert found.slopes.em == pytest.approx(np.sign(theta) * aim, rel=0.15)


@pytest.fixture(scope="module")
def discriminator():
    return estimate(GAUSSIANS, 2.0, 600, seed=0).discriminator


def test_the_discriminator_comes_to_p_over_p_plus_q(discriminator):
    """Mean |D - D*| over 10⁵ points of the mixture.

    V(D*) - V(D) = E KL(D* ‖ D)·2 ≥ 4·E (D* - D)² (Pinsker), so that a gap of V bounds the mean;
    and the gap of V itself is at least 0 within 5 standard errors and small.
    """
    rng, n = minigan.Generator().manual_seed(1), 100_000
    real, fake = GAUSSIANS.real(n, rng), GAUSSIANS.fake(minigan.tensor(2.0), n, rng)
    best = [best_logit(2.0, x.numpy()[:, 0].astype(float)) for x in (real, fake)]
    trained = [discriminator.network(x).detach().numpy()[:, 0].astype(float) for x in (real, fake)]

    def terms(logits):
        return -np.logaddexp(0, -logits[0]), -np.logaddexp(0, logits[1])

    # The same points on both sides: their difference has a small standard error.
    gaps = [a - b for a, b in zip(terms(best), terms(trained), strict=True)]
    gap = sum(g.mean() for g in gaps)
    error = sqrt(sum(g.var() / n for g in gaps))
    assert -5 * error < gap < 0.02
    wrong = [
        1 / (1 + np.exp(-a)) - 1 / (1 + np.exp(-b)) for a, b in zip(best, trained, strict=True)
    ]
    assert np.mean(np.square(wrong)) <= (gap + 5 * error) / 4


def test_the_value_at_the_best_discriminator_is_2_js_minus_2_ln_2():
    """Over 10⁵ points of each, within 5 standard errors of the two means."""
    rng, n = minigan.Generator().manual_seed(2), 100_000
    for theta in (0.5, 2.0):
        real, fake = GAUSSIANS.real(n, rng), GAUSSIANS.fake(minigan.tensor(theta), n, rng)
        logits = [minigan.tensor(best_logit(theta, x.numpy()[:, 0])) for x in (real, fake)]
        value = -bce_critic(*logits).item()
        terms = np.logaddexp(0, -logits[0].numpy()), np.logaddexp(0, logits[1].numpy())
        allowed = 5 * sqrt(sum(t.var() / n for t in terms))
        assert abs(value - (2 * GAUSSIANS.exact(theta).js - 2 * LN2)) < allowed


def test_the_discriminators_gaussian_estimates(discriminator):
    """On fresh points they are lower bounds: at most exact, within 5 standard errors.

    TV is a difference of two shares of n points, with a variance of 1/4n each at most.
    """
    rng = minigan.Generator().manual_seed(3)
    real, fake = GAUSSIANS.real(SEEN, rng), GAUSSIANS.fake(minigan.tensor(2.0), SEEN, rng)
    exact = GAUSSIANS.exact(2.0)
    allowed = 5 * sqrt(2 * 0.25 / SEEN)
    assert exact.tv - allowed - 0.02 < discriminator.tv(real, fake) < exact.tv + allowed
    logits = [discriminator.network(x).detach().numpy().astype(float) for x in (real, fake)]
    by_hand = logits[0].mean() + 1 - np.exp(logits[1]).mean()
    assert discriminator.kl(real, fake).item() == pytest.approx(by_hand, rel=1e-6)
    spread = sqrt((logits[0].var() + np.exp(logits[1]).var()) / SEEN)
    assert discriminator.kl(real, fake).item() < exact.kl + 5 * spread


@pytest.mark.parametrize("name", ["kl", "js"])
def test_slopes_of_estimates_are_their_derivatives(discriminator, name):
    """By central differences of the estimate on the same points.

    The logit bends where a LeakyReLU does, for a share of the points of the order h; 2 %.
    """
    rng, h = minigan.Generator(), 0.01

    def say(theta):
        real = GAUSSIANS.real(SEEN, rng.manual_seed(4))
        return getattr(discriminator, name)(real, GAUSSIANS.fake(theta, SEEN, rng))

    at = minigan.tensor(2.0, requires_grad=True)
    up, down = (say(minigan.tensor(2.0 + s)).item() for s in (h, -h))
    (slope,) = minigan.grad(say(at), at)
    assert slope.item() == pytest.approx((up - down) / (2 * h), rel=0.02)


def test_theta_descends_the_critic_and_not_the_discriminator():
    """Down EM it goes 0.02 a step, as |dEM/dθ| = 1 says; down JS or KL, whose slope is 0, nowhere.

    The 0.15 is a margin for a critic in training, as above.
    """
    at = np.zeros((3, 2), np.float32)
    along_em = descend(LINES, "em", 0.5, 15, 0, at)
    along_js = descend(LINES, "js", 0.5, 15, 0, at)
    assert along_em.theta[0] == along_js.theta[0] == 0.5
    assert along_em.theta[-1] == pytest.approx(0.5 - 15 * 0.02, abs=0.15 * 15 * 0.02)
    assert abs(along_js.theta[-1] - 0.5) < 0.01
    along_kl = descend(LINES, "kl", 0.5, 15, 0, at)
    assert abs(along_kl.theta[-1] - 0.5) < 0.01
    assert len(along_em.seen) == 16 and along_em.seen[0].shape == (3,)


def test_down_the_exact_slopes():
    """EM in equal steps to 0 and no further, KL by 1 - RATE a step; JS of lines stays."""
    assert exact_descent(LINES, "em", 0.05, 4) == pytest.approx([0.05, 0.03, 0.01, 0, 0])
    expected = [1.5 * (1 - RATE) ** t for t in range(6)]
    assert exact_descent(GAUSSIANS, "kl", 1.5, 5) == pytest.approx(expected)
    assert exact_descent(LINES, "js", 0.8, 3) == exact_descent(LINES, "kl", 0.8, 3) == [0.8] * 4


@pytest.mark.parametrize("player", ["kl", "js"])
def test_where_distributions_overlap_theta_descends_a_discriminator_too(player):
    """As the exact slope takes it; a third of the way is the margin for one in training."""
    steps = 15
    path = descend(GAUSSIANS, player, 1.5, steps, 0, np.zeros((3, 2), np.float32))
    way = 1.5 - exact_descent(GAUSSIANS, player, 1.5, steps)[-1]
    assert 1.5 - path.theta[-1] == pytest.approx(way, rel=1 / 3)


def test_slopes_that_are_zero_are_drawn_on_the_scale_of_ems(monkeypatch):
    """A network's noise of 0.001 would fill a panel of its own scale."""
    seen = []
    monkeypatch.setattr(parallel_lines, "save", lambda figure, path: seen.append(figure))
    noise = rivals.Estimated(Four(1.0, 9.0, 0.69, 1.0), Four(None, 1e-3, 1e-3, 1.0), None)
    for family in (LINES, GAUSSIANS):
        found = dict.fromkeys((-1.0, 0.0, 1.0), noise)
        parallel_lines._draw_distances("none", family, found, 3)
    lines, gaussians = ([axes.get_ylim() for axes in figure.axes] for figure in seen)
    assert lines[4:7] == [(-1.15, 1.15)] * 3
    assert (-1.15, 1.15) not in gaussians[4:7]


def test_the_toy_leaves_what_it_promises(tmp_path, monkeypatch):
    monkeypatch.setattr(rivals, "WARM_UP", 3)
    monkeypatch.setattr(rivals, "BETWEEN", 1)
    monkeypatch.setattr(parallel_lines, "QUICK", parallel_lines.Size(3, 3, 3, 4))
    results = toy("parallel-lines").run(tmp_path / "out", quick=True)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        *("lines.png", "gaussians.png", "best-discriminator.png", "descent.png", "descent.gif"),
        "results.json",
    }
    rows = {row["what"]: row for row in results["rows"]}
    assert rows["EM of parallel lines at θ = -1 (λ = 10 allows 1.05)"]["exact"] == 1
    assert rows["KL of parallel lines at θ = 1"]["exact"] == "inf"
    assert rows["JS of parallel lines at θ = 1"]["exact"] == LN2
    assert rows["dKL/dθ of parallel lines at θ = 1"]["exact"] is None
    assert rows["dKL/dθ of two gaussians at θ = 3"]["exact"] == 3
    assert rows["dEM/dθ of parallel lines at θ = -1 (λ = 10 allows -1.05)"]["exact"] == -1
    ends = [name for name in rows if name.startswith("θ of ")]
    assert len(ends) == 6 and rows["θ of parallel lines after descending KL by a discriminator"]
