"""Where the backup of a pass is: a file of the project, because a link to a backup is a credential.

`backup/<pass>.txt` (0600) holds the URL or path of the first part, or the URL of each part, one a line; lines
that begin with # are remarks. `backup/<pass>.password` (0600) holds the password of an encrypted backup.
`backup/<pass>.size` is what `boxlift check` learned of the size behind the link.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from boxlift.errors import PreflightError
from boxlift.plan import Pass

_OPENING = re.compile(r"sig|credential|token|key|secret|pass|auth", re.IGNORECASE)
"""Parameters of a link that open it."""


@dataclass(frozen=True)
class Backup:
    """The sources are secrets: never print them."""

    sources: tuple[str, ...] = field(repr=False)
    password: str | None = field(repr=False)

    def variables(self) -> dict[str, object]:
        """What a restoring playbook is told."""
        source = self.sources[0] if len(self.sources) == 1 else list(self.sources)
        told: dict[str, object] = {"portal_backup_source": source}
        if self.password is not None:
            told["portal_backup_password"] = self.password
        return told

    def secrets(self) -> list[str]:
        """What must not be shown: the password, and of each link what opens it, whole and in parts."""
        found = [self.password] if self.password else []
        for source in self.sources:
            parts = urlsplit(source)
            if parts.scheme and (parts.query or parts.password):
                found += [source, parts.query, parts.password or "", unquote(parts.password or "")]
                found += [value for name, value in parse_qsl(parts.query) if _OPENING.search(name)]
        return [secret for secret in found if secret]


def paths(root: Path, pass_: Pass) -> tuple[Path, Path]:
    """Files of the source and of the password."""
    return root / "backup" / f"{pass_}.txt", root / "backup" / f"{pass_}.password"


def read(root: Path, pass_: Pass) -> Backup:
    """PreflightError where the operator has not put it there, others can read it, or it makes no sense."""
    source, password = paths(root, pass_)
    lines = [line.strip() for line in _private(source).splitlines()] if source.exists() else []
    sources = tuple(line for line in lines if line and not line.startswith("#"))
    if not sources:
        raise PreflightError(
            f"nobody has said yet where the {pass_}'s backup is",
            cure=f"put the link or path of its first part into {source}, chmod 600",
        )
    for number, link in enumerate(sources, start=1):
        _check_link(source, number, link)
    return Backup(sources, _private(password).rstrip("\r\n") if password.exists() else None)


def _check_link(path: Path, number: int, link: str) -> None:
    """PreflightError that names no more of a link than its number."""
    try:
        urlsplit(link)
    except ValueError as error:
        raise PreflightError(f"{path}: link {number} is none", cure=f"copy it anew into {path}") from error


def write(root: Path, pass_: Pass, sources: Sequence[str], password: str | None = None) -> None:
    """Say where a pass's backup is; replaces what was said before."""
    for path, content in zip(paths(root, pass_), ("\n".join(sources), password), strict=True):
        path.unlink(missing_ok=True)
        if content is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(content + "\n")


def size(root: Path, pass_: Pass) -> int | None:
    """Bytes of the backup that is named now: of its files, or as remembered for its link; None if unknown."""
    try:
        sources = read(root, pass_).sources
    except PreflightError:
        return None
    try:
        if any("://" in source for source in sources):
            amount, name = _size_file(root, pass_).read_text(encoding="utf-8").split()
            return int(amount) if name == _name(sources) else None
        parts = [root / source for source in sources]
        if len(parts) == 1:
            parts += parts[0].parent.glob(f"{parts[0].name}.*")
        return sum(part.stat().st_size for part in parts) or None
    except (OSError, ValueError):
        return None


def remember_size(root: Path, pass_: Pass, amount: int) -> None:
    """Keep the size of the backup that is named now; a link to another one makes it void."""
    _size_file(root, pass_).write_text(f"{amount} {_name(read(root, pass_).sources)}\n", encoding="utf-8")


def _size_file(root: Path, pass_: Pass) -> Path:
    return root / "backup" / f"{pass_}.size"


def _name(sources: Sequence[str]) -> str:
    """What tells one backup from another: its first link without the signature, hashed."""
    return hashlib.sha256(sources[0].partition("?")[0].encode()).hexdigest()


def _private(path: Path) -> str:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise PreflightError(f"{path} can be read by others", cure=f"chmod 600 {path}")
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PreflightError(f"{path} is no UTF-8 text", cure=f"write {path} anew, chmod 600") from error
