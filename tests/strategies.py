"""What the tests draw: arrays of any shape and memory layout, shapes that broadcast, convolutions.

Shapes, layouts and options are drawn by hypothesis, which shrinks them; the numbers inside come
from a seeded generator, because arbitrary numbers would only cost time.
"""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from minigan.conv import Geometry

LAYOUTS = ("contiguous", "transposed", "strided", "reversed", "broadcast")
seeds = st.integers(0, 2**32 - 1)
layouts = st.sampled_from(LAYOUTS)


def shapes(min_dims=0, max_dims=3, min_side=0, max_side=3):
    """Shapes, 0-d and empty ones included, most sides longer than 1."""
    sides = st.sampled_from([n for n in (1, 2, 3, 2, 3, 0) if min_side <= n <= max_side])
    return st.integers(min_dims, max_dims).flatmap(lambda ndim: st.tuples(*[sides] * ndim))


@st.composite
def broadcast_shapes(draw, count=2, **limits):
    """``count`` shapes that broadcast: some sides are made 1, some left out in front."""
    whole = draw(shapes(**limits))
    drawn = []
    for _ in range(count):
        shape = [draw(st.sampled_from([n, n, 1])) for n in whole]
        drawn.append(tuple(shape[draw(st.sampled_from([0, 0, *range(len(whole) + 1)])) :]))
    return drawn


def in_layout(array, layout):
    """An array of the same shape in another memory layout.

    The values are the same too, but for "broadcast", which repeats the first of each row or column
    with a stride of zero.
    """
    if array.ndim == 0 or layout == "contiguous":
        return np.array(array, order="C")
    if layout == "transposed":
        return np.array(array, order="F")
    if layout == "strided":
        room = np.full([2 * n for n in array.shape], 99, array.dtype)
        view = room[tuple([slice(0, 2 * n, 2) for n in array.shape])]
        view[...] = array
        return view
    if layout == "reversed":
        backwards = (slice(None, None, -1),) * array.ndim
        return np.array(array[backwards], order="C")[backwards]
    if layout == "broadcast":
        axis = array.ndim // 2
        first = array[(slice(None),) * axis + (slice(0, 1),)]
        return np.broadcast_to(first.copy(), array.shape) if array.size else array.copy()
    raise ValueError(layout)


def numbers(seed, shape, low=None, high=None, dtype=np.float64):
    """Normal draws, or uniform ones between ``low`` and ``high``."""
    rng = np.random.default_rng(seed)
    draws = rng.standard_normal(shape) if low is None else rng.uniform(low, high, shape)
    return np.asarray(draws, dtype)


@st.composite
def arrays(draw, shape=None, low=None, high=None, dtype=np.float64, **limits):
    """An array of a drawn shape (0-d and empty included) in a drawn memory layout."""
    if shape is None:
        shape = draw(shapes(**limits))
    return in_layout(numbers(draw(seeds), shape, low, high, dtype), draw(layouts))


@st.composite
def broadcasting_arrays(draw, count=2, low=None, high=None, **limits):
    """Arrays whose shapes broadcast against each other, each in a layout of its own."""
    drawn = draw(broadcast_shapes(count, **limits))
    return [draw(arrays(shape=shape, low=low, high=high)) for shape in drawn]


@dataclass(frozen=True)
class Convolution:
    """A geometry with batch and channels, and the operands it takes."""

    geometry: Geometry
    batch: int
    inputs: int
    outputs: int
    seed: int

    @property
    def shapes(self):
        """The shapes of image, filter and output."""
        g = self.geometry
        return (
            (self.batch, self.inputs, g.H, g.W),
            (self.outputs, self.inputs // g.groups, g.R, g.S),
            (self.batch, self.outputs, g.P, g.Q),
        )

    def operands(self, dtype=np.float64):
        """Image, filter and output: normal draws, or integers between -8 and 8."""
        rng = np.random.default_rng(self.seed)
        if np.dtype(dtype).kind == "f":
            return [rng.standard_normal(shape).astype(dtype) for shape in self.shapes]
        return [rng.integers(-8, 9, shape).astype(dtype) for shape in self.shapes]


@st.composite
def convolutions(draw, min_batch=1, max_batch=3, max_kernel=4, max_channels=3, max_extra=7):
    """Kernel, stride, padding, dilation and groups first, then sizes: rows are often left over."""

    def between(low, high):
        return draw(st.integers(low, high))

    kernel = between(1, max_kernel), between(1, max_kernel)
    stride = between(1, 3), between(1, 3)
    pad = tuple(between(0, 3) for _ in range(4))
    dilation = between(1, 3), between(1, 3)
    groups = between(1, 3)
    sizes = []
    for k, d, sides in zip(kernel, dilation, (pad[:2], pad[2:]), strict=True):
        least = max(d * (k - 1) + 1 - sum(sides), 1)
        sizes.append(least + between(0, max_extra))
    return Convolution(
        Geometry(*sizes, *kernel, stride, pad, dilation, groups),
        between(min_batch, max_batch),
        groups * between(1, max_channels),
        groups * between(1, max_channels),
        draw(seeds),
    )
