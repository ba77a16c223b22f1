"""The algorithms, in order of increasing complexity.  Formulas and defaults are PyTorch's.

Adam and AdamW, the last of them, have a file of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

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
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        self.refuse(foreach=foreach, differentiable=differentiable, fused=fused)
        super().__init__(
            params,
            {
                "lr": lr,
                "momentum": momentum,
                "dampening": dampening,
                "weight_decay": weight_decay,
                "nesterov": nesterov,
                "maximize": maximize,
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

    def rule(self, group, state):
        """The kernel that computes ``update`` on a GPU, and the settings that it is sent."""
        names = ("lr", "momentum", "weight_decay", "nesterov", "maximize")
        dampening = group["dampening"] if "momentum_buffer" in state else 0.0
        return "sgd", {**{name: group[name] for name in names}, "dampening": dampening}

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
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        self.refuse(foreach=foreach, differentiable=differentiable, fused=fused)
        super().__init__(
            params,
            {
                "lr": lr,
                "lr_decay": lr_decay,
                "eps": eps,
                "weight_decay": weight_decay,
                "initial_accumulator_value": initial_accumulator_value,
                "maximize": maximize,
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
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        self.refuse(capturable=capturable, foreach=foreach, differentiable=differentiable)
        super().__init__(
            params,
            {
                "lr": lr,
                "alpha": alpha,
                "eps": eps,
                "weight_decay": weight_decay,
                "momentum": momentum,
                "centered": centered,
                "maximize": maximize,
            },
        )

    def used(self, group):
        optional = {"grad_avg": group["centered"], "momentum_buffer": group["momentum"]}
        return tuple(slot for slot in self.slots if optional.get(slot, True))

    def constants(self, group, state):
        return {k: group[k] for k in ("lr", "alpha", "eps", "momentum", "centered")}

    def rule(self, group, state):
        """The kernel that computes ``update`` on a GPU, and the settings that it is sent."""
        names = ("lr", "alpha", "eps", "weight_decay", "momentum", "maximize")
        return "rmsprop", {name: group[name] for name in names}

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
