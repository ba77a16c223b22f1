"""A network as a table: its layers, the shapes that come out of them, their parameters."""

from __future__ import annotations

from ..autograd import no_grad
from ..ops.creation import zeros
from .module import Module


def count_parameters(module: Module) -> int:
    """How many numbers ``module`` trains."""
    return sum(p.numel() for p in module.parameters())


def summary(module: Module, input_shape: tuple[int, ...]) -> str:
    """One line for every layer of a Sequential (or for the module), run on zeros.

    Args:
        module: the network; it is left as it was.
        input_shape: with the batch, which the table shows as N.

    >>> import minigan.nn as nn
    >>> print(summary(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (2, 3)))
      input         N × 3
      Linear        N × 4             16
      ReLU          N × 4              -
      in all                          16
    """
    layers = _flat(module)
    was_training = module.training
    module.eval()  # so that BatchNorm's running statistics stay
    x = zeros(input_shape)
    rows = [("input", x.shape, None)]
    with no_grad():
        for layer in layers:
            x = layer(x)
            rows.append((type(layer).__name__, x.shape, count_parameters(layer)))
    module.train(was_training)
    rows.append(("in all", None, count_parameters(module)))
    names = max(len(name) for name, _, _ in rows) + 2
    texts = [" × ".join(["N", *map(str, shape[1:])]) if shape else "" for _, shape, _ in rows]
    widest = max(map(len, texts)) + 2
    lines = []
    for (name, _, count), text in zip(rows, texts, strict=True):
        number = "" if count is None else f"{count:,}" if count else "-"
        lines.append(f"  {name:<{names + 6}}{text:<{widest}}{number:>13}".rstrip())
    return "\n".join(lines)


def _flat(module: Module) -> list[Module]:
    """The layers of nested Sequentials in the order in which they run."""
    from .containers import Sequential

    if not isinstance(module, Sequential):
        return [module]
    return [layer for child in module for layer in _flat(child)]
