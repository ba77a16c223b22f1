"""A critic that is told the class: the label joins the image, or the features of a middle layer.

    input    constant planes, one for each class, beside the channels of the image
    hidden   the same beside the features that the first layer makes of it

A fully connected layer gets the one-hot vector itself beside its numbers.

Source: Mirza & Osindero 2014, arXiv 1411.1784.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .. import nn
from .._tensor import Tensor
from ..ops.shape import cat
from .values import SettingError

Critic = Callable[[Tensor], Tensor]


def joined(x: Tensor, labels: Tensor) -> Tensor:
    """x (N, C, H, W) with planes of the labels (N, classes) behind: (N, C + classes, H, W).

    Of flat x (N, F), (N, F + classes).

    >>> import minigan
    >>> joined(minigan.zeros(1, 1, 2, 2), minigan.tensor([[0.0, 1.0]]))[0, 2].tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    if x.ndim == 4:
        labels = labels.reshape(*labels.shape, 1, 1).expand(*labels.shape, *x.shape[2:])
    return cat([x, labels], 1)


class Labelled(nn.Module):
    """``critic`` with ``classes`` more inputs before its first weights, or its second.

    forward(x, labels): x images (N, C, H, W), labels weights of the classes (N, classes).

    Raises:
        SettingError: those weights are its last: what joins there is only added to the logit, the
            same for every image.
    """

    def __init__(self, critic: nn.Sequential, classes: int, label_at: str):
        super().__init__()
        layers = list(critic)
        weighted = [
            i for i, layer in enumerate(layers) if isinstance(layer, (nn.Linear, nn.Conv2d))
        ]
        least = 1 if label_at == "input" else 2
        if len(weighted) <= least:
            raise SettingError(
                f"label_at={label_at} needs a critic with at least {least} hidden "
                f"layer{'s' if least > 1 else ''}, this one has {len(weighted) - 1}: class and "
                "image would never meet in it"
            )
        place = weighted[least - 1]
        self.before = nn.Sequential(*layers[:place])
        self.after = nn.Sequential(_wider(layers[place], classes), *layers[place + 1 :])

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        return self.after(joined(self.before(x), labels))


def _wider(layer: Any, more: int) -> nn.Module:
    """A layer like ``layer``, with ``more`` inputs; its weights are new."""
    bias = layer.bias is not None
    if isinstance(layer, nn.Linear):
        return nn.Linear(layer.in_features + more, layer.out_features, bias=bias)
    places = (layer.kernel_size, layer.stride, layer.padding)
    return nn.Conv2d(layer.in_channels + more, layer.out_channels, *places, bias=bias)


def told(critic: Critic, labels: Tensor | None) -> Critic:
    """``critic`` as a function of images alone; a conditional one judges them as ``labels``."""
    return partial(critic, labels=labels) if isinstance(critic, Labelled) else critic
