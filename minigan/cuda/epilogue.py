"""The struct ``Epilogue`` of ``kernels/epilogue.cuh``: what a result goes through at the end."""

from __future__ import annotations

import numpy as np

from .launch import LaunchError

ACTIVATIONS = {"none": 0, "relu": 1, "leaky_relu": 2, "tanh": 3}
EPILOGUE = np.dtype(
    [("activation", np.int32), ("slope", np.float32), ("tiles", np.int32), ("first_tile", np.int32)]
)


def epilogue(function: str, activation: str, slope: float) -> np.void:
    """An activation ("none", "relu", "leaky_relu" of ``slope``, "tanh"), without sums by channel.

    Raises LaunchError, in the name of ``function``, for any other.
    """
    if activation not in ACTIVATIONS:
        raise LaunchError(
            f"{function}: activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}"
        )
    return np.array((ACTIVATIONS[activation], slope, 0, 0), EPILOGUE)[()]
