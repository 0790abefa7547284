"""What to back up, from where, to where: written by the role, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from boxlift_reader import order
from boxlift_reader.order import Method

NAME = re.compile(r"[0-9]{14}\Z")
_RELEASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,55}\Z")


@dataclass(frozen=True)
class Order:
    """One backup.

    :param name: YYYYmmddHHMMSS.
    :param why: why the database is backed up that way, for the report.
    :param comparable: whether the trial's server computes the checksums that production's does.
    :param ssh: program that reaches the source with the key of this run.
    :param address: account and host of the source, for that program.
    :param release: the one that the source serves.
    :param database_bytes: size of its database there.
    :param files_bytes: size of the files that its rows name.
    :param folder: holds the backups, a folder each.
    :param account: user and group of the trial's database server.
    :param sockets: folder for its socket.
    :param bandwidth_kb: highest rate of each stream in KiB a second, 0 for none.
    :param memory_mb: buffer pool of the trial's server.
    :param keep: backups that stay.
    :param free_percent: share of the disk that shall be free afterwards.
    :param resume_hours: a database that was pulled longer ago by an unfinished run is pulled again.
    """

    name: str
    method: Method
    why: str
    comparable: bool
    ssh: Path
    address: str
    release: str
    database: str
    database_bytes: int
    files_bytes: int
    folder: Path
    account: str
    sockets: Path
    bandwidth_kb: int
    memory_mb: int
    upload: str
    keep: int
    free_percent: int
    resume_hours: float

    @classmethod
    def read(cls, path: Path) -> Order:
        """Read the role's file.

        :raises PullError: it is not complete, or names what this program must not touch.
        """
        names = {"name": NAME, "database": order.DATABASE, "release": _RELEASE}
        return cls(**order.read(cls, path, "a backup", names))

    @property
    def work(self) -> Path:
        """What is not a backup yet, whatever run began it."""
        return self.folder / ".unfinished"

    @property
    def data(self) -> Path:
        """The database's files."""
        return self.work / "database"

    @property
    def statements(self) -> Path:
        """The database as statements, compressed."""
        return self.work / "database.sql.zst"

    @property
    def files(self) -> Path:
        """The release's files."""
        return self.work / "files"
