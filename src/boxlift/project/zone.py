"""The portal's time zone, as the inventory says."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml


def portal_zone(inventory: Path) -> ZoneInfo | None:
    """`portal_timezone` of all hosts; None where it is not written out there."""
    for path in sorted((inventory / "group_vars" / "all").glob("*.yml")):
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            name = data.get("portal_timezone") if isinstance(data, dict) else None
            if isinstance(name, str) and name:
                return ZoneInfo(name)
        except (OSError, ValueError, yaml.YAMLError, ZoneInfoNotFoundError):
            continue
    return None
