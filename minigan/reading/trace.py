"""One column of a run, and what can be asked of it: its level, its trend, how long it has held.

Losses of single batches are noisy and their neighbours are alike, so nothing here looks at single
rows: levels are medians, and a trend is one of the medians of ten stretches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

SMOOTH = 21  # rows in a running median: ten bad batches in a row do not move it
BLOCKS = 10  # stretches of the last half whose medians are compared
# Kendall's S over ten medians: |S| ≥ 29 of 45 has a chance of 0.9 % where there is no trend.
CERTAIN = 29
DOUBTFUL = 2.5  # how much larger an uncertain change may be than a certain one to count as none


class Trend(NamedTuple):
    """How a column has moved in the last half of a run.

    Attributes:
        before, after: medians of the first and of the last fifth of that half.
        steps: generator steps in that half.
        word: "falling", "rising", "flat", or "" where none of them is certain.
    """

    before: float
    after: float
    steps: int
    word: str

    def __str__(self) -> str:
        span = f"{text(self.before)} → {text(self.after)} over the last {self.steps} steps"
        if self.word in ("flat", "") or not self.before:
            return span
        return f"{span} ({(self.after - self.before) / abs(self.before):+.0%})"


class Trace:
    """The finite rows of one column.

    Args:
        step: generator steps (n,), increasing.
        values: the column (n,); NaN and infinite values are left out, and counted in ``missing``.

    >>> trace = Trace(np.arange(200), 3.0 * np.ones(200))
    >>> trace.end, trace.trend(0.02).word, trace.held(lambda level: level > 2)
    (3.0, 'flat', 199)
    """

    def __init__(self, step: np.ndarray, values: np.ndarray):
        finite = np.isfinite(values)
        self.missing = int((~finite).sum())
        self.step, self.values = step[finite], values[finite]
        self.smooth, self.at = self.values, self.step
        if len(self.values) >= SMOOTH:
            windows = np.lib.stride_tricks.sliding_window_view(self.values, SMOOTH)
            self.smooth = np.median(windows, axis=1)
            self.at = self.step[SMOOTH // 2 :][: len(self.smooth)]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def start(self) -> float:
        """The median of the first five rows: what untrained networks give."""
        return float(np.median(self.values[:5]))

    @property
    def end(self) -> float:
        """The median of the last tenth."""
        return float(np.median(self.values[-max(1, len(self) // 10) :]))

    def level(self, begin: float, end: float) -> float:
        """The median between two shares of the rows, such as 0.5 and 1."""
        rows = self.values[int(begin * len(self)) : max(1, int(end * len(self)))]
        return float(np.median(rows))

    def held(self, test: Callable[[np.ndarray], np.ndarray]) -> int:
        """For how many of the last steps the running median has passed ``test`` without a break.

        The whole run counts from its first row; elsewhere it begins in the middle of a window.
        """
        failed = np.flatnonzero(~test(self.smooth))
        if not len(failed):
            return int(self.step[-1] - self.step[0])
        if failed[-1] == len(self.smooth) - 1:
            return 0
        return int(self.step[-1] - self.at[failed[-1] + 1])

    def trend(self, flat: float) -> Trend:
        """The movement of the last half.

        Changes of up to a share of ``flat`` count as none, and up to ``DOUBTFUL`` times that where
        they are not certain.
        """
        half = len(self) // 2
        values, step = self.values[-half:], self.step[-half:]
        medians = np.array([np.median(block) for block in np.array_split(values, BLOCKS)])
        later, earlier = np.tril_indices(BLOCKS, -1)
        order = np.sign(medians[later] - medians[earlier]).sum()
        fifth = max(1, half // 5)
        before, after = float(np.median(values[:fifth])), float(np.median(values[-fifth:]))
        steps = int(step[-1] - step[0])
        moved = abs(after - before)
        certain = abs(order) >= CERTAIN and (order > 0) == (after > before)
        if moved <= flat * (1 if certain else DOUBTFUL) * max(abs(before), abs(after)):
            return Trend(before, after, steps, "flat")
        if not certain:
            return Trend(before, after, steps, "")
        return Trend(before, after, steps, "rising" if order > 0 else "falling")


class Curves:
    """What a run has recorded, as `reading` looks at it.

    Attributes:
        traces: by column, those with at least one finite value.
        lines: (value, how it is written) of the columns that have an equilibrium.
        options: the run's settings by name; a suggestion uses no others.
        unit: what is generated, "images" or "points".
    """

    def __init__(
        self,
        traces: Mapping[str, Trace],
        lines: Mapping[str, tuple[float, str]],
        options: Mapping[str, Any],
        unit: str = "images",
    ):
        self.traces, self.lines, self.options, self.unit = traces, lines, options, unit

    def __contains__(self, name: str) -> bool:
        return name in self.traces

    def __getitem__(self, name: str) -> Trace:
        return self.traces[name]

    @property
    def last(self) -> int:
        """The last step that any column has."""
        return int(max(trace.step[-1] for trace in self.traces.values()))


def text(value: float) -> str:
    """A number as it is read: three digits, no exponent where that is short.

    >>> text(0.04567), text(12345.6), text(2e-7), text(3e9), text(-0.5)
    ('0.0457', '12,346', '2e-07', '3e+09', '-0.5')
    """
    if 1000 <= abs(value) < 1e6:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def shrunk(before: float, after: float) -> str:
    """By how much something positive has become smaller, with as many digits as are meant.

    >>> shrunk(1.0, 0.00081), shrunk(12.3, 1.0), shrunk(1.0, 0.0)
    ('1200×', '12×', 'to nothing')
    """
    if not after:
        return "to nothing"
    return f"{float(f'{before / after:.2g}'):.0f}×" if before < 1e6 * after else "over 10⁶×"
