"""A generator in the plane, trained by a critic with gradient penalty and watched by the truth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ... import optim
from ..._tensor import Tensor, tensor
from ...autograd import no_grad
from ...data.mixtures import mixture
from ...figures import pixels
from ...gan.objectives import wgan_generator
from ...gan.trainer import stream
from ...generators import Generator
from ..canvas import drawing, label, measured
from ..output import host, progress
from ..players import Critic, evaluating, network
from ..truth import TruthPanel

LATENT, BATCH, CRITIC_STEPS = 2, 256, 5
SIDE = np.linspace(-1.7, 1.7, 45, dtype=np.float32)  # where the critic's contours are taken


class Moment(NamedTuple):
    """The critic's estimate and the true distances after some steps of the generator."""

    step: int
    estimate: float
    distances: dict[str, float]


class History(NamedTuple):
    """What was seen; ``frames`` are uint8 pictures of the samples and the critic's contours."""

    panel: TruthPanel
    moments: list[Moment]
    frames: list[np.ndarray]


def train(steps: int, every: int, seed: int) -> History:
    """WGAN-GP on the ring of 8 Gaussians, looked at every so many steps.

    Noise 2 → 64 → 64 → 2, critic 2 → 64 → 64 → 1, batch 256, 5 critic steps for each of the
    generator's, λ = 1, Adam(0.5, 0.9) with 2·10⁻³ for the critic and 3·10⁻⁴ for the generator.
    """
    data = mixture("ring", 20_000, seed=seed).points
    panel = TruthPanel(data, seed=seed)
    rng = Generator().manual_seed(stream(seed, "training"))
    generator = network([LATENT, 64, 64, 2], rng)
    critic = Critic("gp", 2, seed, penalty=1.0)
    optimizer = optim.Adam(generator.parameters(), 3e-4, betas=(0.5, 0.9))
    real_set = tensor(data[:2000])
    same_noise = _noise(rng, 2000)
    history = History(panel, [], [])
    for step in progress(range(steps + 1), "generator"):
        for _ in range(CRITIC_STEPS):
            real = tensor(data[rng.rng.integers(0, len(data), BATCH)])
            critic.step(real, generator(_noise(rng, BATCH)))
        if step % every == 0 or step == steps:
            with no_grad():
                fakes = generator(same_noise)
                estimate = critic.difference(real_set, fakes).item()
            made = host(fakes)
            distances = panel.measure(made)
            history.moments.append(Moment(step, estimate, distances))
            history.frames.append(_frame(step, critic, data[:500], made[:500], estimate,
                                         distances["em"]))  # fmt: skip
        optimizer.zero_grad()
        wgan_generator(critic.network(generator(_noise(rng, BATCH)))).backward()
        optimizer.step()
    return history


def _noise(rng: Generator, count: int) -> Tensor:
    return tensor(rng.rng.standard_normal((count, LATENT), dtype=np.float32))


@no_grad()
def _frame(
    step: int, critic: Critic, real: np.ndarray, fake: np.ndarray, estimate: float, exact: float
) -> np.ndarray:
    across, up = np.meshgrid(SIDE, SIDE)
    with evaluating(critic.network):
        heights = host(critic.network(tensor(np.stack([across.ravel(), up.ravel()], 1))))
    with drawing(f"WGAN-GP on a ring, step {step}", size=(5.2, 5.2)) as (figure, axes):
        each = axes[0, 0]
        each.contour(across, up, heights.reshape(across.shape), 14, cmap="gray", linewidths=0.8)
        look = {"linestyle": "", "ms": 3, "alpha": 0.6}
        each.plot(*real.T, **{**measured(0), **look}, label="real")
        each.plot(*fake.T, **{**measured(1), **look}, label="generated")
        each.set_xlim(SIDE[0], SIDE[-1])
        each.set_ylim(SIDE[0], SIDE[-1])
        each.set_aspect("equal")
        said = f"critic says {estimate:.3f}, exact EM {exact:.3f}; grey: the critic's contours"
        label(each, "x", "y", said)
        return pixels(figure)
