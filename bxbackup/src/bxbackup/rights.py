"""Who may do what: the tables that say so, and a digest of their rows that a server works out by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bxbackup.ddl import quoted_name

TABLES = re.compile(r"b_group|b_user_group|b_sonet_user2group|b_(?!search_)\w+_(role|perm)\w*")
"""Groups, their members, roles and rights; those of the search index are built anew."""

_PARTS = (1, 17, 33, 49)
"""Where the four parts of a row's SHA-256 begin, 16 hexadecimal digits each."""


def digest_statement(table: str, columns: Sequence[str], condition: str = "TRUE") -> str:
    """A query for one value that follows every byte of these columns' rows, whatever order they stand in.

    Sums of the rows' own SHA-256 sums: a row that is there twice counts twice. The session's time zone has to
    be +00:00, or TIMESTAMP columns read as other times.
    """
    values = ", ".join(f"COALESCE(HEX(CAST({quoted_name(name)} AS BINARY)), '-')" for name in columns)
    hashed = f"SHA2(CONCAT_WS('|', {values}), 256) AS row_hash"
    parts = ", ".join(
        f"COALESCE(SUM(CAST(CONV(SUBSTRING(row_hash, {start}, 16), 16, 10) AS DECIMAL(20))), 0)"
        for start in _PARTS
    )
    digest = f"SHA2(CONCAT_WS(':', COUNT(*), {parts}), 256)"
    rows = ["(SELECT", hashed, "FROM", quoted_name(table), "WHERE", condition, ") AS hashed"]
    return " ".join(["SELECT", digest, "FROM", *rows])
