"""The linear part of a layer as an operator: its adjoint, its matrix, its norm.

A layer that computes A·x + b is asked for A·x = layer(x) - layer(0), and the engine's gradient is
Aᵀ·y: of a convolution with zero padding these are fprop and dgrad, so nothing is assumed about its
border.  The norm is ‖A‖ = max ‖A·x‖/‖x‖, the largest singular value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import numpy as np

from .._tensor import Tensor
from ..autograd import grad, no_grad

LARGEST = 2**22  # elements of a matrix that is written out
SMALLEST_SIDE = 1024  # its shorter side: the time of its norm grows with the cube


class Operator:
    """The linear part of an affine ``layer`` on inputs of ``shape``, without the batch.

    The layer has to be in float64 and in evaluation.

    Attributes:
        shape, out_shape: of one input and one output.

    >>> import minigan
    >>> layer = minigan.nn.Linear(2, 1, dtype="float64")
    >>> _ = layer.weight.data.copy_(minigan.tensor([[3.0, 4.0]], dtype="float64"))
    >>> operator = Operator(layer, (2,))
    >>> operator.matrix(), operator.adjoint(np.ones((1, 1)))
    (array([[3., 4.]]), array([[3., 4.]]))
    """

    def __init__(self, layer: Callable[[Tensor], Tensor], shape: tuple[int, ...]):
        self.layer, self.shape = layer, tuple(shape)
        with no_grad():
            self.offset = layer(Tensor(np.zeros((1, *self.shape))))
        self.out_shape = self.offset.shape[1:]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """A·x of a batch (N, *shape)."""
        with no_grad():
            return (self.layer(Tensor(x)) - self.offset).array

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Aᵀ·y of a batch (N, *out_shape)."""
        x = Tensor(np.zeros((len(y), *self.shape))).requires_grad_()
        return grad(self.layer(x), x, grad_outputs=Tensor(y))[0].array

    def is_small(self) -> bool:
        """Whether the matrix can be written out."""
        return can_be_written(prod(self.out_shape), prod(self.shape))

    def matrix(self) -> np.ndarray:
        """A written out, (outputs, inputs): the images of all unit vectors."""
        count = prod(self.shape)
        images = self.apply(np.eye(count).reshape(count, *self.shape))
        return np.ascontiguousarray(images.reshape(count, -1).T)


def can_be_written(rows: int, columns: int) -> bool:
    """Whether a matrix of this size is small enough for its singular values.

    >>> can_be_written(1000, 4000), can_be_written(2000, 2000)
    (True, False)
    """
    return rows * columns <= LARGEST and min(rows, columns) <= SMALLEST_SIDE


def spectral_norm(matrix: np.ndarray) -> float:
    """The largest singular value of a matrix, or of the largest of a stack (…, M, N).

    √λ_max of the smaller of A·Aᴴ and Aᴴ·A.  Squaring costs small singular values their digits, but
    the largest keeps a relative error of some (M + N)·2⁻⁵³.

    >>> round(spectral_norm(np.array([[3.0, 0.0], [0.0, -4.0]])), 12)
    4.0
    """
    scale = float(abs(matrix).max(initial=0.0))
    if scale == 0:
        return 0.0
    matrix = matrix / scale  # squares would leave the range of floats first
    across = matrix.swapaxes(-1, -2).conj()
    gram = matrix @ across if matrix.shape[-2] <= matrix.shape[-1] else across @ matrix
    return scale * float(np.sqrt(max(np.linalg.eigvalsh(gram)[..., -1].max(), 0.0)))


@dataclass(frozen=True)
class PowerIteration:
    """What a power iteration found.

    Attributes:
        value: ‖A·v‖ of the last unit vector v: never more than ‖A‖ (but for rounding).
        residual: ‖AᵀA·v - value²·v‖/value².  Some singular value lies within about half of this,
            relatively; that it is the largest one is likely, not certain.
        trace: ‖A·v‖ at every step; it never falls.
    """

    value: float
    residual: float
    trace: tuple[float, ...]


def power_iteration(
    operator: Operator, *, seed: int = 0, tolerance: float = 1e-6, steps: int = 1000
) -> PowerIteration:
    """‖A‖ from below: v ← AᵀA·v/‖AᵀA·v‖ from a random start until the residual is small.

    Every step is one fprop and one dgrad, so the operator is never written out.

    >>> import minigan
    >>> layer = minigan.nn.Conv2d(1, 1, 3, padding=1, bias=False, dtype="float64")
    >>> _ = layer.weight.data.fill_(1.0)
    >>> round(power_iteration(Operator(layer, (1, 2, 2))).value, 6)  # every pixel sees all four
    4.0
    """
    v = np.random.default_rng(seed).standard_normal((1, *operator.shape))
    v /= np.linalg.norm(v)
    trace, residual = [], np.inf
    for _ in range(steps):
        image = operator.apply(v)
        trace.append(float(np.linalg.norm(image)))
        back = operator.adjoint(image)
        length = float(np.linalg.norm(back))
        if length == 0:  # A·v = 0 for a random v: A = 0
            return PowerIteration(0.0, 0.0, tuple(trace))
        residual = float(np.linalg.norm(back - trace[-1] ** 2 * v)) / trace[-1] ** 2
        if residual <= tolerance:
            break
        v = back / length
    return PowerIteration(trace[-1], residual, tuple(trace))


def nonnegative_bound(operator: Operator, steps: int = 30) -> float:
    """An upper bound of ‖A‖ where A has no negative entry: averages, repetitions, borders.

    For every x > 0, ‖A‖² ≤ maxᵢ (AᵀA·x)ᵢ/xᵢ (Collatz 1942, Wielandt 1950).  The iterates of x = 1
    are tried and the least bound is taken.

    >>> import minigan
    >>> nonnegative_bound(Operator(minigan.nn.AvgPool2d(2), (1, 4, 4)))
    0.5
    """
    x = np.ones((1, *operator.shape))
    used = operator.adjoint(operator.apply(x)) > 0  # an input that nothing reads is a zero column
    best = np.inf if used.any() else 0.0
    for _ in range(steps if used.any() else 0):
        image = operator.adjoint(operator.apply(np.where(used, x, 0.0)))
        best = min(best, float((image[used] / x[used]).max()))
        # Far below the largest, x would underflow; any positive x gives a bound.
        x = np.maximum(image / image.max(), 1e-100)
    return float(np.sqrt(best))
