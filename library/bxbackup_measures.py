"""Ansible module: what bxbackup measured during a restore on this host."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: bxbackup_measures
short_description: Hand over the measures of a restore
description:
  - Reads C(measures.jsonl) of bxbackup's state folder. Lines that are torn or unknown are left out.
  - What is handed over is bounded; a line that is slower than a week is told by its first week.
options:
  state_folder: {description: State folder of the restore., type: path, required: true}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Hand over what was measured
  bxbackup_measures:
    state_folder: /srv/portal/restores/final-1
"""

RETURN = r"""
bxbackup_measures:
  description: Rows of kind, name, started (seconds since 1970 UTC), seconds, bytes, rows and repairs.
  returned: always
  type: list
"""

Row = list[Any]
#: Most rows of one kind that are handed over: a week of the line in slices of half a minute.
MOST = 20000
#: Bytes of the file that are read.
MOST_BYTES = 16 << 20
KINDS = ("line", "part", "unpack", "table")


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Give the measures of a file's lines; leave out what is not one."""
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if not isinstance(content, dict) or content.get("kind") not in KINDS:
            continue
        started = moment(content.get("started"))
        seconds, size = number(content.get("seconds")), number(content.get("bytes"))
        if started is None or seconds is None or size is None:
            continue
        yield [
            content["kind"],
            str(content.get("name") or ""),
            started,
            seconds,
            int(size),
            whole(content.get("rows")),
            whole(content.get("repairs")),
        ]


def number(value: Any) -> float | None:
    """Return a finite number that is not negative, else None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if 0 <= value < float("inf") else None


def whole(value: Any) -> int | None:
    """Return a count, or None where there is none."""
    found = number(value)
    return None if found is None else int(found)


def moment(value: Any) -> float | None:
    """Return seconds since 1970 of an ISO 8601 time; UTC where it names no zone."""
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def bounded(measures: list[Row], most: int = MOST) -> list[Row]:
    """Return the first ``most`` rows of each kind: always the same ones of a file that grows."""
    return [row for kind in KINDS for row in [row for row in measures if row[0] == kind][:most]]


def read(path: Path) -> list[Row]:
    """Return the measures of a file; none where there is no file."""
    try:
        with path.open("rb") as file:
            return bounded(list(rows(file.read(MOST_BYTES).splitlines())))
    except (FileNotFoundError, NotADirectoryError):
        return []


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"state_folder": {"type": "path", "required": True}}, supports_check_mode=True
    )
    path = Path(module.params["state_folder"]) / "measures.jsonl"
    try:
        measures = read(path)
    except OSError as error:
        module.warn(f"{path} is unreadable, the forecast lacks its measures: {error}")
        measures = []
    module.exit_json(changed=False, bxbackup_measures=measures)


if __name__ == "__main__":
    main()
