"""Derivatives of any order, twice over: by the engine, and by differences in long double.

The two share nothing: the engine differentiates a function of Tensors, the differences take a
function of plain NumPy arrays.
"""

from itertools import product

import numpy as np

import minigan

LONG = np.finfo(np.longdouble).eps < 1e-18  # 80 bits or more
STENCIL = ((-2, 1 / np.longdouble(12)), (-1, -8 / np.longdouble(12)))
STENCIL += ((1, 8 / np.longdouble(12)), (2, -1 / np.longdouble(12)))


def by_engine(f, arrays, directions):
    """∂ᵏ f along k directions, where f is a scalar function of Tensors."""
    xs = [minigan.tensor(x, requires_grad=True) for x in arrays]
    value = f(*xs)
    for direction in directions:
        gradients = minigan.grad(
            value, xs, create_graph=True, allow_unused=True, materialize_grads=True
        )
        terms = [(g * minigan.tensor(d)).sum() for g, d in zip(gradients, direction, strict=True)]
        value = sum(terms[1:], terms[0])
    return value.item()


def by_differences(f, arrays, directions, step=1e-3):
    """The same by 4-point central differences in long double, of error O(step⁴)."""
    arrays = [np.asarray(x, np.longdouble) for x in arrays]
    total = np.longdouble(0)
    for points in product(STENCIL, repeat=len(directions)):
        weight, moved = np.longdouble(1), list(arrays)
        for (k, coefficient), direction in zip(points, directions, strict=True):
            weight *= coefficient / step
            moved = [x + k * step * d for x, d in zip(moved, direction, strict=True)]
        total += weight * f(*moved)
    return float(total)


def random_directions(rng, arrays, order):
    return [[rng.standard_normal(np.shape(x)) for x in arrays] for _ in range(order)]
