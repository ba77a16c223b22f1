"""Rows of latents that show what a generator has learnt: its classes, one number swept, a walk.

A row is [noise | class | codes], see gan/latents.py; what a system's ``view.decode`` makes of these
rows is what there is to see.
"""

from __future__ import annotations

import numpy as np

from .latents import one_hot, sampled_latents
from .schema import Space
from .values import SettingError

RANGE = 2.0  # a sweep goes from -RANGE to RANGE; in training codes stay within ±1
COLUMNS = 8  # of a sweep, where there is no class for each


def label_grid(space: Space, rows: int, seed: int) -> np.ndarray:
    """``rows`` times every class (rows·classes, width): a column each, the same noise in a row.

    >>> label_grid(Space(latent=1, classes=2), rows=2, seed=0)[:, 1:].tolist()
    [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    if not space.classes:
        raise SettingError("this system was trained without classes, so none can be asked for")
    each = np.repeat(sampled_latents(space, rows, seed), space.classes, 0)
    each[:, _classes(space)] = np.tile(one_hot(np.arange(space.classes), space.classes), (rows, 1))
    return each


def sweep(
    space: Space, number: int, rows: int, seed: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, int]:
    """One number from -2 to 2 downwards, all else the same in a column.

    Swept is a code where there are codes, the others at 0; else one of the noise.  A column is a
    class, with the same noise in all; where there are none or one is asked for, each has its own
    noise.

    Args:
        number: which, from 1 on.
        rows: how many values.
        labels: weights of the classes (classes,), the same for all.

    Returns:
        The rows (rows·columns, width) and how many columns there are.

    >>> found, columns = sweep(Space(latent=1, classes=3, codes=2), 2, rows=3, seed=0)
    >>> columns, found[::columns, -2:].tolist()
    (3, [[0.0, -2.0], [0.0, 0.0], [0.0, 2.0]])
    """
    there = space.codes or space.latent
    if not 1 <= number <= there:
        kind = "codes" if space.codes else "numbers of noise"
        raise SettingError(f"this system has {there} {kind} to sweep, there is no number {number}")
    if space.classes and labels is None:
        top = label_grid(space, 1, seed)
    else:
        given = None if labels is None else np.tile(labels, (COLUMNS, 1))
        top = sampled_latents(space, COLUMNS, seed, given)
    if space.codes:
        top[:, space.latent + space.classes :] = 0
    found = np.tile(top, (rows, 1, 1))
    start = space.latent + space.classes if space.codes else 0
    found[:, :, start + number - 1] = np.linspace(-RANGE, RANGE, rows)[:, None]
    return found.reshape(rows * len(top), -1), len(top)


def walk(
    space: Space, points: int, steps: int, seed: int, labels: np.ndarray | None = None
) -> np.ndarray:
    """From one random point to the next and from the last to the first, ``steps`` rows each.

    The noise goes along great circles (``slerp``), so that all of it is as likely as what the
    generator was trained on; classes and codes go straight.

    Args:
        points: different ones; with more labels than points they come again.
        labels: weights of the classes (n, classes), taken in turn.

    Returns:
        (steps·max(points, n), width).

    Source: White 2016, Sampling generative networks, arXiv 1609.04468.
    """
    stops = np.arange(max(points, 0 if labels is None else len(labels)))
    ends = sampled_latents(space, points, seed)[stops % points]
    if labels is not None:
        ends[:, _classes(space)] = labels[stops % len(labels)]
    found = []
    for here, there in zip(ends, np.roll(ends, -1, 0), strict=True):
        for t in np.arange(steps) / steps:
            row = (1 - t) * here + t * there
            row[: space.latent] = slerp(here[: space.latent], there[: space.latent], t)
            found.append(row)
    return np.array(found, np.float32)


def slerp(a: np.ndarray, b: np.ndarray, t: float) -> np.ndarray:
    """From ``a`` (t = 0) to ``b`` (t = 1) along a great circle.

        sin((1 - t)Ω)/sin Ω·a + sin(tΩ)/sin Ω·b,   Ω the angle between a and b

    Straight where there is no one such circle, as a and b point the same way or opposite ways.

    >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.5).round(4).tolist()
    [0.7071, 0.7071]
    """
    lengths = np.linalg.norm(a) * np.linalg.norm(b)
    cosine = float(a @ b / lengths) if lengths else 1.0
    if abs(cosine) > 1 - 1e-6:
        return (1 - t) * a + t * b
    angle = np.arccos(cosine)
    return (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)


def _classes(space: Space) -> slice:
    return slice(space.latent, space.latent + space.classes)
