"""Tensors filled in place: constants, and random numbers of the right distribution."""

import math

import numpy as np
import pytest

import minigan
from minigan import tensor


def generator(seed=0):
    return minigan.Generator().manual_seed(seed)


def test_fill_and_zero():
    x = tensor([-2.0, 0.5, 3.0])
    assert x.fill_(7).tolist() == [7, 7, 7] and x.version[0] == 1
    assert x.zero_() is x and x.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_and_uniform_have_their_moments(dtype):
    g, x = generator(), minigan.empty(100_000, dtype=dtype)
    assert x.normal_(3, 2, generator=g) is x
    assert abs(x.numpy().mean() - 3) < 0.04 and abs(x.numpy().std() - 2) < 0.03
    x.uniform_(-1, 3, generator=g)
    assert x.numpy().min() >= -1 and x.numpy().max() <= 3 and abs(x.numpy().mean() - 1) < 0.02


def test_bernoulli_draws_ones_at_its_probability():
    """100,000 draws, within 5 standard errors; one probability for all, or one for each column."""
    n = 100_000
    for p in (0.5, 0.1, tensor([0.0, 0.3, 1.0])):
        x = minigan.empty(n, 3).bernoulli_(p, generator=generator())
        assert set(np.unique(x.numpy())) <= {0.0, 1.0}
        chance = np.broadcast_to(p.numpy() if isinstance(p, minigan.Tensor) else p, 3)
        bound = 5 * np.sqrt(chance * (1 - chance) / n) + 1e-12
        assert (abs(x.numpy().mean(0, dtype=np.float64) - chance) <= bound).all()
    for dtype in ("int64", "bool", "float16"):
        assert minigan.empty(3, dtype=dtype).bernoulli_(1.0).tolist() == [1, 1, 1]
    assert 0 < minigan.empty(1000).bernoulli_(generator=generator()).numpy().mean() < 1


def test_random_draws_every_whole_number_of_its_range_alike():
    for dtype in ("float32", "int64", "uint8"):
        x = minigan.empty(50_000, dtype=dtype).random_(2, 7, generator=generator())
        values, counts = np.unique(x.numpy(), return_counts=True)
        assert values.tolist() == [2, 3, 4, 5, 6] and x.dtype == dtype
        assert abs(counts - 10_000).max() < 5 * math.sqrt(10_000 * 0.8)
    assert minigan.empty(100).random_(1).tolist() == [0] * 100
    assert minigan.empty(100, dtype="int64").random_(-3, -2).tolist() == [-3] * 100


@pytest.mark.parametrize(
    ("dtype", "top"),
    # What torch.Tensor.random_() of PyTorch 2.13 draws from: 0 to this, both included.
    [
        ("bool", 1),
        ("uint8", 255),
        ("int32", 2**31 - 1),
        ("int64", 2**63 - 1),
        ("float16", 2**11),
        ("float32", 2**24),
        ("float64", 2**53),
    ],
)
def test_random_without_bounds_fills_what_the_dtype_holds(dtype, top):
    x = minigan.empty(20_000, dtype=dtype).random_(generator=generator()).numpy()
    assert x.min() >= 0 and x.max() <= top
    assert x.max() > 0.99 * top and x.astype(float).mean() == pytest.approx(top / 2, rel=0.03)
    assert (x == np.trunc(x)).all()


def test_seeds_repeat():
    for name in ("normal_", "uniform_", "bernoulli_", "random_"):
        a, b, c = (
            getattr(minigan.empty(20), name)(generator=generator(s)).tolist() for s in (1, 1, 2)
        )
        assert a == b != c


def test_views_are_filled_in_their_base():
    x = minigan.zeros(2, 3)
    x[0].fill_(5)
    x[:, 0].random_(9, 10)
    assert x.tolist() == [[9, 5, 5], [9, 0, 0]]


ERRORS = [
    (lambda x: x.bernoulli_(1.5), RuntimeError, "bernoulli_: expected probabilities between 0 and"),
    (lambda x: x.bernoulli_(tensor([-0.1, 0, 0])), RuntimeError, "bernoulli_: expected probabil"),
    (lambda x: x.bernoulli_(math.nan), RuntimeError, "bernoulli_: expected probabilities"),
    (lambda x: x.bernoulli_(minigan.zeros(2)), RuntimeError, r"bernoulli_: shape \(2,\) does not"),
    (lambda x: x.random_(5, 5), RuntimeError, "random_: expected from < to, got 5 and 5"),
    (lambda x: x.random_(-1), RuntimeError, "random_: expected from < to, got 0 and -1"),
    (lambda x: x.random_(1, 2, 3), TypeError, "random_: expected at most from and to, got 3"),
    (
        lambda x: x.to("uint8").random_(300),
        RuntimeError,
        "random_: 0 … 299 does not fit",
    ),
    (
        lambda x: x.normal_(0, -1),
        RuntimeError,
        "normal_: expected a standard deviation",
    ),
    (lambda x: x.uniform_(2, 1), RuntimeError, "uniform_: expected a ≤ b, got 2 and 1"),
    (
        lambda x: x.long().normal_(),
        NotImplementedError,
        "normal_: expected a float tensor, got",
    ),
    (lambda x: x.long().uniform_(), NotImplementedError, "uniform_: expected a float tensor"),
]


@pytest.mark.parametrize(("call", "error", "message"), ERRORS)
def test_a_misuse_is_one_clear_error_and_changes_nothing(call, error, message):
    x = minigan.ones(3)
    with pytest.raises(error, match=message):
        call(x)
    assert x.tolist() == [1, 1, 1] and x.version[0] == 0
