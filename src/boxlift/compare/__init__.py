"""How two environments differ in their set-up, with what has to differ folded away."""

from boxlift.compare.difference import Comparison, Difference, compared
from boxlift.compare.expectation import Expectation, load_expectations
from boxlift.compare.look import Environment, look

__all__ = [
    "Comparison",
    "Difference",
    "Environment",
    "Expectation",
    "compared",
    "load_expectations",
    "look",
]
