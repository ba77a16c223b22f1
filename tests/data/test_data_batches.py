"""Batches: exact values, each sample at most once an epoch, and resuming bit for bit."""

import itertools
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.data import Batches, DataError, ImageData


def numbered(count, labelled=True):
    """Images whose first pixel, like their label, is their own index."""
    images = np.random.default_rng(1).integers(0, 256, (count, 1, 8, 8), np.uint8)
    images[:, 0, 0, 0] = np.arange(count)
    labels = np.arange(count) if labelled else None
    return ImageData("numbered", images, labels, count if labelled else 0)


def test_values_are_exactly_x_over_127_5_minus_1():
    levels = np.arange(256, dtype=np.uint8).reshape(4, 1, 8, 8)
    data = ImageData("levels", levels, np.arange(4), 4)
    images, labels = next(Batches(data, 4, seed=0))
    assert images.dtype == np.float32 and images.shape == (4, 1, 8, 8)
    values = images[np.argsort(labels)].ravel()
    formula = np.arange(256, dtype=np.float32) / np.float32(127.5) - np.float32(1)
    np.testing.assert_array_equal(values, formula)
    assert values[0] == -1 and values[255] == 1
    assert (np.diff(values) > 0).all()
    # Against rational arithmetic: the quotient in [0, 2] is rounded once, by at most 2**-24.
    worst = max(abs(Fraction(float(v)) - (Fraction(2 * x, 255) - 1)) for x, v in enumerate(values))
    assert worst <= Fraction(1, 2**24)
    np.testing.assert_array_equal(np.rint((values + 1) * 127.5), np.arange(256))


def test_labels_belong_to_their_images_and_are_int64():
    data = numbered(20)
    for images, labels in itertools.islice(Batches(data, 6, seed=3), 9):
        assert labels.dtype == np.int64 and labels.shape == (6,)
        np.testing.assert_array_equal(np.rint((images[:, 0, 0, 0] + 1) * 127.5), labels)


def test_data_without_labels_gives_none():
    assert next(Batches(numbered(5, labelled=False), 2, seed=0))[1] is None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 2**40))
def test_an_epoch_visits_every_sample_at_most_once_and_drops_only_the_rest(count, size, seed):
    size = min(size, count)
    batches = Batches(numbered(count), size, seed=seed)
    assert batches.batches_per_epoch == count // size
    for epoch in range(3):
        assert batches.state_dict() == {"epoch": epoch, "position": 0}
        taken = [next(batches)[1] for _ in range(batches.batches_per_epoch)]
        seen = np.concatenate(taken)
        assert len(np.unique(seen)) == len(seen) == count // size * size


def test_the_order_is_the_documented_permutation():
    batches = Batches(numbered(50), 10, seed=11)
    for epoch in range(2):
        seen = np.concatenate([next(batches)[1] for _ in range(5)])
        expected = np.random.default_rng([11, epoch]).permutation(50)
        np.testing.assert_array_equal(seen, expected)


def test_epochs_and_seeds_differ_and_a_seed_repeats():
    def epochs(seed):
        batches = Batches(numbered(50), 10, seed=seed)
        return [[next(batches)[1].tolist() for _ in range(5)] for _ in range(2)]

    assert epochs(0) == epochs(0)
    assert epochs(0) != epochs(1)
    assert epochs(0)[0] != epochs(0)[1]


@pytest.mark.parametrize("taken", [0, 1, 4, 5, 7, 13])
def test_a_restored_state_continues_bit_for_bit(taken):
    data = numbered(23)
    original = Batches(data, 4, seed=5)
    for _ in range(taken):
        next(original)
    state = json.loads(json.dumps(original.state_dict()))
    resumed = Batches(data, 4, seed=5)
    next(resumed)
    resumed.load_state_dict(state)
    for _ in range(12):
        images, labels = next(original)
        again, same = next(resumed)
        assert images.tobytes() == again.tobytes() and labels.tobytes() == same.tobytes()
    assert original.state_dict() == resumed.state_dict()


def test_state_is_two_plain_integers_and_reading_it_moves_nothing():
    batches = Batches(numbered(10), 3, seed=0)
    next(batches)
    assert batches.state_dict() == batches.state_dict() == {"epoch": 0, "position": 1}
    assert {type(value) for value in batches.state_dict().values()} == {int}


def test_batches_are_copies_of_the_data():
    data = numbered(4)
    before = data.images.copy(), data.labels.copy()
    images, labels = next(Batches(data, 4, seed=0))
    images[:] = 0
    labels[:] = 0
    np.testing.assert_array_equal(data.images, before[0])
    np.testing.assert_array_equal(data.labels, before[1])


@pytest.mark.parametrize(
    ("size", "seed", "says"),
    [
        (11, 0, "batch_size: expected at most the 10 images of numbered, got 11"),
        (0, 0, "batch_size: expected a whole number of at least 1, got 0"),
        (-1, 0, "batch_size: .* got -1"),
        (2.0, 0, "batch_size: .* got 2.0"),
        (True, 0, "batch_size: .* got True"),
        (2, -1, "seed: expected a whole number of at least 0, got -1"),
        (2, None, "seed: .* got None"),
    ],
)
def test_wrong_options_are_refused(size, seed, says):
    with pytest.raises(DataError, match=f"^{says}$"):
        Batches(numbered(10), size, seed=seed)


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({}, r"state expects the keys 'epoch' and 'position', got \[\]"),
        ({"epoch": 0}, r"got \['epoch'\]"),
        ({"epoch": 0, "position": 0, "seed": 1}, "got .*'seed'"),
        ({"epoch": -1, "position": 0}, "'epoch'.* got -1"),
        ({"epoch": 0.5, "position": 0}, "'epoch'.* got 0.5"),
        ({"epoch": 0, "position": -1}, "'position'.* got -1"),
        ({"epoch": 0, "position": 3}, r"at most 2 \(3 batches in an epoch\), got 3"),
        ({"epoch": 0, "position": "1"}, "'position'.* got '1'"),
    ],
)
def test_a_wrong_state_is_refused_and_changes_nothing(state, says):
    batches = Batches(numbered(10), 3, seed=0)
    next(batches)
    with pytest.raises(DataError, match=says):
        batches.load_state_dict(state)
    assert batches.state_dict() == {"epoch": 0, "position": 1}
