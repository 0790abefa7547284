"""Definitions of tables and views, taken apart as far as a load needs.

The texts are those of SHOW CREATE TABLE and SHOW CREATE VIEW (backup_format 5.4). What is inside quotes is
never changed.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bxbackup.errors import DamagedError

_TOKEN = re.compile(
    # A quoted text without an end goes to the last character: trying each quote in it would take for ever.
    r"'(?:[^'\\]|\\.|'')*(?:'|\\?\Z)|\"(?:[^\"\\]|\\.|\"\")*(?:\"|\\?\Z)|`(?:[^`]|``)*(?:`|\Z)|[\w$]+|\s+|.",
    re.DOTALL | re.ASCII,
)


def tokens(text: str) -> list[str]:
    """Words, quoted texts, runs of white space and single characters; joined they are the text again."""
    return _TOKEN.findall(text)


def quoted_name(name: str) -> str:
    """A name as servers take it in any statement."""
    return "`" + name.replace("`", "``") + "`"


def plain_name(token: str) -> str:
    """The name in a token, quoted or not."""
    if token[:1] in {"`", "'", '"'}:
        return token[1:-1].replace(token[0] * 2, token[0])
    return token


_ENGINES = frozenset({"innodb", "myisam", "aria", "memory", "heap"})
"""Those that keep a table's rows within the database, and that portals use. Others read other servers
(FEDERATED, SPIDER), files (CONNECT) or other databases' tables (MERGE)."""

_REACHING = frozenset({"SELECT", "DIRECTORY", "LOAD_FILE", "TABLESPACE", "UNION"})
_OPERATORS = frozenset("(,=+-*/%<>")
_USUAL = re.compile(r"\ACREATE TABLE |\bENGINE=(?:InnoDB|MyISAM)(?![\w$])", re.ASCII)
_REMARKABLE = re.compile(
    r"SELECT|DIRECTORY|LOAD_FILE|UNION|ENGINE|TABLE|VALUES|LIKE|[.#]|--|/\*|\*/", re.IGNORECASE
)
"""What a definition must have somewhere, in its texts if nowhere else, to reach beyond its database."""


def beyond_its_database(definition: str) -> str | None:
    """What in CREATE TABLE reaches beyond the table's own database; None where nothing does.

    Comments are taken for it: what servers see in them depends on their version.
    """
    if not _REMARKABLE.search(_USUAL.sub(" ", definition)):
        return None
    raw = tokens(definition)
    if _hides(raw):
        return "a comment in a definition"
    parts = [part for part in raw if not part.isspace()]
    found = (_reach(parts, position) for position in range(1, len(parts)))
    return next((reach for reach in found if reach), None)


def _reach(parts: list[str], position: int) -> str | None:
    word, before = parts[position].upper(), parts[position - 1]
    following = [part.upper() for part in parts[position + 1 : position + 3]]
    if word == "ENGINE" and following:
        engine = plain_name(following[-1] if following[0] == "=" else following[0])
        return None if engine.lower() in _ENGINES else f"storage engine {engine}"
    if (
        word in _REACHING
        or (word == "TABLE" and position > 1)
        or (word == "VALUES" and following[:1] not in (["LESS"], ["IN"]))
        or (word == "LIKE" and before == "(")
    ):
        return word
    return "a name in another database" if word == "." and not _number(before) else None


def _number(part: str) -> bool:
    """Whether a token before a dot makes it that of a number."""
    return part.isascii() and (part.isdecimal() or part in _OPERATORS)


def _hides(parts: list[str]) -> bool:
    """Whether a definition has a comment that servers pass over, or one that a quoted text might end."""
    executable = False
    for position, part in enumerate(parts):
        pair = "".join(parts[position : position + 2])
        if pair == "/*":
            if not re.match(r"M?!", "".join(parts[position + 2 : position + 4])):
                return True
            executable = True
        elif pair == "*/":
            executable = False
        elif part == "#" or pair == "--" or (executable and part[0] in "'\"`" and "*/" in part):
            return True
    return False


