"""default_collate: what a batch of samples is."""

from collections import OrderedDict, namedtuple

import numpy as np
import pytest

import minigan
from minigan.utils.data import default_collate

Point = namedtuple("Point", "x y")


def test_nested_samples_are_collated_inside_with_pytorchs_types():
    batch = default_collate(
        [
            {"image": minigan.ones(2), "meta": (1, 2.0, "a", [True, b"x"])},
            {"image": minigan.zeros(2), "meta": (3, 4.0, "b", [False, b"y"])},
        ]
    )
    assert list(batch) == ["image", "meta"]
    assert batch["image"].tolist() == [[1.0, 1.0], [0.0, 0.0]]
    whole, real, text, inner = batch["meta"]
    assert type(batch["meta"]) is list
    assert (whole.dtype, whole.tolist()) == (np.int64, [1, 3])
    assert (real.dtype, real.tolist()) == (np.float64, [2.0, 4.0])
    assert text == ("a", "b")
    assert (inner[0].dtype, inner[0].tolist()) == (np.bool_, [True, False])
    assert inner[1] == (b"x", b"y")


def test_named_tuples_and_ordered_dicts_stay_what_they_are():
    batch = default_collate([Point(1, OrderedDict(b=1, a=2)), Point(3, OrderedDict(b=3, a=4))])
    assert type(batch) is Point
    assert batch.x.tolist() == [1, 3]
    assert type(batch.y) is OrderedDict
    assert {k: v.tolist() for k, v in batch.y.items()} == {"b": [1, 3], "a": [2, 4]}


@pytest.mark.parametrize("dtype", ["uint8", "int32", "float16", "float32", "float64", "bool"])
def test_arrays_and_numpy_numbers_keep_their_dtype(dtype):
    arrays = np.arange(6).reshape(2, 3).astype(dtype)
    batch = default_collate(list(arrays))
    assert batch.dtype == dtype
    np.testing.assert_array_equal(batch.numpy(), arrays)
    numbers = default_collate([arrays[0, 0], arrays[1, 1]])
    assert (numbers.dtype, numbers.shape) == (np.dtype(dtype), (2,))


@pytest.mark.parametrize(
    ("batch", "kind", "message"),
    [
        ([None, None], TypeError, "got NoneType"),
        ([np.array(["a"])] * 2, TypeError, "expected arrays of numbers, got <U1"),
        ([[1], [1, 2]], RuntimeError, "differ in length"),
        ([minigan.zeros(2), minigan.zeros(3)], RuntimeError, r"one shape, got \(2,\) and \(3,\)"),
        ([{"a": 1}, {"b": 1}], KeyError, "a"),
    ],
)
def test_samples_that_make_no_batch_are_refused(batch, kind, message):
    with pytest.raises(kind, match=message):
        default_collate(batch)
