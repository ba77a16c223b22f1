"""Which columns stand together: the losses, what lies between 0 and 1, a measure, the gradient."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

# Dark colours that colour-blind eyes tell apart, each with a dash pattern for print without colour.
STYLES = (
    ("#0b5fa5", "-"),
    ("#c8500a", (0, (6, 1.5))),
    ("#0a7d5a", (0, (4, 1.5, 1, 1.5))),
    ("#8f3f8f", (0, (1.5, 1))),
    ("#404040", (0, (8, 2, 2, 2))),
)
NAMES = {
    "d_loss": "D loss",
    "g_loss": "G loss",
    "d_real": "D on real, mean",
    "d_fake": "D on fake, mean",
    "d_accuracy": "D's accuracy",
    "estimate": "minus the critic's loss",
    "measure": "M = L(x) + |γL(x) − L(G(z))|",
    "kl": "KL to N(0, I)",
    "g_gradient": "norm of the gradient",
}
OF_A_GAME = {**NAMES, "g_gradient": "norm of G's gradient"}
MEETING = ("d_real", "d_fake", "d_accuracy")  # at ½ where real and generated images are alike
SHARES = (*MEETING, "class_accuracy", "k")
MEASURES = {"estimate": "estimate", "measure": "measure", "kl": "KL (nats)"}
GRADIENT = "g_gradient"
MOST = 3  # panels that can be read on one picture


class Panel(NamedTuple):
    """Series that share an axis.

    Attributes:
        name: of the axis.
        series: by column.
        styles: a colour and a dash pattern for each, and again from the first.
        names: what the legend calls a column, where that is not its own name.
        scale: "fitted" to the data and the lines, "share" from 0 to 1, or "log"arithmic.
    """

    name: str
    series: Mapping[str, np.ndarray]
    styles: tuple[tuple[str, Any], ...] = STYLES
    names: Mapping[str, str] = NAMES
    scale: Literal["fitted", "share", "log"] = "fitted"

    def label(self, column: str) -> str:
        """What the legend calls a series."""
        return self.names.get(column, column.replace("_", " ").strip())


def arrange(
    series: Mapping[str, np.ndarray], unit: str | None
) -> tuple[list[Panel], dict[str, np.ndarray]]:
    """The panels from top to bottom, and what there is no room for.

    >>> rows = np.ones(3)
    >>> names = ("d_loss", "g_loss", "d_real", "d_fake", "g_gradient", "penalty")
    >>> panels, rest = arrange(dict.fromkeys(names, rows), None)
    >>> for panel in panels:
    ...     print(panel.name, list(panel.series))
    loss (nats) ['d_loss', 'g_loss', 'penalty']
    probability ['d_real', 'd_fake']
    gradient ['g_gradient']
    >>> list(arrange(dict.fromkeys(("loss", "k", "measure", "g_gradient"), rows), "")[1])
    ['g_gradient']
    """
    losses = dict(series)
    shares = {name: losses.pop(name) for name in SHARES if name in losses}
    measures = {name: losses.pop(name) for name in MEASURES if name in losses}
    gradient = {GRADIENT: losses.pop(GRADIENT)} if GRADIENT in losses else {}
    if unit is None:
        unit = "nats" if {"d_real", "d_fake", "kl"} & set(series) else ""
    panels = []
    if losses or not series:
        panels.append(Panel(f"loss ({unit})" if unit else "loss", losses))
    turned = STYLES[2:] + STYLES[:2]  # other series, other styles
    if shares:
        probable = {"d_real", "d_fake"} & set(shares)
        name = "probability" if probable else "k" if set(shares) == {"k"} else "share"
        panels.append(Panel(name, shares, turned, scale="share"))
    for name, values in measures.items():
        panels.append(Panel(MEASURES[name], {name: values}, turned))
    if gradient:
        names = OF_A_GAME if "g_loss" in series else NAMES
        panels.append(Panel("gradient", gradient, (("#404040", "-"),), names, "log"))
    rest = {name: values for panel in panels[MOST:] for name, values in panel.series.items()}
    return panels[:MOST], rest
