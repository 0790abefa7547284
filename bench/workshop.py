"""Where a run of the bench works: its folder, data, server settings, and how often things are repeated."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.backup import Backup, Shape, make
from bench.database import DATABASE, Database
from bench.program import BenchError, Run, measure, program
from bench.server import ROOT

MIB = 1 << 20
MB = 1_000_000


@dataclass(frozen=True)
class Scale:
    """How large the data are; sizes in bytes.

    :param main: of the backup that is restored as a whole.
    :param part: of each of the 16 parts behind a server that caps connections.
    :param hundred: of a backup in a hundred parts.
    :param twenty: of a backup in twenty parts, mostly files.
    :param memory: of the backups whose restore's memory is looked at.
    :param tasks: of the playbook that is run with and without boxlift's runner: a number, not bytes.
    """

    main: int
    part: int
    hundred: int
    twenty: int
    memory: tuple[int, ...]
    tasks: int


FULL = Scale(320 * MB, 8 * MB, 200 * MB, 80 * MB, (200 * MB, 2000 * MB, 8000 * MB), 150)
QUICK = Scale(60 * MB, 2 * MB, 60 * MB, 40 * MB, (50 * MB, 200 * MB), 25)


@dataclass
class Workshop:
    """What the rows share. To be used as a context: nothing is left after it.

    :param folder: empty; on the disk whose speed counts.
    :param repeats: counted runs of each pair.
    :param tell: says what is being done.
    """

    folder: Path
    scale: Scale
    repeats: int
    tell: Callable[[str], None]
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _kept: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> Workshop:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def database(self) -> Database:
        """The server, started when first needed."""
        self.tell("starting MariaDB")
        return self._stack.enter_context(Database(self.folder / "database"))

    @cached_property
    def main(self) -> Backup:
        """The backup that stands for a portal's: 30 % dump, 70 % files, most of them incompressible."""
        size = self.scale.main
        return self.backup("main", Shape(sql=size * 3 // 10, files=size * 7 // 10, parts=20))

    @cached_property
    def unpacked(self) -> Path:
        """The main backup's dump, unpacked: what those load who load it alone."""
        to = self.folder / "unpacked"
        to.mkdir()
        members = "bitrix/backup"
        script = (
            f"cat {joined(self.main.parts)} | {program('gzip')} -dc | {program('tar')} x -C {to} {members}"
        )
        self.run(shell(script))
        return to / members

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """Do something the first time that it is asked for."""
        if name not in self._kept:
            self._kept[name] = work()
        return self._kept[name]

    def backup(self, name: str, shape: Shape) -> Backup:
        """Make a backup; it stays until the end, or until `remove`."""
        self.room(2 * (shape.sql + shape.files))
        self.tell(f"making a backup of {(shape.sql + shape.files) / MB:.0f} MB")
        return make(self.folder / name, shape)

    def room(self, needed: int) -> None:
        """Refuse work for which the disk is too small.

        :raises BenchError: it is.
        """
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            raise BenchError(
                f"{self.folder} has {free / MB:,.0f} MB free, {needed / MB:,.0f} are needed: give a --work"
            )

    def run(self, command: Sequence[str], *, memory: bool = False, stdin: Path | None = None) -> Run:
        """Run and measure a command; what it wrote is on the disk when it counts as done."""
        return measure(command, sync=self.folder, memory=memory, stdin=stdin)

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """An empty folder for one run; gone after it."""
        path = self.folder / "runs" / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def restore(self, source: str, place: Path, *options: str) -> list[str]:
        """The command that restores a whole backup into a folder and the database."""
        return [
            *bxbackup("restore", source),
            *("--to", str(place / "site"), "--state", str(place / "state"), "--database", DATABASE),
            *("--defaults-file", str(self.database.defaults_file), "--json", *options),
        ]

    def load(self) -> list[str]:
        """The command that loads the main backup's dump."""
        return [
            *bxbackup("load", str(self.unpacked), "--database", DATABASE),
            *("--defaults-file", str(self.database.defaults_file)),
        ]

    def client(self) -> list[str]:
        """What loads a dump today: one client, checks of foreign keys off, as the vendor's restore.php."""
        return [
            program("mariadb"),
            f"--defaults-file={self.database.defaults_file}",
            "--default-character-set=utf8mb4",
            "--init-command=SET foreign_key_checks=0, sql_mode=''",
            DATABASE,
        ]

    @property
    def dump(self) -> Path:
        """The main backup's dump."""
        return next(path for path in self.unpacked.iterdir() if path.name.endswith("_full.sql"))

    def check_loaded(self) -> None:
        """Know that the last run did what it was measured for.

        :raises BenchError: tables are missing.
        """
        found = self.database.tables()
        if found != self.main.tables:
            raise BenchError(f"{found} of {self.main.tables} tables are in the database")


def bxbackup(*words: str) -> list[str]:
    """A command of the bxbackup that belongs to this Python."""
    return [str(Path(sys.executable).with_name("bxbackup")), *words]


def fetch(source: str, folder: Path, *options: str) -> list[str]:
    """The command that only fetches, as `bxbackup restore` does."""
    return [*_ours("fetch"), source, str(folder), *options]


def check(parts: Sequence[Path]) -> list[str]:
    """The command that checks parts as `bxbackup restore` does when they have come."""
    return [*_ours("arrival"), *map(str, parts)]


def _ours(module: str) -> list[str]:
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from bench.{module} import main; sys.exit(main())"
    return [sys.executable, "-c", code]


def shell(script: str) -> list[str]:
    """A pipeline that fails when one of its programs fails."""
    return ["bash", "-o", "pipefail", "-euc", script]


def joined(paths: Sequence[Path]) -> str:
    """Paths for a shell; the bench makes them without any special characters."""
    return " ".join(map(str, paths))
