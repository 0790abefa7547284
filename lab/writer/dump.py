"""The database dump: `.sql`, `.sql.1`, … cut between statements (backup_format 5.1, 5.3 to 5.6)."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lab.writer.names import part_name
from lab.writer.rows import Row, batches, render
from lab.writer.schema import Table

STATEMENT_LIMIT = 1_000_000
VENDOR_FILE_LIMIT = 2_000_000_000
RULE = "-- -----------------------------------\n"


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What an import of the table must show; `tsv_md5` as samples/README defines it."""

    name: str
    kind: str
    engine: str | None
    auto_increment: int | None
    rows: int
    order_by: str
    tsv_md5: str


def after_connect(charset: str, collation: str) -> bytes:
    """Content of `<name>_after_connect.sql` (backup_format 5.2)."""
    return f"SET NAMES '{charset}';\nALTER DATABASE `<DATABASE>` COLLATE {collation};\n".encode()


class DumpWriter:
    """Writes dump files into `folder` and hands each finished one to `deliver`, which may delete it."""

    def __init__(
        self, folder: Path, first_name: str, file_limit: int, charset: str, deliver: Callable[[Path], None]
    ) -> None:
        self._folder = folder
        self._first_name = first_name
        self._limit = file_limit
        self._charset = charset
        self._deliver = deliver
        self._number = 0
        self._path = folder / first_name
        self._stream: BinaryIO = self._path.open("wb")
        self._size = 0

    def start(self, moment: datetime) -> None:
        """Write the head of the dump."""
        self._write(f"-- Started: {moment:%Y-%m-%d %H:%M:%S}\nSET NAMES '{self._charset}';\n".encode())

    def table(self, table: Table, ddl: str, auto_increment: int | None, rows: Iterable[Row]) -> TableFacts:
        """Write a table; `rows` come in the order of `table.order_by`, compared as bytes."""
        head = f"{RULE}-- Dumping table {table.name}\n{RULE}DROP TABLE IF EXISTS `{table.name}`;\n"
        self._write(head.encode())
        self._write(f"{ddl};\n\n".encode())
        count = 0
        digest = hashlib.md5(usedforsecurity=False)
        opening = f"INSERT INTO `{table.name}` VALUES\n".encode()
        pending: list[bytes] = []
        pending_size = 0
        for batch in batches(rows):
            count += len(batch)
            tuples, lines = render(table, batch)
            digest.update(lines.encode("utf-8", "surrogateescape"))
            for row in tuples:
                data = row.encode()
                pending.append(data)
                pending_size += len(data) + 2
                if pending_size + len(opening) - 2 > STATEMENT_LIMIT:
                    self._insert(opening, pending)
                    pending, pending_size = [], 0
        if pending:
            self._insert(opening, pending)
        order = ",".join(table.order_terms())
        return TableFacts(table.name, "table", table.engine, auto_increment, count, order, digest.hexdigest())

    def definition(self, table: Table, ddl: str) -> TableFacts:
        """Write a table whose rows an option leaves out: no DROP either (backup_format 5.4)."""
        self._write(f"{RULE}-- Dumping table {table.name}\n{RULE}".encode())
        self._write(f"{ddl.replace('CREATE TABLE', 'CREATE TABLE IF NOT EXISTS', 1)};\n\n".encode())
        order = ",".join(table.order_terms())
        nothing = hashlib.md5(usedforsecurity=False).hexdigest()
        return TableFacts(table.name, "table", table.engine, None, 0, order, nothing)

    def view(self, name: str, ddl: str) -> None:
        """Write a view with the text of SHOW CREATE VIEW."""
        head = f"{RULE}-- Creating view {name}\n{RULE}DROP VIEW IF EXISTS `{name}`;\n"
        self._write(head.encode())
        self._write(f"{ddl};\n\n".encode())

    def finish(self, moment: datetime) -> None:
        """Write the completeness mark, which has no newline, and deliver the last file."""
        self._append(f"-- Finished: {moment:%Y-%m-%d %H:%M:%S}".encode())
        self._stream.close()
        self._deliver(self._path)

    def _insert(self, opening: bytes, rows: list[bytes]) -> None:
        self._write(opening + b",\n".join(rows) + b";\n")

    def _write(self, statement: bytes) -> None:
        if self._size and self._size + len(statement) >= self._limit:
            self._stream.close()
            self._deliver(self._path)
            self._number += 1
            self._path = self._folder / part_name(self._first_name, self._number)
            self._stream = self._path.open("wb")
            self._size = 0
        self._append(statement)

    def _append(self, data: bytes) -> None:
        self._stream.write(data)
        self._size += len(data)