class KeyKind(StrEnum):
    """Kinds of keys, as far as a load treats them differently."""

    PRIMARY = "primary"
    UNIQUE = "unique"
    PLAIN = "plain"
    FULLTEXT = "fulltext"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a table.

    :param text: its definition as it stands in CREATE TABLE.
    :param name: the constraint's name for a foreign key; empty for a primary key.
    :param parts: its columns, each with the number of characters that count, None for all.
    """

    kind: KeyKind
    name: str
    parts: tuple[tuple[str, int | None], ...]
    text: str

    @property
    def first(self) -> str | None:
        """Its first column."""
        return self.parts[0][0] if self.parts else None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    :param type: the type's word in lower case: `int`, `bit`, `longtext`.
    """

    name: str
    type: str
    auto_increment: bool


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """CREATE TABLE in pieces.

    :param head: up to and with the opening parenthesis.
    :param others: columns and checks, as they stand there.
    :param tail: from the closing parenthesis on: engine, charset and the like.
    """

    name: str
    head: str
    columns: tuple[Column, ...]
    others: tuple[str, ...]
    keys: tuple[Key, ...]
    tail: str

    @property
    def engine(self) -> str:
        """The storage engine in lower case; empty where the server's default is meant."""
        match = re.search(r"\bENGINE\s*=\s*(\w+)", self.tail, re.IGNORECASE)
        return match[1].lower() if match else ""

    def with_all_keys(self) -> str:
        """CREATE TABLE with all keys except foreign ones, which need the other tables."""
        return self._create([key for key in self.keys if key.kind is not KeyKind.FOREIGN])

    def without_late_keys(self) -> str:
        """CREATE TABLE with those keys only that rows need to be loaded rightly."""
        late = self.late_keys()
        return self._create([key for key in self.keys if key not in late])

    def late_keys(self) -> list[Key]:
        """The keys that can wait until the rows are in.

        Not the primary key; not the unique ones of a table without a primary key, as the writer pages through
        such a table and may write a row twice (backup_format 5.8), which only they notice; not the one that
        an AUTO_INCREMENT column must have; and none without a name, which could not be looked for.
        """
        firsts = {key.first for key in self.keys if key.kind is KeyKind.PRIMARY}
        has_primary = bool(firsts)
        counters = {column.name for column in self.columns if column.auto_increment} - firsts
        late: list[Key] = []
        for key in self.keys:
            first = key.first
            unique = key.kind is KeyKind.UNIQUE
            counts = first in counters and (unique or key.kind is KeyKind.PLAIN)
            fixed = key.kind is KeyKind.PRIMARY or (not key.name and key.kind is not KeyKind.FOREIGN)
            if counts or fixed or (unique and not has_primary):
                counters.discard(first)
            else:
                late.append(key)
        return late

    def _create(self, keys: list[Key]) -> str:
        items = [*self.others, *(f"  {key.text}" for key in keys)]
        return self.head + "\n" + ",\n".join(items) + "\n" + self.tail


def add_keys(table: str, keys: Collection[Key]) -> Iterator[tuple[str, list[Key]]]:
    """ALTER statements that add keys, and which keys each adds.

    Servers build one FULLTEXT index at a time, and the first rebuilds the table: those go first.
    """
    fulltext = [key for key in keys if key.kind is KeyKind.FULLTEXT]
    others = [key for key in keys if key.kind is not KeyKind.FULLTEXT]
    for group in [*([key] for key in fulltext), others]:
        if group:
            yield f"ALTER TABLE {quoted_name(table)} " + ", ".join(f"ADD {key.text}" for key in group), group


_KEY_KINDS = {
    "PRIMARY": KeyKind.PRIMARY,
    "UNIQUE": KeyKind.UNIQUE,
    "KEY": KeyKind.PLAIN,
    "INDEX": KeyKind.PLAIN,
    "SPATIAL": KeyKind.PLAIN,
    "FULLTEXT": KeyKind.FULLTEXT,
    "FOREIGN": KeyKind.FOREIGN,
}


def parse_table(text: str) -> TableDefinition:
    """Take CREATE TABLE apart.

    :raises DamagedError: the text has no list of columns in parentheses.
    """
    parts = tokens(text)
    name = next((plain_name(part) for part in parts if part.startswith("`")), "")
    items, first, last = _list(parts, name)
    columns: list[Column] = []
    others: list[str] = []
    keys: list[Key] = []
    for item in items:
        words = [part for part in item if not part.isspace()]
        key = _key(words, "".join(item).strip())
        if key:
            keys.append(key)
            continue
        others.append("  " + "".join(item).strip())
        upper = [word.upper() for word in words]
        if words and upper[0] not in {"CONSTRAINT", "CHECK"} and upper[:2] != ["PERIOD", "FOR"]:
            columns.append(
                Column(
                    plain_name(words[0]),
                    words[1].lower() if len(words) > 1 else "",
                    "AUTO_INCREMENT" in upper,
                )
            )
    return TableDefinition(
        name,
        "".join(parts[: first + 1]),
        tuple(columns),
        tuple(others),
        tuple(keys),
        "".join(parts[last:]),
    )


