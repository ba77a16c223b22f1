"""Digits drawn from matplotlib's bundled fonts: a data set that is always there.

Each digit of each face is rasterised once and turned into a signed distance field. A sample reads
one field through a random affine map and a gentle bend, and turns distance into grey: moving the
threshold makes the stroke bolder or finer, which no resampling of pixels could do.
Signed distances as glyphs: Green, "Improved Alpha-Tested Magnification", SIGGRAPH 2007.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan.data.images import DataError, ImageData, whole_number

SIZE = 28
MAX_COUNT = 200_000

# The bundled faces with ten plain digits: file, code point of the zero, slant (dx / dy). Sans, bold
# sans and typewriter digits are among STIXGeneral's mathematical alphanumerics. Left out: DejaVu
# Sans Mono (dotted zero), cmmi10 (old-style: its 1 is an I), and fonts that have no digits at all.
FACES = (
    ("DejaVuSans", 0x30, 0.0),
    ("DejaVuSans-Bold", 0x30, 0.0),
    ("DejaVuSans-Oblique", 0x30, 0.2),
    ("DejaVuSans-BoldOblique", 0x30, 0.2),
    ("DejaVuSerif", 0x30, 0.0),
    ("DejaVuSerif-Bold", 0x30, 0.0),
    ("DejaVuSerif-Italic", 0x30, 0.2),
    ("DejaVuSerif-BoldItalic", 0x30, 0.2),
    ("STIXGeneral", 0x30, 0.0),
    ("STIXGeneralBol", 0x30, 0.0),
    ("STIXGeneralItalic", 0x30, 0.2),
    ("STIXGeneralBolIta", 0x30, 0.2),
    ("STIXGeneral", 0x1D7E2, 0.0),
    ("STIXGeneral", 0x1D7EC, 0.0),
    ("STIXGeneral", 0x1D7F6, 0.0),
    ("cmb10", 0x30, 0.0),
    ("cmr10", 0x30, 0.0),
    ("cmss10", 0x30, 0.0),
    ("cmti10", 0x30, 0.25),
    ("cmtt10", 0x30, 0.0),
)

# Raise it with every change of this file that changes a pixel: old caches are then removed.
VERSION = 1
_BLOCK = 1000  # samples drawn at a time: their coordinates (1000 x 784 float32) stay in cache
_RASTER, _FONT_SIZE = 256, 210  # pixels; digits are 130 to 190 of them high
_REDUCE = 2  # raster pixels to one cell of the distance field
_CELLS = _RASTER // _REDUCE
_DIRECTIONS = 32  # of the extreme points that stand for an outline when its box is wanted

# Ranges of the uniform variations; lengths in pixels of the 28x28 image.
_BOX = (18.5, 20.5)  # longer side of the digit, stroke included (MNIST: 20)
_ROTATION = (-0.2, 0.2)  # radians
_SLANT = (-0.22, 0.4)  # dx / dy, the face's own included; positive leans right, as most hands do
_LOG_ASPECT = (-0.15, 0.3)  # of width / height; type is narrower than handwriting
_SHIFT = (-1.0, 1.0)
_HALF_STROKE = (0.75, 1.5)  # wanted mean half width of the strokes
_GROWTH = (-0.5, 0.7)  # how far an outline may move: more, and holes close
_HAIRLINE = 0.55  # half width that the finest strokes are brought to, so that they do not vanish
_SOFTNESS = (0.9, 1.4)  # width of the edge from black to white
_BEND = (0.0, 0.6)  # amplitude of the sine by which rows and columns are displaced
_BEND_TURNS = (0.4, 0.9)  # periods of that sine across the image


@dataclass(frozen=True)
class _Glyph:
    """One digit of one face; lengths in cells of the field, origin at the box's centre."""

    distance: np.ndarray  # float32 (cells, cells), negative inside
    extremes: np.ndarray  # float64 (directions, 2): the outline's furthest x, y in each direction
    half_stroke: float  # mean half width of its strokes
    half_hairline: float  # half width of the finest of them


