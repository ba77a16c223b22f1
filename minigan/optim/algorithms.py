"""The algorithms, in order of increasing complexity.  Formulas and defaults are PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable
from math import sqrt

from ..array import array_module
from .optimizer import Optimizer


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

    def check(self, group):
        super().check(group)
        if group["nesterov"] and (not group["momentum"] or group["dampening"]):
            raise ValueError("SGD: nesterov needs a momentum and zero dampening")

    def used(self, group):
        return self.slots if group["momentum"] else ()

    def constants(self, group, state):
        return {
            "lr": group["lr"],
            "momentum": group["momentum"],
            "share": 1 - group["dampening"] if "momentum_buffer" in state else 1.0,
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


class Adagrad(Optimizer):
    """s ← s + g²;  p ← p - lr/(1 + (t - 1)·lr_decay)·g/(√s + ε).

    Source: Duchi et al. 2011.
    """

    slots = ("sum",)

    def __init__(
        self,
        params: Iterable,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
    ):
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
            },
        )

    def initial(self, group):
        return group["initial_accumulator_value"]

    def constants(self, group, state):
        rate = group["lr"] / (1 + (state["step"] - 1) * group["lr_decay"])
        return {"rate": rate, "eps": group["eps"]}

    def update(self, p, g, s, scratch, *, rate, eps):
        xp = array_module(p)
        s += xp.multiply(g, g, out=scratch)
        xp.sqrt(s, out=scratch)
        scratch += eps
        xp.divide(g, scratch, out=scratch)
        scratch *= rate
        p -= scratch


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

    def used(self, group):
        optional = {"grad_avg": group["centered"], "momentum_buffer": group["momentum"]}
        return tuple(slot for slot in self.slots if optional.get(slot, True))

    def constants(self, group, state):
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
            xp.maximum(scratch, 0, out=scratch)  # a variance that rounding made negative
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
        super().__init__(
            params, {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        )

    def check(self, group):
        super().check(group)
        if not all(b < 1 for b in group["betas"]):
            raise ValueError(f"{type(self).__name__}: betas must be below 1, got {group['betas']}")

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
    ):
        super().__init__(params, lr, betas, eps, weight_decay)

    def constants(self, group, state):
        shrink = 1 - group["lr"] * group["weight_decay"]
        return {**super().constants(group, state), "shrink": shrink}

    def update(self, p, *arrays, shrink, **constants):
        p *= shrink
        super().update(p, *arrays, **constants)
