"""The arguments of convolutions: what may be given, and how it is understood."""

from __future__ import annotations

from operator import index
from typing import Any

from .._tensor import Tensor
from ..conv import Geometry
from ._common import as_tensor


def _ints(name: str, option: str, value: Any) -> tuple[int, ...]:
    """One int, given alone, twice; several as they are."""
    try:
        return tuple(map(index, value)) if hasattr(value, "__len__") else (index(value),) * 2
    except TypeError:
        raise TypeError(f"{name}: {option} expects an int or ints, got {value!r}") from None


def pair(name: str, option: str, value: Any, least: int | None = None) -> tuple[int, int]:
    """(vertical, horizontal) from an int or two; none may be smaller than ``least``."""
    given = _ints(name, option, value)
    if len(given) != 2:
        raise RuntimeError(f"{name}: {option} expects an int or two ints, got {value!r}")
    if least is not None and min(given) < least:
        raise RuntimeError(f"{name}: {option} must be at least {least}, got {value!r}")
    return given


def sides_of(
    name: str, padding: Any, size: tuple, kernel: tuple, stride: tuple, dilation: tuple
) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) from an int, a pair, four numbers, "valid" or "same"."""
    if padding == "valid":
        return (0, 0, 0, 0)
    if padding == "same":
        sides: list[int] = []
        for n, k, s, d in zip(size, kernel, stride, dilation, strict=True):
            total = max((-(-n // s) - 1) * s + d * (k - 1) + 1 - n, 0)
            sides += [total // 2, total - total // 2]
        return tuple(sides)
    if isinstance(padding, str):
        raise RuntimeError(f'{name}: padding expects numbers, "valid" or "same", got "{padding}"')
    sides = _ints(name, "padding", padding)
    if len(sides) == 4:
        return sides
    ph, pw = pair(name, "padding", padding)
    return (ph, ph, pw, pw)


def check(
    name: str,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    groups: int,
    transposed: bool,
    sizes: str = "H, W",
) -> None:
    """Ranks, groups, channels and bias; ``sizes`` names the dimensions after the channels."""
    rank = sizes.count(",") + 1
    as_tensor(name, x), as_tensor(name, weight)
    if x.ndim not in (rank + 1, rank + 2) or weight.ndim != rank + 2:
        raise RuntimeError(
            f"{name}: expected input (N, C, {sizes}) or (C, {sizes}) and weight of {rank + 2} "
            f"dimensions, got shapes {x.shape} and {weight.shape}"
        )
    first, second = weight.shape[:2]
    if groups < 1 or first % groups:
        raise RuntimeError(
            f"{name}: the first dimension of weight (shape {weight.shape}) cannot be split into "
            f"{groups} groups"
        )
    channels, outputs = (first, second * groups) if transposed else (second * groups, first)
    given = x.shape[-1 - rank]
    if given != channels:
        raise RuntimeError(
            f"{name}: weight expects {channels} input channels (weight shape {weight.shape}), "
            f"input has {given} (input shape {x.shape})"
        )
    if bias is not None and bias.shape != (outputs,):
        raise RuntimeError(f"{name}: bias expects shape ({outputs},), got {bias.shape}")


def transposed(
    name: str,
    inputs: tuple,
    kernel: tuple,
    stride: tuple,
    pad: tuple,
    dilation: tuple,
    groups: int,
    output_padding: Any,
    output_size: Any,
) -> tuple[Geometry, list[int]]:
    """The convolution whose adjoint is wanted, and the rows and columns of zeros beyond it.

    The geometry gives the touched rows and up to stride - 1 left-over ones; more than that
    (possible with a dilation beyond the stride) are zeros.
    """
    # One row for every place that a filter touches, before the padding is cut off.
    full = [
        (n - 1) * s + d * (k - 1) + 1
        for n, k, s, d in zip(inputs, kernel, stride, dilation, strict=True)
    ]
    base = [full[i] - pad[2 * i] - pad[2 * i + 1] for i in (0, 1)]
    if output_size is not None:
        wanted = pair(name, "output_size", output_size)
        extra = (wanted[0] - base[0], wanted[1] - base[1])
    else:
        extra = pair(name, "output_padding", output_padding)
    for e, s, d in zip(extra, stride, dilation, strict=True):
        if not 0 <= e < max(s, d):
            raise RuntimeError(
                f"{name}: output_padding must be at least 0 and smaller than stride or dilation, "
                f"got {extra} with stride {stride} and dilation {dilation}"
            )
    wanted = (base[0] + extra[0], base[1] + extra[1])
    if min(wanted) < 1:
        raise RuntimeError(f"{name}: output size {wanted} is too small")
    size, sides, beyond = [], [], []
    for i in (0, 1):
        before = min(pad[2 * i], full[i])
        size.append(min(wanted[i], full[i] - before + stride[i] - 1))
        sides += [before, max(full[i] - before - size[i], 0)]
        beyond.append(wanted[i] - size[i])
    geometry = Geometry(*size, *kernel, stride, tuple(sides), dilation, groups)
    return geometry, beyond
