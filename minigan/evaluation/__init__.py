"""How good is a trained run?  Its samples, seen through a network of the engine's own.

``minigan evaluate RUN`` on the command line; here the same as functions. ``evaluate`` measures a
run; ``measure`` any images; ``feature_network`` is what they look through. The metrics themselves
are pure functions in ``minigan.metrics``.
"""

from .draws import Drawn
from .features import FeatureNetwork, feature_network
from .halves import Halves, halves
from .measures import measure
from .run import Evaluation, evaluate
from .table import table

__all__ = [
    "Drawn",
    "Evaluation",
    "FeatureNetwork",
    "Halves",
    "evaluate",
    "feature_network",
    "halves",
    "measure",
    "table",
]
