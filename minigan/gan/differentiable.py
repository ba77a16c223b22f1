"""Optimizer steps that can be differentiated: a network some steps ahead, as a function of now.

An optimizer of ``minigan.optim`` changes parameters in place.  Here its rule is written in Tensor
operations instead: θ₁ = rule(θ₀, ∇L(θ₀)), θ₂ = rule(θ₁, ∇L(θ₁)), … are Tensors with their graph,
through the gradients and through the optimizer's own moments, and nothing is changed.

The numbers that a rule takes from the host, rates and what Adam's steps count, come as a Tensor, so
that a step which a GPU has recorded can be given other ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from .. import array as arrays
from .. import fused
from .._tensor import Tensor
from ..autograd import grad, no_grad
from ..nn import Module
from ..ops.accumulate import Root
from ..ops.creation import zeros_like
from ..ops.kinks import where
from ..optim import SGD, Adam, Optimizer, RMSprop

State = dict[str, Any]
Numbers = Callable[[], np.ndarray]


@contextmanager
def replaced(module: Module, values: Mapping[Tensor, Tensor]) -> Iterator[Module]:
    """A block in which ``module`` computes with ``values[p]`` in the place of its parameter p.

    Buffers that change meanwhile (BatchNorm's running statistics, the vectors of spectral norm) are
    put back.

    >>> import minigan
    >>> layer = minigan.nn.Linear(1, 1, bias=False)
    >>> with replaced(layer, {layer.weight: minigan.tensor([[3.0]])}):
    ...     layer(minigan.ones(1, 1))
    tensor([[3.]], dtype=float32)
    """
    homes = [
        (inner._parameters, name, p)
        for inner in module.modules()
        for name, p in inner._parameters.items()
        if p is not None and p in values
    ]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()]
    for home, name, p in homes:
        home[name] = values[p]
    try:
        yield module
    finally:
        for home, name, p in homes:
            home[name] = p
        with no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)


def look_ahead(
    module: Module,
    optimizer: Optimizer,
    loss: Callable[[Module], Tensor],
    steps: int,
    average: Callable[[list[Tensor]], list[Tensor]] = lambda slopes: slopes,
    given: Callable[[Numbers], Tensor] | None = None,
) -> dict[Tensor, Tensor]:
    """The parameters of ``module`` after ``steps`` steps of ``optimizer`` down ``loss``.

    Args:
        module: stays as it is; so does ``optimizer``, whose state and settings the steps begin
            with.
        loss: of the module (with other parameters in it), called once a step.
        average: makes of this rank's gradients those of all ranks, differentiably.
        given: brings the numbers that a function makes, float64, to where the parameters are.

    Returns:
        For each parameter its value then, differentiable with respect to everything in ``loss``.
        With 0 steps: the parameters of now.

    Raises:
        ValueError: the optimizer's rule is not known here.

    >>> import minigan
    >>> layer = minigan.nn.Linear(1, 1, bias=False)
    >>> target = minigan.tensor([[5.0]], requires_grad=True)
    >>> sgd = minigan.optim.SGD(layer.parameters(), lr=0.25)
    >>> ahead = look_ahead(layer, sgd, lambda m: ((m.weight - target) ** 2).sum(), 1)
    >>> minigan.grad(ahead[layer.weight], target)[0].item()     # w - lr·2(w - t): 2·lr
    0.5
    """
    rule, factors = _rule(optimizer)
    values = {p: p.detach().requires_grad_() for p in module.parameters()}
    states: dict[Tensor, State] = {p: dict(optimizer.state.get(p, {})) for p in values}
    groups = {p: group for group in optimizer.param_groups for p in group["params"]}
    alike: dict[Any, list[Tensor]] = {}  # with the same settings and number of steps
    for p in values:
        alike.setdefault((id(groups[p]), states[p].get("step")), []).append(p)
    place = {p: i for i, some in enumerate(alike.values()) for p in some}

    def numbers() -> np.ndarray:  # by step ahead and place, of what the optimizer is like then
        first = [some[0] for some in alike.values()]
        now = [(groups[p], optimizer.state.get(p, {}).get("step", 0)) for p in first]
        ahead = range(1, steps + 1)
        return np.array([[factors(group, taken + i) for group, taken in now] for i in ahead])

    given = given or partial(brought, device=next(module.parameters()).device)
    rates = given(numbers) if steps else None
    for ahead in range(steps):
        with replaced(module, values):
            now = loss(module)
        slopes = grad(now, list(values.values()), create_graph=True, materialize_grads=True)
        moved = {}
        for (p, value), g in zip(values.items(), average(list(slopes)), strict=True):
            own = rates[ahead, place[p]].to(value.dtype)
            moved[p] = rule(value, g, states[p], groups[p], own[0], own[1])
        values = moved
    return values


def brought(make: Numbers, device: Any) -> Tensor:
    """The numbers that the host makes now, on the device, which is not waited for."""
    numbers = make()
    return Tensor(fused.bring(numbers, arrays.made("empty", device, numbers.shape, numbers.dtype)))


def _rule(optimizer: Optimizer) -> tuple[Callable[..., Tensor], Callable[..., tuple]]:
    """The optimizer's rule in Tensor operations, and (settings, step) → its two factors."""
    kind = type(optimizer)
    options = ("weight_decay", "momentum", "amsgrad", "maximize", "centered")
    if kind not in RULES or any(g.get(o) for g in optimizer.param_groups for o in options):
        raise ValueError(
            f"look_ahead: expected SGD, RMSprop or Adam without {', '.join(options)}, got "
            f"{kind.__name__}"
        )
    return RULES[kind]


def sgd(
    p: Tensor, g: Tensor, state: State, group: dict[str, Any], rate: Tensor, root: Tensor
) -> Tensor:
    """p - lr·g."""
    return p - g * rate


def rmsprop(
    p: Tensor, g: Tensor, state: State, group: dict[str, Any], rate: Tensor, root: Tensor
) -> Tensor:
    """p - lr·g/(√v + ε) with v ← α·v + (1 - α)·g²."""
    v = state.get("square_avg", zeros_like(p)) * group["alpha"] + g * g * (1 - group["alpha"])
    state["square_avg"] = v
    return p - _over_root(g, v, root, group["eps"]) * rate


def adam(
    p: Tensor, g: Tensor, state: State, group: dict[str, Any], rate: Tensor, root: Tensor
) -> Tensor:
    """p - lr·m̂/(√v̂ + ε), as in ``optim/adam.py``; m and v carry their graph from step to step."""
    beta1, beta2 = group["betas"]
    m = state.get("exp_avg", zeros_like(p)) * beta1 + g * (1 - beta1)
    v = state.get("exp_avg_sq", zeros_like(p)) * beta2 + g * g * (1 - beta2)
    state["exp_avg"], state["exp_avg_sq"] = m, v
    return p - _over_root(m, v, root, group["eps"]) * rate


def _constant(group: dict[str, Any], step: int) -> tuple[float, float]:
    return group["lr"], 1.0


def _corrected(group: dict[str, Any], step: int) -> tuple[float, float]:
    """Adam's rate and the factor of √v, which make up for moments that begin with 0."""
    beta1, beta2 = group["betas"]
    return group["lr"] / (1 - beta1**step), 1 / sqrt(1 - beta2**step)


def _over_root(x: Tensor, v: Tensor, scale: Tensor, eps: float) -> Tensor:
    """x/(√v·scale + ε); where v = 0, that is where no gradient ever was, a constant.

    √v has no derivative at 0 and 1/ε, the other factor, no meaning: such an entry contributes
    nothing.
    """
    x = where(Tensor(v.array != 0), x, x.detach())
    return x / (Root()(v) * scale + eps)


RULES = {SGD: (sgd, _constant), RMSprop: (rmsprop, _constant), Adam: (adam, _corrected)}
