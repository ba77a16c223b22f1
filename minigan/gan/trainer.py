"""The one trainer: takes a recipe, gives steps.

What a step is, the recipe says (``play``), out of the trainer's parts: fresh batches, fresh fakes,
a critic's step, a generator's step.

The trainer's whole state can be taken out and put back: networks, optimizers, random generators,
position in the data and the moving average.  A run that goes on from it is, bit for bit, the run
that was never stopped.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import fused
from .._tensor import Tensor
from ..autograd import no_grad
from ..data import Background, Batches, DataError, ImageData, PairData, PointData, augmentation
from ..data.delivery import delivered
from ..generators import Generator
from ..nn import BatchNorm1d
from ..nn.utils import clip_grad_norm_
from ..optim import Optimizer
from ..optim.lr_scheduler import LinearLR
from ..plane import Plane
from .conditional import Labelled
from .differentiable import brought
from .graphed import Graphs
from .latents import draw_latents, one_hot, parts_of
from .ranks import ALONE, Ranks
from .readings import Readings, Row, expect_finite
from .sampling import generate, modules
from .schema import NOTHING, Data, Grid, ImageShape, Known, Recipe
from .state import load_state, state_of
from .streams import stream

_NEEDED = {ImageData: "single images", PairData: "pairs of images", PointData: "points"}


class Trainer:
    """Trains ``recipe`` on ``data``.

    Args:
        recipe: which system.
        settings: from ``recipe.configure``.
        data: images, uint8 (N, C, H, W), or pairs, or points, as the recipe needs.
        batch_size: samples per batch.
        seed: of everything random.
        device: where to compute.
        augment: random changes of the images, see ``data.augmentation``; the batches are then made
            by a thread, until ``close``.
        graphs: on a GPU, record steps and replay them, see gan/graphed.py.
        ranks: this process among those that train together, see gan/ranks.py; all of them call
            ``train_step`` and ``state_dict`` together.

    Raises:
        DataError: the recipe needs other data, or the batch size or ``augment`` does not fit.

    >>> from minigan.data import load
    >>> from minigan.gan import Trainer, recipe
    >>> r = recipe("dcgan")
    >>> trainer = Trainer(r, r.configure({}), load("glyphs", count=20), batch_size=4, seed=0)
    >>> sorted(trainer.train_step())
    ['d_accuracy', 'd_fake', 'd_loss', 'd_real', 'g_gradient', 'g_loss']
    """

    def __init__(
        self,
        recipe: Recipe,
        settings: Any,
        data: Data,
        *,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        augment: str | None = None,
        ranks: Ranks = ALONE,
        graphs: bool = True,
    ):
        if not isinstance(data, recipe.data):
            raise DataError(
                f"data set: {recipe.name} needs {_NEEDED[recipe.data]}, {data.name} has {data.unit}"
            )
        self.recipe, self.settings, self.device = recipe, settings, device
        self.batch_size, self.seed, self.ranks = batch_size, seed, ranks
        self.batches = delivered(
            _batches(data, batch_size, stream(seed, "data"), augment, ranks), device
        )
        self.shape = shape_of(data)
        self.rng = Generator(device).manual_seed(ranks.stream(seed, "training"))
        self.networks = recipe.networks(
            settings, self.shape, Generator().manual_seed(stream(seed, "weights"))
        )
        for network in modules(self.networks).values():
            network.to(device)
            ranks.prepare(network)
            flat = any(isinstance(layer, BatchNorm1d) for layer in network.modules())
            if flat and batch_size == 1:
                raise DataError(
                    f"batch_size: {recipe.name} expects at least 2 images in a batch here, because "
                    "BatchNorm compares them; got 1"
                )
        self.optimizers = recipe.optimizers(settings, self.networks)
        decay, share = settings.decay, settings.decay_to
        self._schedules = [LinearLR(o, 1.0, share, decay) for o in self.optimizers if decay]
        averaged = getattr(settings, "ema", 0)
        self.average = copy.deepcopy(self.networks.generator) if averaged else None
        self._reducers = ranks.reducers(modules(self.networks).values())
        self.values: dict[str, Tensor] = {}  # what else the algorithm remembers: 0-d, float64
        self.readings = Readings(device, ranks)
        self.step = 0
        self.source: Callable[[], tuple[Tensor, Tensor | None]] = self._next
        self.given: Callable[[Callable[[], np.ndarray]], Tensor] = partial(brought, device=device)
        self._graphs = Graphs(self) if graphs and self.rng.device.type == "cuda" else None

    def train_step(self) -> dict[str, float]:
        """One step of the recipe's algorithm; returns its losses and what else it records.

        Raises:
            NonFiniteLoss: a loss is infinite or NaN (the networks may have been changed by it).
        """
        *_, row = [*self.advance(), *self.drain()]
        expect_finite(row)
        return {name: value for name, value in row.items() if name != "step"}

    def advance(self) -> list[Row]:
        """One step without waiting for its losses; returns the rows that have come meanwhile.

        A row is what ``train_step`` returns and the "step" that it belongs to.  On the CPU it is
        this step's; on a GPU there may be none or several, of up to 50 steps ago.
        """
        for schedule in self._schedules:
            schedule.step(self.step)
        record = self.recipe.play(self) if self._graphs is None else self._graphs.play()
        self._update_average()
        self.step += 1
        first = {name: record[name] for name in ("d_loss", "g_loss") if name in record}
        return self.readings.add(self.step, {**first, **record})

    def drain(self) -> list[Row]:
        """The rows of all steps so far that have not come yet."""
        return self.readings.drain()

    @property
    def plain_because(self) -> str | None:
        """On a GPU, why steps are not recorded and replayed, if there is a reason."""
        return None if self._graphs is None else self._graphs.why

    # -- the parts of a step

    def _next(self) -> tuple[Tensor, Tensor | None]:
        """The next batch on the device: images and one-hot classes, or inputs and targets."""
        first, second = next(self.batches)
        if second is not None and not self.shape.inputs:
            second = one_hot(second, self.shape.classes)
        return Tensor(first), None if second is None else Tensor(second)

    def batch(self) -> tuple[Tensor, Tensor | None]:
        """The next images (N, C, H, W), from -1 to 1, or points (N, 2); their classes, one-hot."""
        return self.source()

    def pair(self) -> tuple[Tensor, Tensor]:
        """The next inputs and targets of data that come in pairs."""
        return self.source()

    def real(self) -> Tensor:
        """The next images alone."""
        return self.batch()[0]

    def fake(self) -> Tensor:
        """As many generated images, with their graph."""
        latents = draw_latents(self.networks, self.batch_size, self.rng, self.device)
        return self.networks.generator(latents)

    def deal(self) -> tuple[Tensor, Tensor, Known]:
        """Fresh images of both kinds, and what is known of them.

        The classes of generated images are drawn evenly, but where a critic is told them and a
        penalty looks at images between real and generated ones (gp) they are the real images' own.
        """
        real, labels = self.batch()
        told = isinstance(self.networks.critic, Labelled)
        own = labels if told and self.settings.gp else None
        latents = draw_latents(self.networks, self.batch_size, self.rng, self.device, own)
        return (
            real,
            self.networks.generator(latents),
            Known(labels, *parts_of(self.networks, latents)),
        )

    def critic_step(self, real: Tensor, fake: Tensor, known: Known = NOTHING) -> dict[str, Tensor]:
        """Move the critic one step; returns the record of its loss."""
        critic, optimizer = self.networks.critic, self.optimizers[0]
        judged = self.recipe.critic_loss(
            self.settings, critic, real, fake.detach(), self.rng, known
        )
        optimizer.zero_grad()
        judged.loss.backward()
        self._clip_gradients(list(critic.parameters()))
        optimizer.step()
        limit = self.settings.clip_weights
        if limit:
            clip_weights(list(critic.parameters()), limit)
        return judged.record

    def generator_step(self, fake: Tensor, known: Known = NOTHING) -> dict[str, Tensor]:
        """Move the generator one step; returns the record of its loss.

        The critic is frozen meanwhile, so that its weights' gradients are not computed at all.
        """
        critic = self.networks.critic
        critic.requires_grad_(False)
        fooled = self.recipe.generator_loss(self.settings, critic, fake, self.rng, known)
        slope = self.descend(fooled.loss)
        critic.requires_grad_(True)
        return {**fooled.record, "g_gradient": slope}

    def descend(self, loss: Tensor) -> Tensor:
        """Move the generator one step down ``loss``; returns its gradient's norm."""
        return self.step_of(self.optimizers[1], loss)

    def step_of(self, optimizer: Optimizer, loss: Tensor) -> Tensor:
        """Move what ``optimizer`` holds, and nothing else, one step down ``loss``.

        Returns the gradient's norm (before it is clipped).
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        optimizer.zero_grad()
        loss.backward(inputs=parameters)
        slope = gradient_norm(parameters)
        self._clip_gradients(parameters)
        optimizer.step()
        return slope

    def _clip_gradients(self, parameters: list[Tensor]) -> None:
        if self.settings.clip_gradients:
            clip_grad_norm_(parameters, self.settings.clip_gradients)

    def _update_average(self) -> None:
        """The average begins short and grows to its length, so that the start is soon forgotten."""
        if self.average is None:
            return
        decay = min(self.settings.ema, (1 + self.step) / (10 + self.step))
        means, new = self.average.parameters(), self.networks.generator.parameters()
        fused.average([p.array for p in means], [p.array for p in new], decay, 1 - decay)
        with no_grad():
            for mean, new in zip(
                self.average.buffers(), self.networks.generator.buffers(), strict=True
            ):
                mean.copy_(new)

    def shown(self) -> Any:
        """The networks, with the generator's average in its place, if there is one."""
        averaged = self.average is not None
        return self.networks._replace(generator=self.average) if averaged else self.networks

    def generate(self, latents: Tensor) -> np.ndarray:
        """Images (N, C, H, W) float32 in [-1, 1], or points (N, 2), from latents, by the average if
        there is one."""
        return generate(self.shown().generator, latents, self.device)

    def pictures(self, examples: tuple[Any, ...]) -> Grid | Plane:
        """What the system makes of ``examples`` now."""
        return self.recipe.view.pictures(self.shown(), examples, self.device)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Everything the next step depends on, as arrays by name."""
        return state_of(self)

    def load_state_dict(self, arrays: dict[str, np.ndarray]) -> None:
        """Go on from a ``state_dict``.

        Raises:
            ValueError: it belongs to other networks, or something is missing.
        """
        load_state(self, arrays)
        self.readings = Readings(self.device, self.ranks)  # those on their way were of other steps
        if self._graphs is not None:  # what was recorded belongs to other memory
            self._graphs = Graphs(self)

    def close(self) -> None:
        """End the thread that makes the batches, if there is one; the next step starts it anew."""
        if not isinstance(self.batches, Batches):
            self.batches.close()


def shape_of(data: Data) -> ImageShape:
    """What a recipe needs to know of the data to make its networks."""
    if isinstance(data, ImageData):
        return ImageShape(*data.images.shape[1:], classes=data.classes)
    if isinstance(data, PointData):
        return ImageShape(data.points.shape[1], 0, 0, data.classes)
    return ImageShape(*data.targets.shape[1:], inputs=data.inputs.shape[1])


def clip_weights(parameters: list[Tensor], limit: float) -> None:
    """Limit every weight to [-limit, limit], in place."""
    fused.limit([p.array for p in parameters], -limit, limit)
    for p in parameters:
        p.version[0] += 1


@no_grad()
def gradient_norm(parameters: list[Tensor]) -> Tensor:
    """√Σ g² over all their gradients, a 0-d Tensor."""
    on_device = fused.length([p.grad.array for p in parameters if p.grad is not None])
    if on_device is not None:
        return Tensor(on_device)
    squares = [(p.grad * p.grad).sum() for p in parameters if p.grad is not None]
    return sum(squares[1:], squares[0]).sqrt()


def _batches(
    data: Data, batch_size: int, seed: int, augment: str | None, ranks: Ranks
) -> Batches | Background:
    """The images in mini-batches; changed ones are made ahead, as that takes its time."""
    share = {"rank": ranks.rank, "ranks": ranks.size}
    if augment is None:
        return Batches(data, batch_size, seed=seed, **share)
    change = augmentation(augment)
    batches = Batches(data, batch_size, seed=seed, augment=change, **share)
    # Steps that do not fit the images, such as a crop beyond their size, are refused here.
    data.take(np.arange(1), partial(change, np.random.default_rng(0)))
    return Background(batches)
