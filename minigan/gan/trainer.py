"""The one trainer: takes a recipe, gives steps.

What a step is, the recipe says (``play``), out of the trainer's parts: fresh batches, fresh fakes,
a critic's step, a generator's step.

The trainer's whole state can be taken out and put back: networks, optimizers, random generators,
position in the data and the moving average.  A run that goes on from it is, bit for bit, the run
that was never stopped.
"""

from __future__ import annotations

import copy
import json
import zlib
from functools import partial
from math import isfinite
from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import Generator, default_generator
from ..autograd import no_grad
from ..data import Background, Batches, DataError, ImageData, augmentation
from ..nn import Module
from ..nn.utils import clip_grad_norm_
from ..ops.creation import randn
from ..optim.lr_scheduler import LinearLR
from .sampling import below, generate
from .schema import ImageShape, Recipe


class NonFiniteLoss(ArithmeticError):
    """A loss became infinite or NaN; nothing sensible can follow."""


def stream(seed: int, purpose: str) -> int:
    """A seed for one purpose, so that no two random streams of a run are the same numbers.

    63 bits, mixed from the run's seed and the purpose's name.
    """
    words = np.random.SeedSequence([seed, zlib.crc32(purpose.encode())]).generate_state(2)
    return int(words[0]) << 31 ^ int(words[1])


