"""How exactly a run computes: what ``minigan train --precision`` asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from . import cuda
from ._autocast import autocast

PRECISIONS = ("fp32", "tf32", "bf16")


@contextmanager
def computing(precision: str, device: str) -> Iterator[None]:
    """A block in which products are computed so on ``device``.

    "fp32" changes nothing; "tf32" allows convolutions a GPU's TF32 (``cuda.allow_tf32``); "bf16"
    is ``autocast``.

    >>> from minigan import is_autocast_enabled
    >>> with computing("bf16", "cpu"):
    ...     is_autocast_enabled("cpu")
    True
    """
    before = cuda.allow_tf32
    cuda.allow_tf32 = before or precision == "tf32"
    try:
        with autocast(device) if precision == "bf16" else nullcontext():
            yield
    finally:
        cuda.allow_tf32 = before
