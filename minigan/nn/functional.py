"""Functions of networks, named and called as in ``torch.nn.functional``."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._tensor import Tensor
from ..array import array_module
from ..generators import kept, rng_on
from ..losses import (
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_embedding_loss,
    kl_div,
    l1_loss,
    mse_loss,
    nll_loss,
    smooth_l1_loss,
)
from ..ops._common import as_float, as_tensor, numpy_names, operands
from ..ops.accumulate import norm
from ..ops.activations import (
    elu,
    gelu,
    glu,
    hardtanh,
    logsigmoid,
    prelu,
    relu6,
    selu,
    silu,
    softsign,
)
from ..ops.conv import conv2d, conv_transpose2d
from ..ops.conv1d import conv1d, conv_transpose1d
from ..ops.indexing import picked
from ..ops.kinks import clamp, leaky_relu, relu, where
from ..ops.norm import batch_norm, dropout
from ..ops.normalise import group_norm, instance_norm, layer_norm
from ..ops.pick import one_hot
from ..ops.pooling import avg_pool2d, fold, max_pool2d, pixel_shuffle, pixel_unshuffle, unfold
from ..ops.resample import adaptive_avg_pool2d, bilinear_matrix, mix, pad
from ..ops.smooth import sigmoid, softplus, tanh
from ..ops.softmax import log_softmax, softmax
from ..places import outside


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input · weightᵀ + bias.

    Shapes: input (…, in_features), weight (out_features, in_features), bias (out_features,).

    >>> import minigan
    >>> linear(minigan.ones(2, 3), minigan.ones(4, 3)).shape
    (2, 4)
    """
    if weight.ndim != 2 or not input.ndim or input.shape[-1] != weight.shape[1]:
        raise RuntimeError(
            f"linear: weight of shape {weight.shape} expects inputs (…, {weight.shape[-1]}), "
            f"got shape {input.shape}"
        )
    x, w = operands("linear", input, weight)
    y = x @ w.t()
    return y if bias is None else y + bias


def embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None) -> Tensor:
    """Rows of ``weight`` (number, size) at the integers ``input``: shape (…, size).

    The row ``padding_idx`` gets no gradient.

    >>> import minigan
    >>> embedding(minigan.tensor([1, 1]), minigan.eye(2))
    tensor([[0., 1.],
            [0., 1.]], dtype=float32)
    """
    index = as_tensor("embedding", input)
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"embedding: expected integer indices, got {index.dtype}")
    if weight.ndim != 2:
        raise RuntimeError(f"embedding: expected weight (number, size), got {weight.shape}")
    rows = weight.shape[0]
    if outside(index.array, 0, rows) is not None:
        raise IndexError(f"embedding: index out of range, expected 0 to {rows - 1}")
    if padding_idx is None:
        return picked(weight, (index,))
    if not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx must lie within {rows} rows, got {padding_idx}")
    xp = array_module(weight.array)
    constant = Tensor((xp.arange(rows) == padding_idx % rows).reshape(-1, 1))
    return picked(where(constant, weight.detach(), weight), (index,))


@numpy_names
def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """input/max(‖input‖_p, ε) along ``dim``."""
    x = as_float("normalize", input)
    return x / clamp(norm(x, p, dim, keepdim=True), min=eps)


@numpy_names
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """⟨x1, x2⟩/(max(‖x1‖, ε)·max(‖x2‖, ε)) along ``dim``, shapes broadcast."""
    a, b = operands("cosine_similarity", x1, x2)
    try:
        shape = np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise RuntimeError(
            f"cosine_similarity: shapes {a.shape} and {b.shape} do not broadcast"
        ) from None
    a, b = (
        x / clamp(norm(x, 2, dim, keepdim=True), min=eps)
        for x in (a.expand(shape), b.expand(shape))
    )
    return (a * b).sum(dim)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False, generator=None
) -> Tensor:
    """Whole channels of (N, C, H, W) zeroed with probability ``p``, the others over 1 - p."""
    x = as_float("dropout2d", input)
    if not 0 <= p <= 1:
        raise ValueError(f"dropout2d: expected a probability between 0 and 1, got {p}")
    if x.ndim not in (3, 4):
        raise RuntimeError(f"dropout2d: expected (N, C, H, W) or (C, H, W), got {x.shape}")
    if not training or p == 0:
        return x
    if p == 1:
        return x * 0
    rng = rng_on(x.device, generator)
    return x * (Tensor(kept(rng, p, (*x.shape[:-2], 1, 1), x.dtype)) / (1 - float(p)))


