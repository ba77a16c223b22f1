"""The fake CuPy is as strict as the real one, and its table is what the real one says of itself."""

import fakegpu
import numpy as np
import pytest
from fakegpu import listing
from machine import needs_emulator
from numpy.testing import assert_array_equal

import minigan
from minigan import array as arrays


@pytest.fixture
def cupy(monkeypatch):
    return fakegpu.install(monkeypatch)


def test_an_array_never_becomes_one_of_numpys_unasked(cupy):
    x = cupy.asarray(np.arange(3.0))
    assert not isinstance(x, np.ndarray)
    for convert in (np.asarray, np.sum, np.concatenate, lambda x: np.exp(x), np.array_equal):
        with pytest.raises(TypeError):
            convert(x, x) if convert is np.array_equal else convert(x)
    with pytest.raises(TypeError, match="Unsupported type"):
        x + np.ones(3)
    with pytest.raises(TypeError):
        np.ones(3) + x
    with pytest.raises(TypeError):
        cupy.concatenate([x, np.ones(3)])
    with pytest.raises(TypeError):
        cupy.sum([1.0, 2.0])
    assert_array_equal((np.float64(2) * x).get(), [0, 2, 4])


def test_what_cupy_lacks_is_lacking(cupy):
    x = cupy.asarray(np.ones(3))
    for missing in ("errstate", "spacing", "vecdot", "nditer"):
        with pytest.raises(AttributeError):
            getattr(cupy, missing)
    with pytest.raises(AttributeError):
        x.ctypes  # noqa: B018
    with pytest.raises(AttributeError):
        x.flags.writeable  # noqa: B018
    for wrong in (
        lambda: cupy.add(x, x, where=True),
        lambda: cupy.exp(x, order="K"),
        lambda: x.sum(initial=0),
        lambda: cupy.max(x, initial=0),
        lambda: cupy.cumsum(x, include_initial=True),
        lambda: x.astype("float32", casting="safe"),
    ):
        with pytest.raises(TypeError):
            wrong()


def test_waiting_is_counted_and_located(cupy):
    x = cupy.asarray(np.arange(3.0))
    with cupy.gpu.waiting() as places:
        y = (x + 1) * x
        y[y > 1] = 0
    assert [place.split()[-1] for place in places] == ["(mask)"]
    with cupy.gpu.waiting() as places:
        assert x.sum().item() == 3 and float(x[0]) == 0 and x.any()
    assert [place.split("(")[1] for place in places] == ["item)", "float)", "bool)"]
    assert all("test_fakegpu.py" in place for place in places)


def test_results_without_dimensions_are_arrays(cupy):
    x = cupy.asarray(np.arange(3.0))
    for y in (x.sum(), x[0], cupy.max(x), x.argmax(), x @ x, x.sum() + 1):
        assert isinstance(y, cupy.ndarray)
        assert y.shape == ()


def test_views_are_views(cupy):
    x = cupy.zeros((2, 3))
    for view in (x[0], x.T, x.reshape(6), x.reshape(3, 2).ravel(), cupy.flip(x, 0), x[:, ::-1]):
        assert view.base is x
        view += 1
    assert_array_equal(x.get(), [[6, 6, 6], [5, 5, 5]])
    wide = cupy.broadcast_to(cupy.zeros((3, 1)), (3, 4))
    assert arrays.is_view_of(wide, wide.base)


@pytest.mark.parametrize(
    ("operands", "dtype"),
    [
        (("int8", 2), "int8"),
        (("uint8", 0.5), "float64"),
        (("float32", 2.5), "float32"),
        (("float32", np.float64(2.5)), "float64"),
        (("float16", 1j), "complex64"),
        (("float32", 1j), "complex64"),
        (("int64", "float32"), "float64"),
        (("bool", True), "bool"),
        (("bool", 1), "int64"),
    ],
)
def test_the_dtypes_of_sums(cupy, operands, dtype):
    values = [
        cupy.ones(2, x) if isinstance(x, str) else x  # an array, or a number
        for x in operands
    ]
    assert cupy.add(*values).dtype == dtype


def test_a_number_that_does_not_fit_is_an_error(cupy):
    with pytest.raises(OverflowError):
        cupy.ones(2, "uint8") + 300


def test_places_wrap_around_and_repeated_ones_get_any_of_their_values(cupy):
    x = cupy.arange(4)
    assert x[cupy.asarray([5, -1])].tolist() == [1, 3]
    stayed = set()
    for _ in range(2):
        y = cupy.zeros(2)
        y[cupy.asarray([0, 0, 1])] = cupy.asarray([1.0, 2.0, 3.0])
        stayed.add(y.tolist()[0])
    assert stayed == {1.0, 2.0}
    y = cupy.zeros(2)
    cupy.add.at(y, cupy.asarray([0, 0, 1]), cupy.asarray([1.0, 2.0, 3.0]))
    assert y.tolist() == [3, 3]
    for dtype in ("int64", "complex128", "bool"):
        with pytest.raises(TypeError):
            cupy.add.at(y.astype(dtype), cupy.asarray([0, 0]), 1)
    with pytest.raises(IndexError):
        x[4]


