"""Table definitions as the dump shows them, and what the coding of rows needs of them (backup_format 5)."""

import re
from dataclasses import dataclass
from enum import Enum

_TABLE = re.compile(
    r"^CREATE TABLE `(?P<name>\w+)` \(\n(?P<body>.*?)\n\) ENGINE=(?P<engine>\w+)(?P<own> DEFAULT [^;\n]*)?",
    re.S | re.M,
)
_COLUMN = re.compile(r"^  `(?P<name>\w+)` (?P<type>\w+)(?:\((?P<width>\d+)\))?", re.M)
_KEY = re.compile(r"^  (?:PRIMARY|UNIQUE) KEY (?:`\w+` )?\((?P<columns>[^\n]+)\),?$", re.M)
_KEY_COLUMN = re.compile(r"`(\w+)`")
_DISPLAY_WIDTH = re.compile(r"\b(?!tinyint\(1\))((?:tiny|small|medium|big)?int|year)\(\d+\)")
_COLUMN_COLLATION = re.compile(r" COLLATE (utf8mb4)_")
_NUMBER_DEFAULT = re.compile(r"DEFAULT (-?\d+(?:\.\d+)?)(?=[, \n])")
_LONG_TYPE = re.compile(r"((?:medium|long)?text|longblob)( COLLATE \w+)? DEFAULT NULL")


class Coding(Enum):
    """How a column's values stand in an INSERT (backup_format 5.5)."""

    NUMBER = "number"
    HEX = "hex"
    TEXT = "text"
    BIT = "bit"


@dataclass(frozen=True, slots=True)
class Column:
    """A column's name, coding and, for BIT, its width in bits."""

    name: str
    coding: Coding
    bits: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its definition without AUTO_INCREMENT, charset and collation, and how to order its rows."""

    name: str
    definition: str
    engine: str
    columns: tuple[Column, ...]
    order_by: tuple[str, ...]
    counts: bool
    own_charset: bool

    def order_terms(self) -> list[str]:
        """ORDER BY terms of the key; texts by their bytes, so that the order does not hang on a collation."""
        texts = {column.name for column in self.columns if column.coding is Coding.TEXT}
        return [f"BINARY `{name}`" if name in texts else f"`{name}`" for name in self.order_by]

    def ddl(self, *, collation: str, auto_increment: int | None) -> str:
        """SHOW CREATE TABLE text of the source's server: MySQL 8 when the collation is of the 0900 kind."""
        text = _as_mysql8(self.definition) if "_0900_" in collation else self.definition
        charset = (
            "" if self.own_charset else f" DEFAULT CHARSET={collation.split('_', 1)[0]} COLLATE={collation}"
        )
        counter = f" AUTO_INCREMENT={auto_increment}" if auto_increment else ""
        return f"{text}{counter}{charset}"


def _as_mysql8(definition: str) -> str:
    text = _DISPLAY_WIDTH.sub(r"\1", definition)
    text = _NUMBER_DEFAULT.sub(r"DEFAULT '\1'", text)
    text = _COLUMN_COLLATION.sub(r" CHARACTER SET \1 COLLATE \1_", text)
    text = _LONG_TYPE.sub(r"\1\2", text)
    text = re.sub(r"longtext DEFAULT NULL CHECK \(json_valid\(`\w+`\)\)", "json DEFAULT NULL", text)
    text = re.sub(r"longtext CHECK \(json_valid\(`\w+`\)\)", "json DEFAULT NULL", text)
    return text.replace("current_timestamp()", "CURRENT_TIMESTAMP")


def _column(name: str, type_name: str, width: str | None) -> Column:
    coding = _coding(type_name)
    return Column(name, coding, int(width or 1) if coding is Coding.BIT else 0)


def _coding(type_name: str) -> Coding:
    if type_name == "bit":
        return Coding.BIT
    if type_name.endswith(("int", "year", "float", "double", "decimal")):
        return Coding.NUMBER
    if type_name.endswith(("binary", "blob")):
        return Coding.HEX
    return Coding.TEXT


def read_tables(text: str) -> dict[str, Table]:
    """All tables of a schema file, by name."""
    tables = {}
    for match in _TABLE.finditer(text):
        body = match["body"]
        columns = tuple(_column(m["name"], m["type"], m["width"]) for m in _COLUMN.finditer(body))
        key = _KEY.search(body)
        order = tuple(_KEY_COLUMN.findall(key["columns"])) if key else tuple(c.name for c in columns)
        tables[match["name"]] = Table(
            name=match["name"],
            definition=match.group(0),
            engine=match["engine"],
            columns=columns,
            order_by=order,
            counts=" AUTO_INCREMENT" in body,
            own_charset=match["own"] is not None,
        )
    return tables
