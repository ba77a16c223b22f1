"""Small parameters end to end in one array, so that one update serves them all.

A network's biases and normalisations are many and short: their updates cost calls, not arithmetic.
The state of such parameters lies in one flat array for each slot, of which every parameter's own
state is a view; values and gradients are brought together for the update and values taken back.
"""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any

from .._tensor import Tensor
from ..array import Array, array_module, to_device
from ..cpu.memory import inverse, memory_order

SMALL = 1 << 14  # numbers in a parameter, at most


class Together:
    """Parameters of one dtype and device, each in the order in which it lies in memory."""

    def __init__(self, params: list[Tensor]):
        self.params = params
        self.kind, self.shapes = (params[0].dtype, params[0].device), [p.shape for p in params]
        self.orders = [memory_order(p.array) for p in params]
        bounds = list(accumulate((p.array.size for p in params), initial=0))
        self.parts = [slice(*bound) for bound in pairwise(bounds)]
        self.size = bounds[-1]
        self.slots: dict[str, tuple[Array, list[Array]]] = {}

    def fits(self) -> bool:
        """Whether the parameters still lie in memory as they did: a module may have moved."""
        if self.kind != (self.params[0].dtype, self.params[0].device):
            return False
        shapes, orders = zip(*[(p.shape, memory_order(p.array)) for p in self.params], strict=True)
        return self.shapes == [*shapes] and self.orders == [*orders]

    def gather(self, arrays: list[Array]) -> Array:
        """One array of the parameters' own shape for each of them, end to end."""
        flat = [a.transpose(o).reshape(-1) for a, o in zip(arrays, self.orders, strict=True)]
        return array_module(arrays[0]).concatenate(flat)

    def scatter(self, flat: Array) -> None:
        """The parameters take these values, in place."""
        for p, order, part in zip(self.params, self.orders, self.parts, strict=True):
            ordered = p.array.transpose(order)
            ordered[...] = flat[part].reshape(ordered.shape)
            p.version[0] += 1

    def slot(self, name: str, states: list[dict[str, Any]], initial: float) -> Array:
        """The state of that name end to end; what is not there yet is brought there."""
        if name not in self.slots:
            flat = array_module(self.params[0].array).empty(self.size, self.kind[0])
            self.slots[name] = flat, [self._view(flat, i) for i in range(len(self.params))]
        flat, views = self.slots[name]
        for p, view, state in zip(self.params, views, states, strict=True):
            held = state.get(name)
            if held is None or held.array is not view:
                view[...] = initial if held is None else to_device(held.array, p.device)
                state[name] = Tensor(view)
        return flat

    def _view(self, flat: Array, i: int) -> Array:
        """The i-th part of ``flat``, shaped and ordered as the parameter."""
        order = self.orders[i]
        shape = [self.params[i].shape[d] for d in order]
        return flat[self.parts[i]].reshape(shape).transpose(inverse(order))
