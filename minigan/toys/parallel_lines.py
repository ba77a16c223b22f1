"""The toy ``parallel-lines``: what four distances say of two things that move apart.

1. TV, KL, JS and EM and their derivatives over θ, exact and as trained networks estimate them,
   for two parallel lines and for two Gaussians;
2. the discriminator trained on two Gaussians beside the best one, D* = p/(p + q);
3. a θ that descends what a discriminator says of KL or of JS, and one that descends what a critic
   says of EM, for both families.

Source: Arjovsky, Chintala & Bottou 2017, arXiv 1701.07875, example 1 and figure 1.
"""

from __future__ import annotations

from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._tensor import Tensor, tensor
from ..figures import pixels
from ..gan.objectives import bce_critic
from ..gan.trainer import stream
from ..generators import Generator
from ..report import save_animation
from . import rivals
from .apart import GAUSSIANS, LINES, Apart, Four, best_logit
from .canvas import EXACT, drawing, label, measured, save
from .output import host, progress, row
from .players import PENALTY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES = Four("TV", "KL (nats)", "JS (nats)", "EM (units of θ)")
SHORT = Four("TV", "KL", "JS", "EM")
STARTS = {LINES.name: 0.8, GAUSSIANS.name: 1.5}  # where θ begins to descend
SAID = {"kl": "KL by a discriminator", "js": "JS by a discriminator", "em": "EM by a critic"}
FILMED = ("js", "em")
NO_TV = "no estimate: a discriminator\nproves TV by counting D > ½,\nand a count has no slope"


class Size(NamedTuple):
    """Training steps for each θ, how many θ, steps of the one discriminator, and of θ."""

    steps: int
    thetas: int
    discriminator: int
    descent: int


QUICK, FULL = Size(300, 7, 600, 80), Size(1500, 21, 3000, 160)


def run(folder: Path, seed: int = 0, quick: bool = False) -> dict[str, Any]:
    """Leave the figures in ``folder``; returns the numbers."""
    size = QUICK if quick else FULL
    rows: list[dict[str, Any]] = []
    for family, reach, name in ((LINES, 1.0, "lines"), (GAUSSIANS, 3.0, "gaussians")):
        thetas = [float(t) for t in np.linspace(-reach, reach, size.thetas).round(6)]
        found = {
            theta: rivals.estimate(family, theta, size.steps, seed)
            for theta in progress(thetas, family.name)
        }
        _draw_distances(folder / f"{name}.png", family, found, size.steps)
        rows += _rows(family, found)
    rows += _best_discriminator(folder, seed, size.discriminator)
    rows += _descent(folder, seed, size.descent)
    return {"rows": rows}


def _rows(family: Apart, found: dict[float, rivals.Estimated]) -> list[dict[str, Any]]:
    rows = []
    for theta, estimated in found.items():
        exact, slope = family.exact(theta), family.slope(theta)
        aims = {"EM": abs(theta) * slant(theta), "dEM/dθ": np.sign(theta) * slant(theta)}
        for i, name in enumerate(SHORT):
            said = ((name, estimated.values[i], exact[i]),
                    (f"d{name}/dθ", estimated.slopes[i], slope[i]))  # fmt: skip
            for what, measured_one, exact_one in said:
                if measured_one is None:
                    continue
                allowed = f" (λ = 10 allows {aims[what]:.3g})" if what in aims and theta else ""
                where = f"{what} of {family.name.lower()} at θ = {theta:g}{allowed}"
                rows.append(row(where, measured_one, exact_one))
    return rows


