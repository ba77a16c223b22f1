"""Adam and AdamW: momentum, and a rate for every number.  Formulas and defaults are PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from ..array import array_module
from .optimizer import Optimizer


class Adam(Optimizer):
    """m ← β₁·m + (1 - β₁)·g,  v ← β₂·v + (1 - β₂)·g²,  p ← p - lr·m̂/(√v̂ + ε).

    m̂ = m/(1 - β₁ᵗ) and v̂ = v/(1 - β₂ᵗ) undo the bias of starting at zero.  With ``amsgrad`` the
    largest v so far stands in the place of v, so that a rate never grows again.

    Source: Kingma & Ba 2015, arXiv 1412.6980; AMSGrad: Reddi et al. 2018, arXiv 1904.09237.
    """

    slots = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        self.refuse(foreach=foreach, capturable=capturable)
        self.refuse(differentiable=differentiable, fused=fused)
        super().__init__(
            params,
            {
                "lr": lr,
                "betas": tuple(betas),
                "eps": eps,
                "weight_decay": weight_decay,
                "amsgrad": amsgrad,
                "maximize": maximize,
            },
        )

    def check(self, group):
        super().check(group)
        if not all(b < 1 for b in group["betas"]):
            raise ValueError(f"{type(self).__name__}: betas must be below 1, got {group['betas']}")

    def used(self, group):
        return self.slots if group["amsgrad"] else self.slots[:2]

    def constants(self, group, state):
        beta1, beta2 = group["betas"]
        step = state["step"]
        return {
            "beta1": beta1,
            "beta2": beta2,
            "eps": group["eps"],
            "rate": group["lr"] / (1 - beta1**step),
            "root": 1 / sqrt(1 - beta2**step),
        }

    def rule(self, group, state):
        """The kernel that computes ``update`` on a GPU, and the settings that it is sent."""
        names = ("lr", "betas", "eps", "weight_decay", "maximize")
        settings = {name: group[name] for name in names}
        return "adam", {**settings, "decoupled": False, "step": state.get("step", 0)}

    def update(self, p, g, m, v, *arrays, beta1, beta2, eps, rate, root):
        *largest, scratch = arrays
        xp = array_module(p)
        m *= beta1
        m += xp.multiply(g, 1 - beta1, out=scratch)
        v *= beta2
        xp.multiply(g, g, out=scratch)
        scratch *= 1 - beta2
        v += scratch
        if largest:
            v = xp.maximum(largest[0], v, out=largest[0])
        xp.sqrt(v, out=scratch)
        scratch *= root
        scratch += eps
        xp.divide(m, scratch, out=scratch)
        scratch *= rate
        p -= scratch


class AdamW(Adam):
    """Adam with the decay apart from the gradient: first p ← p·(1 - lr·weight_decay).

    Source: Loshchilov & Hutter 2017, arXiv 1711.05101.
    """

    decay_in_gradient = False

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        self.refuse(foreach=foreach, capturable=capturable)
        self.refuse(differentiable=differentiable, fused=fused)
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, maximize=maximize)

    def constants(self, group, state):
        shrink = 1 - group["lr"] * group["weight_decay"]
        return {**super().constants(group, state), "shrink": shrink}

    def rule(self, group, state):
        name, settings = super().rule(group, state)
        return name, {**settings, "decoupled": True}

    def update(self, p, *arrays, shrink, **constants):
        p *= shrink
        super().update(p, *arrays, **constants)
