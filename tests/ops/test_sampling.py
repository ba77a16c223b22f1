"""Draws: their moments and frequencies within five standard errors, and what is refused."""

import math

import pytest

import minigan
from minigan import tensor


def test_normal_has_the_mean_and_deviation_asked_for():
    n = 40_000
    for mean, std in ((3.0, 0.5), (minigan.full((n,), 3.0), 0.5), (3.0, minigan.full((n,), 0.5))):
        size = (n,) if isinstance(mean, float) and isinstance(std, float) else None
        x = minigan.normal(mean, std, size)
        assert x.shape == (n,) and x.dtype == "float32"
        assert abs(x.mean().item() - 3) < 5 * 0.5 / math.sqrt(n)
        assert abs(x.std().item() - 0.5) < 5 * 0.5 / math.sqrt(2 * n)
    with pytest.raises(RuntimeError, match="at least 0"):
        minigan.normal(0.0, -1.0, (2,))
    with pytest.raises(TypeError, match="expected size"):
        minigan.normal(0.0, 1.0)


def test_bernoulli_and_multinomial_have_their_frequencies():
    n = 20_000
    ones = minigan.bernoulli(minigan.full((n,), 0.3)).mean().item()
    assert abs(ones - 0.3) < 5 * math.sqrt(0.21 / n)
    drawn = minigan.multinomial(tensor([[1.0, 0.0, 3.0], [0.0, 1.0, 0.0]]), n, True)
    assert drawn.shape == (2, n) and (drawn[1] == 1).all() and not (drawn[0] == 1).any()
    assert abs((drawn[0] == 2).float().mean().item() - 0.75) < 5 * math.sqrt(0.1875 / n)
    assert sorted(minigan.multinomial(minigan.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]
    for weights in (tensor([0.0, 1.0]), tensor([-1.0, 2.0]), tensor([1.0, math.inf])):
        with pytest.raises(RuntimeError, match="multinomial: expected finite weights"):
            minigan.multinomial(weights, 2)


def test_the_state_continues_a_sequence():
    minigan.manual_seed(7)
    assert minigan.initial_seed() == 7
    state = minigan.get_rng_state()
    first = minigan.randn(3)
    minigan.set_rng_state(state)
    assert minigan.equal(first, minigan.randn(3))


def test_like_takes_what_is_not_said_from_the_tensor():
    x = minigan.zeros(2, 3, dtype="float64")
    assert minigan.randn_like(x).dtype == "float64"
    y = minigan.rand_like(x, dtype="float32", requires_grad=True)
    assert y.dtype == "float32" and y.requires_grad and y.shape == (2, 3)
    assert minigan.randint_like(x, 3, dtype="int64").dtype == "int64"
    with pytest.raises(NotImplementedError, match=r"^rand: expected a float dtype, got int64"):
        minigan.rand_like(minigan.zeros(2, dtype="int64"))
