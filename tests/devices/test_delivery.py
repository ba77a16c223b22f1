"""Batches for a GPU are the CPU's: the same bits in the same order, from any place on."""

import fakegpu
import numpy as np
import pytest
from machine import needs_emulator
from numpy.testing import assert_array_equal

from minigan import data
from minigan.data import Background, Batches, DataError, ImageData, PairData, PointData, delivery
from minigan.data.delivery import Ahead, delivered

pytestmark = needs_emulator


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


DATA = {
    "images": ImageData("some", pixels(0, 11, 3, 5, 7), np.arange(11) % 4, 4),
    "unlabelled": ImageData("some", pixels(1, 11, 1, 8, 8), None, 0),
    "pairs": PairData("some", pixels(2, 11, 3, 8, 8), pixels(3, 11, 1, 8, 8)),
    "points": PointData(
        "some",
        np.random.default_rng(4).random((11, 2), np.float32),
        np.arange(11),
        np.zeros((11, 2), np.float32),
        1.0,
        2.0,
    ),
}
AUGMENT = data.augmentation("flip,crop=1")


@pytest.fixture
def cupy(monkeypatch):
    return fakegpu.install(monkeypatch, "80")


def batches(name, augment=None):
    made = Batches(DATA[name], 3, seed=5, augment=augment)
    return made if augment is None else Background(made)


@pytest.fixture(params=["resident", "sent", "in the background"])
def way(request, monkeypatch):
    """How batches come to the GPU: makes pairs of iterators, the GPU's and the CPU's."""
    if request.param != "resident":
        monkeypatch.setattr(delivery, "SHARE", 0.0)
    augment = AUGMENT if request.param == "in the background" else None

    def make(name):
        if augment is not None and name == "points":
            pytest.skip("points cannot be augmented")
        return delivered(batches(name, augment), "cuda"), batches(name, augment)

    make.kind = Batches if request.param == "resident" else Ahead
    return make


def assert_same(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        if theirs is None:
            assert ours is None
        else:
            assert ours.dtype == theirs.dtype and ours.device.id == 0
            assert_array_equal(ours.get(), theirs)


@pytest.mark.parametrize("name", DATA)
def test_the_same_bits_in_the_same_order(cupy, way, name):
    there, here = way(name)
    assert isinstance(there, way.kind) and there.batches_per_epoch == here.batches_per_epoch == 3
    kept = []
    for _ in range(8):  # over two ends of an epoch
        assert there.state_dict() == here.state_dict()
        kept.append((next(there), next(here)))
    for pair in kept:  # a batch stays as it is while others come
        assert_same(*pair)
    if not isinstance(there, Batches):
        there.close()
    if isinstance(here, Background):
        here.close()


def test_nothing_waits_and_little_is_sent(cupy, way):
    there, _ = way("images")
    next(there)
    uploads, launched = len(cupy.gpu.uploads), len(cupy.gpu.launched)
    with cupy.gpu.waiting() as places:
        next(there)
    assert places == []
    assert len(cupy.gpu.uploads) - uploads == (0 if way.kind is Batches else 2)
    assert [entry["name"] for entry in cupy.gpu.launched[launched:]] == ["centred"]
    if way.kind is Ahead:
        there.close()


def test_the_next_batch_travels_on_a_stream_of_its_own(cupy, monkeypatch):
    """It is not there before the stream in use waits for it; whoever does not reads other bytes."""
    monkeypatch.setattr(delivery, "SHARE", 0.0)
    there, here = delivered(batches("images"), "cuda"), batches("images")
    for _ in range(5):
        assert_same(next(there), next(here))
        assert there._stream.copies
    monkeypatch.setattr(type(there._stream), "wait_event", lambda self, event: None)
    with pytest.raises(AssertionError, match="not equal"):
        assert_same(next(there), next(here))


@pytest.mark.parametrize("stop", [0, 1, 4])
def test_they_go_on_from_any_place(cupy, way, stop):
    there, _ = way("images")
    for _ in range(stop):
        next(there)
    state = there.state_dict()
    following = [tuple(a.get() for a in next(there)) for _ in range(3)]
    again, host = way("images")
    again.load_state_dict(state)
    host.load_state_dict(state)
    for expected in following:
        assert_same(next(again), expected)
        same_here = next(host)
        assert_array_equal(same_here[0], expected[0])
    again.load_state_dict(state)  # and back, with a batch on its way
    assert_same(next(again), following[0])
    for each in (there, again, host):
        if not isinstance(each, Batches):
            each.close()


def test_after_close_they_go_on_with_the_batch_that_was_on_its_way(cupy, way):
    there, here = way("images")
    assert_same(next(there), next(here))
    if not isinstance(there, Batches):
        there.close()
    assert_same(next(there), next(here))
    for each in (there, here):
        if not isinstance(each, Batches):
            each.close()


def test_an_impossible_place_is_refused_and_changes_nothing(cupy, way):
    there, here = way("images")
    next(there), next(here)
    with pytest.raises(DataError, match="position"):
        there.load_state_dict({"epoch": 0, "position": 9})
    assert_same(next(there), next(here))
    for each in (there, here):
        if not isinstance(each, Batches):
            each.close()


def test_what_goes_wrong_in_the_next_batch_is_raised_with_it(cupy, monkeypatch):
    monkeypatch.setattr(delivery, "SHARE", 0.0)
    there, expected, calls = delivered(batches("images"), "cuda"), batches("images"), []
    take = ImageData.take

    def failing(self, *args, **options):
        calls.append(1)
        if len(calls) in (2, 3):
            raise OSError("the disk is gone")
        return take(self, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ImageData, "take", failing)
        first = next(there)
        with pytest.raises(OSError, match="the disk is gone"):
            next(there)
        second = next(there)
    assert_same(first, next(expected))
    assert_same(second, next(expected))


def test_a_batch_that_could_not_be_sent_comes_again(cupy, monkeypatch):
    """It had been taken already: its place must be gone back to."""
    monkeypatch.setattr(delivery, "SHARE", 0.0)
    there, expected, calls = delivered(batches("images"), "cuda"), batches("images"), []
    send = delivery._Slot.send

    def failing(self, *args):
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError("the GPU is full")
        return send(self, *args)

    monkeypatch.setattr(delivery._Slot, "send", failing)
    for _ in range(3):
        assert_same(next(there), next(expected))
    assert there.state_dict() == expected.state_dict()


def test_data_that_fit_lie_on_the_gpu_and_others_do_not(cupy, monkeypatch):
    free, _ = cupy.cuda.runtime.memGetInfo()
    for share, kind in ((1.01, Ahead), (0.99, Batches)):
        monkeypatch.setattr(delivery, "SHARE", DATA["images"].nbytes / free / share)
        assert type(delivered(batches("images"), "cuda")) is kind
    assert delivered(here := batches("images"), "cpu") is here
