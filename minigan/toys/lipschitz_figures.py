"""The pictures of the toy ``lipschitz``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .._tensor import Tensor
from ..figures import pixels
from ..report import save_animation
from .canvas import EXACT, drawing, label, measured, save
from .lipschitz_gallery import GALLERY, Function
from .lipschitz_kernels import ConvolutionNorms
from .lipschitz_samples import gradient_norms
from .lipschitz_training import BOX, METHODS, Record, draw

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORBIDDEN = {"facecolor": "#e8e8e8", "edgecolor": "#b0b0b0", "hatch": "//", "linewidth": 0}


def save_cones(folder: Path, frames: int) -> None:
    """cones.png, and cones.gif in which the cone slides along the graphs."""
    places = {"x²": 1.0, "√x": 0.0}
    _cones([places.get(f.name, 0.35 * f.shown[1]) for f in GALLERY], folder / "cones.png")
    shares = np.linspace(0, 1, frames)
    pictures = [_cones([a + t * (b - a) for a, b in (f.shown for f in GALLERY)]) for t in shares]
    save_animation(folder / "cones.gif", pictures, seconds=8.0)


def _cones(places: Sequence[float], path: Path | None = None) -> np.ndarray:
    title = "Lipschitz: no point of the graph lies inside a cone of slope L around another one"
    with drawing(title, 2, 3, (12.6, 7.6)) as (figure, axes):
        for at, function, place in zip(axes.flat, GALLERY, places, strict=True):
            _cone(at, function, place)
        handles, labels = axes[1, 1].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
        if path is not None:
            save(figure, path)
        return pixels(figure)


def _cone(axes: Axes, function: Function, place: float) -> None:
    low, high = function.shown
    x = np.linspace(low, high, 801)
    y = function.value(Tensor(x)).array
    centre = float(function.value(Tensor(np.array(place))).array)
    margin = 0.12 * np.ptp(y)
    bottom, top = float(y.min() - margin), float(y.max() + margin)
    reach = function.slope * np.abs(x - place)
    for edge, end in ((centre + reach, top), (centre - reach, bottom)):
        inner = (edge < end) if end == top else (edge > end)
        axes.fill_between(x, edge, end, where=inner, label="the cone, forbidden", **FORBIDDEN)
    axes.plot(x, y, **EXACT, label="the graph")
    inside = function.inside_cone(x, place, function.slope)
    axes.plot(
        x[inside][::16],
        y[inside][::16],
        "X",
        color="#c8500a",
        ms=7,
        label="points of the graph inside the cone",
    )
    axes.plot(
        [place], [centre], "o", ms=9, color="white", mec="black", mew=2, label="the cone's tip"
    )
    axes.set(xlim=(low, high), ylim=(bottom, top))
    finite = np.isfinite(function.constant)
    said = f"L = {function.constant:g}" if finite else f"no L exists, {function.slope:g} fails here"
    label(axes, "x", "f(x)", f"{function.name}   {said}")
    axes.get_legend().remove()
    _once(axes)


def _once(axes: Axes) -> None:
    """Let both halves of a cone count as one in the legend."""
    seen = set()
    for artist in [*axes.collections, *axes.lines]:
        name = artist.get_label()
        artist.set_label("_" if name in seen else name)
        seen.add(name)


def save_domains(folder: Path, found: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """domains.png: constants on growing and shrinking intervals.

    Three functions have the same constant, 1, everywhere: their markers lie in one another.
    """
    title = "|x|, sin x, tanh x and sigmoid x have a Lipschitz constant, x² and √x have none"
    level = ("sigmoid x", "|x|", "sin x", "tanh x")
    with drawing(title, 1, 2, (12.6, 5.4), sharey=True) as (figure, axes):
        for at, names, x, says in (
            (axes[0, 0], ("x²", *level), "half-width R of [−R, R]", "growing"),
            (axes[0, 1], ("√x",), "left end δ of [δ, 1]", "shrinking; pairs 5·10⁻⁴ apart"),
        ):
            for i, name in enumerate(names):
                rows = found[name]
                domain = [row["domain"] for row in rows]
                exact = {**EXACT, "label": "exact" if i == 0 else None}
                at.loglog(domain, [row["exact"] for row in rows], **exact)
                size = {"|x|": 15, "sin x": 11}.get(name, 7)
                look = measured(i, linestyle="none", ms=size, markerfacecolor="none")
                at.loglog(
                    domain, [row["gradient"] for row in rows], **look, label=f"{name}: gradient"
                )
                dot = {"linestyle": "none", "marker": ".", "ms": 5, "color": "black"}
                named = {"label": "all quotients"} if i == len(names) - 1 else {}
                at.loglog(domain, [row["quotient"] for row in rows], **dot, **named)
            title = f"the interval is {says}"
            label(at, x, "Lipschitz constant on the interval", title, markerscale=0.7)
        axes[0, 1].invert_xaxis()
        save(figure, folder / "domains.png")


def save_convolutions(
    folder: Path, random: Sequence[ConvolutionNorms], ones: Sequence[ConvolutionNorms]
) -> None:
    """convolutions.png: the operator's norm against the image's side, beside the kernel's."""
    title = (
        "A zero-padded 3×3 convolution can be steeper than its kernel, reshaped to a matrix, says"
    )
    with drawing(title, 1, 3, (14.4, 4.6)) as (figure, axes):
        for at, norms, says in (
            (axes[0, 0], random, "3 → 8 channels, random weights"),
            (axes[0, 1], ones, "1 → 1 channel, all weights 1"),
        ):
            sides = [each.side for each in norms]
            known = [each for each in norms if each.exact is not None]
            at.plot([e.side for e in known], [e.exact for e in known], **EXACT, label="exact (SVD)")
            for i, (name, values) in enumerate(
                {
                    "power iteration": [e.iterated.value for e in norms],
                    "bound: Fourier": [e.fourier for e in norms],
                    "bound: √9·reshaped": [e.im2col for e in norms],
                    "reshaped kernel: no bound": [e.reshaped for e in norms],
                }.items()
            ):
                look = measured(i, **({} if i else {"linestyle": "none", "ms": 8}))
                at.plot(sides, values, **look, label=name)
            at.set(xscale="log", xticks=sides, xticklabels=[str(n) for n in sides])
            at.minorticks_off()
            at.set_ylim(0, 1.5 * max(e.im2col for e in norms))
            label(
                at, "side of the image (pixels)", "operator norm", says, ncols=2, loc="upper left"
            )
        for i, (name, norms) in enumerate(
            {"random weights": random, "all weights 1": ones}.items()
        ):
            last = [each for each in norms if each.exact is not None][-1]
            trace = np.array(last.iterated.trace)
            short = np.maximum(1 - trace / last.exact, 1e-16)
            look = measured(i, markevery=0.15, label=f"{name}, {last.side} × {last.side} pixels")
            axes[0, 2].loglog(np.arange(1, len(trace) + 1), short, **look)
        says = "from below; stands still where σ₁ and σ₂ all but agree"
        label(axes[0, 2], "power iterations", "share of the exact norm still missing", says)
        save(figure, folder / "convolutions.png")


