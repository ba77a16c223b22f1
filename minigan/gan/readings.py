"""What the steps of a trainer record, as rows of numbers: on a GPU they come some steps later."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

import numpy as np

from .._tensor import Tensor
from ..array import Device
from ..cuda.readback import Readback
from .ranks import Ranks

Row = dict[str, float]
AHEAD = 50  # steps that a GPU's row may come late


class NonFiniteLoss(ArithmeticError):
    """A loss became infinite or NaN; nothing sensible can follow."""


class Readings:
    """The rows of a trainer on ``device``, averaged over ``ranks``; at most AHEAD are on their way.

    A row is {"step": its number, and what was recorded}.
    """

    def __init__(self, device: str, ranks: Ranks):
        self._ranks = ranks
        self._back = None if Device(device).type == "cpu" else Readback(AHEAD)
        self._names: list[tuple[int, list[str]]] = []  # of the rows that are on their way

    def add(self, step: int, record: Mapping[str, Tensor]) -> list[Row]:
        """The record of a step (0-d Tensors); gives the rows that have come."""
        self._names.append((step, list(record)))
        if self._back is None:
            return self._rows([np.array([value.item() for value in record.values()])])
        return self._rows(self._back.push([value.array for value in record.values()]))

    def drain(self) -> list[Row]:
        """All rows that have not come yet."""
        return [] if self._back is None else self._rows(self._back.drain())

    def _rows(self, found: list[np.ndarray]) -> list[Row]:
        rows = []
        for numbers in found:
            step, names = self._names.pop(0)
            row = self._ranks.averaged(dict(zip(names, numbers.tolist(), strict=True)))
            rows.append({"step": step, **row})
        return rows


def expect_finite(row: Row) -> None:
    """Raise NonFiniteLoss unless all numbers of a row are finite."""
    for name, value in row.items():
        if not isfinite(value):
            raise NonFiniteLoss(f"{name} became {value} at step {row['step']}")
