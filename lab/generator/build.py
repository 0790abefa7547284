"""Writes a portal as a backup: parts, CDN folder and manifest.json in the shape of the samples' manifests."""

import hashlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from lab.generator.plan import Settings
from lab.generator.portal import Portal
from lab.generator.tree import CLOUD_LIST, CONFIG_MARK, EXCLUDED, PRIVATE, Item, cloud_key, tree
from lab.writer.archive import Archive, ArchiveWriter, FileRecord
from lab.writer.cipher import VERSIONS, BlockCipher
from lab.writer.dump import VENDOR_FILE_LIMIT, DumpWriter, TableFacts, after_connect
from lab.writer.names import cloud_base, extension, ordinary_base
from lab.writer.tar import FILE, Entry
from lab.writer.volume import VolumeWriter, fast_deflater

# Tables whose rows an option leaves out (backup_format 5.4).
LOG_TABLES = ("b_stat", "b_search_", "b_event_log")
MANIFEST = "manifest.json"
CDN_FOLDER = "cdn"
CIPHER_NAMES = {"aes": "aes-256-ecb", "blowfish": "bf-ecb"}
DUMP_SHARE_OF_FIRST_FILE = 0.6
TABLES_METHOD = (
    "md5 of `mariadb --default-character-set=utf8mb4 -N -B -e \"SET time_zone='+00:00'; SELECT * FROM t "
    "ORDER BY <order_by>\"`, worked out from the rows as written; import with sql_mode='', "
    "FOREIGN_KEY_CHECKS=0, time_zone '+00:00'"
)


@dataclass(frozen=True, slots=True)
class Form:
    """How the backup is written; sizes in bytes, `dump_limit` None: so that the dump has two files."""

    part_limit: int
    gzipped: bool = True
    password: str | None = None
    cipher: str = "aes"
    sessions: int = 5
    dump_limit: int | None = None
    skip_logs: bool = False
    kernel: Path | None = None


@dataclass(frozen=True, slots=True)
class Built:
    """What was written, sizes in bytes."""

    first_part: str
    parts: int
    size: int
    tar_bytes: int
    tables: int
    rows: int
    files: int
    seconds: float


