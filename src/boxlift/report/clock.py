"""Times as the report's readers know them: in the portal's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from boxlift.figures import iso
from boxlift.project import Project
from boxlift.project.zone import portal_zone


@dataclass(frozen=True)
class Clock:
    """A time zone; without one that of the control node."""

    zone: tzinfo | None = None

    @property
    def name(self) -> str:
        return str(self.zone) if self.zone is not None else f"{datetime.now().astimezone():%Z}"

    def at(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, self.zone)

    def moment(self, seconds: float | None) -> str:
        """`Fri 20 Nov 2026, 18:04`; a dash for none."""
        return "–" if seconds is None else f"{self.at(seconds):%a %-d %b %Y, %H:%M}"

    def short(self, seconds: float | None) -> str:
        """`20 Nov 18:04`; a dash for none."""
        return "–" if seconds is None else f"{self.at(seconds):%-d %b %H:%M}"

    @staticmethod
    def iso(seconds: float) -> str:
        """For programs: ISO 8601, UTC."""
        return iso(seconds) or ""


def clock_of(project: Project) -> Clock:
    """The portal's zone, where the inventory names it."""
    return Clock(portal_zone(project.inventory))
