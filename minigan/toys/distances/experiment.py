"""The toy ``distances``: what is exact, what is estimated, and by how much they differ.

1. pairs of sets whose EM is 1 by construction;
2. Sinkhorn's bias over ε, with the bound it has to keep;
3. critics of three kinds, trained on two fixed sets, beside the exact EM of these sets;
4. samples of two Gaussians, beside the closed forms;
5. a generator trained by such a critic, watched by the truth panel.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ...data.mixtures import mixture
from ...metrics import em
from ...report import save_animation
from ..canvas import ASIDE, EXACT, drawing, label, measured, save
from ..output import progress, row
from ..players import CRITICS
from ..truth import save_truth
from .cases import unit_cases
from .divergences import Grid, binned
from .entropic import sinkhorn, sinkhorn_divergence
from .gaussians import gaussian_divergences, gaussian_em, gaussian_w2
from .kantorovich import dual
from .training import train

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EPSILONS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02)  # weights of the entropy


class Size(NamedTuple):
    """Points for Sinkhorn, critic steps, sizes of the Gaussian samples, generator steps."""

    points: int
    critic: int
    samples: tuple[int, ...]
    generator: int


QUICK = Size(128, 500, (30, 100, 300, 1000, 3000), 300)
FULL = Size(400, 3000, (30, 100, 300, 1000, 3000, 10_000), 2000)
APART = (0.0, 1.0, 1.5, 0.5)  # N(0, 1²) and N(1.5, 0.5²)
BETWEEN_GAUSSIANS = (
    "W₁ (units of x)",
    "W₂ (units of x)",
    "TV, binned",
    "KL, binned, ½ added (nats)",
    "JS, binned (nats)",
)
LOW_KL = "below: the ½ keeps empty bins from ∞,\nand makes them likelier than they are"


def run(folder: Path, seed: int, quick: bool) -> dict[str, Any]:
    """Leave the figures in ``folder``; returns the numbers."""
    size = QUICK if quick else FULL
    results: dict[str, Any] = {"rows": []}
    for part in (_unit_cases, _entropy, _critics, _gaussians, _training):
        found = part(folder, seed, size)
        results["rows"] += found.pop("rows")
        results |= found
    return results


def two_sets(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the ring of 8 Gaussians, and of one Gaussian beside its centre: (N, 2) each."""
    ring = mixture("ring", count, seed=seed).points
    blob = 0.3 * np.random.default_rng([seed, 1]).standard_normal((count, 2)) + [0.5, 0.0]
    return ring.astype(np.float64), blob


def _unit_cases(folder: Path, seed: int, size: Size) -> dict[str, Any]:
    cases = unit_cases(200, seed)
    found = {name: em(x, y) for name, (x, y) in cases.items()}
    with drawing("Six pairs of distributions at the distance EM = 1", 2, 3) as (figure, axes):
        for i, (each, (name, (x, y))) in enumerate(zip(axes.flat, cases.items(), strict=True)):
            _scatter(each, x, y, () if i else ("the first set", "the second"))
            label(each, "x", "y" if x.shape[1] > 1 else "", f"{name}: {found[name]:.6f}")
        save(figure, folder / "distance-one.png")
    return {"rows": [row(f"EM, {name}", value, 1.0) for name, value in found.items()]}


def _scatter(axes: Axes, x: np.ndarray, y: np.ndarray, names: tuple[str, ...]) -> None:
    """Two sets, named or not; points on a line at two heights, so that both can be seen."""
    for i, (points, height) in enumerate(((x, 0.0), (y, 0.1))):
        look = {**measured(i), "label": names[i] if names else None}
        second = points[:, 1] if points.shape[1] > 1 else np.full(len(points), height)
        axes.plot(points[:, 0], second, **{**look, "linestyle": "", "ms": 4, "alpha": 0.7})
    if x.shape[1] == 1:
        axes.set_ylim(-0.4, 0.5)
        axes.set_yticks([])
    else:
        axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.1)


def _entropy(folder: Path, seed: int, size: Size) -> dict[str, Any]:
    """Cost, value and divergence over ε; the bound holds for the first two."""
    x, y = two_sets(size.points, seed)
    exact = em(x, y)
    found = [sinkhorn(x, y, e) for e in progress(EPSILONS, "Sinkhorn")]
    debiased = [sinkhorn_divergence(x, y, e) for e in EPSILONS]
    title = f"Sinkhorn's bias: {len(x)} points of a ring against {len(x)} of a Gaussian"
    with drawing(title, size=(9, 4.2)) as (figure, axes):
        each = axes[0, 0]
        each.axhline(exact, **EXACT, label=f"EM by assignment: {exact:.4f}")
        each.plot(EPSILONS, [exact + s.bias for s in found], color="#404040",
                  linestyle=(0, (1, 1.5)), label="EM + ε ln n, the bound")  # fmt: skip
        each.plot(EPSILONS, [s.value for s in found], **measured(1), label="value ⟨P, C⟩ + ε KL")
        each.plot(EPSILONS, [s.cost for s in found], **measured(0), label="cost ⟨P, C⟩")
        each.plot(EPSILONS, debiased, **measured(2), label="divergence, debiased")
        each.set_xscale("log")
        each.set_ylim(0.8 * min(exact, *debiased), 1.1 * max(s.value for s in found))
        label(each, "ε (weight of the entropy, units of x)", "distance (units of x)", **ASIDE)
        save(figure, folder / "sinkhorn.png")
    rows = [
        row(f"Sinkhorn's cost at ε = {e}", s.cost, exact, bias_at_most=s.bias, value=s.value,
            divergence=d, iterations=s.iterations, error=s.error)
        for e, s, d in zip(EPSILONS, found, debiased, strict=True)
    ]  # fmt: skip
    return {"rows": rows}


