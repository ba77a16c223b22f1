"""What all optimizers share: groups of parameters, state, and updates in blocks.

Updates are done in place and in blocks small enough to stay in cache, so that a step reads and
writes every array once.  On a GPU one launch moves all parameters of a group, where the optimizer
says by which ``rule``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from .. import fused
from .._tensor import Tensor
from ..array import Array, array_module, to_device
from ..autograd import enable_grad, no_grad
from ..cpu.memory import inverse, memory_order
from ..fused import in_blocks, working_memory
from ..ops.creation import as_tensor, zeros_like
from .together import SMALL, Together


class Optimizer:
    """The base: groups of parameters with settings of their own, and state for each parameter.

    A subclass names its state arrays in ``slots`` and defines ``update``, which changes flat
    blocks of a parameter and its state in place.  Two settings mean the same everywhere:
    ``maximize`` climbs, with -g as the gradient g, and ``weight_decay`` then adds weight_decay·p.

    Args:
        params: leaf Tensors, or dicts {"params": leaf Tensors, and any setting that differs}.
        defaults: the settings where a group gives none.
    """

    slots: tuple[str, ...] = ()
    decay_in_gradient = True  # weight_decay·p is added to the gradient

    def __init__(self, params: Iterable, defaults: dict[str, Any]):
        name = type(self).__name__
        if isinstance(params, (Tensor, dict)):
            raise TypeError(
                f"{name}: params expects an iterable of Tensors or dicts, got one "
                f"{type(params).__name__}"
            )
        groups = list(params)
        if not groups:
            raise ValueError(f"{name}: got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        self._together: dict[tuple[Tensor, ...], Together] = {}
        self._kept: dict[tuple[Tensor, ...], dict[str, Any]] = {}  # between steps, on the device
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: dict[str, Any]) -> None:
        """Optimize more parameters: {"params": …, and any setting that differs}.

        Keys that are no settings are kept and have no effect, as in PyTorch.
        """
        name = type(self).__name__
        if not isinstance(group, dict) or "params" not in group:
            raise TypeError(f'{name}: expected a dict with "params", got {type(group).__name__}')
        params = group["params"]
        params = [params] if isinstance(params, Tensor) else list(params)
        known = {p for g in self.param_groups for p in g["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"{name}: params expects Tensors, got {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError(
                    f"{name}: only leaf Tensors can be optimized, got the result (shape {p.shape}) "
                    f"of an operation"
                )
            if p in known:
                raise ValueError(f"{name}: a parameter (shape {p.shape}) appears more than once")
            known.add(p)
        group = {**self.defaults, **group, "params": params}
        self.check(group)
        self.param_groups.append(group)

    def refuse(self, **options: Any) -> None:
        """Raise ValueError for PyTorch's options on *how* to compute, unless they are off."""
        for option, value in options.items():
            if value:
                raise ValueError(
                    f"{type(self).__name__}: {option}={value} is not available here, leave it out"
                )

    def check(self, group: dict[str, Any]) -> None:
        """Raise ValueError where a setting of ``group`` makes no sense."""
        for option in self.defaults:
            value = group[option]
            for number in value if isinstance(value, (tuple, list)) else (value,):
                if not number >= 0:  # NaN too
                    raise ValueError(
                        f"{type(self).__name__}: {option} must not be negative, got {value}"
                    )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients (or make them zero)."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None if set_to_none or p.grad is None else zeros_like(p.grad)

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter that has a gradient; returns what ``closure`` (if any) returns."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for params in self._alike(group):
                if not self._step_at_once(params, group):
                    for p in params:
                        if p.array.size > SMALL:
                            self._step_one(p, group, self.state[p])
                    small = [p for p in params if p.array.size <= SMALL]
                    if small:
                        self._step_together(small, group)
        return loss

    def _alike(self, group: dict[str, Any]) -> list[list[Tensor]]:
        """The parameters with a gradient, by all that an update depends on."""
        found: dict[tuple, list[Tensor]] = {}
        for p in group["params"]:
            if p.grad is not None:
                state = self.state.setdefault(p, {})
                alike = (p.dtype, p.device, state.get("step", 0), *sorted(state))
                found.setdefault(alike, []).append(p)
        return [*found.values()]

    def _step_at_once(self, params: list[Tensor], group: dict[str, Any]) -> bool:
        """The step by the device's own routine for this class; False if it has none."""
        arrays = [p.array for p in params]
        if not self._can_step_at_once(arrays):
            return False
        states = [self.state[p] for p in params]
        name, settings = self.rule(group, states[0])
        for state in states:
            state["step"] = state.get("step", 0) + 1
        used, pairs = self.used(group), [*zip(params, states, strict=True)]
        state_arrays = [
            [self._slot(p, state, slot, group, [*range(p.ndim)]) for p, state in pairs]
            if slot in used
            else None
            for slot in self.slots
        ]
        gradients = [p.grad.array for p in params]
        kept = self._kept_of(tuple(params))
        fused.step(name, settings, arrays, gradients, *state_arrays, kept=kept)
        for p in params:
            p.version[0] += 1
        return True

    def _can_step_at_once(self, arrays: list[Array]) -> bool:
        """By the device's routine for this very class; a subclass may compute otherwise."""
        return "rule" in vars(type(self)) and fused.can_step(arrays)

    def _kept_of(self, params: tuple[Tensor, ...]) -> dict[str, Any]:
        """What the steps that move these parameters have in common on the device."""
        if params not in self._kept and len(self._kept) >= 16 * len(self.param_groups):
            # Ever other parameters have gradients; what a recorded step reads has to stay.
            self._kept = {p: kept for p, kept in self._kept.items() if kept.get("recorded")}
        return self._kept.setdefault(params, {})

    def _step_one(self, p: Tensor, group: dict[str, Any], state: dict[str, Any]) -> None:
        state["step"] = state.get("step", 0) + 1
        constants = self.constants(group, state)
        # All in the order in which the parameter lies in memory, so that nothing is copied.
        order = memory_order(p.array)
        slots = [self._slot(p, state, slot, group, order) for slot in self.used(group)]
        values, gradient, *arrays = [
            a.transpose(order).reshape(-1) for a in (p.array, p.grad.array, *slots)
        ]
        self._apply(values, gradient, arrays, group, constants)
        ordered = p.array.transpose(order)
        if not ordered.flags.c_contiguous:  # a part of something else: its copy was updated
            ordered[...] = values.reshape(ordered.shape)
        p.version[0] += 1

    def _step_together(self, params: list[Tensor], group: dict[str, Any]) -> None:
        states = [self.state[p] for p in params]
        for state in states:
            state["step"] = state.get("step", 0) + 1
        constants = self.constants(group, states[0])
        together = self._together.get(tuple(params))
        if together is None or not together.fits():
            if len(self._together) >= 16:  # ever other parameters have gradients
                self._together.clear()
            together = self._together[tuple(params)] = Together(params)
        arrays = [together.slot(s, states, self.initial(group)) for s in self.used(group)]
        values = together.gather([p.array for p in params])
        gradient = together.gather([p.grad.array for p in params])
        self._apply(values, gradient, arrays, group, constants)
        together.scatter(values)

    def _apply(
        self, values: Array, gradient: Array, arrays: list[Array], group: dict, constants: dict
    ) -> None:
        """``update`` of flat arrays, block by block."""
        decay = group.get("weight_decay") if self.decay_in_gradient else None
        climb = group.get("maximize")
        xp = array_module(values)

        def update(part: slice) -> None:
            g = gradient[part]
            if decay:
                g = xp.multiply(values[part], decay, out=working_memory("changed", g))
                (xp.subtract if climb else xp.add)(g, gradient[part], out=g)
            elif climb:
                g = xp.negative(g, out=working_memory("changed", g))
            spare = working_memory("spare", g)
            self.update(values[part], g, *[a[part] for a in arrays], spare, **constants)

        in_blocks(update, values)

    def _slot(
        self, p: Tensor, state: dict[str, Any], slot: str, group: dict[str, Any], order: list[int]
    ) -> Array:
        """The state array of that name, with the parameter's dtype, device and memory order."""
        held = state.get(slot)
        if held is None:
            array = array_module(p.array).full_like(p.array, self.initial(group))
        else:  # another dtype or device: the module was moved
            array = to_device(held.array, p.device).astype(p.dtype, copy=False)
        if not array.transpose(order).flags.c_contiguous:
            array = array.transpose(order).copy("C").transpose(inverse(order))
        if held is None or array is not held.array:
            state[slot] = Tensor(array)
        return array

    def initial(self, group: dict[str, Any]) -> float:
        """What state arrays hold at first."""
        return 0.0

    def used(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The slots that this group's settings call for, in the order of ``slots``."""
        return self.slots

    def constants(self, group: dict[str, Any], state: dict[str, Any]) -> dict[str, Any]:
        """What ``update`` is told besides the arrays, the same for every block of a step."""
        raise NotImplementedError

    def update(self, *arrays: Array, **constants: Any) -> None:
        """Change one block in place, given the parameter, its gradient, the state and scratch."""
        raise NotImplementedError

    # -- state

    def __getstate__(self) -> dict[str, Any]:
        """Of a copy, whose state is no longer a part of what lies together here."""
        return {**self.__dict__, "_together": {}, "_kept": {}}

    def state_dict(self) -> dict[str, Any]:
        """State and settings, parameters replaced by their position, as PyTorch lays it out.

        The Tensors are the optimizer's own: the next step changes them.
        """
        index = {p: i for i, p in enumerate(p for g in self.param_groups for p in g["params"])}
        groups = []
        for group in self.param_groups:
            groups.append({**group, "params": [index[p] for p in group["params"]]})
        return {
            "state": {index[p]: dict(state) for p, state in self.state.items()},
            "param_groups": groups,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a copy of a ``state_dict`` (Tensors or arrays as state).

        Raises:
            ValueError: groups of other sizes, state of another optimizer, of a parameter that
                there is not or of another shape; then nothing has been changed.
        """
        where = f"{type(self).__name__}.load_state_dict"
        groups = state_dict["param_groups"]
        sizes = [len(g["params"]) for g in groups]
        own = [len(g["params"]) for g in self.param_groups]
        if sizes != own:
            raise ValueError(f"{where}: expected parameter groups of sizes {own}, got {sizes}")
        params = [p for g in self.param_groups for p in g["params"]]
        state: dict[Tensor, dict[str, Any]] = {}
        for key, values in state_dict["state"].items():
            i = int(key)  # text, where the state has been through JSON
            if not 0 <= i < len(params):
                raise ValueError(f"{where}: state of parameter {i}, there are {len(params)}")
            unknown = sorted(set(values) - {"step", *self.slots})
            if unknown:
                raise ValueError(f"{where}: state {unknown} is not {type(self).__name__}'s")
            p = params[i]
            state[p] = {}
            for slot, value in values.items():
                if slot == "step":
                    state[p][slot] = int(value)
                elif value is not None:
                    state[p][slot] = Tensor(_copied(f"{where}: {slot} of parameter {i}", value, p))
        merged = []
        for group, saved in zip(self.param_groups, groups, strict=True):
            merged.append({**group, **deepcopy(saved), "params": group["params"]})
            self.check(merged[-1])
        for group, new in zip(self.param_groups, merged, strict=True):
            group.update(new)
        self.state = state


def _copied(name: str, value: Any, p: Tensor) -> Array:
    """A copy of a Tensor or array on the device, of the dtype and in the memory order of ``p``.

    The order matters to the last bit: it decides in which order a matrix product adds.
    """
    array = as_tensor(value, device=p.device).array
    if array.shape != p.shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {p.shape}")
    copied = array_module(p.array).empty_like(p.array)
    copied[...] = array
    return copied
