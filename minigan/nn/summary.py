"""A network as a table: its layers, the shapes that come out of them, their parameters."""

from __future__ import annotations

from typing import Any

from ..autograd import no_grad
from ..ops.creation import zeros
from .module import Module


def count_parameters(module: Module) -> int:
    """How many numbers ``module`` trains."""
    return sum(p.numel() for p in module.parameters())


@no_grad()
def summary(module: Module, *input_shapes: tuple[int, ...]) -> str:
    """One line for every layer in the order in which they run, on zeros.

    Args:
        module: the network; it is left as it was.
        input_shapes: of each input, with the batch, which the table shows as N.

    >>> import minigan.nn as nn
    >>> print(summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (2, 3)))
      input         N × 3
      Linear        N × 4             16
      ReLU          N × 4              -
      in all                          16
    """
    rows: list[tuple[str, tuple[int, ...] | None, int | None]] = []
    rows += [("input", shape, None) for shape in input_shapes]

    def note(layer: Module, arguments: Any, output: Any) -> None:
        shown = output[0] if isinstance(output, tuple) else output
        rows.append((type(layer).__name__, shown.shape, count_parameters(layer)))

    leaves = [layer for layer in module.modules() if not list(layer.children())]
    hooks = [layer.register_forward_hook(note) for layer in leaves]
    was_training = module.training
    module.eval()  # so that BatchNorm's running statistics stay
    try:
        module(*(zeros(shape) for shape in input_shapes))
    finally:
        module.train(was_training)
        for hook in hooks:
            hook.remove()
    rows.append(("in all", None, count_parameters(module)))
    names = max(len(name) for name, _, _ in rows) + 2
    texts = [" × ".join(["N", *map(str, shape[1:])]) if shape else "" for _, shape, _ in rows]
    widest = max(map(len, texts)) + 2
    lines = []
    for (name, _, count), text in zip(rows, texts, strict=True):
        number = "" if count is None else f"{count:,}" if count else "-"
        lines.append(f"  {name:<{names + 6}}{text:<{widest}}{number:>13}".rstrip())
    return "\n".join(lines)
