"""A copy of production on pre-production: what it would be, then the copy itself."""

from boxlift.clone.command import run_clone
from boxlift.clone.description import Description, describe

__all__ = ["Description", "describe", "run_clone"]
