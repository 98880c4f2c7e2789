"""Where the values of a configuration come from and what they mean, and what differs between two of them."""

from offline_trainer_core.explain.comparison import Difference, Subject, code_of, compare
from offline_trainer_core.explain.difference import Change, Side, difference
from offline_trainer_core.explain.explanation import Argument, Explanation, Origin, explain
from offline_trainer_core.explain.provenance import Reference, Step

__all__ = [
    "Argument",
    "Change",
    "Difference",
    "Explanation",
    "Origin",
    "Reference",
    "Side",
    "Step",
    "Subject",
    "code_of",
    "compare",
    "difference",
    "explain",
]
