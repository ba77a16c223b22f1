"""Tools on networks: clipping gradients, parameters as one vector, bounding an operator norm."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import fused
from .._tensor import Tensor
from ..array import array_module
from ..autograd import no_grad
from ..ops.creation import empty
from ..ops.shape import cat
from .conv import ConvTranspose2d
from .module import Module
from .parameter import Parameter


@no_grad()
def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
) -> Tensor:
    """Scale all gradients by one factor so that their common norm is at most ``max_norm``.

    The norm is that of all gradients as one vector, (Σ|g|^p)^(1/p); they are multiplied in place
    by min(1, max_norm/(norm + 1e-6)).

    Args:
        parameters: a Tensor or several; those without a gradient do not count.
        norm_type: p, any number; ∞ is the largest |g|, -∞ the smallest, 0 how many are not 0.
        error_if_nonfinite: refuse a norm that is infinite or NaN.

    Returns:
        The norm before, 0-d, of the first gradient's dtype.

    Raises:
        RuntimeError: see ``error_if_nonfinite``; the gradients are left as they were.

    >>> import minigan
    >>> p = minigan.tensor([3.0, 4.0], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> clip_grad_norm_([p], 1.0).item(), round(float((p.grad * p.grad).sum()), 4)
    (10.0, 1.0)
    """
    gradients = _gradients(parameters)
    if not gradients:
        return Tensor(np.zeros((), np.float32))
    if norm_type == 2 and not error_if_nonfinite and max_norm >= 0:
        on_device = fused.length([g.array for g in gradients], float(max_norm))
        if on_device is not None:
            for g in gradients:
                g.version[0] += 1
            return Tensor(on_device)
    with np.errstate(all="ignore"):  # infinite and NaN gradients are the caller's to judge
        total = _norm([g.array for g in gradients if g.numel()], float(norm_type))
        if error_if_nonfinite and not np.isfinite(total):
            raise RuntimeError(
                f"clip_grad_norm_: the gradients' norm of order {norm_type} is {total}"
            )
        factor = float(max_norm) / (total + 1e-6)
        if not factor >= 1:  # NaN too: it spreads to every gradient
            for g in gradients:
                g.mul_(factor)
        first = gradients[0].array
        return Tensor(array_module(first).asarray(total, first.dtype))


def _norm(arrays: list[Any], p: float) -> float:
    """The p-norm of all ``arrays`` as one vector, summed in float64."""
    if not arrays:
        return 0.0
    sizes = [abs(a) for a in arrays]
    if abs(p) == float("inf"):
        extreme = "max" if p > 0 else "min"
        return float(getattr(np, extreme)([float(getattr(s, extreme)()) for s in sizes]))
    if p == 0:
        return float(sum(int((s != 0).sum()) for s in sizes))
    return float(
        np.float64(sum(float((s.astype(np.float64) ** p).sum()) for s in sizes)) ** (1 / p)
    )


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Limit every element of every gradient to [-clip_value, clip_value], in place.

    >>> import minigan
    >>> p = minigan.tensor([3.0, -0.1], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> clip_grad_value_(p, 0.5); p.grad
    tensor([ 0.5, -0.2], dtype=float32)
    """
    for g in _gradients(parameters):
        g.clamp_(-float(clip_value), float(clip_value))


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened, one after the other; gradients flow through it.

    >>> import minigan
    >>> parameters_to_vector([minigan.ones(2, 2), minigan.zeros(1)])
    tensor([1., 1., 1., 1., 0.], dtype=float32)
    """
    return cat([p.reshape(-1) for p in parameters])


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy the slices of ``vec`` into the parameters: undoes ``parameters_to_vector``.

    The parameters keep their memory and dtype.

    Raises:
        TypeError: ``vec`` is no Tensor.
        RuntimeError: ``vec`` is not a vector of as many elements; nothing has been changed.

    >>> import minigan
    >>> p = minigan.zeros(2, 2)
    >>> vector_to_parameters(minigan.arange(4.0), [p]); p.tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    count = sum(p.numel() for p in parameters)
    if vec.shape != (count,):
        raise RuntimeError(
            f"vector_to_parameters: expected a vector of {count} elements, got shape {vec.shape}"
        )
    start = 0
    for p in parameters:
        p.copy_(vec[start : start + p.numel()].reshape(p.shape))
        start += p.numel()


class _NormalizedWeight(Tensor):
    """What stands in the layer between two forward passes, with the history of the last one.

    A deep copy of the layer takes the value alone: the copy's next forward makes its own.
    """

    __slots__ = ()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        copy = Tensor(self.array.copy())
        memo[id(self)] = copy
        return copy


class SpectralNorm:
    """The hook that ``spectral_norm`` runs before a layer's forward; it holds settings only.

    weight = weight_orig/σ with σ = uᵀ·W·v, where W is weight_orig as a matrix.  In training u and v
    first take ``iterations`` steps v ← Wᵀu/‖Wᵀu‖, u ← Wv/‖Wv‖.  They count as constants: the
    gradient goes through the W in σ.
    """

    def __init__(self, name: str, iterations: int, eps: float, dim: int):
        self.name, self.iterations, self.eps, self.dim = name, iterations, eps, dim

    def __call__(self, module: Module, inputs: tuple) -> None:
        setattr(module, self.name, self.compute(module, module.training))

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight with one row for each output."""
        if self.dim:
            order = [self.dim, *[d for d in range(weight.ndim) if d != self.dim]]
            weight = weight.permute(*order)
        return weight.reshape(weight.shape[0], -1)

    def unit(self, x: Any) -> Any:
        """The array x/max(‖x‖, eps)."""
        xp = array_module(x)
        return x / xp.maximum(xp.sqrt((x * x).sum()), self.eps)

    def compute(self, module: Module, iterate: bool) -> Tensor:
        """The normalised weight, after a power iteration if ``iterate``."""
        weight = getattr(module, self.name + "_orig")
        buffers = [getattr(module, self.name + suffix) for suffix in ("_u", "_v")]
        matrix = self.matrix(weight)
        # Copies: the buffers change in the next forward, while this one's gradient may be wanted.
        u, v = (buffer.array.copy() for buffer in buffers)
        if iterate:
            for _ in range(self.iterations):
                v = self.unit(matrix.array.T @ u)
                u = self.unit(matrix.array @ v)
            with no_grad():
                for buffer, new in zip(buffers, (u, v), strict=True):
                    buffer.copy_(Tensor(new))
        sigma = (matrix @ Tensor(v) * Tensor(u)).sum()
        result = weight / sigma
        return _NormalizedWeight(result.array, result.node, result.version)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a layer's weight by its largest singular value, kept up to date by power iteration.

    The parameter is from now on called ``name_orig``; the vectors are the buffers ``name_u`` and
    ``name_v``, and ``name`` becomes an attribute, set by every forward pass.  In training each
    pass starts with ``n_power_iterations`` iterations, in evaluation with none.

    Args:
        module: the layer; it is changed.
        eps: the smallest norm that the vectors are divided by.
        dim: the weight's dimension of outputs, the matrix's rows (default: 0, and 1 for
            ConvTranspose2d).

    Returns:
        The same module.

    Raises:
        ValueError: there is no such parameter, or ``n_power_iterations`` is not positive.
        RuntimeError: this parameter is normalised already.

    Source: Miyato et al. 2018, arXiv 1802.05957.

    >>> import minigan
    >>> layer = spectral_norm(minigan.nn.Linear(3, 2))
    >>> list(layer.state_dict())
    ['bias', 'weight_orig', 'weight_u', 'weight_v']
    """
    if _find(module, name) is not None:
        raise RuntimeError(
            f"spectral_norm: {name!r} of this {type(module).__name__} is normalised already"
        )
    weight = module._parameters.get(name)
    if weight is None:
        raise ValueError(f"spectral_norm: {type(module).__name__} has no parameter {name!r}")
    if n_power_iterations < 1:
        raise ValueError(
            f"spectral_norm: n_power_iterations must be positive, got {n_power_iterations}"
        )
    if dim is None:
        dim = 1 if isinstance(module, ConvTranspose2d) else 0
    hook = SpectralNorm(name, n_power_iterations, eps, dim)
    with no_grad():
        lengths = hook.matrix(weight).shape
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)  # the same object: optimizers may hold it
    # On the same memory, so that initialising ``weight`` before the first forward has an effect.
    setattr(module, name, weight.detach())
    for suffix, n in zip(("_u", "_v"), lengths, strict=True):
        start = empty(n, dtype=weight.dtype, device=weight.device).normal_()
        module.register_buffer(name + suffix, Tensor(hook.unit(start.array)))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo ``spectral_norm``: the normalised weight, as it is now, becomes the parameter.

    Raises:
        ValueError: this parameter is not normalised.

    >>> import minigan
    >>> layer = remove_spectral_norm(spectral_norm(minigan.nn.Linear(3, 2)))
    >>> list(layer.state_dict())
    ['bias', 'weight']
    """
    key = _find(module, name)
    if key is None:
        raise ValueError(
            f"remove_spectral_norm: {name!r} of this {type(module).__name__} is not normalised"
        )
    hook = module._forward_pre_hooks.pop(key)
    with no_grad():
        weight = hook.compute(module, iterate=False)
    for suffix in ("", "_u", "_v", "_orig"):
        delattr(module, name + suffix)
    module.register_parameter(name, Parameter(weight))
    return module


def _find(module: Module, name: str) -> int | None:
    """The key of the hook that normalises the parameter ``name``."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            return key
    return None
