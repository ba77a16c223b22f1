"""A convolution as kernels/common.cuh describes it: its structs as NumPy records."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd, prod

import numpy as np

from .geometry import Geometry

DIVISOR = np.dtype([("value", np.int32), ("magic", np.uint32), ("shift", np.int32)])

_INTEGERS = """
    N groups C H W K R S P Q stride_h stride_w first_h first_w step_h step_w out_H out_W
    out_stride_h out_stride_w out_first_h out_first_w filter
    tap_first_r tap_first_s tap_step_r tap_step_s
"""
_DIVIDED = {"by_PQ": "PQ", "by_Q": "Q", "by_RS": "RS", "by_S": "S"}  # a divisor: its factors
CONV = np.dtype(
    [(name, np.int32) for name in _INTEGERS.split()] + [(name, DIVISOR) for name in _DIVIDED]
)

MOST_CLASSES = 4  # CLASSES in kernels/dgrad.cu
CLASSES = np.dtype([("count", np.int32), ("conv", CONV, (MOST_CLASSES,))])


def divisor(d: int) -> tuple[int, int, int]:
    """(d, magic, shift) with n // d = (high 32 bits of n·magic + n) >> shift for 0 ≤ n < 2³¹.

    Granlund and Montgomery, "Division by invariant integers using multiplication" (1994).

    >>> d, magic, shift = divisor(7)
    >>> [((n * magic >> 32) + n) >> shift for n in (6, 7, 2**31 - 1)] == [0, 1, (2**31 - 1) // 7]
    True
    """
    if not 1 <= d < 2**31:
        raise ValueError(f"divisor: expected 1 ≤ d < 2^31, got {d}")
    shift = (d - 1).bit_length()
    return d, (2**32 * (2**shift - d)) // d + 1, shift


def _filled(record: np.ndarray, fields: dict) -> np.void:
    for name, value in fields.items():
        record[name] = value
    for name, factors in _DIVIDED.items():
        product = prod(int(record[factor]) for factor in factors)
        record[name] = divisor(max(1, product))  # a class of dgrad may have no taps
    return record[()]


def conv_of(g: Geometry, n: int, c: int, k: int) -> np.void:
    """The struct Conv of fprop and wgrad (and of the naive dgrad): n images, c and k channels."""
    fields = {
        "N": n,
        "groups": g.groups,
        "C": c // g.groups,
        "H": g.H,
        "W": g.W,
        "K": k // g.groups,
        "R": g.R,
        "S": g.S,
        "P": g.P,
        "Q": g.Q,
        "stride_h": g.stride[0],
        "stride_w": g.stride[1],
        "first_h": -g.pad[0],
        "first_w": -g.pad[2],
        "step_h": g.dilation[0],
        "step_w": g.dilation[1],
        "out_H": g.P,
        "out_W": g.Q,
        "out_stride_h": 1,
        "out_stride_w": 1,
        "tap_step_r": 1,
        "tap_step_s": 1,
    }
    return _filled(np.zeros((), CONV), fields)


def pixel_classes(size: int, stride: int, dilation: int, taps: int, pad: int) -> Iterator[dict]:
    """For one dimension of x, the classes of pixels that see the same taps.

    ``out_first`` is a class's first pixel, ``count`` how many there are, one every ``stride``.  Its
    taps are ``tap_first + i·tap_step`` for i < ``taps``, listed from the last to the first, so that
    pixel number j reads outputs ``first + j + i·step`` of dy.

    >>> k4_s2_p1 = list(pixel_classes(8, 2, 1, 4, 1))
    >>> [(c["out_first"], c["taps"], c["tap_first"], c["first"]) for c in k4_s2_p1]
    [(1, 2, 2, 0), (0, 2, 3, -1)]
    """
    common = gcd(stride, dilation)
    for rho in range(min(stride, size + pad)):
        first_pixel = (rho - pad) % stride
        if first_pixel >= size:
            continue
        chosen = [r for r in range(taps) if (r * dilation - rho) % stride == 0]
        last = chosen[-1] if chosen else 0
        yield {
            "out_first": first_pixel,
            "count": len(range(first_pixel, size, stride)),
            "taps": len(chosen),
            "tap_first": last,
            "tap_step": -(stride // common),
            "first": (first_pixel + pad - last * dilation) // stride,
            "step": dilation // common,
        }


def classes_of(g: Geometry, n: int, c: int, k: int) -> list[np.void]:
    """A struct Conv for each class of dgrad: it convolves dy and writes every stride-th pixel of x.

    Their filters follow one another in one array, ``filter`` numbers from its beginning, each at a
    multiple of 4 numbers.
    """
    records, filters = [], 0
    for down in pixel_classes(g.H, g.stride[0], g.dilation[0], g.R, g.pad[0]):
        for across in pixel_classes(g.W, g.stride[1], g.dilation[1], g.S, g.pad[2]):
            fields = {
                "N": n,
                "groups": g.groups,
                "C": k // g.groups,
                "H": g.P,
                "W": g.Q,
                "K": c // g.groups,
                "R": down["taps"],
                "S": across["taps"],
                "P": down["count"],
                "Q": across["count"],
                "stride_h": 1,
                "stride_w": 1,
                "first_h": down["first"],
                "first_w": across["first"],
                "step_h": down["step"],
                "step_w": across["step"],
                "out_H": g.H,
                "out_W": g.W,
                "out_stride_h": g.stride[0],
                "out_stride_w": g.stride[1],
                "out_first_h": down["out_first"],
                "out_first_w": across["out_first"],
                "filter": filters,
                "tap_first_r": down["tap_first"],
                "tap_first_s": across["tap_first"],
                "tap_step_r": down["tap_step"],
                "tap_step_s": across["tap_step"],
            }
            records.append(_filled(np.zeros((), CONV), fields))
            filters += -(-filter_size(records[-1]) // 4) * 4
    return records


def filter_size(conv: np.void) -> int:
    """How many numbers the filter of one class has."""
    return prod(int(conv[name]) for name in ("groups", "K", "C", "R", "S"))


def classes_record(records: list[np.void]) -> np.void:
    """Up to MOST_CLASSES of them as the struct Classes."""
    classes = np.zeros((), CLASSES)
    classes["count"] = len(records)
    classes["conv"][: len(records)] = records
    return classes[()]