def save_layers(folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """layers.png: a critic under spectral norm, layer by layer."""
    title = "DCGAN's critic for 28×28 images under spectral norm: its layers, and their product"
    names = [row["layer"] for row in rows] + ["product"]
    with drawing(title, 1, 1, (8.8, 4.2)) as (figure, axes):
        at = axes[0, 0]
        for i, (key, name) in enumerate(
            {
                "reshaped": "reshaped kernel, what spectral norm divides by: no bound",
                "found": "operator norm, found by power iteration (a lower bound)",
                "bound": "operator norm, upper bound",
            }.items()
        ):
            values = [row[key] for row in rows]
            values.append(float(np.prod(values)))
            look = measured(i, linestyle="none", ms=(8, 5, 11)[i])
            look["markerfacecolor"] = ("white", "black", "none")[i]
            at.plot(values, range(len(names)), **look, label=name)
        at.axvline(1, color="black", linewidth=1)
        at.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -1.9))
        label(at, "norm (the line: 1, what was asked for)", "layer", loc="upper right")
        save(figure, folder / "layers.png")


def save_training(folder: Path, records: Mapping[str, Sequence[Record]], distance: float) -> None:
    """training.png: every critic's ladder, and what it says about the distance."""
    title = "Critics while they train: found ≤ exact ≤ product, and estimate/exact ≤ EM"
    with drawing(title, 2, len(records), (16.0, 7.6), sharex=True) as (figure, axes):
        for column, (method, found) in enumerate(records.items()):
            steps = [each.step for each in found]
            ladders = [each.ladder for each in found]
            at = axes[0, column]
            at.plot(steps, [x.exact.value for x in ladders], **EXACT, label="exact")
            series = {
                "product of operator norms": [x.product for x in ladders],
                "largest gradient norm found": [x.gradient for x in ladders],
                "largest sampled quotient": [x.quotient for x in ladders],
            }
            for i, (name, values) in enumerate(series.items()):
                look = _sparse(i, len(steps), **({"linestyle": "none"} if i else {}))
                at.plot(steps, values, **look, label=name)
            values = np.concatenate([*series.values()])
            decades = np.log10([values.min(), values.max()])
            at.set(yscale="log", ylim=(10 ** np.floor(decades[0]), 10 ** np.ceil(decades[1])))
            at.minorticks_off()
            dots = {"color": "black", "linewidth": 0.8, "linestyle": (0, (1, 2))}
            at.axhline(1, **dots, label="1, what penalty and spectral norm ask for")
            label(at, "", "Lipschitz constant" if not column else "", METHODS[method])
            at.get_legend().remove()
            at = axes[1, column]
            at.axhline(distance, **EXACT, label="EM of the samples, exact")
            divided = {
                "(E f(x) − E f(y)) / exact": [each.estimate for each in found],
                "(E f(x) − E f(y)) / product": [
                    each.difference / each.ladder.product for each in found
                ],
            }
            for i, (name, values) in enumerate(divided.items()):
                at.plot(steps, values, **_sparse(i + 3, len(steps)), label=name)
            at.set_ylim(-0.15, 1.15 * distance)
            label(at, "critic steps", "distance" if not column else "")
            at.get_legend().remove()
        named = [at.get_legend_handles_labels() for at in axes[:, 0]]
        handles, labels = ([*above, *below] for above, below in zip(*named, strict=True))
        look = {"ncols": 4, "frameon": False, "handlelength": 3.5}
        figure.legend(handles, labels, loc="outside lower center", **look)
        save(figure, folder / "training.png")


