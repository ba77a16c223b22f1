"""Plans of ``kernels/pointwise.cu``: bias and activation, forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from .epilogue import epilogue
from .launch import Launch, LaunchError
from .streams import (
    Configuration,
    channel_grid,
    channel_shape,
    check,
    check_images,
    flat_grid,
    launcher,
    partial_sums,
    vector,
)

FILE = "pointwise.cu"


def configurations() -> list[Configuration]:
    """Every way in which these plans compile the file."""
    return [(FILE, (("VECTOR", width),), 75) for width in (1, 4)]


def bias_act(
    x: Any, bias: Any | None, y: Any, activation: str = "none", slope: float = 0.01
) -> list[Launch]:
    """y = f(x + bias) for x (N, C, …) and bias (C,) or None; ``y`` may be ``x``.

    ``slope`` is that of "leaky_relu".

    >>> x = np.ones((2, 3, 4, 4), np.float32)
    >>> [(launch.name, launch.grid) for launch in bias_act(x, None, x, "tanh")]
    [('bias_act', (1, 1, 1))]
    """
    last = epilogue("bias_act", activation, slope)
    check_images("bias_act", x)
    check("bias_act", x.shape, y=y)
    check("bias_act", x.shape[1:2], bias=bias)
    if not x.size:
        return []
    shape = channel_shape(x)
    width = vector(int(shape["inner"]), x, y)
    launch = launcher(FILE, VECTOR=width)
    return [launch("bias_act", flat_grid(x.size // width), x, bias, y, shape, last)]


def bias_act_backward(
    g: Any,
    y: Any,
    dx: Any,
    dbias: Any | None = None,
    activation: str = "none",
    slope: float = 0.01,
) -> list[Launch]:
    """dx = f'·g from the result y of ``bias_act``, and dbias = Σ dx by channel; dx may be g."""
    last = epilogue("bias_act_backward", activation, slope)
    check_images("bias_act_backward", g)
    check("bias_act_backward", g.shape, y=y, dx=dx)
    check("bias_act_backward", g.shape[1:2], dbias=dbias)
    if not g.size:
        raise LaunchError(f"bias_act_backward: got an empty gradient, shape {g.shape}")
    shape = channel_shape(g)
    width = vector(int(shape["inner"]), g, y, dx)
    launch = launcher(FILE, VECTOR=width)
    grid = channel_grid(g, width)
    parts = None if dbias is None else partial_sums(g, grid)
    plan = [launch("bias_act_backward", grid, g, y, dx, parts, shape, last)]
    if dbias is not None:
        channels, slices = np.int32(grid[0]), np.int32(grid[1])
        blocks = flat_grid(grid[0])
        plan.append(launch("bias_total", blocks, parts, dbias, channels, slices))
    return plan
