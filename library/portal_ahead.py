"""Ansible module: what a copy of a portal would bring, without a way between the two hosts."""

from __future__ import annotations

import base64
import json
import os
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: portal_ahead
short_description: Say what a copy of a portal would bring and how long that takes; changes neither side
description:
  - C(listed) lists the files of the active release, C(compared) holds such a list against the files of this
    host, as rsync would, by size and time.
  - The list travels by way of the control node, so that no key is admitted and nothing installed.
options:
  state: {description: What to do., type: str, choices: [listed, compared], required: true}
  base_path: {description: Folder of the releases., type: path, default: /srv/portal}
  upload: {description: Folder of uploads below a release., type: str, default: upload}
  attachments: {description: Whether uploads count., type: bool, default: true}
  left_out:
    description: What does not travel. Patterns as rsync writes them.
    type: list
    elements: str
    default: []
  listing: {description: What C(listed) said of the source., type: str, default: ""}
  release: {description: Release that would be filled., type: str, default: ""}
  copies:
    description: Folder with what the last copy measured.
    type: path
    default: /var/lib/boxlift/clones
  method:
    description: How the database would travel.
    type: str
    choices: [physical, logical]
    default: physical
  database_bytes: {description: Its size., type: int, default: 0}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: What there is
  portal_ahead:
    state: listed
  delegate_to: portal-1
  register: there
- name: What is missing here
  portal_ahead:
    state: compared
    listing: "{{ there.listing }}"
    database_bytes: 123456789
"""

RETURN = r"""
listing: {description: The files; compressed., returned: listed, type: str}
ahead: {description: "Figures, as docs/contracts/clone.schema.json has them.", returned: compared, type: dict}
"""

RATIO = 0.3
"""Bytes that travel for a byte of the database, where no copy was measured yet."""


@dataclass(frozen=True)
class File:
    """A regular file: path below its release, bytes, time of its last change in whole seconds."""

    path: str
    size: int
    at: int


def files(root: Path, left_out: Sequence[str]) -> Iterator[File]:
    """All files that would travel; those that go away meanwhile do not count."""
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if is_left_out(path, left_out):
                continue
            try:
                seen = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(seen.st_mode):
                waiting.append(path)
            elif stat.S_ISREG(seen.st_mode):
                yield File(path, seen.st_size, int(seen.st_mtime))


def is_left_out(path: str, patterns: Sequence[str]) -> bool:
    """Whether a pattern of rsync names the path: from the root with a stroke, else by its last part."""
    name = path.rpartition("/")[2]
    return any(
        path.count("/") == pattern.count("/") - 1 and fnmatchcase(path, pattern[1:])
        if pattern.startswith("/")
        else fnmatchcase(name, pattern)
        for pattern in patterns
    )


def packed(found: Iterator[File]) -> str:
    """A list of files as text that fits into a result."""
    squeeze = zlib.compressobj()
    parts = [
        squeeze.compress(f"{file.size} {file.at} {file.path}\0".encode(errors="surrogateescape"))
        for file in found
    ]
    return base64.b64encode(b"".join((*parts, squeeze.flush()))).decode()


def unpacked(listing: str) -> Iterator[File]:
    """The files of such a text."""
    for line in zlib.decompress(base64.b64decode(listing)).decode(errors="surrogateescape").split("\0"):
        if line:
            size, at, path = line.split(" ", 2)
            yield File(path, int(size), int(at))


def lacking(there: Iterator[File], roots: Sequence[Path]) -> dict[str, int]:
    """What of another host's files no folder of this host has with the same size and time."""
    figures = {"files": 0, "bytes": 0, "size": 0}
    for file in there:
        figures["size"] += file.size
        if not any(_same(root / file.path, file) for root in roots):
            figures["files"] += 1
            figures["bytes"] += file.size
    return figures


def _same(path: Path, file: File) -> bool:
    try:
        seen = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(seen.st_mode) and (seen.st_size, int(seen.st_mtime)) == (file.size, file.at)


def reckoned(
    figures: Mapping[str, int], last: Mapping[str, Any], method: str, database_bytes: int
) -> dict[str, Any]:
    """What would travel now, and how long it takes at the last copy's rates; None where none was measured."""
    before = last.get("database", {}) if last.get("method") == method else {}
    ratio = before["travelled"] / before["bytes"] if before.get("bytes") else RATIO
    return {
        "method": method,
        "database_bytes": database_bytes,
        "database_travels": round(database_bytes * ratio),
        "files": figures["files"],
        "files_bytes": figures["bytes"],
        "files_size": figures["size"],
        "seconds": _seconds(figures, last, before, method, database_bytes),
    }


def _seconds(
    figures: Mapping[str, int],
    last: Mapping[str, Any],
    before: Mapping[str, Any],
    method: str,
    database_bytes: int,
) -> float | None:
    """The database at its last rate; the files at theirs, and the time that looking at all of them took."""
    seen = last.get("files", {})
    if not before.get("bytes") or not seen.get("size"):
        return None
    # What the copy before has is taken over while the database travels.
    database = max(
        before["seconds"] * database_bytes / before["bytes"], last.get("begun", {}).get("seconds", 0.0)
    )
    if method == "physical":
        database += last.get("prepare", {}).get("seconds", 0.0)
    looked_at = seen["seconds"] * figures["size"] / seen["size"]
    # The last copy may have moved nothing: its seconds are then those of looking alone.
    moved = seen["seconds"] * figures["bytes"] / seen["bytes"] if seen.get("bytes") else 0.0
    return float(round(database + max(moved, min(looked_at, seen["seconds"])), 1))


def measured(copies: Path) -> dict[str, Any]:
    """What the last copy measured; nothing where there was none."""
    try:
        found: dict[str, Any] = json.loads((copies / "last.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["listed", "compared"], "required": True},
            "base_path": {"type": "path", "default": "/srv/portal"},
            "upload": {"type": "str", "default": "upload"},
            "attachments": {"type": "bool", "default": True},
            "left_out": {"type": "list", "elements": "str", "default": []},
            "listing": {"type": "str", "default": ""},
            "release": {"type": "str", "default": ""},
            "copies": {"type": "path", "default": "/var/lib/boxlift/clones"},
            "method": {"type": "str", "choices": ["physical", "logical"], "default": "physical"},
            "database_bytes": {"type": "int", "default": 0},
        },
        required_if=[("state", "compared", ["listing", "release"])],
        supports_check_mode=True,
    )
    given = module.params
    base = Path(given["base_path"])
    try:
        if given["state"] == "listed":
            left_out = [*given["left_out"], *([] if given["attachments"] else [f"/{given['upload']}"])]
            module.exit_json(changed=False, listing=packed(files((base / "current").resolve(), left_out)))
        roots = [base / "releases" / given["release"], (base / "current").resolve()]
        figures = lacking(unpacked(given["listing"]), roots)
    except OSError as error:
        module.fail_json(msg=f"files of the portal: {error}")
    last = measured(Path(given["copies"]))
    module.exit_json(changed=False, ahead=reckoned(figures, last, given["method"], given["database_bytes"]))


if __name__ == "__main__":
    main()