def _draw_distances(
    path: Path, family: Apart, found: dict[float, rivals.Estimated], steps: int
) -> None:
    """The distances above, their derivatives below."""
    thetas = np.array(list(found))
    fine = np.linspace(thetas[0], thetas[-1], 201)
    title = f"{family.name} at distance θ: exact, and after {steps} steps of training"
    with drawing(title, 2, 4, (14.5, 6.4), sharex=True) as (figure, axes):
        for below, exact, estimated in (
            (0, family.exact, [e.values for e in found.values()]),
            (1, family.slope, [e.slopes for e in found.values()]),
        ):
            curves = [exact(t) for t in fine]
            there = [t for t in range(len(thetas)) if exact(thetas[t]).em is not None]
            for i, each in enumerate(axes[below]):
                _exact_curve(each, fine, [values[i] for values in curves])
                if below and not any(values[i] for values in curves):
                    each.set_ylim(-1.15, 1.15)  # the scale of dEM/dθ: what is 0 looks like it
                if estimated[0][i] is not None:
                    said = "critic" if i == 3 else "discriminator"
                    look = measured(i, linestyle="", markeredgewidth=1.5)
                    points = [estimated[t][i] for t in there]
                    each.plot(thetas[there], points, **look, label=f"by a {said}")
                else:
                    each.text(0.03, 0.56, NO_TV, transform=each.transAxes, fontsize=8)
        allowed = {"color": "#707070", "linestyle": ":", "zorder": 1, "label": "λ = 10 allows"}
        axes[0, 3].plot(fine, np.abs(fine) * slant(fine), **allowed)
        signs = np.where(fine == 0, np.nan, np.sign(fine))
        axes[1, 3].plot(fine, signs * slant(fine), **allowed)
        for i, d in enumerate(SHORT):
            infinite = ", exact ∞ for every θ ≠ 0" if np.isinf(family.exact(1.0)[i]) else ""
            label(axes[0, i], "", NAMES[i], d + infinite)
            label(axes[1, i], "θ", f"d{d}/dθ", f"derivative of {d}")
        save(figure, path)


def slant(theta: Any) -> Any:
    """1 + |θ|/2λ: the slope s that is best for s·|θ| - λ(s - 1)², the penalized critic's aim."""
    return 1 + np.abs(theta) / (2 * PENALTY)


def _exact_curve(axes: Axes, x: np.ndarray, y: list[float | None]) -> None:
    """The curve, broken where it jumps (at 0, in the middle), without what is infinite."""
    values = np.array([np.nan if v is None else v for v in y], float)
    if np.isnan(values).all():
        axes.text(0.5, 0.9, "exact: there is none", transform=axes.transAxes, ha="center")
        return
    values[np.isinf(values)] = np.nan
    middle = len(x) // 2
    if not abs(values[middle] - values[middle - 1]) < 0.2:  # NaN too
        axes.plot(x[middle], values[middle], "ko", ms=6)
        values[middle] = np.nan
    axes.plot(x, values, **EXACT, label="exact")


def _best_discriminator(folder: Path, seed: int, steps: int) -> list[dict[str, Any]]:
    """D against D* on two Gaussians, and their values V beside 2 JS - 2 ln 2."""
    theta = 2.0
    trained = rivals.estimate(GAUSSIANS, theta, steps, seed).discriminator
    x = np.linspace(-4, 6, 301, dtype=np.float32)
    logit = trained.network(tensor(np.stack([x, 0 * x], 1))).detach().cpu()[:, 0]
    best = best_logit(theta, x)
    rng = Generator().manual_seed(stream(seed, "value of D"))
    count = 100_000
    real = GAUSSIANS.real(count, rng)
    fake = GAUSSIANS.fake(tensor(np.float32(theta)), count, rng)
    value = -bce_critic(trained.network(real), trained.network(fake)).item()
    at_best = [Tensor(best_logit(theta, host(points)[:, 0])) for points in (real, fake)]
    value_of_best = -bce_critic(*at_best).item()
    exact = 2 * GAUSSIANS.exact(theta).js - 2 * log(2)
    title = f"A discriminator of N(0, I) and N(({theta:g}, 0), I) after {steps} steps"
    with drawing(title, 1, 2, (10.5, 4.2)) as (figure, axes):
        axes[0, 0].plot(x, 1 / (1 + np.exp(-best)), **EXACT, label="D* = p/(p + q)")
        look = measured(1, marker=None)
        axes[0, 0].plot(x, logit.sigmoid().numpy(), **look, label="trained D")
        axes[0, 1].plot(x, best, **EXACT, label="ln p/q")
        axes[0, 1].plot(x, logit.numpy(), **look, label="trained D's logit")
        for mean, name, dots in ((0.0, "p, real", ":"), (theta, "q, generated", "-.")):
            density = np.exp(-((x - mean) ** 2) / 2) / np.sqrt(2 * np.pi)
            axes[0, 0].plot(x, density, color="#707070", linestyle=dots, lw=1.2, label=name)
        label(axes[0, 0], "x (second coordinate 0)", "probability; density", "D and the densities")
        said = f"−V(D) = {-value:.4f} nats, 2 ln 2 − 2 JS = {-exact:.4f}"
        label(axes[0, 1], "x (second coordinate 0)", "logit (nats)", said)
        save(figure, folder / "best-discriminator.png")
    return [
        row(f"V(D), trained, {count} points", value, exact),
        row(f"V(D*), {count} points", value_of_best, exact),
    ]


