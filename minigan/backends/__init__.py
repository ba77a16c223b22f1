"""Settings that PyTorch scripts make for libraries that are not used here."""

from __future__ import annotations

from . import cudnn


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Accepted, and changes nothing: no operation here depends on the order of threads."""


__all__ = ["cudnn", "use_deterministic_algorithms"]
