"""Lipschitz constants that can be trusted: what is found ≤ what is exact ≤ what is bounded.

>>> import minigan
>>> from minigan import nn
>>> _ = minigan.manual_seed(0)
>>> net = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
>>> found = ladder(net, Box.of(-1, 1, (2,)))       # which checks that the rungs are in order
>>> found.found <= found.exact.value <= found.product
True

``ladder`` climbs it for any network of known layers, ``layer_bounds`` and ``product_bound`` from
above, ``steepest`` from below for any function, ``exact_constant`` says what is true of tiny ReLU
networks.  ``run`` is the experiment.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import lipschitz_figures as figures
from .distances import em
from .lipschitz_bounds import LayerBound, Residual, layer_bounds, product_bound
from .lipschitz_exact import Exact, exact_constant
from .lipschitz_gallery import GALLERY
from .lipschitz_kernels import (
    convolution_norms,
    normalised_critic,
    ones_kernel,
    ones_norm,
    random_kernel,
    weighted_layers,
)
from .lipschitz_ladder import ROUNDING, Ladder, Rung, ladder
from .lipschitz_operator import Operator, power_iteration
from .lipschitz_rules import rule
from .lipschitz_samples import Box, gradient_norms, quotients, steepest
from .lipschitz_training import METHODS, POINTS, draw, train
from .output import progress, row

__all__ = [
    "Box",
    "Exact",
    "Ladder",
    "LayerBound",
    "Operator",
    "Residual",
    "Rung",
    "exact_constant",
    "gradient_norms",
    "ladder",
    "layer_bounds",
    "power_iteration",
    "product_bound",
    "quotients",
    "rule",
    "run",
    "steepest",
]

SIDES = (1, 2, 3, 4, 6, 8, 12, 16)  # pixels; the full experiment adds 24 and 32
QUICK, FULL = (400, 9, 13), (2000, 41, 37)  # critic steps, records, frames of the moving cones


def run(folder: Path, seed: int, quick: bool) -> dict[str, Any]:
    """The toy: a gallery of functions, convolutions, and critics in training.

    Every inequality is asserted at every record, within ROUNDING.

    Returns:
        {"rows": measured beside exact, "gallery", "convolutions", "layers", "training"}.
    """
    steps, records, frames = QUICK if quick else FULL
    gallery = _gallery()
    figures.save_cones(folder, frames)
    figures.save_domains(folder, gallery)

    sides = SIDES if quick else (*SIDES, 24, 32)
    kernels = {"random": random_kernel(seed), "ones": ones_kernel()}
    norms = {
        name: [convolution_norms(kernel, side) for side in progress(sides, f"{name} kernel")]
        for name, kernel in kernels.items()
    }
    figures.save_convolutions(folder, norms["random"], norms["ones"])
    layers = weighted_layers(normalised_critic(seed), (1, 28, 28))
    figures.save_layers(folder, layers)

    distance = em(*draw(POINTS, seed + 1))
    training = {}
    for method in METHODS:
        found = train(method, steps, records, seed)
        count = progress(range(records), f"critic, {METHODS[method]}")
        training[method] = [next(found) for _ in count]
    figures.save_training(folder, training, distance)
    figures.save_regions(folder, training)

    return {
        "rounding": ROUNDING,
        "rows": [*_gallery_rows(gallery), *_norm_rows(norms), *_training_rows(training, distance)],
        "gallery": gallery,
        "convolutions": {
            name: [
                {
                    "side": each.side,
                    "reshaped": each.reshaped,
                    "power_iteration": each.iterated.value,
                    "residual": each.iterated.residual,
                    "exact": each.exact,
                    "fourier_bound": each.fourier,
                    "im2col_bound": each.im2col,
                }
                for each in found
            ]
            for name, found in norms.items()
        },
        "layers": layers,
        "em": distance,
        "training": {
            method: [
                {
                    "step": each.step,
                    "difference": each.difference,
                    "estimate": each.estimate,
                    **each.ladder.summary(),
                }
                for each in found
            ]
            for method, found in training.items()
        },
    }


def _gallery() -> dict[str, list[dict[str, float]]]:
    """What is measured of every function on every domain, checked against the exact constant."""
    found: dict[str, list[dict[str, float]]] = {}
    for function in GALLERY:
        found[function.name] = []
        for domain, low, high in function.domains:
            quotient, gradient = function.measure(low, high)
            exact = function.on(low, high)
            if not max(quotient, gradient) <= exact * (1 + ROUNDING):
                raise ArithmeticError(
                    f"lipschitz: {function.name} on [{low}, {high}] is at most {exact} steep, "
                    f"found {max(quotient, gradient)}"
                )
            found[function.name].append(
                {"domain": domain, "quotient": quotient, "gradient": gradient, "exact": exact}
            )
    return found


def _gallery_rows(gallery: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    rows = []
    for function in GALLERY:
        last = gallery[function.name][-1]
        what = f"{function.name}: largest gradient, {function.says} = {last['domain']:g}"
        rows.append(row(what, last["gradient"], last["exact"], whole_domain=function.constant))
    return rows


def _norm_rows(norms: dict[str, list[Any]]) -> list[dict[str, Any]]:
    ones, random = norms["ones"][-1], [e for e in norms["random"] if e.exact is not None][-1]
    return [
        row(
            f"3×3 kernel of ones, {ones.side}×{ones.side} pixels: power iteration",
            ones.iterated.value,
            ones_norm(ones.side),
            reshaped=ones.reshaped,
        ),
        row(
            f"3 → 8 random 3×3 kernel, {random.side}×{random.side} pixels: power iteration",
            random.iterated.value,
            random.exact,
            reshaped=random.reshaped,
        ),
    ]


def _training_rows(training: dict[str, list[Any]], distance: float) -> list[dict[str, Any]]:
    rows = []
    for method, found in training.items():
        last, name = found[-1], METHODS[method]
        rows += [
            row(
                f"critic, {name}: steepest found (at most exact)",
                last.ladder.found,
                last.ladder.exact.value,
                product=last.ladder.product,
            ),
            row(f"critic, {name}: estimate / exact constant (at most EM)", last.estimate, distance),
        ]
    return rows