def _descent(folder: Path, seed: int, steps: int) -> list[dict[str, Any]]:
    x = np.linspace(-0.6, 1.2, 181, dtype=np.float32)
    at = np.stack([x, np.full_like(x, 0.5)], 1)
    families = {family.name: family for family in (LINES, GAUSSIANS)}
    runs = [(name, player) for name in families for player in SAID]
    paths = {
        (name, player): rivals.descend(families[name], player, STARTS[name], steps, seed, at)
        for name, player in progress(runs, "θ descends")
    }
    ideal = {
        (name, player): rivals.exact_descent(families[name], player, STARTS[name], steps)
        for name, player in runs
    }
    title = "A generator with one parameter descends what its opponent says\n"
    title += "(TV, as a discriminator proves it, is a count: no slope to descend)"
    with drawing(title, 1, 2, (11.5, 4.4)) as (figure, axes):
        for each, name in zip(axes.flat, families, strict=True):
            for i, (player, who) in enumerate(SAID.items()):
                line = {**EXACT, "linewidth": 1.4, "label": None if i else "down the exact slopes"}
                each.plot(ideal[name, player], **line)
                every = max(1, steps // 12)
                look = measured(i, linestyle="", markevery=(i * every // 3, every), zorder=3)
                each.plot(paths[name, player].theta, **look, label=who)
            lowest = min(min(paths[name, player].theta) for player in SAID)
            each.set_ylim(min(0.0, lowest) - 0.1, 1.25 * STARTS[name])
            label(each, f"steps of θ (SGD, rate {rivals.RATE})", "θ (distance)", name)
        save(figure, folder / "descent.png")
    every = max(1, steps // 40)
    shown = {player: paths[LINES.name, player] for player in FILMED}
    frames = [_frame(x, shown, step) for step in progress(range(0, steps + 1, every), "frames")]
    save_animation(folder / "descent.gif", frames)
    return [
        row(f"θ of {name.lower()} after descending {SAID[player]}", paths[name, player].theta[-1],
            ideal[name, player][-1], start=STARTS[name])
        for name, player in runs
    ]  # fmt: skip


def _frame(x: np.ndarray, paths: dict[str, rivals.Path], step: int) -> np.ndarray:
    with drawing(f"What each opponent sees, step {step}", 1, 2, (9, 3.8)) as (figure, axes):
        for i, (player, path) in enumerate(paths.items()):
            each, seen = axes[0, i], path.seen[step]
            seen = 1 / (1 + np.exp(-seen)) if player == "js" else seen - np.interp(0, x, seen)
            each.plot(x, seen, **measured(i, marker=None), label="D" if player == "js" else "f")
            each.axvline(0, **EXACT, label="real line, θ = 0")
            theta = path.theta[step]
            look = {"color": "#404040", "linestyle": (0, (4, 2)), "linewidth": 2.2}
            each.axvline(theta, **look, label=f"generated line, θ = {theta:.2f}")
            each.set_ylim((-0.05, 1.5) if player == "js" else (-1.3, 2.1))
            each.set_yticks(np.linspace(*((0, 1) if player == "js" else (-1, 1)), 5))
            quantity = "D (probability of “real”)" if player == "js" else "f (units of θ), f(0) = 0"
            label(each, "x (height ½)", quantity, SAID[player], loc="upper right")
        return pixels(figure)
