"""Which of several systems is better?  Equal budgets, several seeds, one yardstick.

``minigan compare`` on the command line; here the same as functions.  ``contender`` reads a system
as ``RECIPE:setting=value:…``; ``expect_able`` says beforehand whether all can be trained; ``race``
trains all of them with every seed and measures them on the way; ``summary`` and ``save`` make a
table, figures and a film of it.
"""

from .contenders import Contender, contender
from .outcome import Outcome, save, summary
from .race import Budget, expect_able, race

__all__ = [
    "Budget",
    "Contender",
    "Outcome",
    "contender",
    "expect_able",
    "race",
    "save",
    "summary",
]
