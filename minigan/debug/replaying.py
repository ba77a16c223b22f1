"""replay: one step on two devices, operation by operation, and the first whose results differ."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from .. import array as arrays
from .. import generators
from .._hooks import op_hook
from ..array import Device
from .judging import Difference, Judge, Parted, Record, recorder


@dataclass
class Replay:
    """What :func:`replay` found; true where nothing differs.

    ``calls`` is how many operations were compared, ``differences`` what differs, in order, and
    ``closest`` the largest difference in units of its bound.
    """

    devices: tuple[str, str]
    calls: int = 0
    differences: list[Difference] = field(default_factory=list)
    closest: float = 0.0

    @property
    def first(self) -> Difference | None:
        """The first result that differs."""
        return self.differences[0] if self.differences else None

    def __bool__(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        where = f"replay: {self.calls} operations on {' and '.join(self.devices)}"
        if not self.differences:
            return f"{where}: no result differs beyond its bound"
        more = len(self.differences) - 1
        after = f"\n({more} more)" if more else ""
        return f"{where}: {self.first}{after}"


def replay(
    step: Callable[[str], Any],
    devices: Sequence[str] = ("cpu", "cuda"),
    *,
    seed: int = 0,
    allowance: float = 1.0,
) -> Replay:
    """Run ``step`` on two devices and name the first operation whose results differ.

    ``step(device)`` is called once for each device and must do the same both times: make or copy
    (``copy.deepcopy(net).to(device)``) what it works on, then run forward, backward, an optimizer.
    Operations are matched by their order.  On the second device each gets the very numbers that
    it got on the first, so that errors do not add up and each is judged alone: by the rounding
    errors that it may have (``minigan.debug.bounds``).  What lies between operations (an optimizer,
    a change in place, a copy) shows in the next operation's inputs; what a GPU replays as a CUDA
    graph (``Trainer(…, graphs=False)`` does not) does not show.

    Default generators start from ``seed`` on both devices, and draw the same numbers.  Inputs and
    results of all operations of the first run are kept on the CPU meanwhile: take a small batch.

    Args:
        step: a function of the device's name.
        devices: the one that is believed, and the one that is judged.
        seed: of the default generators.
        allowance: multiplies all bounds; more than 1 where a GPU may round to TF32, say.

    Returns:
        A :class:`Replay`: true if nothing differs, else ``.first`` says what, where and by how
        much.

    Raises:
        RuntimeError: the two runs do not call the same operations; no such device.

    >>> import minigan
    >>> def step(device):
    ...     w = minigan.ones(3, 2, device=device, requires_grad=True)
    ...     (minigan.randn(4, 3, device=device) @ w).tanh().sum().backward()
    >>> print(replay(step, devices=("cpu", "cpu")))
    replay: 7 operations on cpu and cpu: no result differs beyond its bound
    """
    first, second = (str(Device(device)) for device in devices)
    arrays.module_for(second)  # is there such a device?
    report = Replay((first, second))
    records: list[Record] = []
    with _seeded(first, seed), op_hook(recorder(records)):
        step(devices[0])
    judge = Judge(records, report, allowance)
    try:
        with _seeded(second, seed), op_hook(judge):
            step(devices[1])
        judge.finish()
    except Parted:
        if not report.differences:  # else the two runs part because of them
            raise
    return report


@contextmanager
def _seeded(device: str, seed: int) -> Iterator[None]:
    """One sequence of random numbers for the default generators of the CPU and of ``device``."""
    before = dict(generators._generators)
    leader = generators.Generator().manual_seed(seed)
    generators._generators["cpu"] = leader
    if device != "cpu":
        generators._generators[device] = _Follower(leader, Device(device))
    try:
        with generators.same_numbers():  # also of generators that the step makes
            yield
    finally:
        generators._generators.clear()
        generators._generators.update(before)


class _Follower(generators.Generator):
    """A device's generator that goes on in the CPU's sequence, as a run on the CPU would."""

    def __init__(self, leader: generators.Generator, device: Device):
        self.leader, self.device = leader, device

    def manual_seed(self, seed: int) -> generators.Generator:
        self.leader.manual_seed(seed)
        return self

    def set_state(self, state: dict[str, Any]) -> None:
        self.leader.set_state(state)

    @property
    def seed(self) -> int:
        return self.leader.seed

    @property
    def rng(self) -> Any:
        return generators.Moved(self.leader.rng, self.device)