class Trainer:
    """Trains ``recipe`` on ``data``.

    Args:
        recipe: which system.
        settings: from ``recipe.configure``.
        data: images, uint8 (N, C, H, W).
        batch_size: images per batch.
        seed: of everything random.
        device: where to compute.
        augment: random changes of the images, see ``data.augmentation``; the batches are then made
            by a thread, until ``close``.

    Raises:
        DataError: the data are no single images, or the batch size or ``augment`` does not fit.

    >>> from minigan.data import load
    >>> from minigan.gan import Trainer, recipe
    >>> r = recipe("dcgan")
    >>> trainer = Trainer(r, r.configure({}), load("glyphs", count=20), batch_size=4, seed=0)
    >>> sorted(trainer.train_step())
    ['d_fake', 'd_loss', 'd_real', 'g_loss']
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Any,
        data: ImageData,
        *,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        augment: str | None = None,
    ):
        if not isinstance(data, ImageData):
            raise DataError(
                f"data set: {recipe.name} needs single images, {data.name} has {data.unit}"
            )
        self.recipe, self.settings, self.device = recipe, settings, device
        self.batch_size = batch_size
        self.batches = _batches(data, batch_size, stream(seed, "data"), augment)
        self.shape = ImageShape(*data.images.shape[1:])
        self.rng = Generator(device).manual_seed(stream(seed, "training"))
        self.networks = recipe.networks(
            settings, self.shape, Generator().manual_seed(stream(seed, "weights"))
        )
        for network in (self.networks.generator, self.networks.critic):
            network.to(device)
        self.optimizers = recipe.optimizers(settings, self.networks)
        decay, share = settings.decay, settings.decay_to
        self._schedules = [LinearLR(o, 1.0, share, decay) for o in self.optimizers if decay]
        self.average = copy.deepcopy(self.networks.generator) if settings.ema else None
        self.step = 0

    def train_step(self) -> dict[str, float]:
        """One generator step and what it took; returns losses and mean probabilities.

        Raises:
            NonFiniteLoss: a loss is infinite or NaN (the networks may have been changed by it).
        """
        for schedule in self._schedules:
            schedule.step(self.step)
        record = self.recipe.play(self)
        self._update_average()
        self.step += 1
        first = {name: record[name] for name in ("d_loss", "g_loss")}
        row = {name: value.item() for name, value in {**first, **record}.items()}
        for name, value in row.items():
            if not isfinite(value):
                raise NonFiniteLoss(f"{name} became {value} at step {self.step}")
        return row

    # -- the parts of a step

    def real(self) -> Tensor:
        """The next batch of images (N, C, H, W), from -1 to 1."""
        return Tensor(next(self.batches)[0]).to(device=self.device)

    def fake(self) -> Tensor:
        """As many generated images, with their graph."""
        generator, _, latent = self.networks
        return generator(randn(self.batch_size, latent, generator=self.rng, device=self.device))

    def critic_step(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        """Move the critic one step; returns the record of its loss."""
        critic, optimizer = self.networks.critic, self.optimizers[0]
        judged = self.recipe.critic_loss(self.settings, critic, real, fake.detach(), self.rng)
        optimizer.zero_grad()
        judged.loss.backward()
        self._clip_gradients(critic)
        optimizer.step()
        limit = self.settings.clip_weights
        if limit:
            with no_grad():
                for p in critic.parameters():
                    p.clamp_(-limit, limit)
        return judged.record

    def generator_step(self, fake: Tensor) -> dict[str, Tensor]:
        """Move the generator one step; returns the record of its loss.

        The critic is frozen meanwhile, so that its weights' gradients are not computed at all.
        """
        critic = self.networks.critic
        critic.requires_grad_(False)
        fooled = self.recipe.generator_loss(self.settings, critic, fake, self.rng)
        self.descend(fooled.loss)
        critic.requires_grad_(True)
        return fooled.record

    def descend(self, loss: Tensor) -> None:
        """Move the generator one step down ``loss``."""
        generator, optimizer = self.networks.generator, self.optimizers[1]
        optimizer.zero_grad()
        loss.backward(inputs=list(generator.parameters()))
        self._clip_gradients(generator)
        optimizer.step()

    def _clip_gradients(self, network: Module) -> None:
        if self.settings.clip_gradients:
            clip_grad_norm_(network.parameters(), self.settings.clip_gradients)

    def _update_average(self) -> None:
        if self.average is None:
            return
        decay = self.settings.ema
        with no_grad():
            for mean, new in zip(
                self.average.parameters(), self.networks.generator.parameters(), strict=True
            ):
                mean.mul_(decay).add_(new, alpha=1 - decay)
            for mean, new in zip(
                self.average.buffers(), self.networks.generator.buffers(), strict=True
            ):
                mean.copy_(new)

    def generate(self, latents: Tensor) -> np.ndarray:
        """Images (N, C, H, W) float32 in [-1, 1] from latents, by the average if there is one."""
        network = self.networks.generator if self.average is None else self.average
        return generate(network, latents, self.device)

    # -- state

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything the next step depends on, as arrays by name."""
        arrays: dict[str, np.ndarray] = {}
        for name, network in self._networks().items():
            for key, tensor in network.state_dict().items():
                arrays[f"{name}/{key}"] = tensor.cpu().numpy()
        plain: dict[str, Any] = {
            "step": self.step,
            "shape": self.shape,
            "data": self.batches.state_dict(),
            "rng": self.rng.get_state(),
            "default_rng": default_generator(self.device).get_state(),
            "optimizers": {},
        }
        for name, optimizer in self._optimizers().items():
            steps = plain["optimizers"][name] = {}
            for i, state in optimizer.state_dict()["state"].items():
                steps[str(i)] = state["step"]
                for key, value in state.items():
                    if key != "step":
                        arrays[f"{name}/{i}/{key}"] = value.cpu().numpy()
        text = json.dumps(plain).encode()
        arrays["state.json"] = np.frombuffer(text, np.uint8)
        return arrays

    def load_state_dict(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from a ``state_dict``.

        Raises:
            ValueError: it belongs to other networks, or something is missing.
        """
        try:
            plain = json.loads(arrays["state.json"].tobytes())
            for name, network in self._networks().items():
                network.load_state_dict(below(arrays, name))
            for name, optimizer in self._optimizers().items():
                state: dict[str, dict[str, Any]] = {
                    i: {"step": step} for i, step in plain["optimizers"][name].items()
                }
                for key, array in below(arrays, name).items():
                    i, _, slot = key.partition("/")
                    state[i][slot] = array
                groups = optimizer.state_dict()["param_groups"]
                optimizer.load_state_dict({"state": state, "param_groups": groups})
            self.batches.load_state_dict(plain["data"])
            self.rng.set_state(plain["rng"])
            default_generator(self.device).set_state(plain["default_rng"])
            self.step = int(plain["step"])
        except (KeyError, RuntimeError, TypeError) as error:
            raise ValueError(f"the state does not fit this system: {error}") from error

    def close(self) -> None:
        """End the thread that makes the batches, if there is one; the next step starts it anew."""
        if isinstance(self.batches, Background):
            self.batches.close()

    def _networks(self) -> dict[str, Module]:
        named = {"generator": self.networks.generator, "critic": self.networks.critic}
        return named if self.average is None else {**named, "average": self.average}

    def _optimizers(self) -> dict[str, Any]:
        return dict(zip(("critic_optimizer", "generator_optimizer"), self.optimizers, strict=True))


def _batches(
    data: ImageData, batch_size: int, seed: int, augment: str | None
) -> Batches | Background:
    """The images in mini-batches; changed ones are made ahead, as that takes its time."""
    if augment is None:
        return Batches(data, batch_size, seed=seed)
    change = augmentation(augment)
    batches = Batches(data, batch_size, seed=seed, augment=change)
    # Steps that do not fit the images, such as a crop beyond their size, are refused here.
    data.take(np.arange(1), partial(change, np.random.default_rng(0)))
    return Background(batches)
