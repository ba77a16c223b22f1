"""How a variational autoencoder shows what it has learnt: its plane of codes.

    reconstructions.png   images beside their reconstructions
    manifold.png          what the decoder makes of a grid over [-4, 4]²
    latents.png           where the encoder puts the data, coloured by class
    walk.png, walk.gif    from the code (-2, -2) to (2, 2)

With more than two numbers in a code, these are its first two and the others are 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .._tensor import Tensor
from ..data import ImageData
from ..data.images import centred
from ..figures import save_scatter
from ..generators import Generator
from ..report import image_grid, save_animation, save_grid
from .autoencoding import (
    Coder,
    examples,
    pictures,
    reconstructed,
    save_reconstructions,
    shapes,
    spread,
)
from .sampling import generate
from .schema import Request, Space, View
from .streams import stream
from .values import SettingError

SIDE = 20  # images along the manifold
REACH = 4.0
POINTS = 5000
STEPS = 16  # images of the walk, and four times as many frames of its film


def sample(coder: Coder, request: Request, device: str) -> np.ndarray:
    """Decoded z ~ N(0, I); reconstructions, if the request brings images."""
    if request.labels is not None:
        raise SettingError("vae knows no classes, so none can be asked for")
    if request.inputs is not None:
        return reconstructed(coder, request.inputs, device)
    rng = Generator().manual_seed(stream(request.seed, "sample")).rng
    codes = rng.standard_normal((request.count, *coder.code), dtype=np.float32)
    return decoded(coder, codes, device)


def decoded(coder: Coder, codes: np.ndarray, device: str) -> np.ndarray:
    """Images in [-1, 1] from codes (N, d)."""
    return generate(coder.decoder, Tensor(codes.astype(np.float32)), device)


def on_plane(coder: Coder, points: np.ndarray) -> np.ndarray:
    """Codes (N, d) whose first numbers are ``points`` (N, 2)."""
    codes = np.zeros((len(points), *coder.code))
    dims = min(2, codes.shape[1])
    codes[:, :dims] = points[:, :dims]
    return codes


def save_manifold(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """The decoder over [-4, 4]²: the first number grows to the right, the second upwards."""
    line = np.linspace(-REACH, REACH, SIDE)
    points = np.stack(np.meshgrid(line, line[::-1]), -1).reshape(-1, 2)
    save_grid(path, decoded(coder, on_plane(coder, points), device), SIDE)


def save_latents(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """The encoder's μ of the data."""
    chosen = spread(len(data), POINTS)
    codes = generate(coder.encoder, Tensor(centred(data.images[chosen])), device)
    second = codes[:, 1] if codes.shape[1] > 1 else np.zeros(len(codes))
    save_scatter(
        path,
        np.stack([codes[:, 0], second], 1),
        None if data.labels is None else data.labels[chosen],
        data.class_names,
        title=f"where the encoder puts {len(chosen)} images of {data.name}",
        axes=("code 1", "code 2"),
    )


def _walk(count: int) -> np.ndarray:
    return np.linspace(-2, 2, count)[:, None] * np.ones(2)


def save_walk(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """Sixteen images from (-2, -2) to (2, 2)."""
    save_grid(path, decoded(coder, on_plane(coder, _walk(STEPS)), device), STEPS)


def save_film(coder: Coder, data: ImageData, path: Path, device: str) -> None:
    """The walk as a film, there and back."""
    there = decoded(coder, on_plane(coder, _walk(4 * STEPS)), device)
    scale = max(1, 224 // there.shape[-1])
    frames = [image_grid(image[None], 1, scale=scale) for image in there]
    save_animation(path, [*frames, *frames[-2:0:-1]][::2])


FIGURES = {
    "reconstructions.png": save_reconstructions,
    "manifold.png": save_manifold,
    "latents.png": save_latents,
    "walk.png": save_walk,
    "walk.gif": save_film,
}
VIEW = View(
    examples,
    pictures,
    sample,
    shapes,
    figures=FIGURES,
    space=lambda coder: Space(*coder.code),
    decode=decoded,
)
