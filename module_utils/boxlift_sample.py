"""Looks at what the columns of a database hold, without reading a value.

A question is a condition in SQL; the server answers whether one of a bounded number of rows fits it. What
comes back is yes or no, so that nothing of what people wrote, and no secret, leaves the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ansible.module_utils.boxlift_sql import Database

#: Rows of a table that are looked at, the newest by its key.
ROWS = 1000
#: Characters of a value that are looked at.
CHARACTERS = 4000
TEXTS = (
    *("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "json"),
    *("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"),
)

#: A condition with its values.
Question = tuple[str, Sequence[str]]


@dataclass(frozen=True)
class Column:
    """A column that can hold text, and how many characters at most."""

    name: str
    length: int


def backticked(name: str) -> str:
    """An identifier of whatever form: an application may name its tables as it likes."""
    return "`" + name.replace("`", "``") + "`"


def text_of(column: str) -> str:
    """The beginning of a column's value as text, whatever its type and character set."""
    return f"CONVERT(LEFT({backticked(column)}, {CHARACTERS}) USING utf8mb4)"


class Sample:
    """Columns of one database; the connection is the caller's."""

    def __init__(self, database: Database, schema: str) -> None:
        """Look at database ``schema``."""
        self._db = database
        self._schema = schema

    def columns(self) -> dict[str, list[Column]]:
        """Columns that can hold text, by table; views have none of their own."""
        found: dict[str, list[Column]] = {table: [] for table in sorted(self._db.tables(self._schema))}
        for table, name, length in self._db.rows(
            "SELECT TABLE_NAME, COLUMN_NAME, CHARACTER_MAXIMUM_LENGTH FROM information_schema.COLUMNS"
            f" WHERE TABLE_SCHEMA = %s AND DATA_TYPE IN ({', '.join(['%s'] * len(TEXTS))})"
            " ORDER BY TABLE_NAME, ORDINAL_POSITION",
            [self._schema, *TEXTS],
        ):
            if table in found:
                found[table].append(Column(str(name), int(length or CHARACTERS)))
        return found

    def fitting(self, table: str, columns: Sequence[str], questions: Mapping[str, Question]) -> set[str]:
        """Which of the questions, by name, one of the newest rows answers with yes.

        :param columns: what the questions may speak of, in backticks; each is the beginning of its value.
        """
        if not questions:
            return set()
        asked = ", ".join(f"MAX({condition})" for condition, _ in questions.values())
        values = [value for _, given in questions.values() for value in given]
        (answer,) = self._db.rows(f"SELECT {asked} FROM {self._newest(table, columns)} AS sample", values)
        return {name for name, fits in zip(questions, answer, strict=True) if fits and int(fits)}

    def filled(self, table: str, column: str) -> int:
        """How many rows have something in a column, all of them counted."""
        where = f"{backticked(column)} > ''"
        return int(self._db.value(f"SELECT COUNT(*) FROM {self._name(table)} WHERE {where}") or 0)

    def _newest(self, table: str, columns: Sequence[str]) -> str:
        key = [
            str(row[0])
            for row in self._db.rows(
                "SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s"
                " AND TABLE_NAME = %s AND INDEX_NAME = 'PRIMARY' ORDER BY SEQ_IN_INDEX",
                [self._schema, table],
            )
        ]
        chosen = ", ".join(f"{text_of(name)} AS {backticked(name)}" for name in columns)
        # The key's own columns, not the beginnings that are chosen under the same names.
        order = ", ".join(f"whole.{backticked(name)} DESC" for name in key)
        return (
            f"(SELECT {chosen} FROM {self._name(table)} AS whole"
            f"{f' ORDER BY {order}' if order else ''} LIMIT {ROWS})"
        )

    def _name(self, table: str) -> str:
        return f"{backticked(self._schema)}.{backticked(table)}"