@functools.cache
def _glyph(face: int, digit: int) -> _Glyph:
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont
    from scipy.ndimage import distance_transform_edt, maximum_filter

    name, zero, _ = FACES[face]
    path = Path(matplotlib.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    try:
        font = ImageFont.truetype(str(path), _FONT_SIZE)
    except OSError as error:
        raise DataError(f"{path}: glyphs needs this font of matplotlib's ({error})") from error
    canvas = Image.new("L", (_RASTER, _RASTER))
    left, top, right, bottom = font.getbbox(chr(zero + digit))
    corner = ((_RASTER - left - right) / 2, (_RASTER - top - bottom) / 2)
    ImageDraw.Draw(canvas).text(corner, chr(zero + digit), fill=255, font=font)
    inside = np.asarray(canvas) >= 128

    # The transform measures to the nearest pixel on the other side; the outline is half a pixel
    # nearer.
    distance = distance_transform_edt(~inside) - distance_transform_edt(inside)
    distance -= np.sign(distance) / 2
    cells = distance.reshape(_CELLS, _REDUCE, _CELLS, _REDUCE).mean(axis=(1, 3)) / _REDUCE
    ys, xs = np.nonzero(cells < 0)
    points = np.stack([xs, ys], axis=1) - (_CELLS - 1) / 2
    angles = np.arange(_DIRECTIONS) * (2 * np.pi / _DIRECTIONS)
    towards = np.stack([np.cos(angles), np.sin(angles)])
    # A band one cell wide either side of the outline holds its length twice over.
    outline = np.count_nonzero(np.abs(cells) < 1) / 2
    # Along the middle of a stroke the depth has its local maxima (up to the grid's unevenness).
    ridge = (cells < -0.5) & (-cells >= maximum_filter(-cells, 3) - 0.12)
    return _Glyph(
        distance=cells.astype(np.float32),
        extremes=points[np.argmax(points @ towards, axis=0)],
        half_stroke=len(points) / outline,
        half_hairline=float(np.percentile(-cells[ridge], 4)),
    )


def draw_glyphs(count: int, seed: int) -> ImageData:
    """Draw labelled digits, white on black, centred and filling the frame as MNIST's do.

    Every ten consecutive samples hold each digit once, in random order. A sample depends on
    ``seed`` and its index alone: a larger count only adds samples at the end.

    Args:
        count: number of images N, 1 to 200,000.
        seed: a whole number of at least 0.

    Returns:
        ImageData with uint8 images (N, 1, 28, 28), int64 labels (N,) and ten classes.

    Raises:
        DataError: an argument is out of range, or a bundled font is missing.

    >>> data = draw_glyphs(10, seed=0)
    >>> data.images.shape, sorted(data.labels.tolist())
    ((10, 1, 28, 28), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """
    count = whole_number("count", count, 1, MAX_COUNT)
    seed = whole_number("seed", seed, 0)
    images = np.empty((count, SIZE, SIZE), np.uint8)
    labels = np.empty(count, np.int64)
    for block, start in enumerate(range(0, count, _BLOCK)):
        part = slice(start, min(start + _BLOCK, count))
        _draw_block(np.random.default_rng([seed, block]), images[part], labels[part])
    return ImageData("glyphs", images[:, np.newaxis], labels, 10)


def _draw_block(rng: np.random.Generator, images: np.ndarray, labels: np.ndarray) -> None:
    """Fill ``images`` (B, 28, 28) and ``labels`` (B,), B at most _BLOCK."""
    used = len(labels)

    def uniform(low_high: tuple[float, float], *shape: int) -> np.ndarray:
        # Always a whole block's worth, so that a sample does not depend on how many are wanted.
        return rng.uniform(*low_high, (_BLOCK, *shape))[:used]

    tens = np.tile(np.arange(10), (_BLOCK // 10, 1))
    labels[:] = rng.permuted(tens, axis=1).ravel()[:used]
    faces = rng.integers(len(FACES), size=_BLOCK)[:used]
    kinds, which = np.unique(faces * 10 + labels, return_inverse=True)
    glyphs = [_glyph(*divmod(int(kind), 10)) for kind in kinds]

    # The affine map from cells to pixels, up to its scale: rotation . shear . aspect.
    angle, aspect = uniform(_ROTATION), np.exp(uniform(_LOG_ASPECT))
    shear = uniform(_SLANT) - np.array([slant for _, _, slant in FACES])[faces]
    cos, sin, wide, high = np.cos(angle), np.sin(angle), aspect**0.5, aspect**-0.5
    lean = -shear * high  # y points down
    linear = np.array(
        [[cos * wide, cos * lean - sin * high], [sin * wide, sin * lean + cos * high]]
    ).transpose(2, 0, 1)

    # The scale follows from the box that the digit is to fill, its stroke's growth included; the
    # growth depends on the scale in turn, and three rounds settle it well below a tenth of a pixel.
    mapped = linear @ np.stack([glyph.extremes for glyph in glyphs])[which].transpose(0, 2, 1)
    low, top = mapped.min(axis=2), mapped.max(axis=2)
    longest, box = (top - low).max(axis=1), uniform(_BOX)
    half_stroke = np.array([glyph.half_stroke for glyph in glyphs])[which]
    half_hairline = np.array([glyph.half_hairline for glyph in glyphs])[which]
    wanted, growth = uniform(_HALF_STROKE), np.zeros(used)
    for _ in range(3):
        scale = (box - 2 * growth) / longest
        growth = np.maximum(wanted - half_stroke * scale, _HAIRLINE - half_hairline * scale)
        growth = np.clip(growth, *_GROWTH)

    # Each pixel's place in the field, backwards: bend, centre, inverse map.
    grid = np.arange(SIZE) - (SIZE - 1) / 2
    centre = uniform(_SHIFT, 2) - scale[:, None] * (low + top) / 2
    amplitude, turns = uniform(_BEND, 2, 1), uniform(_BEND_TURNS, 2, 1)
    phase = uniform((0, 2 * np.pi), 2, 1)
    bend = amplitude * np.sin(turns * (2 * np.pi / SIZE) * grid + phase)
    inverse = (np.linalg.inv(linear) / scale[:, None, None]).astype(np.float32)
    along = (grid - centre[:, :, None]).astype(np.float32)
    bend = bend.astype(np.float32)
    x = along[:, 0, None, :] + bend[:, 0, :, None]
    y = along[:, 1, :, None] + bend[:, 1, None, :]
    fields = np.stack([glyph.distance for glyph in glyphs])
    distance = _bilinear(
        fields,
        which,
        inverse[:, 0, 0, None, None] * x + inverse[:, 0, 1, None, None] * y,
        inverse[:, 1, 0, None, None] * x + inverse[:, 1, 1, None, None] * y,
    )

    softness = uniform(_SOFTNESS)
    factor = (scale / softness).astype(np.float32)[:, None, None]
    offset = (growth / softness + 0.5).astype(np.float32)[:, None, None]
    grey = np.clip(offset - distance * factor, 0, 1)
    np.rint(grey * np.float32(255), out=images, casting="unsafe")


def _bilinear(fields: np.ndarray, which: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Read ``fields[which[b]]`` at x, y (B, 28, 28), cells from the centre; flat outside."""
    last = np.float32(_CELLS - 1)
    x = np.clip(x + last / 2, 0, last - np.float32(0.01))
    y = np.clip(y + last / 2, 0, last - np.float32(0.01))
    column, row = x.astype(np.int32), y.astype(np.int32)
    x -= column
    y -= row
    corner = row * _CELLS + column + (which.astype(np.int32) * _CELLS**2)[:, None, None]
    flat = fields.reshape(-1)
    above = flat[corner]
    above += x * (flat[corner + 1] - above)
    corner += _CELLS
    below = flat[corner]
    below += x * (flat[corner + 1] - below)
    return above + y * (below - above)
