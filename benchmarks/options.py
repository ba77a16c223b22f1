"""How an engine runs the steps of ``benchmarks.workloads``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Options:
    """What the engines do not share, and what depends on the device: here the CPU.

    Attributes:
        frozen: the critic asks for no weight gradients during the generator's step.
        prepare: what is done to a network or a batch once, such as another memory order.
        adam: keywords for the optimizer.
    """

    device = "cpu"

    def __init__(
        self,
        frozen: bool = False,
        prepare: Callable[[Any], Any] = lambda value: value,
        adam: dict[str, Any] | None = None,
    ):
        self.frozen, self.prepare, self.adam = frozen, prepare, adam or {}

    def data(self, lib: Any, kind: str, *shape: int) -> Any:
        """Random numbers that stay the same: ``kind`` is "rand" or "randn"."""
        return getattr(lib, kind)(*shape)

    def noise(self, lib: Any, kind: str, *shape: int) -> Any:
        """Random numbers that are others in every step."""
        return getattr(lib, kind)(*shape)

    def told(self, *losses: Any) -> Any:
        """What a step gives back."""
        return sum(loss.item() for loss in losses)

    def optimizers(self, lib: Any, lr: float, betas: tuple, *networks: Any) -> list[Any]:
        """An Adam for each of the networks."""
        settings = {"lr": lr, "betas": betas, **self.adam}
        return [lib.optim.Adam(network.parameters(), **settings) for network in networks]

    @contextmanager
    def generator_turn(self, critic: Any) -> Iterator[None]:
        """A block of the generator's step: with ``frozen``, the critic is held still in it."""
        if self.frozen:
            critic.requires_grad_(False)
        yield
        if self.frozen:
            critic.requires_grad_(True)