class BackupBuilder:
    """Streams one portal into one backup; needs memory for file names only, and disk for one dump file."""

    def __init__(
        self, settings: Settings, form: Form, out: Path, tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self._settings = settings
        self._form = form
        self._out = out
        self._tell = tell
        self._portal = Portal(settings)
        self._dump_files: list[str] = []
        self._tables: dict[str, TableFacts] = {}
        random = self._portal.random("names")
        if form.password is None:
            token = "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=16))
            self._base = ordinary_base(settings.domain, settings.at, token)
        else:
            self._base = cloud_base(settings.at, f"{random.randrange(10**8):08}")
        self._first = self._base + extension(encrypted=form.password is not None, gzipped=form.gzipped)
        self._token = f"{random.getrandbits(128):032x}"

    def build(self) -> Built:
        """Write everything; the folder must be empty or absent."""
        started = time.monotonic()
        self._out.mkdir(parents=True, exist_ok=True)
        if any(self._out.iterdir()):
            raise FileExistsError(f"{self._out} is not empty; give an empty folder")
        inside, outside = tree(self._portal, self._form.kernel)
        archive = self._write_archive(inside)
        self._tell("writing the uploads of the CDN" if outside else "writing the manifest")
        cdn = [self._write_cdn(item) for item in outside]
        manifest = self._manifest(archive, cdn)
        text = json.dumps(manifest, ensure_ascii=False, indent=1)
        (self._out / MANIFEST).write_text(text + "\n", encoding="utf-8")
        return Built(
            first_part=self._first,
            parts=len(archive.parts),
            size=sum(part.size for part in archive.parts),
            tar_bytes=archive.tar_bytes,
            tables=len(self._tables),
            rows=sum(facts.rows for facts in self._tables.values()),
            files=sum(1 for record in archive.records if record.kind == FILE) + len(cdn),
            seconds=round(time.monotonic() - started, 1),
        )

    def _write_archive(self, items: list[Item]) -> Archive:
        form = self._form
        volumes = VolumeWriter(
            self._out, self._first, form.part_limit, gzipped=form.gzipped, deflater=fast_deflater
        )
        expected = self._settings.size + sum(
            item.size + 1024 for item in items if not item.path.startswith("upload/")
        )
        writer = ArchiveWriter(
            volumes,
            form.part_limit,
            cipher=BlockCipher(form.password, form.cipher) if form.password is not None else None,
            token=self._token,
            sessions=[expected * number // form.sessions for number in range(1, form.sessions)],
        )
        self._add(writer, next(item for item in items if item.path == CONFIG_MARK))
        self._add_dump(writer)
        self._tell("writing files")
        for item in items:
            self._add(writer, item)
        return writer.close()

    def _add(self, writer: ArchiveWriter, item: Item) -> None:
        entry = Entry(item.path.encode(), item.kind, item.size, item.mode, item.mtime)
        writer.add(entry, item.open())

    def _add_dump(self, writer: ArchiveWriter) -> None:
        charset = self._settings.collation.split("_", 1)[0]
        connect = after_connect(charset, self._settings.collation)
        name = f"bitrix/backup/{self._base}_after_connect.sql"
        writer.add(Entry(name.encode(), FILE, len(connect), 0o644, self._portal.end), [connect])
        with tempfile.TemporaryDirectory(dir=self._out, prefix=".dump-") as folder:

            def deliver(path: Path) -> None:
                inside = f"bitrix/backup/{path.name}"
                self._dump_files.append(inside)
                entry = Entry(inside.encode(), FILE, path.stat().st_size, 0o644, self._portal.end)
                writer.add_path(entry, path)
                path.unlink()

            limit = self._form.dump_limit or min(
                VENDOR_FILE_LIMIT, int(self._portal.plan.sql_bytes * DUMP_SHARE_OF_FIRST_FILE)
            )
            dump = DumpWriter(Path(folder), f"{self._base}.sql", limit, charset, deliver)
            self._write_dump(dump)

    def _write_dump(self, dump: DumpWriter) -> None:
        dump.start(self._settings.at)
        for name, table in self._portal.tables.items():
            self._tell(f"writing table {name}")
            if self._form.skip_logs and name.startswith(LOG_TABLES):
                ddl = table.ddl(collation=self._settings.collation, auto_increment=None)
                self._tables[name] = dump.definition(table, ddl)
                continue
            counter, rows = self._portal.counted_rows(table)
            ddl = table.ddl(collation=self._settings.collation, auto_increment=counter)
            self._tables[name] = dump.table(table, ddl, counter, rows)
        for view in self._portal.views:
            dump.view(view.name, view.ddl)
        dump.finish(self._settings.at + timedelta(minutes=7))

    def _write_cdn(self, item: Item) -> FileRecord:
        path = self._out / CDN_FOLDER / cloud_key(self._portal, item.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as stream:
            for chunk in item.open():
                digest.update(chunk)
                stream.write(chunk)
        return FileRecord(item.path.encode(), FILE, item.size, digest.hexdigest(), item.mode, 0, 0)

    def _manifest(self, archive: Archive, cdn: list[FileRecord]) -> dict[str, object]:
        form, portal, settings = self._form, self._portal, self._settings
        encrypted = form.password is not None
        return {
            "sample": None,
            "dataset": f"size {settings.size}, seed {settings.seed}",
            "writer": "lab.writer",
            "hits": form.sessions,
            "password": form.password,
            "cipher": CIPHER_NAMES[form.cipher] if encrypted else None,
            "enc_version": VERSIONS[form.cipher].decode() if encrypted else None,
            "gzip": form.gzipped,
            "part_limit_bytes": form.part_limit,
            "parts": [asdict(part) for part in archive.parts],
            "tar": {
                "bytes": archive.tar_bytes,
                "entries": sum(archive.copies.values()),
                "first_entries": archive.first_entries,
            },
            "dump": {
                "files": self._dump_files,
                "after_connect": f"bitrix/backup/{self._base}_after_connect.sql",
                "charset": settings.collation.split("_", 1)[0],
                "collation": settings.collation,
                "tail": "-- Finished:",
            },
            "files": self._file_facts(archive, cdn),
            "excluded_by_writer": [str(path) for path in EXCLUDED],
            "uploads": {
                "mode": settings.uploads,
                "list": CLOUD_LIST if cdn else None,
                "folder": CDN_FOLDER if cdn else None,
                "files": len(cdn),
                "bytes": sum(record.size for record in cdn),
            },
            "tables_method": TABLES_METHOD,
            "tables": {
                name: {"after_import": _after_import(facts), "source_equal": True}
                for name, facts in (*self._tables.items(), *self._view_facts())
            },
            "b_file": portal.file_facts(),
            "facts": portal.facts(),
        }

    def _view_facts(self) -> Iterator[tuple[str, TableFacts]]:
        for view in self._portal.views:
            rows = [
                "\t".join("NULL" if value is None else str(value) for value in row) + "\n"
                for row in view.rows()
            ]
            digest = hashlib.md5("".join(rows).encode(), usedforsecurity=False).hexdigest()
            yield (
                view.name,
                TableFacts(view.name, "view", None, None, len(rows), ",".join(view.order_by), digest),
            )

    def _file_facts(self, archive: Archive, cdn: list[FileRecord]) -> list[dict[str, object]]:
        found = [_file_fact(record, archive.copies[record.path]) for record in archive.records]
        found += [{**_file_fact(record, 1), "source": CDN_FOLDER} for record in cdn]
        return sorted(found, key=lambda fact: str(fact["path"]))


def _file_fact(record: FileRecord, copies: int) -> dict[str, object]:
    path = record.path.decode()
    fact: dict[str, object] = {
        "path": path,
        "type": "file" if record.kind == FILE else "dir",
        "size": record.size,
        "sha256": record.sha256,
        "mode": f"{record.mode:o}",
    }
    if copies > 1:
        fact["copies"] = copies
    if record.kind == FILE and record.last > record.first:
        fact["crosses_parts"] = [record.first, record.last]
    if path in PRIVATE:
        fact["note"] = "credentials masked by the writer"
    if path.startswith("bitrix/backup/"):
        fact["note"] = "database dump"
    if path == CLOUD_LIST:
        fact["used_up"] = True
    return fact


def _after_import(facts: TableFacts) -> dict[str, object]:
    return {
        "type": facts.kind,
        "engine": facts.engine,
        "auto_increment": facts.auto_increment,
        "rows": facts.rows,
        "order_by": facts.order_by,
        "tsv_md5": facts.tsv_md5,
    }
