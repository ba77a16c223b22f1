"""fprop, dgrad and wgrad of every device against seven loops, on drawn geometries.

The CUDA module's routines are written in terms of an array module, so they run here on NumPy.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from oracles import convolution_triple
from strategies import convolutions, in_layout, layouts

from minigan import conv as dispatch
from minigan.conv import col2im, cpu, cuda, im2col, layout, residues
from minigan.conv.geometry import Geometry

BACKENDS = pytest.mark.parametrize("backend", [cpu, cuda], ids=["cpu", "cuda"])
DGRADS = [im2col.dgrad, residues.dgrad, cuda.dgrad]


def triple(backend, g, x, w, y):
    return backend.fprop(g, x, w), backend.dgrad(g, y, w), backend.wgrad(g, x, y)


@settings(max_examples=250)
@given(convolutions())
def test_every_routine_is_the_sum_of_its_products_bit_for_bit_on_integers(case):
    """Small integers are exact in float32 and float64 in any order of summation."""
    g = case.geometry
    x, w, y = case.operands(np.int64)
    output, image, filters = convolution_triple(g, x, w, y)
    for dtype in (np.float32, np.float64, np.int64):
        operands = x.astype(dtype), w.astype(dtype), y.astype(dtype)
        for backend in (cpu, cuda):
            found = triple(backend, g, *operands)
            for got, expected in zip(found, (output, image, filters), strict=True):
                assert got.dtype == dtype
                assert_array_equal(got, expected)
        for dgrad in DGRADS:
            assert_array_equal(dgrad(g, operands[2], operands[1]), image)


@settings(max_examples=120)
@given(convolutions())
def test_rounding_errors_stay_within_c_u_sum_of_magnitudes(case):
    """|computed - exact| ≤ c·u·Σ|a||b|, element by element, where c is the number of terms."""
    g = case.geometry
    x, w, y = case.operands()
    for dtype in (np.float32, np.float64):
        rounded = [v.astype(dtype) for v in (x, w, y)]
        exact = [v.astype(np.float64) for v in rounded]
        expected = convolution_triple(g, *exact)
        magnitude = convolution_triple(g, *[abs(v) for v in exact])
        terms = (
            g.R * g.S * w.shape[1],
            g.R * g.S * case.outputs // g.groups,
            case.batch * g.P * g.Q,
        )
        unit = np.finfo(dtype).eps / 2
        for backend in (cpu, cuda):
            found = triple(backend, g, *rounded)
            for got, value, size, c in zip(found, expected, magnitude, terms, strict=True):
                assert got.dtype == dtype
                assert (abs(got - value) <= (c + 2) * unit * size).all()


@settings(max_examples=120)
@given(convolutions())
def test_the_three_routines_are_adjoint(case):
    """⟨y, fprop(x, w)⟩ = ⟨x, dgrad(y, w)⟩ = ⟨w, wgrad(x, y)⟩, and they are linear."""
    g = case.geometry
    x, w, y = case.operands()
    for backend in (cpu, cuda):
        output, image, filters = triple(backend, g, x, w, y)
        scale = float(np.sum(abs(y) * triple(backend, g, abs(x), abs(w), abs(y))[0]))
        products = [float(np.sum(a * b)) for a, b in ((y, output), (x, image), (w, filters))]
        assert max(products) - min(products) <= 1e-12 * scale


@settings(max_examples=120)
@given(convolutions(), layouts, layouts, layouts)
def test_any_memory_layout_gives_the_same_result_and_inputs_stay_as_they_are(case, a, b, c):
    """Transposed, strided, reversed and stride-0 operands; NHWC memory is the natural one."""
    g = case.geometry
    x, w, y = (
        in_layout(v, layout) for v, layout in zip(case.operands(np.int64), (a, b, c), strict=True)
    )
    plain = [np.ascontiguousarray(v) for v in (x, w, y)]
    nhwc = [np.ascontiguousarray(v.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2) for v in plain]
    before = [v.copy() for v in plain]
    for backend in (cpu, cuda):
        expected = triple(backend, g, *plain)
        for operands in ((x, w, y), nhwc):
            for got, want in zip(triple(backend, g, *operands), expected, strict=True):
                assert_array_equal(got, want)
    for dgrad in DGRADS:
        assert_array_equal(dgrad(g, y, w), dgrad(g, plain[2], plain[1]))
    for v, old in zip((x, w, y), before, strict=True):
        assert_array_equal(v, old)


@settings(max_examples=120)
@given(convolutions(min_batch=3, max_batch=7), st.integers(1, 4000))
def test_the_size_of_chunks_does_not_matter(case, chunk_bytes):
    """A batch cut into several chunks, down to one image at a time, gives the same integers."""
    g = case.geometry
    x, w, y = case.operands(np.int64)
    whole = triple(cpu, g, x, w, y) + tuple(f(g, y, w) for f in DGRADS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", chunk_bytes)
        assert len(layout.chunks(case.batch, chunk_bytes + 1)) == case.batch
        cut = triple(cpu, g, x, w, y) + tuple(f(g, y, w) for f in DGRADS)
    for got, expected in zip(cut, whole, strict=True):
        assert_array_equal(got, expected)


@settings(max_examples=120)
@given(convolutions(max_batch=1, max_kernel=5), st.sampled_from([1, 16]))
def test_a_large_single_image_is_shared_by_its_rows(case, columns):
    """By those of the output, and dgrad by those that the same taps add to; also if there are
    none."""
    case = replace(case, geometry=replace(case.geometry, dilation=(1, case.geometry.dilation[1])))
    g, (x, w, y) = case.geometry, case.operands(np.int64)
    output, image, _ = convolution_triple(g, x, w, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "LARGE_BYTES", 1)
        patch.setattr(col2im, "LARGE_BYTES", 1)
        patch.setattr(col2im, "COLUMNS", columns)
        parts = []
        patch.setattr(
            col2im, "parallel", lambda task, count: parts.append(count) or each(task, count)
        )
        assert_array_equal(im2col.fprop(g, x, w), output)
        assert_array_equal(im2col.dgrad(g, y, w), image)
    assert parts == [g.stride[0]]


def each(task, count):
    for i in reversed(range(count)):
        task(i)


def test_rows_of_a_large_image_are_copied_once(monkeypatch):
    """Into channels last, in pieces: but for the rows that two pieces see."""
    sizes = []
    monkeypatch.setattr(layout.copies, "note", lambda x: sizes.append(x.size))
    monkeypatch.setattr(layout, "CHUNK_BYTES", 1 << 20)
    g, x = Geometry(64, 64, 3, 3, pad=(1,) * 4), np.ones((2, 16, 64, 64), np.float32)
    im2col.fprop(g, x, np.ones((8, 16, 3, 3), np.float32))
    assert len(sizes) == 10
    assert x.size < sum(sizes) <= x.size * (64 + 8) / 64


def test_chunks_fill_the_cache_and_cover_the_batch(monkeypatch):
    """As many images as fit, at least one; nearly equal pieces."""
    monkeypatch.setattr(layout, "CHUNK_BYTES", 1000)
    ones = [1] * 7
    for size, lengths in ((300, [2, 2, 2, 1]), (1000, ones), (5000, ones), (1, [7]), (0, [7])):
        chunks = layout.chunks(7, size)
        assert [c.stop - c.start for c in chunks] == lengths
        assert np.concatenate([np.arange(7)[c] for c in chunks]).tolist() == list(range(7))
    assert layout.chunks(0, 10) == []
    assert [c.stop - c.start for c in layout.chunks(7, 5000, least=3)] == [3, 3, 1]
    assert [c.stop - c.start for c in layout.chunks(64, 100)] == [8] * 8  # not ten, which fit
    assert [c.stop - c.start for c in layout.chunks(64, 100, least=10)] == [10] * 6 + [4]
    rows = layout.row_chunks(2, 9, 3001)
    assert [r.stop - r.start for r in rows] == [2, 2, 2, 3] and rows[0].start == 0
    assert [layout.row_chunks(1, 9, size) for size in (0, 1000)] == [[slice(0, 9)]] * 2
    assert len(layout.row_chunks(2, 3, 1 << 20)) == 3
    monkeypatch.setattr(layout, "CHUNK_BYTES", 1 << 30)
    assert [len(layout.row_chunks(n, 9, 1 << 20)) for n in (1, 2)] == [2, 1]  # work for threads
    monkeypatch.setattr(layout, "SMALL_BYTES", 100)
    assert [c.stop - c.start for c in layout.chunks(16, 10)] == [8] * 2  # work for threads


@settings(max_examples=250)
@given(convolutions(max_batch=1, min_batch=1, max_channels=2))
def test_window_views_stay_inside_their_buffers(case):
    """No element of a strided view lies before the first or after the last of its image."""
    g = case.geometry
    x, w, y = case.operands()
    checked = []

    def checking(image, start, *rest):
        view = windows(image, start, *rest)
        low, high = np.lib.array_utils.byte_bounds(view)
        first, last = np.lib.array_utils.byte_bounds(image)
        assert view.size and first <= low and high <= last
        elements = np.arange(image.size).reshape(image.shape)
        once = windows(elements, start, *rest)
        assert view.flags.writeable <= (np.unique(once).size == once.size)
        # Each dimension on its own too: windows must not run over into the next row.
        _, _, rows, columns, r, s, _ = view.shape
        down, right, tap_down, tap_right = (
            np.array(view.strides[2:6]) // ([image.strides[1], image.strides[2]] * 2)
        ).tolist()
        assert start[0] + down * (rows - 1) + tap_down * (r - 1) < image.shape[1]
        assert start[1] + right * (columns - 1) + tap_right * (s - 1) < image.shape[2]
        checked.append(view.shape)
        return view

    windows = layout.windows
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(im2col, "windows", checking)
        patch.setattr(col2im, "windows", checking)
        patch.setattr(residues, "windows", checking)
        im2col.fprop(g, x, w)
        im2col.wgrad(g, x, y)
        assert len(checked) == 2
        im2col.dgrad(g, y, w)
        assert len(checked) > 2
        residues.dgrad(g, y, w)


@BACKENDS
def test_rows_that_no_filter_reaches_get_a_zero_gradient(backend):
    """5 rows, a 2-tap filter every 3: rows 2 and 5 of 6 padded rows are left over."""
    g = Geometry(6, 6, 2, 2, (3, 3))
    image = backend.dgrad(g, np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2)))
    reached = np.array([1, 1, 0, 1, 1, 0])
    assert_array_equal(image[0, 0], np.outer(reached, reached))


@BACKENDS
@pytest.mark.parametrize("size", [1, 2, 3])
def test_an_image_that_no_filter_reaches_counts_for_nothing(backend, size):
    """Padding before the image, and a stride that jumps over all of it."""
    g = Geometry(size, size, 1, 1, (7, 7), (2, 0, 3, 0))
    ones = np.ones((1, 1, size, size))
    found = triple(backend, g, ones, np.ones((1, 1, 1, 1)), np.ones((1, 1, 1, 1)))
    assert_array_equal(np.concatenate([v.ravel() for v in found]), np.zeros(size * size + 2))
    assert_array_equal(im2col.dgrad(g, ones[:, :, :1, :1], ones[:, :, :1, :1]), 0 * ones)


@BACKENDS
def test_padding_beyond_the_kernel_gives_outputs_made_of_padding_only(backend):
    g = Geometry(1, 1, 1, 1, (1, 1), (3, 2, 0, 4))
    output = backend.fprop(g, np.full((1, 1, 1, 1), 5.0), np.full((1, 1, 1, 1), 7.0))
    expected = np.zeros((6, 5))
    expected[3, 0] = 35
    assert_array_equal(output[0, 0], expected)


@given(convolutions(min_batch=0, max_batch=0))
def test_an_empty_batch_gives_empty_outputs_and_a_zero_filter_gradient(case):
    x, w, y = case.operands()
    image, filters, output = case.shapes
    for backend in (cpu, cuda):
        found = triple(backend, case.geometry, x, w, y)
        assert [v.shape for v in found] == [output, image, filters]
        assert_array_equal(found[2], np.zeros(filters))


def test_complex_operands_are_not_conjugated():
    """The complex step of gradcheck needs the analytic continuation of the bilinear form."""
    g = Geometry(3, 3, 2, 2)
    rng = np.random.default_rng(0)
    parts = [rng.integers(-4, 5, (2, *s)) for s in ((1, 1, 3, 3), (1, 1, 2, 2), (1, 1, 2, 2))]
    x, w, y = (a + 1j * b for a, b in parts)
    (xr, xi), (wr, wi), (yr, yi) = parts
    for backend in (cpu, cuda):
        for name, (a, ar, ai), (b, br, bi) in (
            ("fprop", (x, xr, xi), (w, wr, wi)),
            ("dgrad", (y, yr, yi), (w, wr, wi)),
            ("wgrad", (x, xr, xi), (y, yr, yi)),
        ):
            f = getattr(backend, name)
            expected = f(g, ar, br) - f(g, ai, bi) + 1j * (f(g, ar, bi) + f(g, ai, br))
            assert_array_equal(f(g, a, b), expected)


def test_numpy_arrays_go_to_the_cpu_routines(monkeypatch):
    g = Geometry(3, 3, 2, 2)
    for name in ("fprop", "dgrad", "wgrad"):
        monkeypatch.setattr(cpu, name, lambda *args, name=name: (name, *args))
        given = [
            np.ones(1),
            np.ones(2),
            None,
            dispatch.Kept("w"),
            True,
            dispatch.Activation("relu"),
        ]
        if name == "wgrad":  # neither bias nor activation
            del given[5], given[2]
        found = getattr(dispatch, name)(g, *given)
        assert found == (name, g, *given)