def _sparse(index: int, count: int, **changes: Any) -> dict[str, Any]:
    """Markers on some ten of ``count`` points, not on the same ones for all series."""
    every = max(1, count // 10)
    return measured(index, markevery=(index % 3 * (every // 3), every), **changes)


def save_regions(folder: Path, records: Mapping[str, Sequence[Record]]) -> None:
    """regions.png and training.gif: how steep the critics are, and where."""
    frames, steps = [], []
    for step in zip(*records.values(), strict=True):
        frames.append(_regions(dict(zip(records, step, strict=True))))
        steps.append(step[0].step)
    _regions({method: found[-1] for method, found in records.items()}, folder / "regions.png")
    save_animation(folder / "training.gif", frames, steps, seconds=8.0)


def _regions(records: Mapping[str, Record], path: Path | None = None) -> np.ndarray:
    side = np.linspace(BOX.low[0], BOX.high[0], 161)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    real, fake = draw(64, seed=0)
    title = "How steep the critic is: |∇f(x)| as a share of its exact Lipschitz constant K"
    with drawing(title, 1, len(records), (15.2, 4.6), sharey=True) as (figure, axes):
        for at, (method, record) in zip(axes[0], records.items(), strict=True):
            exact = record.ladder.exact
            share = gradient_norms(record.network, grid)[0] / max(exact.value, 1e-300)
            shown = at.pcolormesh(
                side,
                side,
                share.reshape(161, 161),
                cmap="Greys",
                vmin=0,
                vmax=1.35,
                rasterized=True,
            )
            at.plot(*real.T, "+", color="#0b5fa5", ms=6, label="real")
            at.plot(*fake.T, "o", color="#c8500a", ms=4, mfc="white", label="fake")
            look = {
                "ms": 17,
                "mfc": "white",
                "mec": "black",
                "mew": 1.5,
                "clip_on": False,
                "zorder": 5,
            }
            at.plot(*exact.at, "*", **look, label="steepest")
            at.set(aspect="equal", xticks=[-1, 0, 1], yticks=[-1, 0, 1])
            at.grid(visible=False)
            label(at, "x₁", "x₂" if at is axes[0, 0] else "", "")
            at.get_legend().remove()
            at.set_title(f"{METHODS[method]}\nK = {exact.value:.3g}", loc="left", fontsize=10)
        bar = figure.colorbar(shown, ax=list(axes[0]), boundaries=np.linspace(0, 1, 101))
        bar.set_label("|∇f(x)| / K")
        bar.set_ticks([0, 0.25, 0.5, 0.75, 1])
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        if path is not None:
            save(figure, path)
        return pixels(figure)
