"""The plan of a move: what is done, by whom, in which order."""

from boxlift.plan.load import PlanError, default_plan, load_plan, parse_plan
from boxlift.plan.model import Kind, Owner, Pass, Phase, Plan, Step

__all__ = [
    "Kind",
    "Owner",
    "Pass",
    "Phase",
    "Plan",
    "PlanError",
    "Step",
    "default_plan",
    "load_plan",
    "parse_plan",
]