def _list(parts: list[str], name: str) -> tuple[list[list[str]], int, int]:
    """The items of the first parenthesis, and where it opens and closes."""
    if "(" not in parts:
        raise DamagedError(f"the definition of table {name} has no columns")
    first = parts.index("(")
    depth = 0
    items: list[list[str]] = [[]]
    for position in range(first, len(parts)):
        part = parts[position]
        if part == "(":
            depth += 1
            if depth == 1:
                continue
        elif part == ")":
            depth -= 1
            if depth == 0:
                return items, first, position
        if part == "," and depth == 1:
            items.append([])
        else:
            items[-1].append(part)
    raise DamagedError(f"the definition of table {name} does not end")


def _key(words: list[str], text: str) -> Key | None:
    names: list[str] = []
    rest = words
    if words[:1] and words[0].upper() == "CONSTRAINT":
        rest = words[1:]
        if rest and rest[0].upper() not in {*_KEY_KINDS, "CHECK"}:
            names, rest = [plain_name(rest[0])], rest[1:]
    kind = _KEY_KINDS.get(rest[0].upper()) if rest else None
    if kind is None or "(" not in rest:
        return None
    opening = rest.index("(")
    before = [word for word in rest[1:opening] if word.upper() not in {"KEY", "INDEX"}]
    if before and before[0].upper() != "USING":
        names.append(plain_name(before[0]))
    inside: list[tuple[str, int | None]] = []
    depth, previous = 0, ""
    for word in rest[opening:]:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word.startswith("`") or (depth == 1 and previous in {"(", ","} and word != ")"):
            inside.append((plain_name(word), None))
        elif word.isdecimal() and inside:
            inside[-1] = (inside[-1][0], int(word))
        if depth == 0:
            break
        previous = word
    return Key(kind, names[0] if names else "", tuple(inside), text)


def rewrite_view(text: str, names: Collection[str]) -> str:
    """CREATE VIEW for a database of any name and a server without the source's accounts.

    DEFINER goes, the view runs with the rights of who asks (so it outlives the account that loaded it), and
    the source database's name before tables and columns goes.

    :param names: tables and views of the dump.
    """
    parts = tokens(text)
    view = next(position for position, part in enumerate(parts) if part.upper() == "VIEW")
    head = "".join(parts[:view])
    algorithm = re.search(r"ALGORITHM\s*=\s*\w+\s", head, re.IGNORECASE)
    body = _without_database(parts[view + 1 :], names)
    return f"CREATE OR REPLACE {algorithm[0] if algorithm else ''}SQL SECURITY INVOKER VIEW{''.join(body)}"


def _without_database(parts: list[str], names: Collection[str]) -> list[str]:
    chains = _chains(parts)
    aliases = _aliases(parts)
    databases = {parts[chain[0]] for chain in chains if chain[2:] and plain_name(parts[chain[1]]) in names}
    drop: set[int] = set()
    for chain in chains:
        if not chain[1:] or plain_name(parts[chain[1]]) not in names:
            continue
        first = parts[chain[0]]
        if first in databases or not (chain[2:] or first in aliases or plain_name(first) in names):
            drop.update(range(chain[0], chain[1]))
    return [part for position, part in enumerate(parts) if position not in drop]


def _chains(parts: list[str]) -> list[list[int]]:
    """Positions of the names in each run of quoted names with dots between them."""
    chains: list[list[int]] = []
    for position, part in enumerate(parts):
        if not part.startswith("`"):
            continue
        if chains and position == chains[-1][-1] + 2 and parts[position - 1] == ".":
            chains[-1].append(position)
        else:
            chains.append([position])
    return chains


def _aliases(parts: list[str]) -> set[str]:
    """Quoted names that follow another name or AS: what tables and columns are called in the view."""
    words = [part for part in parts if not part.isspace()]
    return {
        word
        for before, word in itertools.pairwise(words)
        if word.startswith("`") and (before.startswith("`") or before == ")" or before.upper() == "AS")
    }
