"""Pictures of a run: grids of samples, animations of their progress, curves of the losses.

Grids are plain uint8 arrays; files are PNG and GIF, written whole or not at all. Pillow and
matplotlib are imported only when something is saved.
"""

from __future__ import annotations

import itertools
import os
import textwrap
from collections.abc import Iterable, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

import numpy as np

from .serialize import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation
    from PIL.Image import Image

__all__ = ["image_grid", "save_animation", "save_grid", "save_losses", "to_uint8"]

BACKGROUND = 48  # dark grey: black digits' backgrounds still show their edges
MAX_FRAMES = 60
LAST_FRAME_S = 2.0
# Dark colours that colour-blind eyes tell apart, each with a dash pattern for print without colour.
STYLES = (
    ("#0b5fa5", "-"),
    ("#c8500a", (0, (6, 1.5))),
    ("#0a7d5a", (0, (4, 1.5, 1, 1.5))),
    ("#8f3f8f", (0, (1.5, 1))),
    ("#404040", (0, (8, 2, 2, 2))),
)
PROBABILITIES = ("d_real", "d_fake")
NAMES = {
    "d_loss": "D loss",
    "g_loss": "G loss",
    "d_real": "D on real, mean",
    "d_fake": "D on fake, mean",
}


def to_uint8(images: Any) -> np.ndarray:
    """Pixels for a screen: ``round(127.5 * (x + 1))``, clipped to 0..255, channels last.

    -1 becomes 0 and 1 becomes 255; halves round to even (0.0, at 127.5, becomes 128). Values beyond
    [-1, 1], infinities included, are clipped.

    Args:
        images: float, shape (N, C, H, W), C = 1 (grey) or 3 (RGB), nominally in [-1, 1].

    Returns:
        uint8, shape (N, H, W, C), C-contiguous.

    Raises:
        TypeError: `images` is not floating point.
        ValueError: another shape, or NaN values.

    >>> to_uint8(np.array([-1.0, 0.0, 0.5, 2.0]).reshape(1, 1, 2, 2))[0, :, :, 0]
    array([[  0, 128],
           [191, 255]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype.kind != "f":
        raise TypeError(f"to_uint8: expects floats in [-1, 1], got dtype {images.dtype}")
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        raise ValueError(f"to_uint8: expects shape (N, 1 or 3, H, W), got {images.shape}")
    if np.isnan(images).any():
        raise ValueError(f"to_uint8: {np.isnan(images).sum()} of {images.size} values are NaN")
    # float16 cannot hold the products exactly enough to round.
    pixels = np.clip(images, -1, 1).astype(np.result_type(images, np.float32), copy=False)
    pixels = np.rint((pixels + 1) * 127.5).astype(np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))


def image_grid(images: Any, columns: int = 8, padding: int = 2, scale: int = 1) -> np.ndarray:
    """One picture of many, row by row, on a dark grey ground.

    As torchvision's ``make_grid``, whose ``nrow`` is `columns` here: padding goes around every
    image, the border included, and fewer images than columns make a narrower grid. Unlike there, a
    single image is padded too, and grey stays one channel. The last row may be short.

    Args:
        images: float (N, C, H, W) in [-1, 1] (see `to_uint8`), or uint8 (N, H, W, C); N >= 1.
        columns: images per row, >= 1.
        padding: pixels between images and around them, >= 0, not enlarged by `scale`.
        scale: every pixel becomes a square of scale * scale pixels, >= 1.

    Returns:
        uint8, shape (height, width) for C = 1, (height, width, 3) for C = 3, where
        ``height = rows * (scale * H + padding) + padding``, and width alike.

    Raises:
        TypeError, ValueError: as `to_uint8`; no images; columns, padding or scale out of range.

    >>> image_grid(np.ones((3, 1, 1, 1)), columns=2, padding=1)
    array([[ 48,  48,  48,  48,  48],
           [ 48, 255,  48, 255,  48],
           [ 48,  48,  48,  48,  48],
           [ 48, 255,  48,  48,  48],
           [ 48,  48,  48,  48,  48]], dtype=uint8)
    """
    images = np.asarray(images)
    if images.dtype != np.uint8:
        images = to_uint8(images)
    elif images.ndim != 4 or images.shape[3] not in (1, 3):
        raise ValueError(f"image_grid: uint8 expects (N, H, W, 1 or 3), got {images.shape}")
    if len(images) == 0 or columns < 1 or padding < 0 or scale < 1:
        raise ValueError(
            "image_grid: expects at least one image, columns >= 1, padding >= 0, scale >= 1; "
            f"got {len(images)}, {columns}, {padding}, {scale}"
        )
    images = images.repeat(scale, axis=1).repeat(scale, axis=2)
    n, height, width, channels = images.shape
    columns = min(columns, n)
    rows = -(-n // columns)
    cell = (height + padding, width + padding)
    shape = (rows * cell[0] + padding, columns * cell[1] + padding, channels)
    grid = np.full(shape, BACKGROUND, np.uint8)
    for index, image in enumerate(images):
        top = index // columns * cell[0] + padding
        left = index % columns * cell[1] + padding
        grid[top : top + height, left : left + width] = image
    return grid[:, :, 0] if channels == 1 else grid


def save_grid(
    path: str | os.PathLike[str], images: Any, columns: int = 8, scale: int | None = None
) -> None:
    """Save `image_grid` of `images` as a PNG, atomically.

    Args:
        path: the destination; PNG whatever its suffix.
        images, columns: as for `image_grid`.
        scale: integer enlargement; None picks the largest that keeps the images, padding aside,
            within 680 pixels across and 980 down (8 columns of 28 x 28: 3, 690 pixels in all).

    Raises:
        TypeError, ValueError: as `image_grid`. FileNotFoundError: the folder does not exist.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_grid(f"{folder}/samples.png", np.zeros((64, 1, 28, 28)))
    ...     with Image.open(f"{folder}/samples.png") as picture:
    ...         print(picture.size, picture.mode)
    (690, 690) L
    """
    from PIL import Image

    if scale is None:
        height, width = image_grid(images, columns, padding=0).shape[:2]
        scale = max(1, min(680 // width, 980 // height))
    grid = image_grid(images, columns, scale=scale)
    with atomic_write(path) as file:
        Image.fromarray(grid).save(file, format="PNG", optimize=True)


def save_animation(
    path: str | os.PathLike[str],
    frames: Iterable[Any],
    labels: Iterable[int | str] | None = None,
    seconds: float = 7.0,
) -> None:
    """Save pictures as an endlessly looping GIF, atomically.

    At most 60 frames are shown: of more, every second, fourth, eighth ... is kept, and always the
    first and the last. The last stands for 2 s. Frames are taken one at a time and files are read
    only when their turn comes, so a long run's pictures never fill the memory.

    Args:
        path: the destination; GIF whatever its suffix.
        frames: uint8 arrays of one shape, (H, W) or (H, W, 3), or paths of pictures of one size.
        labels: one per frame, written in a strip below it: a number n as "step n", text as it is.
            None: no strip.
        seconds: playing time of one round, the last frame's 2 s included. A frame stands for at
            least 0.02 s and at most 1 s, which bounds how far few or many frames can be stretched.

    Raises:
        TypeError: a frame is neither uint8 nor a path.
        ValueError: no frames, unequal sizes, not as many labels as frames, seconds <= 0.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     grids = [np.full((90, 120), 50 * i, np.uint8) for i in range(4)]
    ...     save_animation(f"{folder}/run.gif", grids, labels=[0, 500, 1000, 1500])
    ...     with Image.open(f"{folder}/run.gif") as gif:
    ...         print(gif.n_frames, gif.size)
    4 (120, 114)
    """
    if not seconds > 0:
        raise ValueError(f"save_animation: seconds expects a number > 0, got {seconds}")
    if isinstance(frames, Sized) and isinstance(labels, Sized) and len(frames) != len(labels):
        raise ValueError(
            f"save_animation: expects a label per frame, got {len(frames)} frames and "
            f"{len(labels)} labels"
        )
    pairs = _thin(
        ((f, None) for f in frames) if labels is None else zip(frames, labels, strict=True)
    )
    if not pairs:
        raise ValueError("save_animation: expects at least one frame, got none")
    pictures = [_frame(*pair) for pair in pairs]
    if len(sizes := {picture.size for picture in pictures}) > 1:
        raise ValueError(f"save_animation: expects frames of one size, got {sorted(sizes)}")
    each = (seconds - LAST_FRAME_S) / max(1, len(pictures) - 1)
    each = 10 * round(100 * min(max(each, 0.02), 1.0))  # ms; GIF counts in hundredths of a second
    durations = [each] * (len(pictures) - 1) + [int(1000 * LAST_FRAME_S)]
    with atomic_write(path) as file:
        pictures[0].save(
            file,
            format="GIF",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
        )


def _thin(items: Iterable[Any]) -> list[Any]:
    """Every 2^k-th of the items, the smallest k that leaves at most MAX_FRAMES, and the last."""
    kept: list[Any] = []
    stride, item, index = 1, None, -1
    for index, item in enumerate(items):
        if index % stride == 0 and len(kept) == MAX_FRAMES:
            kept, stride = kept[::2], 2 * stride
        if index % stride == 0:
            kept.append(item)
    if index % stride:
        kept[MAX_FRAMES - 1 :] = []
        kept.append(item)
    return kept


def _frame(frame: Any, label: int | str | None) -> Image:
    """A palette picture with its caption below."""
    from PIL import Image, ImageDraw, ImageFont

    if isinstance(frame, str | os.PathLike):
        with Image.open(frame) as opened:
            picture = opened.convert("L" if opened.mode in ("1", "L") else "RGB")
    else:
        array = np.asarray(frame)
        if array.dtype != np.uint8:
            raise TypeError(f"save_animation: a frame expects uint8, got dtype {array.dtype}")
        if array.ndim not in (2, 3) or array.shape[2:] not in ((), (3,)):
            raise ValueError(
                f"save_animation: a frame expects shape (H, W) or (H, W, 3), got {array.shape}"
            )
        picture = Image.fromarray(array)
    if label is not None:
        text = label if isinstance(label, str) else f"step {label}"
        canvas = Image.new(picture.mode, (picture.width, picture.height + 24), "white")
        canvas.paste(picture)
        size = 16
        while size > 6 and ImageFont.load_default(size).getlength(text) > picture.width - 4:
            size -= 1
        ImageDraw.Draw(canvas).text(
            (picture.width / 2, picture.height + 12),
            text,
            fill="black",
            font=ImageFont.load_default(size),
            anchor="mm",
        )
        picture = canvas
    # Few colours and no dithering: LZW then finds runs, and the file shrinks to about a half. Grey
    # levels are fixed ones, since a palette chosen for each frame would make greys flicker.
    if picture.mode == "L":
        return picture.point([round(v / 17) * 17 for v in range(256)])
    return picture.quantize(128, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)


def save_losses(
    path: str | os.PathLike[str],
    columns: Mapping[str, Any],
    lines: Mapping[str, tuple[float, str]],
    title: str,
    window: int | None = None,
    unit: str = "nats",
) -> None:
    """Save the curves of a run as a PNG, atomically: every row thin, their running median thick.

    "d_real" and "d_fake" get a panel of their own, from 0 to 1 with a line at 1/2; all other series
    share the upper panel. NaN and infinite values are left out. The loss axis spans the data and
    the lines, but ends 4 interquartile ranges beyond the quartiles of a series, unless more than
    2 % of the rows lie beyond and within 30: a jump that lasts is shown, a spike or an explosion is
    marked by triangles at the edge. Footnotes count the values left out and the triangles.

    Args:
        path: the destination; PNG whatever its suffix.
        columns: name -> 1-D array, all of one length n >= 0: "step" (generator steps, finite), and
            any series, such as "d_loss" and "g_loss"; "d_real" and "d_fake" are D's mean
            probabilities on real and generated images.
        lines: series name -> (value, label): where that series stands at equilibrium.
        title: one line above; wrapped if long.
        window: rows per median, made odd; None takes a fortieth of the rows; 1 draws no median.
        unit: of the losses, for the axis; "" for none.

    Raises:
        ValueError: no "step", columns of unequal length or not 1-D, steps that are not finite, a
            line whose value is not finite or whose series is not in the upper panel, window < 1.

    >>> import tempfile
    >>> from PIL import Image
    >>> columns = {"step": [1, 2, 3], "d_loss": [1.5, 1.3, 1.4], "g_loss": [0.6, 0.8, 0.7]}
    >>> lines = {"d_loss": (2 * np.log(2), "2 ln 2"), "g_loss": (np.log(2), "ln 2")}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_losses(f"{folder}/losses.png", columns, lines, "DCGAN on digits")
    ...     with Image.open(f"{folder}/losses.png") as picture:
    ...         print(picture.size)
    (900, 460)
    """
    series = _checked_columns(columns, lines)
    if window is not None and window < 1:
        raise ValueError(f"save_losses: window expects at least 1 row, got {window}")
    step = series.pop("step")
    window = len(step) // 40 if window is None else window
    window += 1 - window % 2
    left_out = sum(int((~np.isfinite(values)).sum()) for values in series.values())
    lower = {name: series.pop(name) for name in PROBABILITIES if name in series}

    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(), atomic_write(path) as file:
        matplotlib.rcdefaults()  # the picture is the same whatever style the caller works in
        figure = Figure(figsize=(9, 6.4 if lower else 4.6), dpi=100, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(textwrap.fill(title, 90), x=0.01, ha="left", parse_math=False)
        rows = 1 + bool(lower)
        axes = figure.subplots(rows, sharex=True, squeeze=False, height_ratios=[2, 1][:rows])[:, 0]
        limits = _robust_limits(series.values(), [value for value, _ in lines.values()])
        beyond = _draw_panel(axes[0], step, series, window, limits)
        axes[0].set_ylabel(f"loss ({unit})" if unit else "loss")
        colours = dict(zip(series, itertools.cycle(STYLES), strict=False))
        labels = [_equilibrium(axes[0], *lines[name], colours[name][0]) for name in lines]
        if lower:
            beyond += _draw_panel(axes[1], step, lower, window, (-0.02, 1.02), STYLES[2:])
            axes[1].set_ylabel("probability")
            labels.append(_equilibrium(axes[1], 0.5, "1/2", "#404040"))
        axes[-1].set_xlabel("generator steps")
        axes[-1].xaxis.get_major_locator().set_params(integer=True)
        if not len(step):
            axes[0].set_title("no rows yet", y=0.5, backgroundcolor="white")
        if len(step) < 2 or step.min() == step.max():
            middle = step[0] if len(step) else 1.0
            axes[-1].set_xlim(middle - 1, middle + 1)
        notes = [f"thick: running median of {window} rows; thin: every row"] * (window > 1)
        notes += [f"left out as NaN or infinite: {left_out}"] * (left_out > 0)
        notes += [f"beyond the axis (triangles): {beyond}"] * (beyond > 0)
        figure.supxlabel("   |   ".join(notes), x=0.01, ha="left", fontsize=8, color="#404040")
        _spread(figure, labels)
        figure.savefig(file, format="png", metadata={"Software": None})


def _checked_columns(
    columns: Mapping[str, Any], lines: Mapping[str, tuple[float, str]]
) -> dict[str, np.ndarray]:
    if "step" not in columns:
        raise ValueError(f"save_losses: columns expect a 'step', got {sorted(columns)}")
    series = {name: np.asarray(values, np.float64) for name, values in columns.items()}
    for name, values in series.items():
        if values.ndim != 1 or len(values) != len(series["step"]):
            raise ValueError(
                f"save_losses: {name!r} expects one value per step, shape "
                f"{series['step'].shape}, got {values.shape}"
            )
    if not np.isfinite(series["step"]).all():
        raise ValueError("save_losses: 'step' expects finite values, got NaN or infinite ones")
    for name, (value, _) in lines.items():
        if name not in series or name in PROBABILITIES or name == "step":
            raise ValueError(
                f"save_losses: a line expects a series of the upper panel, got {name!r} "
                f"with columns {sorted(columns)}"
            )
        if not np.isfinite(value):
            raise ValueError(f"save_losses: the line of {name!r} expects a finite value")
    return series


def _robust_limits(series: Iterable[np.ndarray], values: Sequence[float]) -> tuple[float, float]:
    """The loss axis, as `save_losses` describes it, and a margin."""
    ends = list(values)
    for column in series:
        # Beyond 1e100 the axis's own arithmetic would overflow.
        column = np.clip(column[np.isfinite(column)], -1e100, 1e100)
        if len(column):
            bottom, low, high, top = np.quantile(column, [0.02, 0.25, 0.75, 0.98])
            near, far = 4 * (high - low), 30 * (high - low)
            bottom = bottom if near < low - bottom <= far else low - near
            top = top if near < top - high <= far else high + near
            ends += [max(column.min(), bottom), min(column.max(), top)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    margin = 0.05 * (high - low) or max(0.5, 0.1 * abs(high))
    return low - margin, high + margin


def _draw_panel(
    axes: Axes,
    step: np.ndarray,
    series: Mapping[str, np.ndarray],
    window: int,
    limits: tuple[float, float],
    styles: Sequence[tuple[str, Any]] = STYLES,
) -> int:
    """Draw the series and their legend; how many values lie beyond the limits."""
    beyond = 0
    low, high = limits
    for (name, values), (colour, dashes) in zip(
        series.items(), itertools.cycle(styles), strict=False
    ):
        for outside, edge, marker in ((values < low, low, "v"), (values > high, high, "^")):
            outside &= np.isfinite(values)
            if outside.any():
                beyond += int(outside.sum())
                at = step[outside]
                axes.plot(at, np.full(len(at), edge), marker, color=colour, ms=4, clip_on=False)
        # Clipped just out of sight: far values would overflow the drawing's arithmetic.
        values = np.where(np.isfinite(values), values, np.nan)
        values = np.clip(values, 2 * low - high, 2 * high - low)
        if window > 1:
            axes.plot(*_envelope(step, values), color=colour, alpha=0.3, linewidth=0.7)
        axes.plot(
            *_running_median(step, values, window),
            color=colour,
            linestyle=dashes,
            linewidth=2,
            label=NAMES.get(name, name.replace("_", " ").strip()),
            marker="o" if len(step) <= 30 else None,
        )
    axes.set_ylim(limits)
    axes.yaxis.get_offset_text().set_horizontalalignment("right")  # the legend is on the left
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        legend = axes.legend(
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=5,
            frameon=False,
            borderaxespad=0.1,
            handlelength=3.5,
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
    return beyond


def _running_median(
    step: np.ndarray, values: np.ndarray, window: int
) -> tuple[np.ndarray, np.ndarray]:
    """Medians of the finite values around at most 1000 rows; windows shrink at the ends."""
    rows = np.unique(np.linspace(0, len(step) - 1, min(len(step), 1000)).astype(int))
    medians = np.full(len(rows), np.nan)
    for index, row in enumerate(rows):
        around = values[max(0, row - window // 2) : row + window // 2 + 1]
        around = around[~np.isnan(around)]
        if len(around):
            medians[index] = np.median(around)
    return step[rows], medians


def _envelope(step: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same picture from at most some 4000 points: of each stretch the least and the largest."""
    stretch = len(step) // 2000
    if stretch < 2:
        return step, values
    whole = len(step) // stretch * stretch
    table = values[:whole].reshape(-1, stretch)
    extremes = np.stack([np.fmin.reduce(table, 1), np.fmax.reduce(table, 1)], 1)
    return np.repeat(step[:whole:stretch], 2), extremes.ravel()


