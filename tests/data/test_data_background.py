"""Background: the same batches, whatever happens to the thread; it ends when it should."""

import gc
import json
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import Background, Batches, DataError, ImageData, augmentation

IMAGES = np.random.default_rng(0).integers(0, 256, (23, 3, 8, 8), np.uint8)
DATA = ImageData("noise", IMAGES, np.arange(23), 23)
AUGMENT = augmentation("flip,crop=2,color=0.3")


def batches(data=DATA, seed=5):
    return Batches(data, 4, seed=seed, augment=AUGMENT)


def taken(source, count):
    """The next batches as bytes."""
    return [tuple(array.tobytes() for array in next(source)) for _ in range(count)]


def threads():
    return [t for t in threading.enumerate() if t.name == "minigan-batches"]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    gc.collect()
    assert threads() == []


@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_the_batches_are_those_of_the_foreground(ahead):
    with Background(batches(), ahead) as background:
        assert background.batches_per_epoch == 5
        assert taken(background, 17) == taken(batches(), 17)


class Slow(ImageData):
    """Counts the batches taken from it, and can be held up or told to fail."""

    def take(self, chosen, change=None):
        self.gate.wait()
        self.made.append(len(chosen))
        if len(self.made) in self.failing:
            raise OSError(f"batch {len(self.made)} is lost")
        return super().take(chosen, change)


def slow(failing=()):
    data = Slow("slow", IMAGES, np.arange(23), 23)
    gate = threading.Event()
    gate.set()
    for name, value in {"gate": gate, "made": [], "failing": failing}.items():
        object.__setattr__(data, name, value)
    return data


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


@pytest.mark.parametrize("ahead", [1, 3])
def test_it_runs_ahead_just_so_far_and_the_state_does_not(ahead):
    data = slow()
    plain = batches()
    with Background(batches(data), ahead) as background:
        assert background.state_dict() == {"epoch": 0, "position": 0} and data.made == []
        for i in range(1, 8):
            assert taken(background, 1) == taken(plain, 1)
            assert background.state_dict() == plain.state_dict()
            wait_until(lambda i=i: len(data.made) == i + ahead)
            time.sleep(0.01)
            assert len(data.made) == i + ahead
            assert background.state_dict() == plain.state_dict()


def test_a_batch_is_made_while_the_caller_does_something_else():
    data = slow()
    with Background(batches(data), 1) as background:
        next(background)
        wait_until(lambda: len(data.made) == 2)  # without anyone asking
        data.gate.clear()
        ready = next(background)  # the second is there although making is held up
        assert ready[0].shape == (4, 3, 8, 8)
        data.gate.set()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["stop", "close", "plain", "back"]), st.integers(0, 7)),
        max_size=8,
    ),
    st.integers(1, 4),
    st.integers(0, 2**40),
)
def test_a_run_interrupted_anywhere_goes_on_bit_for_bit(interrupts, ahead, seed):
    """Stopped and begun anew from its state, closed, continued without it, or set back."""
    expected = taken(batches(seed=seed), 80)
    source, done = Background(batches(seed=seed), ahead), 0
    for kind, count in interrupts:
        assert taken(source, count) == expected[done : done + count]
        done += count
        state = json.loads(json.dumps(source.state_dict()))
        if kind == "stop":
            del source
            source = Background(batches(seed=seed), ahead)
            source.load_state_dict(state)
        elif kind == "close" and isinstance(source, Background):
            source.close()
        elif kind == "plain":
            source = batches(seed=seed)
            source.load_state_dict(state)
        elif kind == "back":
            source.load_state_dict({"epoch": 0, "position": 0})
            done = 0
    assert taken(source, 9) == expected[done : done + 9]


def test_what_goes_wrong_in_the_thread_is_raised_where_the_batch_is_asked_for():
    data = slow(failing=(3, 4))
    plain = batches()
    background = Background(batches(data), 2)
    assert taken(background, 2) == taken(plain, 2)
    for number in (3, 4):
        with pytest.raises(OSError, match=f"batch {number} is lost") as caught:
            next(background)
        assert any(entry.name == "take" for entry in caught.traceback)
        assert background.state_dict() == plain.state_dict()
        assert threads() == []
    assert taken(background, 6) == taken(plain, 6)  # asking again tries again
    background.close()


def test_a_wrong_state_is_refused_and_changes_nothing():
    plain = batches()
    with Background(batches()) as background:
        assert taken(background, 3) == taken(plain, 3)
        with pytest.raises(DataError, match="'position' expects at most 4"):
            background.load_state_dict({"epoch": 0, "position": 5})
        assert taken(background, 4) == taken(plain, 4)


@pytest.mark.parametrize("ahead", [0, -1, 1.5])
def test_ahead_is_at_least_one(ahead):
    with pytest.raises(DataError, match=r"^ahead: expected a whole number of at least 1"):
        Background(batches(), ahead)


def test_closing_ends_the_thread_at_once_and_twice_is_no_mistake():
    background = Background(batches(), 2)
    background.close()
    next(background)
    assert len(threads()) == 1
    background.close()
    assert threads() == []
    background.close()


def test_the_thread_goes_with_its_object():
    background = Background(batches(), 2)
    next(background)
    del background
    gc.collect()
    assert threads() == []


@pytest.mark.parametrize("ending", ["", "raise SystemExit(0)", "del b", "b.close()"])
def test_a_program_ends_while_the_thread_works(ending):
    code = f"""
import numpy as np
from minigan.data import *
data = ImageData("x", np.zeros((4000, 3, 32, 32), np.uint8), None, 0)
b = Background(Batches(data, 400, seed=0, augment=augmentation("rotate=9")), 3)
next(b)
print("done", flush=True)
{ending}
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert (result.stdout, result.stderr) == ("done\n", "")
