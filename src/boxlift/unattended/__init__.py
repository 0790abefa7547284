"""Commands that nobody watches: timers that start them, and one line about how they ended."""

from boxlift.unattended.targets import Target, load_targets
from boxlift.unattended.telling import telling
from boxlift.unattended.timer import TIMED, Timer

__all__ = ["TIMED", "Target", "Timer", "load_targets", "telling"]
