"""Rows of a portal's database as they were in the backup, whatever was held still since.

The rules of a quiet portal change rows and remember the old ones in ``boxlift``.``held_value``
(:mod:`boxlift_rules`); a look at the database alone would take each mailbox for switched off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ansible.module_utils.boxlift_rules import decoded
from ansible.module_utils.boxlift_sql import Database, quoted

Row = dict[str, str | None]


def people(rows: Callable[[str, list[str]], list[Row]]) -> dict[str | None, str]:
    """Return the names of all users by their ID, the login of one who has none; ``rows`` reads a table."""
    return {
        row["ID"]: " ".join(filter(None, (row["LAST_NAME"], row["NAME"]))) or row["LOGIN"] or ""
        for row in rows("b_user", ["ID", "LOGIN", "NAME", "LAST_NAME"])
    }


class Original:
    """One release's database, read only; the connection is the caller's."""

    def __init__(self, database: Database, release: str, schema: str) -> None:
        """Read database ``schema`` of ``release``."""
        self._db = database
        self._release = release
        self._schema = schema
        self.tables: set[str] = database.tables(schema)
        self._remembers = "held_value" in database.tables("boxlift")

    def rows(self, table: str, columns: Sequence[str]) -> list[Row]:
        """Return a table's rows by key; an absent column is None, an absent table has no rows."""
        if table not in self.tables:
            return []
        present = self._db.columns(self._schema, table)
        key = self._db.key(self._schema, table)
        read = list(dict.fromkeys([*key, *(name for name in columns if name in present)]))
        found = {
            tuple(row[: len(key)]): dict(zip(read, row, strict=True))
            for row in self._db.rows(
                f"SELECT {', '.join(map(quoted, read))} FROM {quoted(self._schema)}.{quoted(table)}"
                f" ORDER BY {', '.join(map(quoted, key))}"
            )
        }
        for held_key, old in self._held(table):
            place = tuple(held_key.get(name) for name in key)
            known = found.get(place)
            if known is None and set(key) <= set(old):
                # the rule removed the whole row
                found[place] = {name: old.get(name) for name in read}
            elif known is not None:
                known.update({name: old[name] for name in read if name in old})
        return [{name: _text(row.get(name)) for name in columns} for row in found.values()]

    def _held(self, table: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """Keys and old values, the oldest last: what was held first is what the backup had."""
        if not self._remembers:
            return []
        return [
            (decoded(key), decoded(old))
            for key, old in self._db.rows(
                "SELECT row_key, old_value FROM `boxlift`.`held_value`"
                " WHERE release_name = %s AND table_name = %s ORDER BY id DESC",
                [self._release, table],
            )
        ]

    def value(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Return a count of the rows as they are now."""
        return int(self._db.value(statement, values) or 0)


def _text(value: Any) -> str | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None else str(value)
