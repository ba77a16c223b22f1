"""A trainer's steps on a GPU as CUDA graphs: recorded once, then launched as one piece.

Every step of a kind (as many critic steps, say) does the same to the same memory, so that after a
few plain ones it is recorded (``cuda.graphs``), and from then on a step is

    new batches and numbers into the recorded inputs,   settings that changed to the optimizers'
    memory,   one launch,   and the host counts what the GPU has done: optimizer steps, random
    numbers drawn

Random numbers follow from a state in the GPU's memory, and so do an optimizer's number of steps and
its rates; what else a step depends on must be in the recorded memory too.  So replayed steps are
those that would have been done plainly, bit for bit.  What cannot be recorded goes on plainly, and
``why`` says the reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import cuda, fused
from .._tensor import Tensor
from ..generators import default_generator
from ..optim import Optimizer, replaying

PLAIN = 2  # steps of a kind before one is recorded: kernels are compiled and state is made
Batch = tuple[Tensor | None, ...]
Record = dict[str, Tensor]
Make = Callable[[], np.ndarray]  # makes numbers of what the host knows now


class Graphs:
    """What takes the place of ``recipe.play(trainer)`` on a GPU.

    Attributes:
        why: the reason why steps are not recorded, a sentence; None while they are.
    """

    def __init__(self, trainer: Any):
        self._trainer = trainer
        self._plain: Counter = Counter()
        self._batches: dict[Any, int] = {}
        self._numbers: dict[Any, list[Make]] = {}
        self._recorded: dict[Any, _Recorded] = {}
        self.why = _obstacle(trainer)

    def play(self) -> Record:
        """One step; the record's tensors may be those of the steps before, with other values."""
        trainer = self._trainer
        if self.why is not None:
            return trainer.recipe.play(trainer)
        kind = trainer.recipe.kind(trainer.settings, trainer.step)
        recorded = self._recorded.get(kind)
        if recorded is not None and recorded.generators == _generators(trainer):
            return recorded.replay()
        if self._plain[kind] < PLAIN:
            self._plain[kind] += 1
            taken, asked = [], []
            source, given = trainer.source, trainer.given

            def note(make: Make) -> Tensor:
                asked.append(make)
                return given(make)

            with _fed(trainer, lambda: taken.append(0) or source(), note):
                record = trainer.recipe.play(trainer)
            self._batches[kind], self._numbers[kind] = len(taken), asked
            return record
        return self._record(kind)

    def _record(self, kind: Any) -> Record:
        """Record a step, and do it."""
        trainer = self._trainer
        inputs = [_kept(trainer.source()) for _ in range(self._batches[kind])]
        numbers = [(make, trainer.given(make)) for make in self._numbers[kind]]
        before = _Host(trainer)
        graph, generators = cuda.CUDAGraph(), _generators(trainer)
        for generator in generators:
            generator.settle()
        for optimizer in trainer.optimizers:
            for parameters in replaying.counted(optimizer):
                replaying.bring(optimizer, parameters)
        try:
            coming = iter([held for _, held in numbers])
            with cuda.graph(graph), _fed(trainer, iter(inputs).__next__, lambda _: next(coming)):
                record = trainer.recipe.play(trainer)
                drawn = [generator.settle() for generator in generators]
        except cuda.CaptureError as error:
            before.restore()
            self.why = f"a step of {trainer.recipe.name} cannot be recorded: {error}"
            with _fed(trainer, iter(inputs).__next__, trainer.given):
                return trainer.recipe.play(trainer)
        graph.replay()
        steps = before.steps_since()
        self._recorded[kind] = _Recorded(trainer, graph, inputs, numbers, record, drawn, steps)
        return record


class _Recorded:
    """A step of one kind, and what the host has to do for it.

    Args:
        inputs: the batches that the step reads.
        numbers: others that it reads, and what makes them.
        drawn: what the generators count for a step.
        steps: (optimizer, parameters, how many steps of theirs) in a step.
    """

    def __init__(
        self,
        trainer: Any,
        graph: cuda.CUDAGraph,
        inputs: list[Batch],
        numbers: list[tuple[Make, Tensor]],
        record: Record,
        drawn: list[int],
        steps: list[tuple[Optimizer, tuple[Tensor, ...], int]],
    ):
        self._trainer, self._graph, self._inputs, self._numbers = trainer, graph, inputs, numbers
        self._record, self._drawn, self._steps = record, drawn, steps
        self.generators = _generators(trainer)  # whose memory it reads; a new seed makes others

    def replay(self) -> Record:
        for batch in self._inputs:
            for held, new in zip(batch, self._trainer.source(), strict=True):
                if held is not None:
                    held.copy_(new)
        for make, held in self._numbers:  # before the steps are counted that they are for
            fused.bring(make(), held.array)
        for optimizer, parameters, count in self._steps:
            replaying.count(optimizer, parameters, count)
        for generator in self.generators:
            generator.settle()  # something else may have drawn since
        self._graph.replay()
        for generator, count in zip(self.generators, self._drawn, strict=True):
            generator.moved_on(count)
        return self._record


class _Host:
    """What the host knows before a step is recorded."""

    def __init__(self, trainer: Any):
        self._trainer = trainer
        self._states = [generator.state for generator in _generators(trainer)]
        self._values = dict(trainer.values)
        self._optimizers = list(trainer.optimizers)
        self._steps = [replaying.counted(optimizer) for optimizer in self._optimizers]
        self._flags = [(p, p.requires_grad) for p in _parameters(self._optimizers)]

    def steps_since(self) -> list[tuple[Optimizer, tuple[Tensor, ...], int]]:
        """Which parameters have been moved since, by which optimizer and how often."""
        found = []
        for optimizer, before in zip(self._optimizers, self._steps, strict=True):
            for parameters, count in replaying.counted(optimizer).items():
                if more := count - before.get(parameters, 0):
                    found.append((optimizer, parameters, more))
        return found

    def restore(self) -> None:
        """As it was: of what was being recorded nothing has happened."""
        for generator, state in zip(_generators(self._trainer), self._states, strict=True):
            generator.state = state
        self._trainer.values = self._values
        for optimizer, before in zip(self._optimizers, self._steps, strict=True):
            replaying.take_back(optimizer, before)
        for p, flag in self._flags:
            p.requires_grad_(flag)
            p.grad = None


def _obstacle(trainer: Any) -> str | None:
    """Why no step of this trainer can be recorded."""
    if trainer.ranks.size > 1:
        return "steps of several processes are not recorded"
    if not all(map(replaying.can_record, trainer.optimizers)):
        return "the optimizer's numbers come from the host on this GPU"
    if any(not hasattr(generator, "settle") for generator in _generators(trainer)):
        return "random numbers come from the host on this GPU"
    return None


def _generators(trainer: Any) -> list[Any]:
    """What draws the numbers of a step: the trainer's generator and, for dropout, the device's."""
    return [trainer.rng.rng, default_generator(trainer.device).rng]


def _parameters(optimizers: Any) -> list[Tensor]:
    return [p for o in optimizers for group in o.param_groups for p in group["params"]]


def _kept(batch: Batch) -> Batch:
    """A batch in memory of its own, outside the graph."""
    return tuple(None if part is None else part.detach().clone() for part in batch)


@contextmanager
def _fed(
    trainer: Any, source: Callable[[], Batch], given: Callable[[Make], Tensor]
) -> Iterator[None]:
    """A block in which the trainer's batches come from ``source``, and numbers by ``given``."""
    before = trainer.source, trainer.given
    trainer.source, trainer.given = source, given
    try:
        yield
    finally:
        trainer.source, trainer.given = before
