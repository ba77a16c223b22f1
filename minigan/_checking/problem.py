"""From a function of tensors to numbers φ_k(x) whose first derivatives are f's k-th ones.

    φ_1(x) = Σ_j ⟨u_j, f_j(x)⟩            φ_k(x) = Σ_i ⟨v_i, ∂φ_{k-1}/∂x_i⟩

with random Gaussian cotangents u, v.  The engine's ∇φ_k is f's k-th derivative contracted with
them, so a mistake in any entry of it shows in φ_k with probability 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np

from .. import array as arrays
from .._tensor import Tensor
from ..autograd import enable_grad, grad


def on_host(array: Any) -> Any:
    """A NumPy array of the same values; what is no array stays as it is."""
    return arrays.to_device(array, "cpu") if hasattr(array, "dtype") else array


class Problem:
    """A function, the point at which it is checked, and the inputs it is differentiated by.

    The numbers live in NumPy arrays; tensors for the function are made on the inputs' devices.
    """

    def __init__(self, f: Callable[..., Any], inputs: Sequence[Any], wrt: Any):
        self.f = f
        self.full = [x.array if isinstance(x, Tensor) else x for x in inputs]
        self.is_tensor = [isinstance(x, (Tensor, np.ndarray)) for x in inputs]
        self.devices = [
            arrays.device_of(x) if tensor else None
            for x, tensor in zip(self.full, self.is_tensor, strict=True)
        ]
        self.full = [
            on_host(x) if tensor else x for x, tensor in zip(self.full, self.is_tensor, strict=True)
        ]
        floats = [
            i
            for i, (x, tensor) in enumerate(zip(self.full, self.is_tensor, strict=True))
            if tensor and x.dtype.kind == "f"
        ]
        for i in floats:
            self.full[i] = np.array(self.full[i], dtype=np.float64, order="C")
        self.wrt = floats if wrt is None else _chosen(wrt, floats, len(self.full))
        if not self.wrt:
            raise ValueError("gradcheck: no float input to differentiate by")
        self.floats = floats

    @property
    def point(self) -> list[np.ndarray]:
        """The arrays of the inputs to differentiate by."""
        return [self.full[i] for i in self.wrt]

    def rounded(self, dtype: Any) -> Problem:
        """The same problem at the nearest point that ``dtype`` represents, in float64 as before."""
        other = copy(self)
        other.full = [
            x.astype(dtype).astype(np.float64) if i in self.floats else x
            for i, x in enumerate(self.full)
        ]
        return other

    def leaves(self, xs: Sequence[np.ndarray]) -> list[Tensor]:
        """Fresh tensors of ``xs`` that want gradients."""
        places = [self.devices[i] for i in self.wrt]
        return [
            Tensor(arrays.to_device(np.asarray(x), place)).requires_grad_()
            for x, place in zip(xs, places, strict=True)
        ]

    def outputs(self, leaves: Sequence[Tensor], dtype: Any = None) -> list[Tensor]:
        """The float tensors that f returns; ``dtype``: of the float inputs not in ``wrt``."""
        full = []
        for i, x in enumerate(self.full):
            if self.is_tensor[i]:
                x = x.astype(dtype) if dtype is not None and i in self.floats else x
                x = Tensor(arrays.to_device(x, self.devices[i]))
            full.append(x)
        for i, leaf in zip(self.wrt, leaves, strict=True):
            full[i] = leaf
        result = self.f(*full)
        outputs = [result] if isinstance(result, Tensor) else result
        if not isinstance(outputs, (tuple, list)) or not all(
            isinstance(y, Tensor) for y in outputs
        ):
            raise TypeError(
                "gradcheck: expected the function to return a Tensor or a tuple of Tensors, "
                f"got {type(result).__name__}"
            )
        floats = [y for y in outputs if y.dtype.kind in "fc"]
        if not floats:
            raise ValueError("gradcheck: the function returns no float tensor")
        return floats


def _chosen(wrt: Any, floats: list[int], count: int) -> list[int]:
    chosen = [wrt] if isinstance(wrt, (int, np.integer)) else list(wrt)
    for i in chosen:
        if not -count <= i < count or i % count not in floats:
            raise ValueError(f"gradcheck: wrt names input {i}, which is not a float input")
    return [i % count for i in chosen]


class Phi:
    """φ_order with its random cotangents, which are drawn at the first call and then fixed."""

    def __init__(self, problem: Problem, order: int, rng: np.random.Generator):
        self.problem, self.order, self.rng = problem, order, rng
        self.cotangents: list[np.ndarray] = []
        self.magnitude = 0.0  # Σ_j |φ_1's terms|: what φ is rounded at

    def _against(self, k: int, y: Tensor) -> Tensor:
        """⟨cotangent k, y⟩."""
        while len(self.cotangents) <= k:
            self.cotangents.append(self.rng.standard_normal(y.shape))
        u = self.cotangents[k]
        if y.dtype.kind == "f" and y.dtype != u.dtype:
            u = u.astype(y.dtype)
        return (y * Tensor(arrays.to_device(u, y.device))).sum()

    def __call__(self, leaves: Sequence[Tensor], dtype: Any = None) -> Tensor:
        value, k, first = None, 0, not self.cotangents
        for y in self.problem.outputs(leaves, dtype):
            term = self._against(k, y)
            if first:
                self.magnitude += float(np.abs(on_host(y.array) * self.cotangents[k]).sum())
            value, k = term if value is None else value + term, k + 1
        for _ in range(1, self.order):
            gradients, value = gradients_of(value, leaves, create_graph=True), None
            for g in gradients:
                term = self._against(k, g)
                value, k = term if value is None else value + term, k + 1
        return value

    def at(self, xs: Sequence[np.ndarray]) -> Any:
        """The number φ(xs); a complex one where xs are complex."""
        with enable_grad():
            return on_host(self(self.problem.leaves(xs)).array).item()

    def engine(
        self, xs: Sequence[np.ndarray], create_graph: bool = False, dtype: Any = None
    ) -> tuple[float, list[np.ndarray]]:
        """φ(xs) and the engine's ∇φ(xs)."""
        with enable_grad():
            leaves = self.problem.leaves(xs)
            value = self(leaves, dtype)
            gradients = gradients_of(value, leaves, create_graph)
        return on_host(value.array).item(), [on_host(g.array) for g in gradients]


def gradients_of(
    value: Tensor, leaves: Sequence[Tensor], create_graph: bool = False
) -> Sequence[Tensor]:
    """∂value/∂leaves, zeros where there is no way from one to the other."""
    if value.requires_grad:
        return grad(
            value, leaves, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    return [Tensor(arrays.array_module(x.array).zeros_like(x.array)) for x in leaves]


def flat(found: tuple[float, Sequence[np.ndarray]]) -> list[np.ndarray]:
    """(value, gradients) as one list of arrays."""
    value, gradients = found
    return [np.asarray(value), *gradients]


def largest(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of finite entries."""
    finite = np.isfinite(a) & np.isfinite(b)
    return float(np.abs(a[finite] - b[finite]).max(initial=0.0))
