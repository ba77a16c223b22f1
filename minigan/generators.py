"""Seeded generators of random numbers, for every device, and those that are used by default."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .array import Array, Device, module_for, or_default, to_device

# What draws a seed's numbers on a kind of device, where they are not NumPy's; None: it cannot.
random_sources: dict[str, Callable[[int, Device], Any]] = {}


class Generator:
    """A seeded source of random numbers for one device, as ``torch.Generator``.

    On the CPU numbers are drawn by NumPy's PCG64; a GPU draws its own, by Philox4x32 (see
    ``same_numbers`` for the CPU's numbers there).  The state is a few plain integers.

    >>> g = Generator().manual_seed(3)
    >>> state = g.get_state()
    >>> a = g.rng.standard_normal(2); g.set_state(state)
    >>> bool((a == g.rng.standard_normal(2)).all())
    True
    """

    def __init__(self, device: Device | str = "cpu"):
        self.device = Device(device)
        module_for(self.device)  # is there such a device?
        self.manual_seed(0)

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence of ``seed`` (a non-negative integer); returns the generator."""
        if not isinstance(seed, (int, np.integer)) or seed < 0:
            raise ValueError(f"manual_seed: expected a non-negative integer, got {seed!r}")
        self.seed = int(seed)
        source = None if _same_numbers else random_sources.get(self.device.type)
        self.rng = (source and source(self.seed, self.device)) or self._numpy(self.seed)
        return self

    def _numpy(self, seed: Any) -> Any:
        """NumPy's numbers, on the device."""
        rng = np.random.default_rng(seed)
        return rng if self.device.type == "cpu" else Moved(rng, self.device)

    def initial_seed(self) -> int:
        """The seed that the sequence was started from."""
        return self.seed

    def get_state(self) -> dict[str, Any]:
        """The state as plain numbers (it can be written as JSON)."""
        return {"seed": self.seed, "bit_generator": self.rng.bit_generator.state}

    def set_state(self, state: dict[str, Any]) -> None:
        """Continue from a state that ``get_state`` gave.

        The CPU's sequence goes on unchanged on a GPU; a GPU's goes on with other numbers on the
        CPU, which follow from the state.
        """
        self.seed, saved = int(state["seed"]), state["bit_generator"]
        if self.rng.bit_generator.state["bit_generator"] != saved["bit_generator"]:
            source = random_sources.get(self.device.type)
            if saved["bit_generator"] != "Philox4x32":
                self.rng = self._numpy(self.seed)
            else:
                self.rng = source and source(self.seed, self.device)
                if not self.rng:
                    self.rng = self._numpy([saved["key"], saved["counter"]])
                    return
        self.rng.bit_generator.state = saved


class Moved:
    """A generator of numbers whose draws are moved to a device."""

    def __init__(self, rng: Any, device: Device):
        self._rng, self._device = rng, device
        self.bit_generator = rng.bit_generator

    def __getattr__(self, name: str) -> Any:
        draw = getattr(self._rng, name)

        def moved(*args: Any, **kwargs: Any) -> Array:
            drawn = draw(*args, **kwargs)
            array = drawn if hasattr(drawn, "device") else np.asarray(drawn)
            return to_device(array, self._device)

        return moved


def kept(rng: Any, p: float, shape: tuple[int, ...], dtype: Any) -> Array:
    """0 with probability ``p``, else 1, drawn by a generator's ``rng``: what dropout multiplies by.

    >>> kept(np.random.default_rng(0), 0.5, (4,), np.float32)
    array([1., 1., 1., 0.], dtype=float32)
    """
    if isinstance(rng, (np.random.Generator, Moved)):
        return (rng.random(shape, dtype="float32") >= p).astype(dtype)
    return rng.kept(p, shape).astype(dtype, copy=False)


_same_numbers = False


@contextmanager
def same_numbers() -> Iterator[None]:
    """A block in which generators that are made or seeded draw the CPU's numbers on every device.

    Drawn by NumPy and moved, they are slower, and a program can be replayed on another device.
    """
    global _same_numbers
    before, _same_numbers = _same_numbers, True
    try:
        yield
    finally:
        _same_numbers = before


_generators: dict[str, Generator] = {}
_default_seed = 0  # of the default generators that are not there yet


def default_generator(device: Device | str | None = None) -> Generator:
    """The generator used on ``device`` where none is given."""
    key = str(Device(device or "cpu"))
    if key not in _generators:
        _generators[key] = Generator(key).manual_seed(_default_seed)
    return _generators[key]


def rng_on(device: Device | str | None, generator: Generator | None) -> Any:
    """What draws the numbers of ``generator``, or of the device's own, as arrays on ``device``.

    None stands for the default device where one was chosen, else for the device of the generator,
    and without one for the CPU.
    """
    device = or_default(device)
    if generator is None:
        return default_generator(device).rng
    if device is None or Device(device) == generator.device:
        return generator.rng
    return Moved(generator.rng, Device(device))


def manual_seed(seed: int) -> Generator:
    """Seed the default generators of every device, also those not used yet; returns the CPU's.

    >>> import minigan
    >>> a = minigan.manual_seed(1) and minigan.randn(2)
    >>> b = minigan.manual_seed(1) and minigan.randn(2)
    >>> bool((a == b).all())
    True
    """
    global _default_seed
    default = default_generator()
    for generator in _generators.values():
        generator.manual_seed(seed)
    _default_seed = default.seed
    return default


def initial_seed() -> int:
    """The seed that the CPU's default generator was started from."""
    return default_generator().initial_seed()


def get_rng_state() -> dict[str, Any]:
    """The state of the CPU's default generator, for ``set_rng_state``."""
    return default_generator().get_state()


def set_rng_state(state: dict[str, Any]) -> None:
    """Continue the CPU's default generator from a state that ``get_rng_state`` gave.

    >>> import minigan
    >>> state = minigan.get_rng_state()
    >>> a = minigan.randn(2); minigan.set_rng_state(state)
    >>> bool((a == minigan.randn(2)).all())
    True
    """
    default_generator().set_state(state)
