"""Steps of an optimizer that are recorded with other work of a GPU, and replayed.

A device's own routine (``Optimizer.rule``) moves parameters by numbers that lie in its memory, so a
recorded step is right at every replay.  What the host does beside it, sending settings that have
changed and counting, is here.
"""

from __future__ import annotations

from .. import fused
from .._tensor import Tensor
from .optimizer import Optimizer

Together = tuple[Tensor, ...]
"""Parameters that the device's routine moves at once."""


def can_record(optimizer: Optimizer) -> bool:
    """Whether a step of ``optimizer`` needs no number of the host's."""
    arrays = [p.array for group in optimizer.param_groups for p in group["params"]]
    return optimizer._can_step_at_once(arrays)


def counted(optimizer: Optimizer) -> dict[Together, int]:
    """How often the device's routine has moved which parameters."""
    return {params: optimizer.state[params[0]]["step"] for params in optimizer._kept}


def bring(optimizer: Optimizer, params: Together) -> dict:
    """Send settings that have changed, so that a step sends none; gives the settings."""
    kept, groups = optimizer._kept[params], optimizer.param_groups
    group = next(g for g in groups if any(p is params[0] for p in g["params"]))
    name, settings = optimizer.rule(group, optimizer.state[params[0]])
    fused.prepare(name, settings, params[0].array, kept)
    return settings


def count(optimizer: Optimizer, params: Together, steps: int) -> None:
    """Before so many recorded steps are replayed: send settings that have changed, and count."""
    settings = bring(optimizer, params)
    if "step" in settings:  # which the rule counts itself
        after = {**settings, "step": settings["step"] + steps}
        optimizer._kept[params]["settings"] = after
    for p in params:
        optimizer.state[p]["step"] += steps
        p.version[0] += steps


def take_back(optimizer: Optimizer, before: dict[Together, int]) -> None:
    """What was recorded since ``counted`` gave ``before`` is not going to happen."""
    for params in optimizer._kept:
        for p in params:
            optimizer.state[p]["step"] = before.get(params, 0)
    for kept in optimizer._kept.values():
        kept.pop("settings", None)  # they are sent again; where they lie, others have recorded
