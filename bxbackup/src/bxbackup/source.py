"""Where the parts of a backup are, and how they are named and ordered (backup_format 1.2, 1.6, 1.7)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from bxbackup.errors import AbsentError, UsageError

_NUMBERED = re.compile(
    r"\A(?P<base>.*\.(?:tar|enc)(?:\.gz)?)\.(?P<number>\d{1,6})\Z", re.DOTALL | re.IGNORECASE
)
_URL = re.compile(r"\Ahttps?:", re.IGNORECASE)
_SHOWN = re.compile(r"([^:/?#]*:(?://)?)([^/?#]*)([^?#]*)", re.DOTALL)
_LONGEST_LIST = 100_000
_LONGEST_NAME = 240


@dataclass(frozen=True)
class Part:
    """One volume and where it comes from.

    :param number: 0 for the first.
    :param url: where to fetch it; a credential if it is presigned, so never shown or stored.
    :param path: where it lies, for a local source.
    """

    name: str
    number: int
    url: str | None = None
    path: Path | None = None

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {self.number})"


def split_name(name: str) -> tuple[str, int]:
    """Name of the first volume and number, from the name of any: `a.tar.gz.12` is `a.tar.gz`, 12."""
    match = _NUMBERED.match(name)
    return (match["base"], int(match["number"])) if match else (name, 0)


def part_name(first: str, number: int) -> str:
    """Name of a volume: the first has no number, the others have one without leading zeros."""
    return first if number == 0 else f"{first}.{number}"


def is_url(text: str) -> bool:
    """Whether a SOURCE names something on a server."""
    return _URL.match(text) is not None


def shown(source: str) -> str:
    """A SOURCE as it may be printed and stored: without user, query and fragment."""
    if not is_url(source) and "://" not in source:
        return source
    # Also of what is no proper URL: it may hold a credential all the same.
    match = _SHOWN.match(source)
    return match[1] + match[2].rpartition("@")[2] + match[3] if match else source


def url_name(url: str) -> str:
    """The file name that a URL stands for.

    :raises UsageError: it is no URL.
    """
    try:
        path = urlsplit(url).path
    except ValueError:
        # Its text may quote what is a credential.
        raise UsageError(f"{shown(url)} is no URL", advice="give it as the source's owner wrote it") from None
    return unquote(path).rsplit("/", 1)[-1]


def url_of_part(first_url: str, number: int) -> str:
    """The URL of another volume: the number goes before the query, unlike in backup_format 6, step 2."""
    parts: SplitResult = urlsplit(first_url)
    base, _ = split_name(parts.path)
    return urlunsplit(parts._replace(path=part_name(base, number)))


def local_parts(archive: Path) -> list[Part]:
    """All volumes that lie beside the named one, in numeric order; gaps stay gaps.

    :param archive: path of a volume, or of a folder that holds the volumes of exactly one backup.
    :raises AbsentError: there is no volume.
    :raises UsageError: the folder holds several backups.
    """
    if archive.is_dir():
        archive = _only_backup(archive)
    first, _ = split_name(archive.name)
    if not archive.exists() and not (archive.parent / first).exists():
        raise AbsentError(
            f"there is no backup at {archive}", advice="name the first volume, for example BACKUP.tar.gz"
        )
    found: dict[int, Part] = {}
    for path in archive.parent.iterdir():
        base, number = split_name(path.name)
        if base == first and path.name == part_name(first, number) and path.is_file():
            found[number] = Part(path.name, number, path=path)
    return [found[number] for number in sorted(found)]


def _only_backup(folder: Path) -> Path:
    looks = re.compile(r".*\.(tar|enc)(\.gz)?(\.\d+)?\Z", re.IGNORECASE | re.DOTALL)
    names = sorted({split_name(path.name)[0] for path in folder.iterdir() if looks.match(path.name)})
    if not names:
        raise AbsentError(f"{folder} holds no volume of a backup")
    if len(names) > 1:
        raise UsageError(
            f"{folder} holds {len(names)} backups", cause=", ".join(names[:5]), advice="name one"
        )
    return folder / names[0]


@dataclass(frozen=True)
class Source:
    """What SOURCE named.

    :param first: name of the first volume.
    :param listed: all parts, where a list or a folder gives them; None where only the first URL is known.
    :param first_url: URL that the others are derived from.
    """

    first: str
    listed: list[Part] | None = None
    first_url: str | None = None
    remote: bool = False

    def part(self, number: int) -> Part:
        """The part of this number, by the list or by the naming rule."""
        if self.listed is not None:
            for part in self.listed:
                if part.number == number:
                    return part
            return Part(part_name(self.first, number), number)
        if self.first_url is None:
            return Part(part_name(self.first, number), number)
        return Part(part_name(self.first, number), number, url=url_of_part(self.first_url, number))

    @property
    def complete_list(self) -> int | None:
        """How many parts a list of URLs says there are; None without such a list."""
        if self.listed is None or not self.remote:
            return None
        return max(part.number for part in self.listed) + 1

    def __repr__(self) -> str:
        return f"Source({self.first!r})"


def open_source(text: str) -> Source:
    """Understand a SOURCE: path of the first volume, URL of it, or `@FILE` with one URL or path a line.

    :raises UsageError: it cannot be understood.
    :raises AbsentError: the named file or folder is not there.
    """
    if text.startswith("@"):
        return _from_list(Path(text[1:]))
    if is_url(text):
        name, _ = split_name(url_name(text))
        _check_name(name)
        return Source(name, first_url=text, remote=True)
    if "://" in text:
        raise UsageError(
            f"cannot fetch from {text.split('://', maxsplit=1)[0]}://", advice="give an http(s) URL or a path"
        )
    parts = local_parts(Path(text))
    return Source(split_name(parts[0].name)[0], listed=parts)


def _check_name(name: str) -> None:
    if (
        not name
        or "/" in name
        or "\0" in name
        or name in {".", ".."}
        or len(os.fsencode(name)) > _LONGEST_NAME
    ):
        raise UsageError(
            "the URL does not end in the name of a volume",
            advice="it should end in .tar.gz, .enc.gz, .tar or .enc",
        )


def _from_list(path: Path) -> Source:
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the list {path}", cause=str(error)) from error
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines or len(lines) > _LONGEST_LIST:
        raise UsageError(f"the list {path} holds {len(lines)} lines", advice="it should hold one URL a line")
    if any(line.startswith("@") for line in lines):
        raise UsageError(f"the list {path} names another list", advice="it should hold one URL a line")
    if len(lines) == 1:
        return open_source(lines[0])
    parts: dict[int, Part] = {}
    names: set[str] = set()
    for line in lines:
        url = line if is_url(line) else None
        name = url_name(line) if url else Path(line).name
        _check_name(name)
        base, number = split_name(name)
        names.add(base)
        if number in parts:
            raise UsageError(f"the list {path} names part {name} twice")
        parts[number] = Part(name, number, url=url, path=None if url else Path(line))
    if len(names) > 1:
        raise UsageError(
            f"the list {path} names parts of {len(names)} backups", cause=", ".join(sorted(names)[:5])
        )
    ordered = [parts[number] for number in sorted(parts)]
    return Source(names.pop(), listed=ordered, remote=any(part.url for part in ordered))
