"""Trained critics against the exact distance of the very sets that they are trained on."""

import numpy as np
import pytest

import minigan
from minigan.data import DataError
from minigan.gan.penalties import slopes
from minigan.toys.distances import dual, em, js, kl, tv, unit_cases
from minigan.toys.players import CLIP, CRITICS, Critic, Discriminator

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 2)).astype(np.float32)
Y = (0.5 * RNG.normal(size=(80, 2)) + [2.0, 1.0]).astype(np.float32)
EXACT = em(X, Y)
ROUNDING = 1e-5  # float32 networks


@pytest.fixture(scope="module", params=list(CRITICS))
def history(request):
    return request.param, dual(X, Y, request.param, steps=300, every=30, seed=1)


def test_no_critic_finds_more_than_em(history):
    """Weak duality, at every record: E f(x) - E f(y) ≤ K·EM with any bound K on f's slope."""
    for found in history[1]:
        assert found.certain <= EXACT * (1 + ROUNDING)


def test_the_steepest_slope_found_is_below_the_bound(history):
    for found in history[1]:
        assert 0 < found.steepest <= found.bound * (1 + ROUNDING)


def test_training_makes_critics_see_the_distance(history):
    """From nothing to more, and under the penalty to the value that its weight λ = 10 lets it say:
    f = s·u·x, ‖u‖ = 1, wins s·EM - λ(s - 1)² at most, with s = 1 + EM/20.

    A tenth is a margin for what 300 steps leave untrained; no sampling is in it, for every step
    sees all points.
    """
    kind, found = history
    first, last = found[0], found[-1]
    assert abs(first.difference) < 0.1 * EXACT < last.scaled
    assert last.certain > first.certain
    if kind == "gp":
        slope = 1 + EXACT / 20
        assert last.difference == pytest.approx(slope * EXACT, rel=0.1)


def test_steps_are_recorded_and_repeatable():
    first, second = (dual(X, Y, "spectral", steps=25, every=10, seed=3) for _ in range(2))
    assert [found.step for found in first] == [0, 10, 20, 25]
    assert first == second


def test_a_distance_of_one_by_construction():
    """The centre against its circle.

    Under the penalty the best radial f has the slope 1 + 1/20.  A network's smooth or many-sided
    cone loses at the tip what it cuts off: less than a quarter, with 64 units.
    """
    x, y = unit_cases(64)["the centre against its circle"]
    found = dual(x, y, "gp", steps=400, seed=0)[-1]
    assert found.certain <= 1 + ROUNDING
    assert 0.75 < found.difference < 1.1


def test_sets_of_unequal_sizes_have_a_penalty_too():
    """One point against two; whatever the critic finds, it is not more than EM = 1."""
    for found in dual([0.0], [-1.0, 1.0], "gp", steps=60, every=5):
        assert found.certain <= 1 + ROUNDING


def test_clipped_weights_stay_clipped():
    critic = Critic("clip", 2, seed=0)
    for _ in range(20):
        critic.step(minigan.tensor(X), minigan.tensor(Y[:64]))
        assert max(float(abs(p).max()) for p in critic.network.parameters()) <= np.float32(CLIP)


def test_looking_at_a_critic_leaves_it_alone():
    """Also under spectral norm, which takes a power iteration in every pass of training."""
    real, fake = minigan.tensor(X), minigan.tensor(Y)
    watched, alone = Critic("spectral", 2, seed=5), Critic("spectral", 2, seed=5)
    for _ in range(10):
        watched.difference(real, fake)
        watched.steepest(real, fake)
        watched.bound()
        for critic in (watched, alone):
            critic.step(real, fake)
    assert watched.difference(real, fake).item() == alone.difference(real, fake).item()


def test_the_bound_is_the_product_of_singular_values():
    """Against NumPy's SVD; and a network without kinks in reach attains its slope."""
    critic = Critic("clip", 3, seed=0)
    expected = 1.0
    for layer in list(critic.network)[::2]:
        expected *= np.linalg.svd(layer.weight.detach().numpy(), compute_uv=False)[0]
    assert critic.bound() == pytest.approx(expected, rel=1e-5)
    x = minigan.tensor(np.zeros((1, 3), np.float32))
    assert critic.steepest(x, x) == pytest.approx(slopes(critic.network, x).item())


def test_a_discriminator_proves_no_more_than_there_is():
    """Two coins, (¾, ¼) and (¼, ¾) on two points: what it says never passes the exact values, and
    ends at them, for a network can hold two logits."""
    points = np.array([[0.0, 0.0], [1.0, 0.0]], np.float32)
    real, fake = minigan.tensor(points[[0, 0, 0, 1]]), minigan.tensor(points[[0, 1, 1, 1]])
    p, q = [0.75, 0.25], [0.25, 0.75]
    judge = Discriminator(2, seed=0)
    for _ in range(300):
        judge.step(real, fake)
        assert judge.js(real, fake).item() <= js(p, q) + ROUNDING
        assert judge.kl(real, fake).item() <= kl(p, q) + ROUNDING
        assert judge.tv(real, fake) <= tv(p, q)
    assert judge.js(real, fake).item() == pytest.approx(js(p, q), abs=1e-3)
    assert judge.kl(real, fake).item() == pytest.approx(kl(p, q), abs=1e-3)
    assert judge.tv(real, fake) == tv(p, q)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], [1.0]), "dual: x expects at least one point"),
        (([np.nan], [1.0]), "dual: x holds NaN"),
        (([1.0], [[1.0, 2.0]]), "points of one dimension, got 1 and 2"),
        (([1.0], [1.0], "steep"), "dual: kind expects one of clip, gp, spectral; got 'steep'"),
    ],
)
def test_mistakes_are_said_in_a_sentence(arguments, said):
    with pytest.raises(DataError, match=said):
        dual(*arguments)


def test_steps_are_checked():
    with pytest.raises(DataError, match="dual: steps expects a whole number from 1 on, got 0"):
        dual([0.0], [1.0], steps=0, every=5)
    with pytest.raises(DataError, match=r"dual: steps expects a whole number from 1 on, got 1\.5"):
        dual([0.0], [1.0], steps=1.5)
    with pytest.raises(DataError, match="dual: every expects a whole number from 1 on, got 0"):
        dual([0.0], [1.0], every=0)
    with pytest.raises(DataError, match="dual: seed expects a whole number from 0 on, got -1"):
        dual([0.0], [1.0], seed=-1)
