"""The convolution triple on NumPy arrays: which algorithm computes what.

The table below is read from top to bottom; the first algorithm that fits a geometry and is thought
to be fastest is taken.  Thresholds are measurements, of which ``python -m benchmarks.conv`` shows
more; ``algorithm("im2col")`` overrides the choice.

Winograd's algorithm saves multiplications and pays with transforms, which touch n²/m² numbers for
each number of a channel.  ``_gain`` is the one divided by the other: the multiplications saved for
each transformed number.  It is large where there are many channels, and shrinks where tiles stick
out of the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np

from .. import fused
from ..cpu.blocks import without_copies
from . import dense, depthwise, im2col, planar, pointwise, residues, thin, winograd
from .activation import NONE, Activation, finished
from .geometry import Geometry
from .kept import NOTHING, Kept
from .tiles import Plan

_forced: list[str] = []


ALGORITHMS = {
    "pointwise": pointwise,
    "depthwise": depthwise,
    "planar": planar,
    "thin": thin,
    "dense": dense,
    "winograd": winograd,
    "residues": residues,
    "im2col": im2col,
}


def fits(name: str, routine: str, g: Geometry, c: int, k: int, dtype: np.dtype) -> bool:
    """Whether the algorithm can compute this, with c channels of that dtype in x and k in y."""
    if name == "pointwise":
        return pointwise.fits(g)
    if name == "depthwise":
        return depthwise.fits(g, c)
    if name == "planar":
        return routine == "dgrad" and planar.fits(g, c)
    if name == "thin":
        return thin.fits(g, k)
    if name == "dense":
        return dtype.kind in "fc" and dtype.itemsize >= 4 and dense.fits(g)
    if name == "winograd":
        return dtype.kind in "fc" and dtype.itemsize >= 4 and Plan.fits(g)
    return name != "residues" or routine == "dgrad"


def _gain(g: Geometry, spread: float, c: int, k: int) -> float:
    """Multiplications saved for each number that is transformed."""
    blocks = g.stride[0] ** 2
    return (g.R * g.S / blocks - spread) / spread * blocks * c * k / (blocks * c + k)


def _pays(name: str, routine: str, g: Geometry, n: int, c: int, k: int) -> bool:
    """Whether the algorithm is thought to be faster than those below it."""
    pixels = n * g.P * g.Q
    many = pixels >= (1024 if routine == "dgrad" else 512)  # for the filters to be transformed
    if name == "planar":  # col2im.py is faster where all taps have one beside them
        pairs = g.stride[1] > 1 and g.S % g.stride[1] == 0
        small = g.P * g.Q * g.R * g.S * c <= 1 << 19  # an image's contributions stay in cache
        by_col2im = pairs and small and without_copies()
        enough = c > 1 and k > thin.OUTPUTS and many and g.R * g.S > 1
        return enough and not by_col2im
    if name == "thin":
        # residues.py copies the pixels under a filter at once, the planes take a copy for each tap
        by_residues = routine == "dgrad" and g.stride == (1, 1) and g.R * g.S >= 16
        seen = g.H * g.W / (g.P * g.Q)  # it multiplies pixels, not outputs, and adds up K numbers
        enough = c >= 4 * k * seen and n * g.H * g.W >= 1024 and g.R * g.S > 1
        return enough and seen <= 6 and not by_residues
    if name == "dense":  # where tiles are few, large filters are fetched too often
        enough = n * dense.tiles(g) >= g.stride[0] ** 2 * c * k / 16384
        least = 70 if routine == "fprop" else 65
        return enough and many and _gain(g, dense.spread(g), c, k) > least
    if name == "winograd":
        least = 90 if routine == "wgrad" else 50
        return many and _gain(g, winograd.spread(g), c, k) > least
    if name == "residues":  # its filters are copied: that takes some pixels to pay
        beyond = g.H * g.W / (g.stride[0] * g.stride[1] * g.P * g.Q)  # it makes more than y sees
        fitting = beyond <= 1.3 and c > 1 and (4 * c > k or g.stride == (1, 1))
        few = k <= thin.OUTPUTS and g.stride == (1, 1) and n * g.H * g.W >= 256
        return g.groups > 1 or few or (fitting and many)
    return True


def choose(routine: str, g: Geometry, n: int, c: int, k: int, dtype: Any = np.float32) -> str:
    """The name of the algorithm for "fprop", "dgrad" or "wgrad" of x (n, c, H, W), y (n, k, P, Q).

    >>> choose("fprop", Geometry(32, 32, 4, 4, (2, 2), (1, 1, 1, 1)), 64, 128, 256)
    'dense'
    """
    return _chosen(tuple(_forced), routine, g, n, c, k, np.dtype(dtype))


@lru_cache(maxsize=1024)
def _chosen(
    forced: tuple[str, ...], routine: str, g: Geometry, n: int, c: int, k: int, dtype: np.dtype
) -> str:
    for name in (*reversed(forced), *ALGORITHMS):
        possible = fits(name, routine, g, c, k, dtype)
        if possible and (name in forced or _pays(name, routine, g, n, c, k)):
            return name
    raise AssertionError("im2col fits everything")


@contextmanager
def algorithm(name: str) -> Iterator[None]:
    """A block in which convolutions use this algorithm wherever it fits (see ``ALGORITHMS``).

    >>> with algorithm("im2col"):
    ...     choose("fprop", Geometry(32, 32, 4, 4, (2, 2), (1, 1, 1, 1)), 64, 128, 256)
    'im2col'
    """
    if name not in ALGORITHMS:
        raise ValueError(f"algorithm: expected one of {', '.join(ALGORITHMS)}, got {name!r}")
    _forced.append(name)
    try:
        yield
    finally:
        _forced.pop()


def fprop(
    g: Geometry,
    x: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> np.ndarray:
    """f(x ∗ w + b), of x (N, C, H, W), w (K, C/groups, R, S) and b (K,): (N, K, P, Q)."""
    if low:
        x, w, kept = _rounded(x, w)
    sizes = *x.shape[:2], w.shape[0]
    if not x.size or not w.size:
        return _of_nothing((len(x), len(w), g.P, g.Q), np.result_type(x, w), b, activation)
    name, inside = choose("fprop", g, *sizes, x.dtype), _inside(activation, x.dtype)
    y = ALGORITHMS[name].fprop(g, x, w, b, inside, **_kept(name, kept, g, sizes, x.dtype))
    return y if inside == activation else finished(y, activation)


def dgrad(
    g: Geometry,
    y: np.ndarray,
    w: np.ndarray,
    b: np.ndarray | None = None,
    kept: Kept = NOTHING,
    low: bool = False,
    activation: Activation = NONE,
) -> np.ndarray:
    """f(dgrad(y, w) + b), of y (N, K, P, Q), w (K, C/groups, R, S) and b (C,): (N, C, H, W)."""
    if low:
        y, w, kept = _rounded(y, w)
    sizes = len(y), w.shape[1] * g.groups, w.shape[0]
    if not y.size or not w.size:
        return _of_nothing((*sizes[:2], g.H, g.W), np.result_type(y, w), b, activation)
    name, inside = choose("dgrad", g, *sizes, y.dtype), _inside(activation, y.dtype)
    x = ALGORITHMS[name].dgrad(g, y, w, b, inside, **_kept(name, kept, g, sizes, y.dtype))
    return x if inside == activation else finished(x, activation)


def wgrad(
    g: Geometry, x: np.ndarray, y: np.ndarray, kept: Kept = NOTHING, low: bool = False
) -> np.ndarray:
    """The adjoint of ``fprop`` in w, from x (N, C, H, W) and y (N, K, P, Q)."""
    if low:
        x, y, kept = _rounded(x, y)
    sizes = *x.shape[:2], y.shape[1]
    if not x.size or not y.size:
        return np.zeros((sizes[2], sizes[1] // g.groups, g.R, g.S), np.result_type(x, y))
    name = choose("wgrad", g, *sizes, x.dtype)
    return ALGORITHMS[name].wgrad(g, x, y, **_kept(name, kept, g, sizes, x.dtype))


def _of_nothing(shape: tuple, dtype: np.dtype, b: np.ndarray | None, f: Activation) -> np.ndarray:
    """f(0 + b): sums over no channel, or no images."""
    y = np.zeros(shape, dtype)
    if b is not None:
        y += b.reshape(-1, 1, 1)
    return finished(y, f)


def _inside(f: Activation, dtype: np.dtype) -> Activation:
    """What can be applied in the memory of the result: not what makes floats of integers."""
    return f if dtype.kind in "fc" else NONE


def _rounded(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, Kept]:
    """BF16 operands; they are new each time, so nothing that is made of them serves again."""
    return fused.rounded(a), fused.rounded(b), NOTHING


def _kept(name: str, kept: Kept, g: Geometry, sizes: tuple, dtype: Any) -> dict[str, Kept]:
    """What an algorithm that transforms is told of what to keep: of x and y only if wgrad asks."""
    if name not in ("dense", "winograd"):
        return {}
    if kept.roles > "w" and choose("wgrad", g, *sizes, dtype) != name:
        kept.roles = "w"
    return {"kept": kept}
