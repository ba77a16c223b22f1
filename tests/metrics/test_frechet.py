"""The Fréchet distance against closed forms, invariances and SciPy's matrix square root."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from minigan.metrics import frechet_distance, frechet_from_moments


def covariance(rng, d, rank=None):
    factor = rng.normal(size=(d, rank or d))
    return factor @ factor.T


def rotation(rng, d):
    return np.linalg.qr(rng.normal(size=(d, d)))[0]


scale = st.floats(1e-3, 1e3)
mean = st.floats(-1e3, 1e3)


@given(mean, scale, mean, scale)
def test_one_dimension_is_the_closed_form(m1, s1, m2, s2):
    truth = (m1 - m2) ** 2 + (s1 - s2) ** 2
    got = frechet_from_moments([m1], [[s1**2]], [m2], [[s2**2]])
    assert got == pytest.approx(truth, rel=1e-12, abs=1e-14 * max(s1, s2) ** 2)


@pytest.mark.parametrize("d", [1, 2, 7, 40])
def test_commuting_covariances_are_the_closed_form(d):
    rng = np.random.default_rng(d)
    mu1, mu2 = rng.normal(size=(2, d))
    s1, s2 = rng.uniform(0.0, 3.0, (2, d))
    truth = ((mu1 - mu2) ** 2).sum() + ((s1 - s2) ** 2).sum()
    assert frechet_from_moments(mu1, np.diag(s1**2), mu2, np.diag(s2**2)) == pytest.approx(truth)
    q = rotation(rng, d)  # the same eigenvectors for both, no longer along the axes
    S1, S2 = (q * s1**2) @ q.T, (q * s2**2) @ q.T
    assert frechet_from_moments(mu1, S1, mu2, S2) == pytest.approx(truth)


@pytest.mark.parametrize("d", [2, 5, 30])
def test_general_covariances_agree_with_scipy(d):
    rng = np.random.default_rng(d)
    mu1, mu2 = rng.normal(size=(2, d))
    S1, S2 = covariance(rng, d), covariance(rng, d)
    truth = ((mu1 - mu2) ** 2).sum() + np.trace(S1 + S2 - 2 * sqrtm(S1 @ S2).real)
    assert frechet_from_moments(mu1, S1, mu2, S2) == pytest.approx(truth, rel=1e-9)


def test_two_dimensions_are_the_closed_form():
    # For 2 x 2 matrices, tr(M^{1/2}) = sqrt(tr M + 2 sqrt(det M)).
    S1, S2 = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([[1.0, -0.8], [-0.8, 3.0]])
    M = S1 @ S2
    root = np.sqrt(np.trace(M) + 2 * np.sqrt(np.linalg.det(M)))
    truth = np.trace(S1) + np.trace(S2) - 2 * root
    assert frechet_from_moments([0, 0], S1, [0, 0], S2) == pytest.approx(truth, rel=1e-13)


@pytest.mark.parametrize("n", [3, 10, 200])  # fewer and more samples than features
def test_features_agree_with_their_moments(n):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 10)), rng.exponential(size=(n + 1, 10))
    truth = frechet_from_moments(
        np.average(x, 0), np.cov(x, rowvar=False), np.average(y, 0), np.cov(y, rowvar=False)
    )
    assert frechet_distance(x, y) == pytest.approx(truth, rel=1e-12)
    assert frechet_distance(y, x) == pytest.approx(truth, rel=1e-12)


def test_rotation_shift_and_scale():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 6)), rng.normal(size=(60, 6)) @ rng.normal(size=(6, 6)) + 1
    distance = frechet_distance(x, y)
    q, shift = rotation(rng, 6), rng.normal(size=6)
    assert frechet_distance(x @ q + shift, y @ q + shift) == pytest.approx(distance, rel=1e-11)
    assert frechet_distance(3 * x, 3 * y) == pytest.approx(9 * distance, rel=1e-11)


@pytest.mark.parametrize("shape", [(2, 1), (2, 50), (20, 50), (300, 50)])
def test_itself_is_at_zero_even_when_singular(shape):
    x = np.random.default_rng(0).normal(size=shape)
    assert 0 <= frechet_distance(x, x) < 1e-12 * shape[1]
    assert 0 <= frechet_distance(x, x[::-1]) < 1e-12 * shape[1]


def test_a_pure_shift_costs_its_square_even_when_singular():
    x = np.random.default_rng(0).normal(size=(5, 30))
    assert frechet_distance(x, x + 2.0) == pytest.approx(4 * 30, rel=1e-12)


def test_disjoint_supports_leave_the_two_traces():
    # Orthogonal ranges: S1^{1/2} S2 S1^{1/2} = 0 exactly, although S1 and S2 are not.
    rng = np.random.default_rng(0)
    q = rotation(rng, 12)
    S1 = q[:, :4] @ covariance(rng, 4) @ q[:, :4].T
    S2 = q[:, 4:9] @ covariance(rng, 5) @ q[:, 4:9].T
    zero = np.zeros(12)
    assert frechet_from_moments(zero, S1, zero, S2) == pytest.approx(
        np.trace(S1) + np.trace(S2), rel=1e-13
    )


def test_float32_and_integers_are_computed_in_float64():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 5)).astype(np.float32) + np.float32(1000)
    y = rng.normal(size=(40, 5)).astype(np.float32) + np.float32(1000)
    truth = frechet_distance(x.astype(np.float64), y.astype(np.float64))
    assert frechet_distance(x, y) == truth
    assert type(frechet_distance(x, y)) is float
    assert frechet_distance(np.array([[0], [2]]), np.array([[1], [3]])) == pytest.approx(1)


def test_inputs_are_left_alone():
    arrays = [np.zeros(3), np.eye(3), np.ones(3), 2 * np.eye(3)]
    copies = [a.copy() for a in arrays]
    frechet_from_moments(*arrays)
    assert all((a == c).all() for a, c in zip(arrays, copies, strict=True))


good = np.eye(3)


@pytest.mark.parametrize(
    ("x", "y", "error", "words"),
    [
        (good, good[:, :2], ValueError, r"number of features, got shapes \(3, 3\) and \(3, 2\)"),
        (good[:1], good, ValueError, r"x expects at least 2 samples .* got shape \(1, 3\)"),
        (good, good[:, :0], ValueError, "y expects .* 1 feature"),
        (good[0], good, ValueError, r"x expects two dimensions, got shape \(3,\)"),
        (good, good * [1, np.nan, 1], ValueError, "y expects finite values, 3 of 9"),
        (good, np.where(good, np.inf, 0), ValueError, "y expects finite values, 3 of 9"),
        (good * 1j, good, TypeError, "x expects real numbers, got dtype complex128"),
    ],
)
def test_wrong_features_are_refused(x, y, error, words):
    with pytest.raises(error, match=f"frechet_distance: .*{words}"):
        frechet_distance(x, y)


@pytest.mark.parametrize(
    ("moments", "words"),
    [
        (([0, 0], np.eye(2), [0, 0, 0], np.eye(3)), r"got \(2,\), \(2, 2\), \(3,\), \(3, 3\)"),
        (([0, 0], [[1, 2], [0, 1]], [0, 0], np.eye(2)), "S1 expects a symmetric"),
        (([0, 0], np.eye(2), [0, 0], [[1, 2], [2, 1]]), "S2 .* smallest eigenvalue is -1"),
        (([0, np.nan], np.eye(2), [0, 0], np.eye(2)), "mu1 expects finite"),
        ((np.eye(2), np.eye(2), [0, 0], np.eye(2)), r"mu1 expects \(d,\)"),
    ],
)
def test_wrong_moments_are_refused(moments, words):
    with pytest.raises(ValueError, match=f"frechet_from_moments: .*{words}"):
        frechet_from_moments(*moments)