def _critics(folder: Path, seed: int, size: Size) -> dict[str, Any]:
    x, y = two_sets(256, seed)
    exact = em(x, y)
    every = max(1, size.critic // 25)
    found = {kind: dual(x, y, kind, steps=size.critic, every=every, seed=seed) for kind in CRITICS}
    title = "What critics say of a distance: 256 points of a ring against 256 of a Gaussian"
    with drawing(title, 1, 2, (12.4, 4.4)) as (figure, axes):
        axes[0, 0].axhline(exact, **EXACT)
        axes[0, 1].axhline(exact, **EXACT, label=f"exact EM: {exact:.4f}")
        for i, (kind, history) in enumerate(found.items()):
            at = [e.step for e in history]
            look = measured(i, markevery=3)
            axes[0, 0].plot(at, [e.difference for e in history], **look)
            axes[0, 1].plot(at, [e.certain for e in history], **look, label=CRITICS[kind])
        lower = "divided by the product of the layers' norms"
        label(axes[0, 0], "critic steps", "E f(x) − E f(y) (units of x)", "as the critic says it")
        label(axes[0, 1], "critic steps", "distance (units of x)", lower, **ASIDE)
        save(figure, folder / "critics.png")
    rows = [
        row(f"critic, {CRITICS[kind]}", history[-1].difference, exact,
            steepest=history[-1].steepest, at_least=history[-1].certain)
        for kind, history in found.items()
    ]  # fmt: skip
    curves = {kind: [e._asdict() for e in history] for kind, history in found.items()}
    return {"rows": rows, "critics": {"exact": exact, "points": len(x), **curves}}


def _gaussians(folder: Path, seed: int, size: Size) -> dict[str, Any]:
    """Means over repeated samples of n, with their standard deviation, for growing n.

    The floor is what the same measure finds between two samples of the first Gaussian.
    """
    mean1, std1, mean2, std2 = APART
    exact = dict(
        zip(
            BETWEEN_GAUSSIANS,
            (gaussian_em(*APART), gaussian_w2(mean1, std1**2, mean2, std2**2),
             *gaussian_divergences(*APART)),
            strict=True,
        )
    )  # fmt: skip
    sizes = size.samples
    rng = np.random.default_rng([seed, 2])
    grid = Grid((-4.0,), (4.0,), 40)

    def all_five(x: np.ndarray, y: np.ndarray) -> tuple[float, ...]:
        return em(x, y), em(x, y, p=2), *binned(x, y, grid)

    found = np.zeros((len(sizes), 20, 2, len(exact)))
    for i, count in enumerate(progress(sizes, "samples of Gaussians")):
        for draw in range(20):
            x, again = mean1 + std1 * rng.standard_normal((2, count))
            y = mean2 + std2 * rng.standard_normal(count)
            found[i, draw] = all_five(x, y), all_five(x, again)
    means, stds = found.mean(1), found.std(1, ddof=1)  # (sizes, apart or floor, measures)
    title = f"Samples of N(0, 1²) and N(1.5, 0.5²), drawn 20 times; TV, KL, JS on {grid}"
    with drawing(title, 1, 5, (16, 3.8)) as (figure, axes):
        for i, (each, name) in enumerate(zip(axes.flat, exact, strict=True)):
            each.axhline(exact[name], **EXACT, label=f"exact: {exact[name]:.4f}")
            look = measured(0, capsize=3)
            each.errorbar(sizes, means[:, 0, i], stds[:, 0, i], **look, label="mean ± std")
            floor = {"color": "#404040", "linewidth": 1.2, "linestyle": (0, (1, 1.5))}
            each.plot(sizes, means[:, 1, i], **floor, label="floor: both of N(0, 1²)")
            each.set_xscale("log")
            each.set_ylim(0, 1.45 * max(exact[name], (means + stds)[:, 0, i].max()))
            note = LOW_KL if name.startswith("KL") else ""
            label(each, "n (points in each sample)", name, note, loc="upper right")
        save(figure, folder / "gaussians.png")
    rows = [
        row(f"{name}, of two Gaussians, {sizes[-1]} points", means[-1, 0, i], exact[name],
            spread=stds[-1, 0, i], floor=means[-1, 1, i])
        for i, name in enumerate(exact)
    ]  # fmt: skip
    return {"rows": rows}


def _training(folder: Path, seed: int, size: Size) -> dict[str, Any]:
    """A generator on the ring: the critic's estimate beside the truth panel's distances."""
    history = train(size.generator, max(1, size.generator // 30), seed)
    title = "WGAN-GP on the ring of 8 Gaussians"
    at = [moment.step for moment in history.moments]
    distances = [moment.distances for moment in history.moments]
    estimates = [moment.estimate for moment in history.moments]
    save_truth(folder / "training.png", history.panel, at, distances, title, estimates)
    save_animation(folder / "training.gif", history.frames)
    last = history.moments[-1]
    rows = [row("critic's estimate after the training", last.estimate, last.distances["em"])]
    table = [{"step": m.step, "estimate": m.estimate, **m.distances} for m in history.moments]
    panel = {"floor": history.panel.floor, "grid": str(history.panel), "rows": table}
    return {"rows": rows, "training": panel}
