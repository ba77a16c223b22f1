"""What benchmarks/step_cuda.py measured, as a table, and beside what was aimed at."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from benchmarks.gpu import Machine

GOALS = {"fp32": 1.0, "tf32": 0.85}  # times as fast as the fastest of PyTorch's
HOST = 0.10  # of the GPU's time, with recorded steps
Row = dict[str, Any]


def _ours(row: Row) -> bool:
    return row["engine"].startswith("minigan")


def _groups(rows: list[Row]) -> Iterator[list[Row]]:
    """The rows of each workload at each precision."""
    for _, same in groupby(rows, lambda row: (row["workload"], row["precision"])):
        yield [*same]


def fastest(rows: list[Row], ours: bool) -> Row | None:
    """The measured row with the least time, of minigan or of PyTorch."""
    measured = [row for row in rows if "ms" in row and _ours(row) == ours]
    return min(measured, key=lambda row: row["ms"], default=None)


def table(rows: list[Row], about: Machine) -> str:
    """The rows as Markdown; cells of what was not measured are empty."""
    heads = ["step", "precision", "engine", "ms", "middle half", "images/s"]
    heads += ["× fastest PyTorch", "host ms (of the GPU's)", "MiB", "TFLOP/s (of the roof)"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for same in _groups(rows):
        best = fastest(same, ours=False)
        flops = next((row["flops"] for row in same if row.get("flops")), None)
        for row in same:
            cells = [row["workload"], row["precision"], row["engine"]]
            cells += _cells(row, best, flops, about) if "ms" in row else [""] * 7
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cells(row: Row, best: Row | None, flops: float | None, about: Machine) -> list[str]:
    low, high = row["middle_half_ms"]
    rate = flops / row["ms"] * 1e3 if flops else None
    peak = about.peak(row["precision"])
    arithmetic = f"{rate / 1e12:.2f}" if rate else ""
    return [
        f"{row['ms']:.3f}",
        f"{low:.3f} – {high:.3f}",
        f"{row['images_per_s']:.0f}",
        f"{best['ms'] / row['ms']:.2f}" if best else "",
        f"{row['host_ms']:.3f} ({row['host_ms'] / row['ms']:.0%})",
        f"{row['peak_mib']:.0f}",
        f"{arithmetic} ({rate / peak:.0%})" if rate and peak else arithmetic,
    ]


def notes(rows: list[Row]) -> list[str]:
    """A line for each engine without figures."""
    return [
        f"{row['workload']}, {row['precision']}, {row['engine']}: {row['error']}"
        for row in rows
        if "error" in row
    ]


def goals(rows: list[Row]) -> list[str]:
    """For W1 and W2, what was aimed at and what was reached.

    >>> row = {"workload": "W1", "precision": "fp32", "host_ms": 0.02}
    >>> rows = [row | {"engine": "minigan+graph", "ms": 0.5}, row | {"engine": "graph", "ms": 0.4}]
    >>> print("\\n".join(goals(rows)))
    W1, fp32: minigan+graph is 0.80 × as fast as graph, PyTorch's fastest; aim 1.0: missed
    W1, fp32: the host's time with recorded steps is 4.0 % of the GPU's; aim under 10 %: reached
    """
    lines = []
    for same in _groups(rows):
        where, precision = f"{same[0]['workload']}, {same[0]['precision']}", same[0]["precision"]
        if same[0]["workload"] not in ("W1", "W2"):
            continue
        ours, theirs = fastest(same, ours=True), fastest(same, ours=False)
        if ours and theirs and precision in GOALS:
            ratio, aim = theirs["ms"] / ours["ms"], GOALS[precision]
            lines.append(
                f"{where}: {ours['engine']} is {ratio:.2f} × as fast as {theirs['engine']}, "
                f"PyTorch's fastest; aim {aim}: {'reached' if ratio >= aim else 'missed'}"
            )
        for row in same:
            if row["engine"] == "minigan+graph" and "ms" in row:
                share = row["host_ms"] / row["ms"]
                lines.append(
                    f"{where}: the host's time with recorded steps is {100 * share:.1f} % of the "
                    f"GPU's; aim under 10 %: {'reached' if share < HOST else 'missed'}"
                )
    return lines
