"""What the fused operations are, in array-module calls; also right for complex arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..array import Array, array_module


def leaky_relu(x: Array, slope: float) -> Array:
    xp = array_module(x)
    if slope == 0:
        return xp.maximum(x, 0)
    if 0 < slope <= 1:
        return xp.maximum(x, x * slope)
    return xp.where(x.real > 0, x, x * slope)


def leaky_relu_grad(g: Array, s: Array, slope: float) -> Array:
    xp, dtype, positive = array_module(s), s.real.dtype, s.real > 0
    if not 0 <= slope <= 1:
        return g * xp.asarray(xp.where(positive, 1.0, slope), dtype=dtype)
    factor = xp.asarray(positive, dtype=dtype)
    return g * (xp.maximum(factor, slope, out=factor) if slope else factor)


def centred(images: Array, chosen: Any) -> Array:
    values = (images if chosen is None else images[chosen]).astype(np.float32)
    values /= 127.5
    values -= 1
    return values


def packed(x: Array) -> Array:
    """Half a step is added, or a little less where the last bit that stays is 0, and cut off."""
    xp = array_module(x)
    bits = x.view(np.uint32)
    halves = xp.asarray(bits >> 16)
    halves &= 1
    halves += 0x7FFF
    halves += bits
    halves >>= 16
    xp.copyto(halves, (bits >> 16) | 0x40, where=xp.isnan(x))  # whose bits may have carried
    return halves.astype(np.uint16)


def unpacked(halves: Array) -> Array:
    xp = array_module(halves)
    bits = xp.asarray(halves.astype(np.uint32))
    bits <<= 16
    return bits.view(np.float32)


def rounded(x: Array) -> Array:
    return unpacked(packed(x))


def tanh_grad(g: Array, y: Array) -> Array:
    return g * (1 - y * y)


def sigmoid(x: Array) -> Array:
    xp = array_module(x)
    z = xp.exp(-magnitude(x))  # never overflows
    return xp.where(x.real >= 0, xp.ones_like(z), z) / (1 + z)


def sigmoid_grad(g: Array, y: Array) -> Array:
    return g * (y * (1 - y))


def softplus(x: Array) -> Array:
    xp = array_module(x)
    positive = xp.where(x.real > 0, x, xp.zeros_like(x))
    return positive + xp.log1p(xp.exp(-magnitude(x)))


def logistic(x: Array, p: Array, q: Array) -> Array:
    """Both softplus have ln(1 + e^-|x|) in common."""
    xp = array_module(x)
    common = xp.log1p(xp.exp(-magnitude(x)))
    zeros, above = xp.zeros_like(x), x.real > 0
    return p * (common + xp.where(above, zeros, -x)) + q * (common + xp.where(above, x, zeros))


def logistic_grad(g: Array, x: Array, p: Array, q: Array) -> Array:
    return g * (q * sigmoid(x) - p * sigmoid(-x))


def magnitude(x: Array) -> Array:
    """|x|, continued analytically: x·sign(Re x)."""
    xp = array_module(x)
    return xp.abs(x) if x.dtype.kind != "c" else xp.where(x.real < 0, -x, x)


def normalise(
    x: Array, w: Array, b: Array, dims: tuple[int, ...], eps: float, slope: float
) -> tuple:
    mean = x.mean(axis=dims, keepdims=True)
    y = x - mean
    var = (y * y).mean(axis=dims, keepdims=True)
    y *= (var + eps) ** -0.5 * w
    y += b
    return y if slope == 1 else leaky_relu(y, slope), mean, var


def normalise_sums(g: Array, x: Array, mean: Array, dims: tuple[int, ...]) -> tuple:
    return g.sum(axis=dims, keepdims=True), (g * (x - mean)).sum(axis=dims, keepdims=True)


def scaled_sum(g: Array, x: Array, mean: Array, a: Array, b: Array, c: Array) -> Array:
    out = x - mean
    out *= b
    out += g * a
    out += c
    return out
