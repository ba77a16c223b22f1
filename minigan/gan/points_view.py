"""How a GAN on points shows what it has learnt: pictures of the plane, and what it covers of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor
from ..data import PointData
from ..figures import drawing
from ..metrics.modes import NEAR, PERFECT, SAMPLES, nearest_modes
from ..plane import GENERATED, SIDE, Plane, Scene, draw_scene, places, scene_of
from .conditional import Labelled
from .heads import Headed
from .latents import one_hot, sampled_latents
from .sampling import decode, generate
from .schema import Networks, View

SHOWN = 1000  # points in a picture


def on_plane(view: View) -> View:
    """A GAN's view of images, for points."""

    def pictures(networks: Networks, chosen: tuple[Any, ...], device: str) -> Plane:
        rows, scene = chosen
        return picture(view, networks, rows, scene, device)

    return view._replace(
        examples=examples, pictures=pictures, figures={"coverage.png": save_coverage}
    )


def examples(networks: Networks, data: PointData, rng: np.random.Generator) -> tuple[Any, ...]:
    """Latents, with every class equally often, and the scene of the data."""
    parts = [
        rng.standard_normal((SHOWN, networks.latent), dtype=np.float32),
        rng.uniform(-1, 1, (SHOWN, networks.codes)),
    ]
    if networks.classes:
        parts.insert(1, one_hot(np.arange(SHOWN) % networks.classes, networks.classes))
    return np.concatenate(parts, 1, dtype=np.float32), scene_of(data)


def picture(
    view: View, networks: Networks, rows: np.ndarray, scene: Scene, device: str = "cpu"
) -> Plane:
    """What the generator makes of ``rows`` (gan/latents.py), over what its critic says."""
    points, space = decode(networks, rows, device), view.space(networks)
    weights = rows[:, space.latent : space.latent + space.classes]
    pure = space.classes and ((weights == 0) | (weights == 1)).all() and (weights.sum(1) == 1).all()
    labels = weights.argmax(1) if pure else None  # a mixture of classes is none of them
    heights = _heights(networks.critic, scene.box, device)
    return Plane(scene, points, labels, space.classes, space.discovered, heights)


def _heights(critic: nn.Module, box: float, device: str) -> np.ndarray | None:
    """What the critic says on ``places``; one that is told the class has no one answer."""
    if isinstance(critic, Labelled):
        return None
    if isinstance(critic, Headed):
        critic = nn.Sequential(critic.trunk, critic.logit)
    return generate(critic, Tensor(places(box)), device).reshape(SIDE, SIDE)


def save_coverage(networks: Networks, data: PointData, path: Path, device: str) -> None:
    """New points beside real ones, and how many of them come to each mode."""
    points = decode(networks, sampled_latents(networks, SAMPLES, 0), device)
    points = points[np.isfinite(points).all(1)]  # finite weights can overflow all the same
    scene = scene_of(data)
    panels = 2 if data.modes is None else 3
    with drawing(path, 4.6 * panels, 5.2) as figure:
        axes: Any = figure.subplots(1, panels)
        real = data.points[:SAMPLES]
        draw_scene(axes[0], scene._replace(real=real))
        draw_scene(axes[1], scene._replace(real=real[:0]))
        axes[1].plot(*points.T, **GENERATED)
        axes[0].set_title(f"{len(real)} real points", loc="left", fontsize=10)
        axes[1].set_title(f"{len(points)} generated", loc="left", fontsize=10)
        if data.modes is not None:
            _draw_shares(axes[2], points, data)
        said = scene.found(points) or "real points and generated ones"
        figure.suptitle(f"{data.name}: {said}", x=0.01, ha="left", parse_math=False)


def _draw_shares(axes: Any, points: np.ndarray, data: PointData) -> None:
    """The share of all points that lies within 3 std of each mode, beside a perfect sampler's."""
    near = np.zeros(0, np.int64)
    if len(points):
        mode, far = nearest_modes(points, data.modes)
        near = mode[far <= NEAR * data.std]
    shares = 100 * np.bincount(near, minlength=len(data.modes)) / SAMPLES
    axes.bar(np.arange(len(shares)), shares, color="#0b5fa5")
    even = 100 * PERFECT / len(shares)
    axes.axhline(even, color="black", label=f"perfect sampler: {even:.1f} % in each")
    axes.set_xlabel("mode")
    axes.set_ylabel(f"points within {NEAR:g} std of it (%)")
    axes.legend(fontsize=8)
    axes.xaxis.get_major_locator().set_params(integer=True)
