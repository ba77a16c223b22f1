"""Upper bounds of Lipschitz constants: of every layer, and their product for a whole network.

‖f(x) - f(y)‖ ≤ L·‖x - y‖ for all x, y, in Euclidean norms over all numbers of one input.  The
constant of g∘f is at most that of g times that of f, so a Sequential's is at most the product of
its layers'.  A layer without a rule (``lipschitz_rules``) is refused, since a bound that may be
wrong is none.  Networks count as in evaluation, on a float64 copy; the network itself is left as it
is.  Every number holds but for rounding, some 1e-12 of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from inspect import signature
from math import inf, prod
from typing import Any

import numpy as np

from .. import nn
from .._tensor import Tensor
from ..autograd import no_grad
from ..nn.hooks import HOOKS
from ..nn.utils import SpectralNorm
from .lipschitz_conv import reshaped_norm
from .lipschitz_rules import RULES, Shape, rule


class Unbounded(TypeError):
    """A layer has no rule, or none that gives a finite bound."""


@dataclass(frozen=True)
class LayerBound:
    """What is known of one layer.

    Attributes:
        name: its dotted name in the network.
        layer: its type's name.
        shape, out_shape: of one input and one output.
        upper: no pair of inputs has a larger quotient; None where ``ladder`` found no bound.
        how: where this number is from.
        reshaped: of a convolution, the norm of its kernel as a matrix, which is no bound.
    """

    name: str
    layer: str
    shape: Shape
    out_shape: Shape
    upper: float | None
    how: str
    reshaped: float | None = None


class Residual(nn.Sequential):
    """x + the modules called one after the other: at most 1 + the product of their constants.

    >>> import minigan
    >>> Residual(nn.Identity())(minigan.ones(1, 2)).tolist()
    [[2.0, 2.0]]
    """

    def forward(self, x: Any) -> Any:
        return x + super().forward(x)


def layer_bounds(net: nn.Module, shape: Shape) -> list[LayerBound]:
    """An upper bound for every layer of ``net``, in the order in which they run.

    Sequentials are opened, however deeply they are nested; a Residual is one layer.

    Args:
        net: in any mode and dtype.
        shape: of one input, without the batch.

    Raises:
        Unbounded: a layer has no finite bound.
        TypeError: ``net`` is no module, or does not turn one Tensor into one Tensor.
        ValueError: the input does not fit, or a layer's numbers are not finite.

    >>> net = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten())
    >>> [(each.layer, each.out_shape) for each in layer_bounds(net, (3, 4, 4))]
    [('Conv2d', (8, 4, 4)), ('LeakyReLU', (8, 4, 4)), ('Flatten', (128,))]
    """
    return [bound(*each) for each in layers(evaluated(net), shape)]


def product_bound(net: nn.Module, shape: Shape) -> float:
    """The product of ``layer_bounds``: no less than the Lipschitz constant of ``net``.

    >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Sigmoid())
    >>> _ = net[0].weight.data.copy_(nn.functional.one_hot(Tensor(np.arange(2))) * 3)
    >>> product_bound(net, (2,))
    0.75
    """
    return prod(each.upper for each in layer_bounds(net, shape))


def evaluated(net: nn.Module) -> nn.Module:
    """A float64 copy of ``net`` in evaluation, so that rounding is out of the way.

    Raises:
        TypeError: no module.
        ValueError: a parameter or buffer is not finite.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"lipschitz: expected an nn.Module, got {type(net).__name__}")
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if not np.isfinite(value.detach().cpu().numpy()).all():
            raise ValueError(f"lipschitz: expected finite numbers, {name!r} holds NaN or infinity")
    return deepcopy(net).cpu().double().eval().requires_grad_(False)


def layers(net: nn.Module, shape: Shape) -> Iterator[tuple[str, nn.Module, Shape, Shape]]:
    """(name, layer, input shape, output shape) of an ``evaluated`` network, Sequentials opened."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"lipschitz: shape expects a tuple, as (3, 32, 32), got {shape!r}")
    shape = tuple(shape)
    if not shape or not all(isinstance(n, int | np.integer) and n > 0 for n in shape):
        raise ValueError(f"lipschitz: shape expects positive numbers for one input, got {shape}")
    x = Tensor(np.zeros((2, *shape)))
    for name, layer in _opened(net, ""):
        called = f"lipschitz: {_called(layer, name)}"
        _expect_one_input(layer, called)
        if x.ndim < 2:
            raise TypeError(f"{called} expects inputs (N, …), the layer before gives {x.shape}")
        try:
            with no_grad(), np.errstate(all="ignore"):  # only the shapes count
                y = layer(x)
        except (RuntimeError, ValueError, IndexError) as error:
            raise ValueError(
                f"{called} does not take inputs of shape {x.shape[1:]} ({error})"
            ) from error
        if not isinstance(y, Tensor):
            raise TypeError(
                f"{called} gives a {type(y).__name__}, expected one Tensor (N, …); wrap it in a "
                "Module that picks one of its outputs"
            )
        if y.shape[:1] != (2,):
            raise TypeError(
                f"{called} gives shape {y.shape} for 2 inputs of shape {x.shape[1:]}, expected one "
                "output for each; of one that joins its inputs, give the part that sees them joined"
            )
        yield name, layer, x.shape[1:], y.shape[1:]
        x = y


def _expect_one_input(layer: nn.Module, called: str) -> None:
    try:
        signature(layer.forward).bind(None)
    except TypeError:
        taken = ", ".join(signature(layer.forward).parameters)
        raise TypeError(
            f"{called} takes ({taken}), expected one Tensor; wrap it in a Module that fixes the "
            "others"
        ) from None


def _opened(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    for kind in HOOKS:
        for hook in getattr(module, kind).values():
            if not isinstance(hook, SpectralNorm):  # which only sets the weight
                raise TypeError(
                    f"lipschitz: {_called(module, name)} has a hook that may change what it "
                    "computes, expected none but spectral_norm's"
                )
    if type(module).forward is nn.Sequential.forward:
        for key, inner in module._modules.items():
            yield from _opened(inner, f"{name}.{key}" if name else key)
    else:
        yield name, module


def _called(layer: nn.Module, name: str) -> str:
    return f"{type(layer).__name__} {name!r}" if name else type(layer).__name__


def bound(name: str, layer: nn.Module, shape: Shape, out_shape: Shape) -> LayerBound:
    """The bound of one of the ``layers``.

    Raises:
        Unbounded: there is none.
    """
    found = RULES.get(type(layer).forward)
    if found is None:
        raise Unbounded(
            f"lipschitz: there is no bound for {_called(layer, name)}; build the network of "
            "Sequentials of known layers, or give it a rule (lipschitz_rules.rule)"
        )
    upper, how = found(layer, shape, out_shape)
    if not 0 <= upper < inf:
        raise Unbounded(f"lipschitz: {_called(layer, name)} has no finite bound: {how}")
    reshaped = reshaped_norm(layer) if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) else None
    return LayerBound(name, type(layer).__name__, shape, out_shape, upper, how, reshaped)


@rule(Residual)
def _residual(layer: Any, shape: Shape, out_shape: Shape) -> tuple[float, str]:
    inner = nn.Sequential(dict(layer._modules))
    return 1 + prod(bound(*each).upper for each in layers(inner, shape)), "1 + the product inside"
