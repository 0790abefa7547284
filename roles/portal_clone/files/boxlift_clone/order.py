"""What to copy, from where, to where: written by the role, read once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from boxlift_reader import order
from boxlift_reader.order import Method

_RELEASE = re.compile(r"clone-[0-9]{14}\Z")


@dataclass(frozen=True)
class Order:
    """One copy.

    :param ssh: program that reaches the source with the key of this run.
    :param address: account and host of the source, for that program.
    :param database: database of the release that the source serves.
    :param database_bytes: its size there.
    :param base: folder of this host's releases, with the link `current`.
    :param copies: folder with a folder for each copy: state, report, the data of its database server.
    :param owner: user and group of the files.
    :param account: user and group of the copy's own database server.
    :param sockets: folder for the folder of its socket, which its unit makes.
    :param bandwidth_kb: highest rate of each stream in KiB a second, 0 for none.
    :param memory_mb: buffer pool of the copy's server.
    :param settings: folder with the settings of this host's server, which the copy's takes over.
    :param options_file: client option file of this host's server, where the logical way ends.
    :param left_out: what does not travel, as rsync writes patterns.
    :param attachments: whether uploaded files are copied too.
    :param resume_hours: a database that was pulled longer ago is pulled again.
    """

    release: str
    method: Method
    ssh: Path
    address: str
    source: str
    database: str
    database_bytes: int
    base: Path
    copies: Path
    owner: str
    account: str
    sockets: Path
    bandwidth_kb: int
    memory_mb: int
    settings: Path
    options_file: Path
    collation: str
    upload: str
    left_out: tuple[str, ...]
    attachments: bool
    resume_hours: float

    @classmethod
    def read(cls, path: Path) -> Order:
        """Read the role's file.

        :raises PullError: it is not complete, or names what this program must not touch.
        """
        names = {"release": _RELEASE, "database": order.DATABASE}
        return cls(**order.read(cls, path, "a copy", names))

    @property
    def own_database(self) -> str:
        """Database of the copy."""
        return f"portal_{self.release.replace('-', '_')}"

    @property
    def root(self) -> Path:
        """Folder of the copy's files."""
        return self.base / "releases" / self.release

    @property
    def folder(self) -> Path:
        """Folder of the copy's state and of its database server."""
        return self.copies / self.release

    @property
    def data(self) -> Path:
        """Data of the copy's own database server."""
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        """Socket of the copy's own database server."""
        return self.sockets / f"boxlift-database-{self.release}" / "server.sock"

    @property
    def former(self) -> Path | None:
        """Files of the release that is active here; None on a host without one."""
        active = self.base / "current"
        return active.resolve() if active.is_dir() else None
