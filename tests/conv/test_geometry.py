"""Geometry: output sizes counted by laying the filter, and what it refuses."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigan.conv import Geometry


@settings(max_examples=200)
@given(
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 3),
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    st.integers(1, 3),
)
def test_outputs_are_the_positions_at_which_the_filter_fits(size, taps, stride, pad, dilation):
    """Counted by trying every start on the padded image, in either dimension."""
    padded = size + sum(pad)
    reach = dilation * (taps - 1)
    positions = [i for i in range(0, padded, stride) if i + reach < padded]
    for rows in (True, False):
        pair = (lambda a, b: (a, b)) if rows else (lambda a, b: (b, a))
        sides = (*pad, 0, 0) if rows else (0, 0, *pad)
        arguments = (*pair(size, 2), *pair(taps, 1), pair(stride, 1), sides, pair(dilation, 1))
        if positions:
            g = Geometry(*arguments)
            assert pair(len(positions), 2) == (g.P, g.Q)
        else:
            with pytest.raises(RuntimeError, match="does not fit an image"):
                Geometry(*arguments)


def test_a_geometry_is_a_value():
    """Equal descriptions are equal, hash alike, and cannot be changed."""
    a, b = Geometry(5, 5, 3, 3, (2, 2)), Geometry(5, 5, 3, 3, (2, 2))
    assert a == b and hash(a) == hash(b) and a != Geometry(5, 5, 3, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        a.H = 6


@pytest.mark.parametrize(
    "options",
    [
        {"R": 0},
        {"S": 0},
        {"stride": (0, 1)},
        {"stride": (1, -1)},
        {"dilation": (1, 0)},
        {"groups": 0},
        {"pad": (0, 0, -1, 0)},
    ],
)
def test_sizes_that_mean_nothing_are_refused(options):
    arguments = {"H": 5, "W": 5, "R": 3, "S": 3} | options
    with pytest.raises(RuntimeError, match="must be positive and padding not negative"):
        Geometry(**arguments)
