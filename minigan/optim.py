"""Optimizers: how parameters move along their gradients.  Formulas and defaults are PyTorch's.

Updates are done in place and in blocks small enough to stay in cache, so that a step reads and
writes every array once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from typing import Any

import numpy as np

from ._tensor import Tensor
from .array import Array, array_module
from .autograd import no_grad

BLOCK = 1 << 15  # elements updated at a time


class Optimizer:
    """The base: groups of parameters with settings of their own, and state for each parameter.

    A subclass names its state arrays in ``slots`` and defines ``update``, which changes flat
    blocks of a parameter and its state in place.
    """

    slots: tuple[str, ...] = ()

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        params = list(params) if not isinstance(params, Tensor) else None
        name = type(self).__name__
        if params is None:
            raise TypeError(f"{name}: params expects an iterable of Tensors or dicts, got a Tensor")
        if not params:
            raise ValueError(f"{name}: got an empty parameter list")
        for option, value in defaults.items():
            for number in value if isinstance(value, tuple) else (value,):
                if not isinstance(number, bool) and number < 0:
                    raise ValueError(f"{name}: {option} must not be negative, got {value}")
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        for group in params if isinstance(params[0], dict) else [{"params": params}]:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Optimize more parameters: {"params": …, and any setting that differs}."""
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {id(p) for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor) or not p.is_leaf:
                raise TypeError(f"{type(self).__name__}: expected leaf Tensors, got {p!r:.60}")
            if id(p) in known:
                raise ValueError(f"{type(self).__name__}: a parameter appears more than once")
            known.add(id(p))
        self.param_groups.append({**self.defaults, **group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or make them zero)."""
        for group in self.param_groups:
            for p in group["params"]:
                if set_to_none or p.grad is None:
                    p.grad = None
                else:
                    p.grad = Tensor(p.grad.array * 0)

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; returns what ``closure`` (if any) returns."""
        from .autograd import enable_grad

        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._step_one(p, group)
        return loss

    def _step_one(self, p: Tensor, group: dict[str, Any]) -> None:
        state = self.state.get(p)
        if state is None:
            state = self.state[p] = {"step": 0, **self._fresh(p, group)}
        state["step"] += 1
        xp = array_module(p.array)
        values = xp.ascontiguousarray(p.array).reshape(-1)
        gradient = xp.ascontiguousarray(p.grad.array).reshape(-1)
        arrays = [state[slot].array.reshape(-1) for slot in self.slots if slot in state]
        constants = self.constants(group, state["step"])
        block = BLOCK if xp is np else max(p.numel(), 1)
        scratch = xp.empty(min(block, p.numel()), p.dtype), xp.empty(min(block, p.numel()), p.dtype)
        for start in range(0, p.numel(), block):
            part = slice(start, start + block)
            n = values[part].size
            g = gradient[part]
            if group.get("weight_decay"):
                g = xp.multiply(values[part], group["weight_decay"], out=scratch[1][:n])
                g += gradient[part]
            self.update(values[part], g, *[a[part] for a in arrays], scratch[0][:n], **constants)
        if not p.array.flags.c_contiguous:
            p.array[...] = values.reshape(p.shape)
        p.version[0] += 1

    def _fresh(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        xp = array_module(p.array)
        return {slot: Tensor(xp.zeros(p.shape, p.dtype)) for slot in self.slots}

    def constants(self, group: dict[str, Any], step: int) -> dict[str, Any]:
        """What ``update`` is told besides the arrays, the same for every block of a step."""
        raise NotImplementedError

    def update(self, *arrays: Array, **constants: Any) -> None:
        """Change one block of parameter and state in place."""
        raise NotImplementedError

    # -- state

    def state_dict(self) -> dict[str, Any]:
        """State and settings, parameters replaced by their position, as PyTorch lays it out."""
        index = {p: i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = []
        for group in self.param_groups:
            groups.append({**group, "params": [index[p] for p in group["params"]]})
        return {
            "state": {index[p]: dict(state) for p, state in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a ``state_dict`` (Tensors or arrays as state)."""
        groups = state_dict["param_groups"]
        sizes = [len(g["params"]) for g in groups]
        own = [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ValueError(
                f"{type(self).__name__}.load_state_dict: expected parameter groups of sizes {own}, "
                f"got {sizes}"
            )
        params = [p for g in self.param_groups for p in g["params"]]
        state: dict[Tensor, dict[str, Any]] = {}
        for i, values in state_dict["state"].items():
            p = params[int(i)]
            state[p] = {}
            for key, value in values.items():
                if key == "step":
                    state[p][key] = int(value)
                    continue
                array = value.array if isinstance(value, Tensor) else value
                if array.shape != p.shape:
                    raise ValueError(
                        f"{type(self).__name__}.load_state_dict: {key} of parameter {i} has shape "
                        f"{array.shape}, expected {p.shape}"
                    )
                xp = array_module(p.array)
                state[p][key] = Tensor(xp.array(array, dtype=p.dtype, order="C"))
        self.state = state
        for group, saved in zip(self.param_groups, groups, strict=True):
            group.update({k: v for k, v in saved.items() if k != "params"})


class SGD(Optimizer):
    """p ← p - lr·d, with d = g, or with momentum v ← μ·v + (1 - dampening)·g and d = v.

    The first step's velocity is g itself; Nesterov's form takes d = g + μ·v.

    >>> import minigan
    >>> p = minigan.tensor(1.0, requires_grad=True)
    >>> (p * 3).backward(); SGD([p], lr=0.1).step(); round(p.item(), 3)
    0.7
    """

    slots = ("momentum_buffer",)

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ):
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("SGD: nesterov needs a momentum and zero dampening")
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
            },
        )

    def _fresh(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        return super()._fresh(p, group) if group["momentum"] else {}

    def constants(self, group, step):
        return {
            "lr": group["lr"],
            "momentum": group["momentum"],
            "share": 1.0 if step == 1 else 1 - group["dampening"],
            "nesterov": group["nesterov"],
        }

    def update(self, p, g, *arrays, lr, momentum, share, nesterov):
        *velocity, scratch = arrays
        xp = array_module(p)
        if velocity:
            v = velocity[0]
            v *= momentum
            v += xp.multiply(g, share, out=scratch)
            if nesterov:
                xp.multiply(v, momentum, out=scratch)
                scratch += g
                g = scratch
            else:
                g = v
        p -= xp.multiply(g, lr, out=scratch)


class RMSprop(Optimizer):
    """v ← α·v + (1 - α)·g²;  p ← p - lr·g/(√v + ε), with momentum a velocity of such steps.

    Source: Tieleman & Hinton 2012; centred form: Graves 2013.
    """

    slots = ("square_avg", "grad_avg", "momentum_buffer")

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
            },
        )

    def _fresh(self, p: Tensor, group: dict[str, Any]) -> dict[str, Tensor]:
        state = super()._fresh(p, group)
        if not group["centered"]:
            del state["grad_avg"]
        if not group["momentum"]:
            del state["momentum_buffer"]
        return state

    def constants(self, group, step):
        return {k: group[k] for k in ("lr", "alpha", "eps", "momentum", "centered")}

    def update(self, p, g, v, *arrays, lr, alpha, eps, momentum, centered):
        *others, scratch = arrays
        xp = array_module(p)
        v *= alpha
        xp.multiply(g, g, out=scratch)
        scratch *= 1 - alpha
        v += scratch
        if centered:
            average = others[0]
            average *= alpha
            average += xp.multiply(g, 1 - alpha, out=scratch)
            xp.multiply(average, average, out=scratch)
            xp.subtract(v, scratch, out=scratch)
            xp.sqrt(scratch, out=scratch)
        else:
            xp.sqrt(v, out=scratch)
        scratch += eps
        xp.divide(g, scratch, out=scratch)
        if momentum:
            velocity = others[-1]
            velocity *= momentum
            velocity += scratch
            p -= xp.multiply(velocity, lr, out=scratch)
        else:
            scratch *= lr
            p -= scratch


class Adam(Optimizer):
    """m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²,  p ← p - lr·m̂/(√v̂ + ε).

    m̂ = m/(1 - β₁ᵗ) and v̂ = v/(1 - β₂ᵗ) undo the bias of starting at zero.

    Source: Kingma & Ba 2015, arXiv 1412.6980.
    """

    slots = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ):
        if not all(0 <= b < 1 for b in betas):
            raise ValueError(f"Adam: betas must lie in [0, 1), got {betas}")
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        )

    def constants(self, group, step):
        beta1, beta2 = group["betas"]
        return {
            "beta1": beta1,
            "beta2": beta2,
            "eps": group["eps"],
            "rate": group["lr"] / (1 - beta1**step),
            "root": 1 / sqrt(1 - beta2**step),
        }

    def update(self, p, g, m, v, scratch, *, beta1, beta2, eps, rate, root):
        xp = array_module(p)
        m *= beta1
        m += xp.multiply(g, 1 - beta1, out=scratch)
        v *= beta2
        xp.multiply(g, g, out=scratch)
        scratch *= 1 - beta2
        v += scratch
        xp.sqrt(v, out=scratch)
        scratch *= root
        scratch += eps
        xp.divide(m, scratch, out=scratch)
        scratch *= rate
        p -= scratch
