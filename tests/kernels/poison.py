"""Memory that a kernel must not read before it has written it: filled with NaN."""

from __future__ import annotations

import numpy as np

from minigan.cuda.launch import Launch


def poisoned(plan: list[Launch], *inputs) -> list[Launch]:
    """The plan, with NaN in every floating-point array of it that is none of the inputs."""
    known = [array for array in inputs if isinstance(array, np.ndarray)]
    for launch in plan:
        for argument in launch.arguments:
            floats = isinstance(argument, np.ndarray) and argument.dtype.kind == "f"
            if floats and not any(argument is a for a in known):
                argument.fill(np.nan)
    return plan
