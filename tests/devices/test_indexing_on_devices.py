"""What an index reads and writes on a GPU is what it does on the CPU, repeated places included."""

import fakegpu
import numpy as np
import pytest
from devices.alike import assert_alike, on
from hypothesis import given, settings
from hypothesis import strategies as st

import minigan
from minigan import Tensor, places

INDICES = {
    "int": 1,
    "ints": (1, -1),
    "slice": (slice(None), slice(1, 4, 2)),
    "ellipsis": (..., 0),
    "new dimension": (None, 1, ..., None),
    "list": [2, 0, 0],
    "lists": ([0, 1, 1], [3, 2, 2]),
    "apart": ([0, 1, 1], slice(None), [0, 0, 1]),
    "mask": np.arange(24).reshape(3, 4, 2) % 3 == 0,
    "mask of rows": np.array([True, False, True]),
    "mask and list": (np.array([True, False, True]), [0, 1]),
    "negative": np.array([-1, -3]),
    "empty": [],
    "table": np.array([[0, 2], [1, 1]]),
    "range": (slice(None), np.arange(4)[::-1].copy()),
}


def placed(index, device):
    """The index with its arrays as Tensors on the device."""
    if isinstance(index, tuple):
        return tuple(placed(i, device) for i in index)
    return Tensor(index).to(device) if isinstance(index, np.ndarray) else index


@pytest.mark.parametrize("name", INDICES)
def test_reading_writing_and_their_gradients(cuda_device, name):
    values = np.random.default_rng(0).standard_normal((3, 4, 2))

    def run(device):
        index = placed(INDICES[name], device)
        (x,) = on(device, [values])
        y = x[index]
        (v,) = on(device, [np.arange(float(np.prod(y.shape))).reshape(y.shape) + 1])
        z = (x * 2).clone()
        z[index] = v
        w = (x * 2).clone()
        w[index] = 7.0
        loss = (y.square().sum() + z.square().sum() * 0.1 + (w * x).sum()) * y.sum().exp()
        gradients = minigan.grad(loss, (x, v), create_graph=True)
        second = minigan.grad(sum((g * g).sum() for g in gradients), x)
        return [y, z, w, *gradients, *second]

    assert_alike(run("cpu"), run(cuda_device), cuda_device)


DTYPES = ["bool", "uint8", "int8", "int32", "int64", "float16", "float32", "float64", "complex64"]


@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=25)
@given(data=st.data())
def test_adding_and_putting_at_repeated_places(dtype, data):
    """Whatever the places: NumPy's result, the same bits each time."""
    with pytest.MonkeyPatch.context() as patch:
        cupy = fakegpu.install(patch)
        shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        count = data.draw(st.integers(0, 9))
        index = tuple(
            np.array(
                data.draw(st.lists(st.integers(-n, n - 1), min_size=count, max_size=count)), int
            )
            for n in shape
        )
        rng = np.random.default_rng(count)
        x, v = (rng.integers(0, 5, s).astype(dtype) for s in (shape, count))
        for write in (places.add_at, places.put):
            expected = x.copy()
            write(expected, index, v)
            for _ in range(2):
                found = cupy.asarray(x)
                write(found, tuple(map(cupy.asarray, index)), cupy.asarray(v))
                np.testing.assert_array_equal(found.get(), expected)


@pytest.mark.parametrize(("most", "repeats"), [(1, 1), (2, 2), (3, 3), (None, 3)])
def test_fewer_additions_where_fewer_values_meet(fake, most, repeats):
    index = np.repeat(np.arange(4), repeats)
    values = np.arange(4.0 * repeats)
    expected = np.zeros(4)
    np.add.at(expected, index, values)
    found = fake.zeros(4)
    places.add_at(found, fake.asarray(index), fake.asarray(values), most)
    np.testing.assert_array_equal(found.get(), expected)


def test_sums_of_many_values_are_as_exact_as_pairs(fake):
    values = np.full(3000, 0.1, np.float32)
    found = fake.zeros(2, "float32")
    places.add_at(found, fake.zeros(3000, "int64"), fake.asarray(values))
    assert abs(float(found[0]) - 300) < 1e-4 and float(found[1]) == 0


@pytest.mark.parametrize(("stride", "dilation"), [(1, 1), (2, 1), (3, 1), (2, 2), (1, 3), (4, 2)])
def test_overlapping_windows_add_up(cuda_device, stride, dilation):
    """The largest number of windows that share a pixel is known, and no window is lost."""

    def run(device):
        values = np.random.default_rng(0).integers(0, 3, (2, 2, 9, 8)).astype(float)
        (x,) = on(device, [values])
        y = minigan.nn.functional.max_pool2d(x, 3, stride, padding=1, dilation=dilation)
        return [y, *minigan.grad((y * y).sum(), x)]

    assert_alike(run("cpu"), run(cuda_device), cuda_device)


def test_a_checked_index_is_asked_for_once(fake):
    x = minigan.ones(3, 4, device="cuda", requires_grad=True)
    index = minigan.tensor([0, 2, 2], device="cuda")
    with fake.gpu.waiting() as waits:
        y = x[index]
        (g,) = minigan.grad(y.sum(), x, create_graph=True)
        g.sum()
    assert len(waits) == 1, waits
    with fake.gpu.waiting() as waits:
        (x[0, 1:] * 2).sum().backward()
    assert not waits