def interpolate(
    input: Tensor,
    size: int | tuple[int, int] | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Images (N, C, H, W) at another size.

    "nearest": output row i is input row ⌊i·H/size⌋ or ⌊i/scale_factor⌋, worked out in float32 as
    PyTorch does; a height that stays as it is or doubles is exact for any factor.  "bilinear":
    mixes the two nearest rows and columns; ``align_corners`` puts the first and last pixels of
    input and output on each other, instead of the images' edges.

    Args:
        size: (height, width) of the result, or one number for both.
        scale_factor: the factors instead; the result has ⌊H·factor⌋ rows.
        mode: "nearest" or "bilinear".

    Raises:
        ValueError: the input's rank, both or none of size and scale_factor, an empty result.
        NotImplementedError: another mode.

    >>> import minigan
    >>> interpolate(minigan.arange(4.0).reshape(1, 1, 2, 2), scale_factor=1.5)
    tensor([[[[0., 0., 1.],
              [0., 0., 1.],
              [2., 2., 3.]]]], dtype=float32)
    """
    if mode not in ("nearest", "bilinear"):
        raise NotImplementedError(
            f'interpolate: mode must be "nearest" or "bilinear", got "{mode}"'
        )
    if mode == "nearest" and align_corners is not None:
        raise ValueError("interpolate: align_corners is for bilinear only")
    if input.ndim != 4:
        raise ValueError(f"interpolate: expected input (N, C, H, W), got shape {input.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor")
    n, c, h, w = input.shape
    sizes, factors = _two("size", size), _two("scale_factor", scale_factor)
    if mode == "bilinear":
        directions = zip((h, w), sizes, factors, strict=True)
        return mix(input, *[_bilinear(*each, bool(align_corners)) for each in directions])
    rows, columns = (_sources(*each) for each in zip((h, w), sizes, factors, strict=True))
    if _repeats(rows, h) and _repeats(columns, w):
        p, q = len(rows), len(columns)
        repeated = input.reshape(n, c, h, 1, w, 1).expand(n, c, h, p // h, w, q // w)
        return repeated.reshape(n, c, p, q)
    return input[:, :, rows][:, :, :, columns]


def _scaled(old: int, size: int | None, factor: float | None) -> tuple[int, float]:
    """The pixels of one direction afterwards, and how many of ``old`` one of them stands for."""
    new = int(old * factor) if size is None else size
    if old < 1 or new < 1:
        raise ValueError(
            f"interpolate: expected at least one pixel before and after, got {old} and {new}"
        )
    return new, 1 / factor if size is None else old / new


def _bilinear(old: int, size: int | None, factor: float | None, align: bool) -> np.ndarray:
    """The matrix that mixes ``old`` pixels of one direction."""
    new, step = _scaled(old, size, factor)
    if align:
        step = (old - 1) / (new - 1) if new > 1 else 0.0
    return bilinear_matrix(old, new, step, align)


def _two(name: str, value: Any) -> tuple:
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ValueError(f"interpolate: {name} expects one number or two, got {value}")
    return pair


def _sources(old: int, size: int | None, factor: float | None) -> list[int]:
    """For every output pixel of one direction, which of ``old`` pixels it is."""
    new, step = _scaled(old, size, factor)
    if new in (old, 2 * old):
        return [i * old // new for i in range(new)]
    at = np.floor(np.arange(new, dtype=np.float32) * np.float32(step))
    return np.minimum(at, old - 1).astype(int).tolist()


def _repeats(sources: list[int], old: int) -> bool:
    """Whether each of ``old`` pixels appears equally often, which broadcasting can do."""
    times, rest = divmod(len(sources), old)
    return not rest and sources == [i // times for i in range(len(sources))]


__all__ = [
    "adaptive_avg_pool2d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "dropout2d",
    "elu",
    "embedding",
    "fold",
    "gelu",
    "glu",
    "group_norm",
    "hardtanh",
    "hinge_embedding_loss",
    "instance_norm",
    "interpolate",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool2d",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "pixel_shuffle",
    "pixel_unshuffle",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
    "unfold",
]
