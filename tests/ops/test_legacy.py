"""PyTorch's older constructors: data or lengths, one dtype each."""

import numpy as np
import pytest

import minigan
from minigan import FloatTensor, LongTensor, Tensor, tensor


def test_data_is_copied_into_the_dtype():
    data = np.array([1.5, 2.5])
    x = FloatTensor(data)
    data[0] = 9
    assert x.dtype == np.float32 and x.tolist() == [1.5, 2.5]
    assert LongTensor([1, 2]).dtype == np.int64 and LongTensor(tensor([1.7])).tolist() == [1]
    assert minigan.BoolTensor([0, 3]).tolist() == [False, True]
    assert Tensor([1, 2]).dtype == np.float32 and Tensor([[1, 2], [3, 4]]).tolist()[1] == [3, 4]


def test_numbers_are_lengths():
    assert FloatTensor(2, 3).shape == (2, 3) and FloatTensor().shape == (0,)
    assert Tensor(2, 3, 4, 5).shape == (2, 3, 4, 5) and Tensor(2).shape == (2,)
    assert FloatTensor(2, 1).fill_(1.0).tolist() == [[1], [1]]


def test_type_converts_and_says():
    x = tensor([1, 2])
    assert x.type() == "LongTensor" and x.type(FloatTensor).dtype == np.float32
    assert x.type("torch.DoubleTensor").dtype == np.float64
    assert x.type(minigan.float16).dtype == np.float16


@pytest.mark.parametrize("name", ["zeros", "ones", "empty"])
def test_new_tensors_are_of_the_same_dtype(name):
    x = minigan.zeros(1, dtype="float64")
    made = getattr(x, f"new_{name}")(2, 3)
    assert made.shape == (2, 3) and made.dtype == np.float64
    assert getattr(x, f"new_{name}")((2,), dtype="int64").dtype == np.int64
    assert x.new_full((2,), 3).tolist() == [3, 3] and x.new_tensor([1, 2]).dtype == np.float64


def test_dtypes_have_their_short_names():
    assert minigan.float is minigan.float32 and minigan.long is minigan.int64
    assert minigan.zeros(1, dtype=minigan.bool).dtype == bool
    assert tensor([200]).byte().dtype == np.uint8 and tensor([2]).short().dtype == np.int16
    assert minigan.finfo(minigan.float32).eps == 2**-23 and minigan.pi == np.pi
