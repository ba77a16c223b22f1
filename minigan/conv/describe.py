"""In words: which algorithm computes a convolution, and which others could."""

from __future__ import annotations

import re

import numpy as np

from .cpu import ALGORITHMS, choose, fits
from .geometry import Geometry

FORM = "NxCxHxW,K[,kR][,sN][,pN][,gN], such as 64x128x32x32,256,k4,s2,p1"
_IMAGES = re.compile(r"(\d{1,6})x(\d{1,6})x(\d{1,6})x(\d{1,6}),(\d{1,6})((?:,[kspg]\d{1,4})*)")


def parsed(text: str) -> tuple[Geometry, int, int, int]:
    """(geometry, batch, input channels, output channels) from a text as ``FORM`` says.

    k is the (square) filter's size, 3 if left out; s the stride, 1; p the padding, 0; g the
    groups, 1.

    Raises:
        ValueError: the text has another form, or there is no such convolution.

    >>> parsed("64x3x32x32,64,k4,s2,p1")[0].P
    16
    """
    match = _IMAGES.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(f"expected {FORM}, got {text!r}")
    n, c, h, w, k = map(int, match.groups()[:5])
    options = {"k": 3, "s": 1, "p": 0, "g": 1}
    options |= {item[0]: int(item[1:]) for item in match.group(6).split(",") if item}
    if min(n, c, h, w, k) < 1:
        raise ValueError(f"expected positive sizes, got {text!r}")
    size, stride, pad, groups = (options[name] for name in "kspg")
    if not groups or c % groups or k % groups:
        raise ValueError(f"{c} and {k} channels cannot be split into {groups} groups")
    try:
        geometry = Geometry(h, w, size, size, (stride, stride), (pad,) * 4, (1, 1), groups)
    except RuntimeError as error:
        raise ValueError(str(error)) from None
    return geometry, n, c, k


def describe(text: str) -> str:
    """A table of the three routines: the algorithm taken, its arithmetic, and what else fits.

    >>> print(describe("64x128x32x32,256,k4,s2,p1"))
    64×128×32×32 to 64×256×16×16 (17.2 GFLOP by the plain algorithm)
    fprop  dense       (fits too: winograd, im2col)
    dgrad  dense       (fits too: winograd, residues, im2col)
    wgrad  dense       (fits too: winograd, im2col)
    """
    g, n, c, k = parsed(text)
    work = 2 * n * g.P * g.Q * g.R * g.S * (c // g.groups) * k / 1e9
    lines = [
        f"{n}×{c}×{g.H}×{g.W} to {n}×{k}×{g.P}×{g.Q} ({work:.3g} GFLOP by the plain algorithm)"
    ]
    for routine in ("fprop", "dgrad", "wgrad"):
        chosen = choose(routine, g, n, c, k)
        others = [
            name
            for name in ALGORITHMS
            if name != chosen and fits(name, routine, g, c, k, np.dtype(np.float32))
        ]
        line = f"{routine:<7}{chosen:<12}"
        lines.append((line + (f"(fits too: {', '.join(others)})" if others else "")).rstrip())
    return "\n".join(lines)
