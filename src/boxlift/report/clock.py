"""Times as the report's readers know them: in the portal's time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml

from boxlift.figures import iso
from boxlift.project import Project


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
    """The zone that the inventory gives all portals (`portal_timezone`), where it is written out."""
    folder: Path = project.inventory / "group_vars" / "all"
    for path in sorted(folder.glob("*.yml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            zone = data.get("portal_timezone") if isinstance(data, dict) else None
            if isinstance(zone, str) and zone:
                return Clock(ZoneInfo(zone))
        except (OSError, ValueError, yaml.YAMLError, ZoneInfoNotFoundError):
            continue
    return Clock()