def test_memory_that_nobody_wrote_shows(cupy):
    assert np.isnan(cupy.empty(2).get()).all()
    assert_array_equal(cupy.empty_like(cupy.zeros(2, "int32")).get(), -1)


def test_every_operation_can_be_seen_and_run_again_into_its_memory(cupy):
    done = []
    cupy.gpu.watchers.append(lambda *call: done.append(call))
    x = cupy.asarray(np.arange(6.0)).reshape(2, 3)
    y = x.T @ x + 1
    z = cupy.empty((3,))
    cupy.sum(y, axis=0, out=z)
    z *= 2
    z[cupy.asarray([0, 0])] = x[0, :2]
    expected = [a.get() for a in (y, z[1:])]
    for array in (y, z):
        array[...] = 0
    again = list(done)[:-2]
    cupy.gpu.watchers.clear()
    for function, args, kwargs, results in again:
        found = function(*args, **kwargs)
        for held, value in zip(_flat(results), _flat(found), strict=True):
            held[...] = value
    for array, values in zip((y, z[1:]), expected, strict=True):
        assert_array_equal(array.get(), values)


def _flat(results):
    results = results if isinstance(results, tuple) else (results,)
    return [r for r in results if isinstance(r, np.ndarray)]


def test_arrays_of_two_gpus_do_not_mix(monkeypatch):
    cupy = fakegpu.install(monkeypatch, devices=2)
    with cupy.cuda.Device(1):
        y = cupy.zeros(2)
    assert y.device.id == 1
    with pytest.raises(ValueError, match="device"):
        y + cupy.zeros(2)
    assert minigan.cuda.device_count() == 2
    assert minigan.zeros(2).to("cuda:1").device == "cuda:1"


@needs_emulator
def test_kernels_are_computed_by_the_emulator(monkeypatch):
    cupy = fakegpu.install(monkeypatch, "80")
    rng = np.random.default_rng(0)
    x, w = (rng.integers(-4, 5, s).astype(np.float32) for s in ((2, 3, 6, 5), (4, 3, 3, 3)))
    conv2d = minigan.nn.functional.conv2d
    found = conv2d(minigan.tensor(x, device="cuda"), minigan.tensor(w, device="cuda"), padding=1)
    assert_array_equal(found.cpu().numpy(), conv2d(minigan.tensor(x), minigan.tensor(w), padding=1))
    assert cupy.gpu.launched


def test_the_table_is_what_cupy_says_of_itself():
    real = pytest.importorskip("cupy", reason="CuPy is not installed")
    if real.__version__ != listing.known()["version"]:
        pytest.skip(f"the table is of CuPy {listing.known()['version']}, not {real.__version__}")
    assert listing.read() == listing.known()


def test_dtypes_are_found_as_cupy_finds_them():
    """Every ufunc, on every pair of dtypes and weak numbers: what CuPy itself would compute in."""
    real = pytest.importorskip("cupy", reason="CuPy is not installed")
    cupy = fakegpu.Cupy(fakegpu.GPU())
    values = [(np.dtype(c), False) for c in "?bBhilefdFD"]
    values += [(np.dtype(t), t) for t in (int, float, complex)]
    compared = 0
    for name in listing.known()["modules"]["cupy"]["ufuncs"]:
        ours, theirs = getattr(cupy, name), getattr(real, name)._ops
        for first in values:
            for second in values if ours.nin == 2 else [first]:
                given = (first, second)[: ours.nin]
                if ours.nin > 2 or all(weak for _, weak in given):
                    continue
                op = _found_by(theirs, given)
                inputs = [weak(0) if weak else cupy.zeros((), t) for t, weak in given]
                try:
                    found = ours._resolve(tuple(inputs), None)
                except TypeError:
                    assert op is None, (name, given)
                    continue
                compared += 1
                assert op is not None, (name, given)
                assert (found[0], found[1]) == ([*op.in_types], [*op.out_types]), (name, given)
    assert compared > 5000


def _found_by(ops, given):
    """What CuPy's own search gives; weak numbers count only beside arrays of their kind."""
    kinds = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 2}
    strong = [kinds[t.kind] for t, weak in given if not weak]
    weak = [kinds[t.kind] for t, weak in given if weak]
    weakly = weak and max(strong) >= max(weak)
    weaks = tuple(weak if weakly else False for _, weak in given)
    return ops._guess_routine_from_in_types(tuple(t for t, _ in given), weaks)
