"""New tensors: shapes, dtypes, values, and random numbers of the right distribution."""

import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigan
from minigan import tensor


@pytest.mark.parametrize(
    "make", [minigan.zeros, minigan.ones, minigan.empty, minigan.rand, minigan.randn]
)
def test_sizes_are_given_separately_or_together(make):
    for args in ((2, 3), ((2, 3),), ([2, 3],), (np.int64(2), tensor(3))):
        x = make(*args)
        assert x.shape == (2, 3) and x.dtype == np.float32 and not x.requires_grad
    assert make().shape == () and make(0, 2).shape == (0, 2)
    assert make(2, dtype="float64", requires_grad=True).requires_grad
    assert make(2, dtype="float64").dtype == np.float64
    for size in ((2, 3), [2, 3], (np.int64(2), tensor(3)), ()):
        assert make(size=size).shape == make(size).shape
    assert make(size=(2,), dtype="float64").dtype == np.float64
    with pytest.raises(TypeError, match="expected integers as size"):
        make(1.5)
    with pytest.raises(TypeError, match="expected integers as size"):
        make(size=(1.5,))
    with pytest.raises(TypeError, match=f"{make.__name__}: expected a tuple of ints as size"):
        make(size=3)
    with pytest.raises(TypeError, match=f"{make.__name__}: got size twice, as .2,. and as size="):
        make(2, size=(3,))


def test_constants():
    assert minigan.zeros(2).tolist() == [0, 0] and minigan.ones(2).tolist() == [1, 1]
    assert_array_equal(minigan.eye(2, 3).numpy(), [[1, 0, 0], [0, 1, 0]])
    assert minigan.eye(2).dtype == np.float32


def test_full_takes_its_dtype_from_the_value():
    cases = {True: "bool", 7: "int64", 0.5: "float32", np.float64(0.25): "float32"}
    for value, dtype in cases.items():
        x = minigan.full((2,), value)
        assert x.dtype == dtype and x.tolist() == [value, value]
    assert minigan.full(3, 1.0, dtype="int64").tolist() == [1, 1, 1]
    assert minigan.full(size=(2,), fill_value=3).tolist() == [3, 3]


def test_like_functions_take_shape_and_dtype_from_a_tensor():
    x = tensor([[1.0, 2.0, 3.0]], dtype="float64", requires_grad=True)
    for make, value in (
        (minigan.zeros_like, 0),
        (minigan.ones_like, 1),
        (lambda v: minigan.full_like(v, 2.5), 2.5),
    ):
        y = make(x)
        assert (y.shape, y.dtype, y.requires_grad) == ((1, 3), np.float64, False)
        assert y.tolist() == [[value] * 3]
    assert minigan.zeros_like(x, dtype="int64").dtype == np.int64
    for make in (minigan.rand_like, minigan.randn_like):
        assert (make(x).shape, make(x).dtype) == ((1, 3), np.float64)


def test_arange_counts_like_range():
    assert minigan.arange(4).tolist() == [0, 1, 2, 3] and minigan.arange(4).dtype == np.int64
    assert minigan.arange(1, 6, 2).tolist() == [1, 3, 5]
    x = minigan.arange(0, 1, 0.25)
    assert x.dtype == np.float32 and x.tolist() == [0, 0.25, 0.5, 0.75]
    assert minigan.arange(3, dtype="float64").dtype == np.float64


def test_from_numpy_shares_memory_and_as_tensor_does_where_it_can():
    array = np.zeros(2)
    shared, also, copied = minigan.from_numpy(array), minigan.as_tensor(array), tensor(array)
    array[0] = 1
    assert (shared[0].item(), also[0].item(), copied[0].item()) == (1, 1, 0)
    assert minigan.as_tensor(shared) is shared
    assert minigan.as_tensor(array, dtype="float32").dtype == np.float32
    assert minigan.as_tensor([1, 2]).dtype == np.int64
    with pytest.raises(TypeError, match="from_numpy: expected a NumPy array, got list"):
        minigan.from_numpy([1.0])


def test_default_dtype_is_used_and_must_be_a_float():
    minigan.set_default_dtype("float64")
    try:
        assert minigan.get_default_dtype() == np.float64
        for x in (
            minigan.zeros(1),
            minigan.randn(1),
            minigan.eye(1),
            tensor(0.5),
            minigan.full(1, 0.5),
        ):
            assert x.dtype == np.float64
        assert tensor(np.float32(0.5)).dtype == np.float32
    finally:
        minigan.set_default_dtype("float32")
    with pytest.raises(TypeError, match="expected a float dtype, got int64"):
        minigan.set_default_dtype("int64")


# ------------------------------------------------------------------------------ random numbers


def generator(seed=0):
    return minigan.Generator().manual_seed(seed)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_normal_and_uniform_draws_have_their_moments(dtype):
    """100,000 draws: mean and variance within 5 standard errors; uniform ones in [0, 1)."""
    n = 100_000
    x = minigan.randn(n, generator=generator(1), dtype=dtype).numpy()
    assert x.dtype == dtype
    x = x.astype(np.float64)
    assert abs(x.mean()) < 5 / math.sqrt(n) and abs(x.var() - 1) < 5 * math.sqrt(2 / n)
    assert abs((x**3).mean()) < 5 * math.sqrt(15 / n)
    u = minigan.rand(n, generator=generator(2), dtype=dtype).numpy().astype(np.float64)
    assert u.min() >= 0 and (u.max() < 1 or dtype == "float16")
    assert abs(u.mean() - 0.5) < 5 / math.sqrt(12 * n)


def test_randint_is_uniform_on_the_half_open_range():
    x = minigan.randint(-2, 3, (50_000,), generator=generator()).numpy()
    assert x.dtype == np.int64
    values, counts = np.unique(x, return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2]
    assert abs(counts - 10_000).max() < 5 * math.sqrt(10_000 * 0.8)
    assert minigan.randint(3, (4,)).numpy().max() <= 2
    for call in (
        lambda: minigan.randint(4, 5, size=(2, 3)),
        lambda: minigan.randint(low=4, high=5, size=[2, 3]),
        lambda: minigan.randint(4, high=5, size=(2, 3), dtype="float32"),
    ):
        assert call().tolist() == [[4, 4, 4], [4, 4, 4]]
    assert minigan.randint(high=1, size=(2,)).tolist() == [0, 0]
    assert minigan.randint(1, size=(2,), dtype="int32").dtype == np.int32
    with pytest.raises(TypeError, match="randint: expected high, the end of the range"):
        minigan.randint(size=(2,))
    with pytest.raises(RuntimeError, match="randint: expected low < high, got 3 and 3"):
        minigan.randint(3, 3, (2,))


def test_randperm_is_a_permutation():
    x = minigan.randperm(100, generator=generator())
    assert x.dtype == np.int64
    assert sorted(x.tolist()) == list(range(100)) and x.tolist() != list(range(100))


def test_seeds_repeat_and_generators_are_independent():
    a, b = generator(5), generator(5)
    assert minigan.randn(4, generator=a).tolist() == minigan.randn(4, generator=b).tolist()
    assert (
        minigan.randn(4, generator=a).tolist() != minigan.randn(4, generator=generator(6)).tolist()
    )
    minigan.manual_seed(7)
    first = [minigan.randn(2).tolist(), minigan.rand(2).tolist(), minigan.randperm(9).tolist()]
    minigan.manual_seed(7)
    minigan.randn(4, generator=a)  # does not touch the default generator
    again = [minigan.randn(2).tolist(), minigan.rand(2).tolist(), minigan.randperm(9).tolist()]
    assert first == again
