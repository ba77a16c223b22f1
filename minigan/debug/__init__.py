"""Tools to see what the engine does: find the first NaN, count and time, draw, step through.

* :func:`detect_nan`: an error where the first NaN or inf arises, with the line that made it;
* :func:`profile`: how often and how long every operation runs, forward and in every backward;
* :func:`graph`: the graph behind a tensor as text, DOT or a drawing;
* :func:`step_through`: a backward pass, one gradient rule at a time;
* :func:`replay`: the same step on two devices, and the first operation whose results differ.

They see the operations of the thread they are used in, and cost nothing when they are not.
Changes in place, comparisons and conversions to integers are not operations of the graph and are
not seen.
"""

from .finite import detect_nan
from .judging import Difference
from .listing import Graph, graph
from .replaying import Replay, replay
from .stepping import Step, step_through
from .timing import Profile, Row, profile

__all__ = [
    "Difference",
    "Graph",
    "Profile",
    "Replay",
    "Row",
    "Step",
    "detect_nan",
    "graph",
    "profile",
    "replay",
    "step_through",
]
