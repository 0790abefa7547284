"""Values as they stand in an INSERT (backup_format 5.5) and in the mariadb client's batch output."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from lab.writer.schema import Coding, Table

Value = None | int | str | bytes
Row = tuple[Value, ...]

BATCH = 1000
_SPECIAL = re.compile("[\0\n\r\x1a'\"\\\\\t]")
_SQL_ESCAPES = (
    ("\\", "\\\\"),
    ("\0", "\\0"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    ("'", "\\'"),
    ('"', '\\"'),
    ("\x1a", "\\Z"),
)
_TSV_ESCAPES = (("\\", "\\\\"), ("\0", "\\0"), ("\n", "\\n"), ("\t", "\\t"))


def sql_text(value: str) -> str:
    """A quoted string with the escapes of mysqli_real_escape_string."""
    for plain, escaped in _SQL_ESCAPES:
        value = value.replace(plain, escaped)
    return f"'{value}'"


def tsv_text(value: str) -> str:
    """A field of the batch output."""
    for plain, escaped in _TSV_ESCAPES:
        value = value.replace(plain, escaped)
    return value


def _texts(values: Sequence[Value]) -> tuple[list[str], list[str]]:
    texts = [None if value is None else str(value) for value in values]
    if _SPECIAL.search("".join(text for text in texts if text)):
        return (
            ["NULL" if text is None else sql_text(text) for text in texts],
            ["NULL" if text is None else tsv_text(text) for text in texts],
        )
    return (
        ["NULL" if text is None else f"'{text}'" for text in texts],
        ["NULL" if text is None else text for text in texts],
    )


def _numbers(values: Sequence[Value]) -> tuple[list[str], list[str]]:
    texts = ["NULL" if value is None else str(value) for value in values]
    return texts, texts


def _hex(values: Sequence[Value]) -> tuple[list[str], list[str]]:
    sql, tsv = [], []
    for value in values:
        if value is None:
            sql.append("NULL")
            tsv.append("NULL")
            continue
        data = value if isinstance(value, bytes) else str(value).encode()
        sql.append("0x" + data.hex() if data else "''")
        tsv.append(tsv_text(data.decode("utf-8", "surrogateescape")))
    return sql, tsv


def _bit_after_import(text: str, bits: int) -> str:
    """The dump has BIT as quoted decimal text; the server stores its bytes, cut to the widest value."""
    stored = min(int.from_bytes(text.encode()), 2**bits - 1)
    return tsv_text(stored.to_bytes((bits + 7) // 8).decode("utf-8", "surrogateescape"))


def _bits(values: Sequence[Value], bits: int) -> tuple[list[str], list[str]]:
    texts = [None if value is None else str(value) for value in values]
    sql = ["NULL" if text is None else f"'{text}'" for text in texts]
    return sql, ["NULL" if text is None else _bit_after_import(text, bits) for text in texts]


_CODERS = {Coding.TEXT: _texts, Coding.NUMBER: _numbers, Coding.HEX: _hex}


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of at most BATCH."""
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH)):
        yield batch


def render(table: Table, batch: Sequence[Row]) -> tuple[list[str], str]:
    """The batch's rows as INSERT tuples, and as batch output (bytes outside UTF-8 as surrogates)."""
    sql_columns, tsv_columns = [], []
    for column, values in zip(table.columns, zip(*batch, strict=True), strict=True):
        sql, tsv = (
            _bits(values, column.bits) if column.coding is Coding.BIT else _CODERS[column.coding](values)
        )
        sql_columns.append(sql)
        tsv_columns.append(tsv)
    tuples = [f"({', '.join(row)})" for row in zip(*sql_columns, strict=True)]
    lines = ["\t".join(row) for row in zip(*tsv_columns, strict=True)]
    return tuples, "\n".join(lines) + "\n"
