"""What benchmarks/conv_cuda.py measured, as a table, in one number and as a picture."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from benchmarks.gpu import Machine


def table(results: dict[str, list[dict]]) -> str:
    """The rows as Markdown; speeds relative to another are its time over ours."""
    heads = ["layer", "routine", "kernel", "ms cold", "ms warm", "TFLOP/s", "of the roof"]
    heads += ["× cuDNN", "× im2col", "registers", "shared"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for layer, rows in results.items():
        for row in rows:
            ratio = [f"{row[key]:.2f}" if row[key] else "" for key in ("to_cudnn", "to_im2col")]
            roof = f"{row['of_roof']:.0%}" if row["of_roof"] else ""
            times = [f"{row[key] * 1e3:.4f}" for key in ("cold", "warm")]
            kernel = f"{row['name']} ({row['precision']})"
            cells = [layer, row["routine"], kernel, *times, f"{row['tflops']:.2f}", roof, *ratio]
            cells += ["" if row[key] is None else str(row[key]) for key in ("registers", "shared")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(results: dict[str, list[dict]]) -> dict[str, tuple[float, float]]:
    """{precision: (geometric mean, least)} over layers and routines of our best's ratio to cuDNN.

    >>> row = {"routine": "fprop", "precision": "fp32", "name": "rung 2", "to_cudnn": 0.5}
    >>> summary({"a": [row, row | {"name": "rung 3", "to_cudnn": 2.0}], "b": [row]})
    {'fp32': (1.0, 0.5)}
    """
    best: dict[tuple, float] = {}
    for layer, rows in results.items():
        for row in rows:
            if row["name"] != "im2col" and row["to_cudnn"]:
                key = row["precision"], layer, row["routine"]
                best[key] = max(best.get(key, 0.0), row["to_cudnn"])
    found = {}
    for precision in sorted({key[0] for key in best}):
        ratios = [ratio for key, ratio in best.items() if key[0] == precision]
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        found[precision] = (mean, min(ratios))
    return found


def plot(results: dict[str, list[dict]], about: Machine, path: Path) -> None:
    """The roofline: TFLOP/s over operations per byte, one mark for each measurement."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for found in results.values() for row in found]
    intensity = [row["flops"] / row["bytes"] for row in rows]
    figure, axes = pyplot.subplots(figsize=(8, 5), layout="constrained")
    ends = np.array([min(intensity) / 2, max(intensity) * 2])
    for precision in sorted({row["precision"] for row in rows}):
        peak = about.peak(precision)
        if peak:
            across = np.geomspace(*ends, 200)
            axes.plot(across, np.minimum(peak, across * about.bandwidth) / 1e12, label=precision)
    for name in dict.fromkeys(row["name"] for row in rows):
        mine = [(i, row) for i, row in zip(intensity, rows, strict=True) if row["name"] == name]
        axes.plot([i for i, _ in mine], [row["tflops"] for _, row in mine], "o", label=name)
    axes.set(xscale="log", yscale="log", xlabel="operations per byte", ylabel="TFLOP/s")
    axes.set_title(about.name)
    axes.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)
