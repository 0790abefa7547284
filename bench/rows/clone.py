"""A copy of production for staging, beside a dump that is loaded and files that are copied from scratch."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import shlex
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pymysql
import yaml

from bench.backup import Shape
from bench.database import SETTINGS, Database
from bench.figure import Figure, Outcome, ratios
from bench.program import BenchError, program, started
from bench.rows import Row
from bench.server import ROOT
from bench.workshop import FULL, MB, Workshop, joined, shell

RELEASE = "bench-1"
DATABASE = "portal_bench_1"
_SOURCE = ROOT / "roles" / "portal_reader" / "templates" / "source.sh.j2"
_PROGRAMS = ":".join(str(ROOT / "roles" / role / "files") for role in ("portal_clone", "portal_reader"))
_VARIABLES = yaml.safe_load((ROOT / "roles/portal_clone/vars/main.yml").read_text(encoding="utf-8"))
_LEFT_OUT = _VARIABLES["__portal_clone_left_out"]
_CHANGED = 100
"""One upload in so many changes between two copies."""
_QUERIES = 25
"""Questions to the database that stand for a page."""
_ALONE_SECONDS = 10.0
_SHAPE = Shape(sql=300 * MB, files=900 * MB, parts=20, file_size=300_000, stored=True)
_QUICK_SHAPE = Shape(sql=20 * MB, files=60 * MB, parts=5, small_tables=100, stored=True)
_LINE = 118 * MB
"""Bytes a second in each direction: what 1 Gbit/s carries, which hosts of one provider have between them."""
_PRODUCTION, _STAGING = "0", "1"
"""Processors of the two hosts while pages are counted: what staging does must not take production's."""

# What systemd does on a host: the copy's own server runs until it is stopped.
_SYSTEMCTL = """\
#!/bin/bash
unit=${@: -1}; release=${unit#boxlift-database@}; release=${release%.service}
place=SOCKETS/boxlift-database-$release
case $1 in
    start) mkdir -p "$place"
           setsid SERVER --defaults-file=COPIES/$release/server.cnf --user=ME --tmpdir="$place" \\
               </dev/null >/dev/null 2>&1 & ;;
    *) kill "$(cat "$place/server.pid")" ;;
esac
"""


@dataclass
class _Series:
    """Seconds of everything that is compared, one a repeat; pages a second without and with a copy."""

    whole: list[float] = field(default_factory=list)
    second: list[float] = field(default_factory=list)
    tools: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    again: list[float] = field(default_factory=list)
    taken: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)
    meanwhile: list[float] = field(default_factory=list)


