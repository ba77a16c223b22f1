"""Memory: channels last inside, (N, C, H, W) shapes outside.

A result is a transposed view, and an input that is such a view costs no conversion.  Filters are
kept as (R, S, C, K), so that the filter matrix of im2col is their memory as it lies; any other
order works too, at the price of a copy.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..cpu import copies
from ..cpu.threads import parallel, scratch
from .activation import Activation, end
from .geometry import Geometry

CHUNK_BYTES = 4 << 20  # of working memory for the images that are treated at a time
SMALL_BYTES = 1 << 18  # so little is not worth sharing
LARGE_BYTES = 1 << 20  # so much is, be it one image's
PIECES = 2  # of what is shared, at least: every piece costs a thread some Python
PARTS = 4  # sums over the batch are made in this many parts, whatever the number of threads
ROWS = 512  # the least rows of a product that is added to a sum: below, the adding costs more


def chunks(n: int, bytes_per_image: int, least: int = 1) -> list[slice]:
    """The batch in pieces of at most about CHUNK_BYTES, and of at least ``least`` images."""
    step = max(CHUNK_BYTES // max(bytes_per_image, 1), 1)
    if n * bytes_per_image > SMALL_BYTES:
        step = min(step, -(-n // PIECES))
    step = max(step, least)
    pieces = max(1, -(-n // step))
    if pieces > PIECES:  # so that threads get alike
        pieces = -(-pieces // PIECES) * PIECES
    step = max(1, least, -(-n // pieces))  # pieces of one size, but for the last
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def columns_bytes(g: Geometry, channels: int, dtype: np.dtype) -> int:
    """Of working memory for what lies under the filters in an image, and as much again that is
    read and made of it."""
    return 2 * g.P * g.Q * g.R * g.S * channels * dtype.itemsize


def row_chunks(n: int, rows: int, bytes_per_image: int) -> list[slice]:
    """An image's rows of outputs, in pieces where it is larger than a chunk, or large and alone."""
    least = PIECES if n == 1 and bytes_per_image >= LARGE_BYTES else 1
    pieces = min(rows, max(least, -(-bytes_per_image // CHUNK_BYTES)))
    return [slice(rows * i // pieces, rows * (i + 1) // pieces) for i in range(pieces)]


def summed(
    batches: list[slice],
    shape: tuple[int, ...],
    dtype: np.dtype,
    term: Callable[[slice], np.ndarray],
) -> np.ndarray:
    """Σ term(batch) over the pieces, added up in PARTS parts whatever the number of threads."""
    parts = min(PARTS, len(batches))
    sums = np.zeros((max(parts, 1), *shape), dtype)

    def task(part: int) -> None:
        for batch in batches[part::parts]:
            sums[part] += term(batch)

    parallel(task, parts)
    for other in sums[1:]:
        sums[0] += other
    return sums[0]


def nchw(image: np.ndarray) -> np.ndarray:
    """NHWC memory seen as (N, C, H, W)."""
    return image.transpose(0, 3, 1, 2)


def nhwc(x: np.ndarray) -> np.ndarray:
    """x (N, C, H, W) as (N, H, W, C), without a copy."""
    return x.transpose(0, 2, 3, 1)


def framed(
    x: np.ndarray, before: tuple[int, int], size: tuple[int, int], purpose: str = "frame"
) -> np.ndarray:
    """x (N, C, H, W) as contiguous NHWC in a zero frame of ``size``, starting at ``before``.

    Rows and columns that do not fit the frame are cut off.  Working memory, unless x is already
    what is asked for.
    """
    image = nhwc(x)
    n, h, w, c = image.shape
    (top, left), (height, width) = before, size
    if not image.flags.c_contiguous:
        copies.note(x)
    elif before == (0, 0) and size == (h, w):
        return image
    frame = scratch(purpose, (n, height, width, c), x.dtype)
    bottom, right = max(min(top + h, height), top), max(min(left + w, width), left)
    frame[:, :top] = 0
    frame[:, bottom:] = 0
    frame[:, top:bottom, :left] = 0
    frame[:, top:bottom, right:] = 0
    frame[:, top:bottom, left:right] = image[:, : bottom - top, : right - left]
    return frame


def unframed(
    frame: np.ndarray,
    before: tuple[int, int],
    out: np.ndarray,
    b: np.ndarray | None,
    f: Activation,
) -> None:
    """The way back: out (N, H, W, C) = f(the frame at ``before``, plus b (C,)).

    Rows and columns that the frame does not reach are f(b).
    """
    _, h, w, _ = out.shape
    seen = frame[:, before[0] : before[0] + h, before[1] : before[1] + w]
    _, rows, columns, _ = seen.shape
    out[:, rows:] = 0
    out[:, :rows, columns:] = 0
    out[:, :rows, :columns] = seen
    end(out, b, f)


def image_frame(g: Geometry) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the image starts in the part of the padded image that filters reach, and its size."""
    height = (g.P - 1) * g.stride[0] + (g.R - 1) * g.dilation[0] + 1
    width = (g.Q - 1) * g.stride[1] + (g.S - 1) * g.dilation[1] + 1
    return (g.pad[0], g.pad[2]), (height, width)


def windows(image, start, step, count, taps, tap_step, groups):
    """View (groups, N, rows, columns, R, S, C/groups) of the pixels under each filter position.

    The image lies in C order; a view beyond its memory would be refused.
    """
    n, _, _, c = image.shape
    sn, sh, sw, sc = image.strides
    view = np.ndarray(
        (groups, n, *count, *taps, c // groups),
        image.dtype,
        image,
        start[0] * sh + start[1] * sw,
        (c // groups * sc, sn, step[0] * sh, step[1] * sw, tap_step[0] * sh, tap_step[1] * sw, sc),
    )
    for taken, apart, moved in zip(taps, tap_step, step, strict=True):
        if (taken - 1) * apart >= moved:  # some numbers are in it several times
            view.flags.writeable = False
    return view


def matrix(view: np.ndarray) -> np.ndarray:
    """Windows as (groups, pixels, taps·C/groups): a row for each filter position."""
    groups, n, p, q, r, s, c = view.shape
    columns = scratch("columns", view.shape, view.dtype)
    # The pixels of a filter's row lie side by side: as one item they are copied at once.
    run = s * c if view.strides[5] == c * view.itemsize else c
    seen, item = view.reshape(*view.shape[:5], -1, run), f"V{run * view.itemsize}"
    np.copyto(columns.reshape(seen.shape).view(item), seen.view(item))
    return columns.reshape(groups, n * p * q, r * s * c)


def filter_matrix(w: np.ndarray, groups: int) -> np.ndarray:
    """w (K, C/groups, R, S) as (groups, R·S·C/groups, K/groups)."""
    k, c, r, s = w.shape
    return (
        w.reshape(groups, k // groups, c, r, s)
        .transpose(0, 3, 4, 2, 1)
        .reshape(groups, r * s * c, k // groups)
    )


def pixels(y: np.ndarray, groups: int) -> np.ndarray:
    """y (N, K, P, Q) as (groups, N·P·Q, K/groups)."""
    n, k, p, q = y.shape
    matrix = copies.contiguous(nhwc(y)).reshape(n * p * q, groups, k // groups)
    return matrix.transpose(1, 0, 2)
