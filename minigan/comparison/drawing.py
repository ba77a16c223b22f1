"""Pictures of a comparison: the curves of all contenders, and their films side by side."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..curves.panels import STYLES
from ..figures import drawing
from ..report import save_animation

Rows = list[dict[str, float]]
NAMES = {"fcd": "Fréchet distance of features", "em": "earth mover's distance"}


def save_curves(
    path: Path,
    rows: Mapping[str, list[Rows]],
    floor: Mapping[str, float],
    said: str,
    measure: str = "fcd",
    unit: str = "images",
) -> None:
    """The measure over the steps: every seed thin, their median thick; real samples as a line."""
    with drawing(path, 9, 5.5) as figure:
        at: Any = figure.subplots()
        for i, (name, seeds) in enumerate(rows.items()):
            colour, dash = STYLES[i % len(STYLES)]
            seeds = [seed for seed in seeds if seed]
            for seed in seeds:
                step, each = (np.array([row[key] for row in seed]) for key in ("step", measure))
                at.plot(step, each, color=colour, linewidth=0.6, alpha=0.6)
            if seeds:
                step, middle = _median(seeds, measure)
                at.plot(step, middle, color=colour, linestyle=dash, linewidth=2.2, label=name)
        look = {"color": "#404040", "linewidth": 1, "linestyle": ":", "label": f"real {unit}"}
        at.axhline(floor[measure], **look)
        at.set_yscale("log")
        at.set_xlabel("generator steps")
        at.set_ylabel(f"{NAMES[measure]} (lower is better)")
        at.grid(alpha=0.3, which="both")
        figure.legend(loc="outside lower center", ncols=1 + (len(rows) > 3), fontsize=9)
        figure.suptitle(textwrap.fill(said, 100), x=0.01, ha="left", fontsize=9, parse_math=False)


def _median(seeds: list[Rows], measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Over the seeds, at the steps that all of them have."""
    steps = sorted(set.intersection(*({row["step"] for row in seed} for seed in seeds)))
    table = [[row[measure] for row in seed if row["step"] in steps] for seed in seeds]
    return np.array(steps), np.median(table, 0)


def save_film(path: Path, samples: Mapping[str, Path]) -> None:
    """The pictures of all at the same steps beside one another, each under its name."""
    from PIL import Image

    common = set.intersection(
        *({file.name for file in folder.glob("step-*.png")} for folder in samples.values())
    )
    frames, labels = [], []
    for name in sorted(common):
        pictures = []
        for title, folder in samples.items():
            with Image.open(folder / name) as opened:
                pictures.append(_titled(opened.convert("RGB"), title))
        frames.append(np.concatenate(_alike(pictures), 1))
        labels.append(int(name[5:-4]))
    if frames:
        save_animation(path, frames, labels)


def _titled(picture: Any, title: str, side: int = 300) -> np.ndarray:
    """The picture, no wider than ``side``, with its title above."""
    from PIL import Image, ImageDraw, ImageFont

    if picture.width > side:
        height = round(picture.height * side / picture.width)
        picture = picture.resize((side, height), Image.Resampling.BOX)
    canvas = Image.new("RGB", (picture.width + 8, picture.height + 24), "white")
    canvas.paste(picture, (4, 22))
    size = 14
    while size > 6 and ImageFont.load_default(size).getlength(title) > picture.width:
        size -= 1
    ImageDraw.Draw(canvas).text((4, 3), title, fill="black", font=ImageFont.load_default(size))
    return np.asarray(canvas)


def _alike(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """All as tall as the tallest, white below."""
    tallest = max(len(picture) for picture in pictures)
    return [
        np.pad(p, ((0, tallest - len(p)), (0, 0), (0, 0)), constant_values=255) for p in pictures
    ]