class _Hosts:
    """Production and staging in two folders: what a copy reads, and where it goes."""

    def __init__(self, shop: Workshop, short: Path) -> None:
        self._shop, self._short = shop, short
        self.base = shop.folder / "production"
        self.site = self.base / "releases" / RELEASE
        self.staging, self.copies = shop.folder / "staging", shop.folder / "copies"
        self._number = 0

    def make(self) -> None:
        """Unpack the portal, load its database, write the programs that stand for SSH and systemd."""
        shop = self._shop
        shop.tell("making a production to copy")
        self.site.mkdir(parents=True)
        (self.base / "current").symlink_to(f"releases/{RELEASE}")
        backup = shop.backup("production-backup", _SHAPE if shop.scale is FULL else _QUICK_SHAPE)
        parts = f"cat {joined(backup.parts)} | {program('gzip')} -dc"
        shop.run(shell(f"{parts} | {program('tar')} x -C {self.site}"))
        shutil.rmtree(backup.folder)
        dumps = self.site / "bitrix" / "backup"
        (dump,) = dumps.glob("*_full.sql")
        shop.database.value(f"DROP DATABASE IF EXISTS {DATABASE}")
        shop.database.value(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
        shop.run([*shop.client()[:-1], DATABASE], stdin=dump)
        shutil.rmtree(dumps)
        # Right after a load a backup would carry the load's whole redo log and play it again: a restart
        # leaves the changes in the data files, as they are on a server that has run for a day.
        shop.database.restart()
        (self.staging / "releases").mkdir(parents=True)
        self.copies.mkdir()
        settings = self._short / "settings"
        settings.mkdir()
        lines = "".join(f"{word.removeprefix('--')}\n" for word in SETTINGS)
        (settings / "bench.cnf").write_text(f"[mysqld]\n{lines}")
        self._write("source", self._source())
        command = f'SSH_ORIGINAL_COMMAND="$*" exec {{}} bash {self._short}/source'
        line = f"{sys.executable} -m bench.wire {self._short}/line {_LINE}"
        for name, text in (
            ("ssh", command.format(line)),
            ("ssh-pinned", command.format(f"taskset --cpu-list {_PRODUCTION} {line}")),
            ("ssh-tools", f'exec {line} bash -c "$*"'),
        ):
            self._write(
                name,
                "#!/bin/bash\nwhile [[ $1 == -* ]]; do shift; done\nshift\n"
                f"export PYTHONPATH={ROOT}\n{text}\n",
            )
        programs = self._short / "programs"
        programs.mkdir()
        text = _SYSTEMCTL.replace("SOCKETS", str(self._short)).replace("COPIES", str(self.copies))
        text = text.replace("SERVER", program("mariadbd")).replace("ME", getpass.getuser())
        self._write("programs/systemctl", text)

    def _source(self) -> str:
        environment = jinja2.Environment(
            undefined=jinja2.StrictUndefined, autoescape=jinja2.select_autoescape()
        )
        environment.filters["quote"] = shlex.quote
        return environment.from_string(_SOURCE.read_text(encoding="utf-8")).render(
            ansible_managed="by the bench",
            portal_reader_base_path=str(self.base),
            portal_reader_database_options_file=str(self._shop.database.defaults_file),
            portal_reader_upload="upload",
            portal_reader_lock_seconds=30,
            __portal_reader_release=RELEASE,
            __portal_reader_work=str(self._short),
        )

    def _write(self, name: str, text: str) -> None:
        path = self._short / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    @property
    def tools(self) -> Path:
        """What takes the tools over the same line, with any command."""
        return self._short / "ssh-tools"

    def order(self, *, pinned: bool = False) -> tuple[str, list[str]]:
        """The name of another copy, and the command that makes it.

        :param pinned: production's part on production's processor, staging's on staging's.
        """
        self._number += 1
        name = f"clone-{20260101000000 + self._number}"
        told: dict[str, Any] = {
            "release": name,
            "method": "physical",
            "ssh": str(self._short / ("ssh-pinned" if pinned else "ssh")),
            "address": "production",
            "source": RELEASE,
            "database": DATABASE,
            "database_bytes": 0,
            "base": str(self.staging),
            "copies": str(self.copies),
            "owner": getpass.getuser(),
            "account": getpass.getuser(),
            "sockets": str(self._short),
            "bandwidth_kb": 0,
            "memory_mb": 256,
            "settings": str(self._short / "settings"),
            "options_file": str(self._shop.database.defaults_file),
            "collation": "utf8mb4_unicode_ci",
            "upload": "upload",
            "left_out": _LEFT_OUT,
            "attachments": True,
            "resume_hours": 1.0,
        }
        path = self._short / f"{name}.json"
        path.write_text(json.dumps(told))
        command = (
            f"PYTHONPATH={_PROGRAMS} PATH={self._short}/programs:/usr/sbin:$PATH"
            f" exec {f'taskset --cpu-list {_STAGING} ' if pinned else ''}{sys.executable}"
            f" -m boxlift_clone {path}"
        )
        return name, shell(command)

    def figures(self, name: str) -> dict[str, Any]:
        """What the copy measured of itself.

        :raises BenchError: it is not what was to be measured.
        """
        report: dict[str, Any] = json.loads((self.copies / name / "report.json").read_text())
        if report["method"] != "physical" or not report["files"]["size"]:
            raise BenchError(f"{name} is no whole copy")
        return report

    def activate(self, name: str) -> None:
        """Let the next copy share files with this one."""
        link = self.staging / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(f"releases/{name}")

    def remove(self, *names: str) -> None:
        """Stop and remove copies."""
        (self.staging / "current").unlink(missing_ok=True)
        for name in names:
            place = self._short / f"boxlift-database-{name}"
            with contextlib.suppress(OSError, ValueError):
                number = int((place / "server.pid").read_text())
                os.kill(number, 15)
                while Path(f"/proc/{number}").exists():
                    time.sleep(0.05)
            for path in (self.copies / name, place):
                shutil.rmtree(path, ignore_errors=True)
            empty(self.staging / "releases" / name)

    def change(self) -> None:
        """Somebody replaces one upload in a hundred."""
        uploads = sorted(path for path in (self.site / "upload").rglob("*") if path.is_file())
        for path in uploads[::_CHANGED]:
            path.write_bytes(os.urandom(path.stat().st_size))


def empty(folder: Path) -> None:
    """Give the room of a portal's files back.

    They themselves stay until the bench ends: ext4 passes over files that were removed a minute ago, one by
    one, whenever it makes another, and what is measured next would be slowed down by that.
    """
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.truncate(path, 0)


class _Pages:
    """Asks production's database as pages do, and counts."""

    def __init__(self, database: Database) -> None:
        self._options = str(database.defaults_file)
        self._stop = threading.Event()
        self.pages = 0

    def _serve(self, questions: Sequence[str]) -> None:
        os.sched_setaffinity(0, {int(_PRODUCTION)})  # this thread alone
        connection = pymysql.connect(read_default_file=self._options, database=DATABASE, autocommit=True)
        with connection, connection.cursor() as cursor:
            while not self._stop.is_set():
                for number in range(_QUERIES):
                    cursor.execute(questions[number % len(questions)])
                    cursor.fetchall()
                self.pages += 1

    @contextlib.contextmanager
    def served(self) -> Iterator[None]:
        """Pages are served as long as this lasts."""
        connection = pymysql.connect(read_default_file=self._options, database=DATABASE)
        with connection, connection.cursor() as cursor:
            cursor.execute("SHOW TABLES")
            names = [str(name) for (name,) in cursor.fetchall()]
        questions = [" ".join(("SELECT * FROM", f"`{name}`", "LIMIT 20")) for name in names]
        thread = threading.Thread(target=self._serve, args=(questions,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def _measured(shop: Workshop) -> _Series:
    """Measure everything once; both rows draw from it."""

    def once() -> _Series:
        for name in ("mariadb-backup", "zstd", "rsync", "mariadb-dump"):
            program(name)
        found = _Series()
        with contextlib.ExitStack() as stack:
            # A socket's path has at most 107 bytes.
            short = stack.enter_context(
                tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True)
            )
            hosts = _Hosts(shop, Path(short))
            hosts.make()
            other = stack.enter_context(Database(shop.folder / "other"))
            for number in range(shop.repeats):
                shop.tell(f"copies, {number + 1} of {shop.repeats}")
                _one(shop, hosts, other, found)
        return found

    series: _Series = shop.once("copies", once)
    return series


def _one(shop: Workshop, hosts: _Hosts, other: Database, found: _Series) -> None:
    other.value(f"DROP DATABASE IF EXISTS {DATABASE}")
    other.value(f"CREATE DATABASE {DATABASE} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    place = shop.folder / "tools" / str(len(found.tools))
    place.mkdir(parents=True)
    script = (
        f"{hosts.tools} production {program('mariadb-dump')}"
        f" --defaults-file={shop.database.defaults_file} --single-transaction --quick {DATABASE} |"
        f" {program('mariadb')} --defaults-file={other.defaults_file} {DATABASE};"
        f" {program('rsync')} --archive --rsh={hosts.tools} production:{hosts.site}/ {place}/site/"
    )
    found.tools.append(shop.run(shell(script)).seconds)
    empty(place)
    first, command = hosts.order()
    found.whole.append(shop.run(command).seconds)
    found.first.append(hosts.figures(first)["files"]["seconds"])
    hosts.activate(first)
    hosts.change()
    second, command = hosts.order()
    found.second.append(shop.run(command).seconds)
    report = hosts.figures(second)
    found.again.append(report["files"]["seconds"])
    found.taken.append(report["begun"]["seconds"])
    hosts.remove(first, second)
    pages = _Pages(shop.database)
    with shop.database.pinned(int(_PRODUCTION)), pages.served():
        time.sleep(_ALONE_SECONDS)
        alone = pages.pages / _ALONE_SECONDS
        began, before = time.monotonic(), pages.pages
        third, command = hosts.order(pinned=True)
        with started(command) as process:
            process.wait()
        meanwhile = (pages.pages - before) / (time.monotonic() - began)
    hosts.remove(third)
    found.alone.append(alone)
    found.meanwhile.append(meanwhile)


def _whole(shop: Workshop) -> Outcome:
    series = _measured(shop)
    kept = [100 * share for share in ratios(series.meanwhile, series.alone)]
    figures = (
        Figure("whole copy / tools", tuple(ratios(series.whole, series.tools)), "at most", 0.4, "×"),
        Figure("files again / first", tuple(ratios(series.again, series.first)), "at most", 0.15, "×"),
    )
    details = {
        "whole s": statistics.median(series.whole),
        "tools s": statistics.median(series.tools),
        "second copy s": statistics.median(series.second),
        "files first s": statistics.median(series.first),
        "files again s": statistics.median(series.again),
        "taken over s": statistics.median(series.taken),
        "pages/s alone": statistics.median(series.alone),
        "pages/s while copied": statistics.median(series.meanwhile),
        "pages kept %": statistics.median(kept),
    }
    return Outcome("clone", figures, details)


ROWS = (
    Row(
        "clone",
        "a copy of production for staging, and another one after one upload in a hundred changed",
        "`mariadb-dump | mariadb`, then `rsync` from scratch",
        "A portal of 1.2 GB: a dump of 300 MB, files of 300 KB in the mean. The program of the role "
        "`portal_clone`, with the command of `portal_reader` at the other end of a line of 118 MB/s in each "
        "direction, as 1 Gbit/s carries it, in place of SSH; the tools go over the same line, dump and rsync "
        "alike. Neither side encrypts. The files' seconds go from the database's last byte to the last file "
        "in its place; the database is prepared and started beside that, in both copies of a pair. What the "
        "second takes over from the first it copies on its own host while the database travels, which has "
        "seconds of its own (`taken over s`). Production's server has written its changes to the data files "
        "before, as one that has run for a day. The whole copy ends when its files are there, its database "
        "server answers and rows and files were compared. Pages are rounds of 25 questions to production's "
        "database, before and during a copy: they, that server and what the copy runs on production have one "
        "processor, what it runs on staging has the other.",
        _whole,
    ),
)
