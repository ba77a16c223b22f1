"""The same program on two devices: the same results, dtypes, shapes and errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minigan import Tensor, grad

# Sums of a few hundred terms in another order, through three derivatives.
ROUNDING = {"float16": 2.0**-6, "float32": 2e-4, "float64": 1e-11}
ROUNDING |= {"complex64": 2e-4, "complex128": 1e-11}


@dataclass
class Failed:
    """An error in place of a result."""

    kind: type
    message: str


def outcome(program: Callable[..., Any], *args: Any) -> Any:
    """What ``program`` gives, or how it fails."""
    try:
        with np.errstate(all="ignore"):
            return program(*args)
    except Exception as error:
        return Failed(type(error), str(error))


def assert_alike(expected: Any, found: Any, device: str, where: str = "result") -> None:
    """``found`` is what ``expected`` is, its tensors on ``device``."""
    if isinstance(expected, Tensor):
        assert isinstance(found, Tensor), f"{where}: {found!r}"
        assert found.device.type == device, f"{where} is on {found.device}"
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), where
        assert found.requires_grad == expected.requires_grad, where
        close(expected.detach().numpy(), found.detach().cpu().numpy(), where)
    elif isinstance(expected, (tuple, list)):
        assert type(found) is type(expected) and len(found) == len(expected), where
        for i, (e, f) in enumerate(zip(expected, found, strict=True)):
            assert_alike(e, f, device, f"{where}[{i}]")
    elif isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, e in expected.items():
            assert_alike(e, found[key], device, f"{where}[{key!r}]")
    elif isinstance(expected, np.ndarray):
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape), where
        close(expected, found, where)
    elif isinstance(expected, float):
        close(np.asarray(expected), np.asarray(found), where, "float32")
    else:
        assert found == expected, f"{where}: {found!r}, expected {expected!r}"


def close(expected: np.ndarray, found: np.ndarray, where: str, dtype: str | None = None) -> None:
    """Equal but for rounding, measured against the largest number."""
    if expected.dtype.kind not in "fc":
        np.testing.assert_array_equal(found, expected, err_msg=where)
        return
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.isfinite(found), finite, err_msg=where)
    np.testing.assert_array_equal(found[~finite], expected[~finite], err_msg=where)
    room = ROUNDING[dtype or expected.dtype.name] * np.abs(expected[finite]).max(initial=1e-30)
    worst = np.abs(found[finite] - expected[finite]).max(initial=0)
    assert worst <= room, f"{where}: off by {worst:.2e}, allowed {room:.2e}"


def on(device: str, arrays: Any, requires_grad: bool = True) -> list[Tensor]:
    """Tensors of NumPy arrays, in the same memory layout; floats want gradients."""
    made = [Tensor(a).to(device) for a in arrays]
    return [x.requires_grad_() if requires_grad and x.dtype.kind == "f" else x for x in made]


def derivatives(program: Callable[..., Any], xs: list[Tensor]) -> list[Tensor]:
    """Results of ``program``, the gradient of Σy³, and the gradient of Σ(that)²."""
    results = program(*xs)
    results = list(results) if isinstance(results, (tuple, list)) else [results]
    wanted = [x for x in xs if x.requires_grad]
    floats = [y for y in results if y.dtype.kind == "f" and y.requires_grad]
    if not floats or not wanted:
        return results
    options = {"allow_unused": True, "materialize_grads": True}
    first = grad(sum((y * y * y).sum() for y in floats), wanted, create_graph=True, **options)
    results += first
    if any(g.requires_grad for g in first):
        results += grad(sum((g * g).sum() for g in first if g.requires_grad), wanted, **options)
    return results