def _equilibrium(axes: Axes, value: float, text: str, colour: str) -> Annotation:
    """A dashed line across and its label in the right margin."""
    axes.axhline(value, color=colour, linewidth=1, linestyle=(0, (3, 3)))
    return axes.annotate(
        text,
        (1, value),
        xytext=(14, 0),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        color=colour,
        va="center",
        annotation_clip=False,
        arrowprops={"arrowstyle": "-", "color": colour, "shrinkA": 3, "shrinkB": 1},
    )


def _spread(figure: Figure, labels: Sequence[Annotation]) -> None:
    """Move labels up and down until none covers another, as little as that takes."""
    if not labels:
        return
    figure.draw_without_rendering()  # settles the layout, hence where the lines are in pixels
    heights = [label.axes.transData.transform((0, label.xy[1]))[1] for label in labels]
    order = np.argsort(heights, kind="stable")
    at = np.array(heights)[order]
    gap = 1.1 * max(label.get_window_extent().height for label in labels)
    # Pushing all up and pushing all down both keep the gaps, so their mean does, and it is centred.
    ramp = gap * np.arange(len(at))
    up = np.maximum.accumulate(at - ramp) + ramp
    down = np.minimum.accumulate((at - ramp)[::-1])[::-1] + ramp
    for index, shift in zip(order, (up + down) / 2 - at, strict=True):
        labels[index].xyann = (14, shift * 72 / figure.dpi)
        # A stroke leads to a label that had to move; before one that did not, it reads as a minus.
        labels[index].arrow_patch.set_visible(abs(shift) > 1)
