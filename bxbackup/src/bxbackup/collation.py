"""Charsets and collations in definitions, translated to what a server has, and row formats that narrow them.

Only the words behind CHARSET, CHARACTER SET, COLLATE and ROW_FORMAT change. Literals, comments and rows never
do: values may be serialized with their byte lengths.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from bxbackup import ddl

DEFAULT = "utf8mb4_uca1400_nopad_ai_ci"
"""Where the server lacks the dump's own collation. Like MySQL 8's 0900 family, and unlike
`utf8mb4_unicode_ci`, it keeps two emoji, or 'a' and 'a ', apart, so unique keys hold (lab_hosts)."""

OLD_ROW_FORMATS = frozenset({"COMPACT", "REDUNDANT"})
"""Their keys end at 767 bytes: 255 characters fit with three bytes each, with utf8mb4 they do not. The
product asks for dynamic rows (portal_runtime A4)."""

_UNICODE = ("utf8", "utf8mb3", "utf8mb4")
_ACCENT_OR_CASE = re.compile(r"_(?:as_ci|as_cs|ai_cs|cs|bin)$")
_NAME = r"(['\"]?)(\w+)\1"


def _with_old_names(names: Collection[str]) -> frozenset[str]:
    """Names in lower case; servers list the three-byte charset as utf8 or utf8mb3 and take both."""
    lower = {name.lower() for name in names}
    return frozenset(
        lower
        | {re.sub(r"^utf8mb3(?=_|$)", "utf8", name) for name in lower}
        | {re.sub(r"^utf8(?=_|$)", "utf8mb3", name) for name in lower}
    )


def charset_of(collation: str) -> str:
    """The charset that a collation belongs to."""
    return collation.split("_", 1)[0]


class Translator:
    """Translates the names of charsets and collations for one server.

    :param known: collations that the server has.
    :param charsets: charsets that the server has.
    :param chosen: replaces the Unicode collations that ignore case and accents; None replaces none that
        the server has.
    """

    def __init__(self, known: Collection[str], charsets: Collection[str], chosen: str | None) -> None:
        self._known = _with_old_names(known)
        self._charsets = _with_old_names(charsets)
        self._chosen = chosen
        self.replaced: dict[str, str] = {}
        """Collations, charsets and row formats that were replaced so far, by what."""

    def collation(self, name: str) -> str:
        """What stands for a collation on this server."""
        return self._note(name, self._collation(name.lower()))

    def charset(self, name: str) -> str:
        """What stands for a charset on this server."""
        plain = name.lower()
        if self._chosen and plain in _UNICODE:
            return self._note(name, charset_of(self._chosen))
        return self._note(name, plain if plain in self._charsets else "utf8mb4")

    def row_format(self, name: str) -> str:
        """What stands for a row format on any server."""
        if name.upper() not in OLD_ROW_FORMATS:
            return name
        self.replaced[f"ROW_FORMAT={name}"] = "ROW_FORMAT=DYNAMIC"
        return "DYNAMIC"

    def default_of(self, charset: str) -> str | None:
        """The collation meant by a charset alone, where it must be said.

        Writers leave it out where it is the charset's default of old, `general_ci`; for the utf8 family newer
        servers have other defaults.
        """
        if charset.lower() not in _UNICODE:
            return None
        return self._collation(f"{charset.lower()}_general_ci")

    def table(self, text: str) -> str:
        """CREATE TABLE or ALTER DATABASE for this server."""
        parts = ddl.tokens(text)
        out: list[str] = []
        position = 0
        while position < len(parts):
            clause = _clause(parts, position)
            if clause is None:
                out.append(parts[position])
                position += 1
                continue
            keyword, value = clause
            name = ddl.plain_name(parts[value])
            out += parts[position:value]
            position = value + 1
            if keyword == "ROW_FORMAT":
                out.append(self.row_format(name))
                continue
            if keyword == "COLLATE":
                out.append(self.collation(name))
                continue
            out.append(self.charset(name))
            default = self.default_of(name)
            if default and not _collate_follows(parts, position):
                out.append(f" COLLATE {default}")
        return "".join(out)

    def view(self, text: str) -> str:
        """CREATE VIEW for this server: only collations that it lacks change."""
        parts = ddl.tokens(text)
        for position in range(len(parts)):
            clause = _clause(parts, position)
            if clause and clause[0] == "COLLATE":
                name = ddl.plain_name(parts[clause[1]])
                if name.lower() not in self._known:
                    parts[clause[1]] = self.collation(name)
        return "".join(parts)

    def _note(self, name: str, translated: str) -> str:
        if name.lower() != translated.lower():
            self.replaced[name] = translated
            return translated
        return name

    def _collation(self, name: str) -> str:
        charset, _, rest = name.partition("_")
        if charset in _UNICODE and rest:
            if self._chosen:
                if not _ACCENT_OR_CASE.search(name):
                    return self._chosen
                name = f"{charset_of(self._chosen)}_{rest}"
            if name not in self._known:
                return self._closest(rest)
        elif name not in self._known:
            return self._closest(rest)
        return name

    def _closest(self, rest: str) -> str:
        """The collation that tells apart most nearly what the lacking one told apart."""
        match = _ACCENT_OR_CASE.search("_" + rest)
        kind = match[0][1:] if match else "ai_ci"
        if kind == "bin":
            candidates = ["utf8mb4_nopad_bin", "utf8mb4_bin"]
        else:
            kind = "as_cs" if kind == "cs" else kind
            candidates = [f"utf8mb4_uca1400_nopad_{kind}", f"utf8mb4_0900_{kind}"]
            candidates += ["utf8mb4_bin"] if kind.endswith("cs") else ["utf8mb4_unicode_520_ci"]
        return next((name for name in candidates if name in self._known), "utf8mb4_general_ci")


def _clause(parts: list[str], position: int) -> tuple[str, int] | None:
    """Whether a clause of interest begins here: its keyword and the position of its value."""
    word = parts[position].upper()
    if word not in {"COLLATE", "CHARSET", "CHARACTER", "ROW_FORMAT"}:
        return None
    following = _significant(parts, position + 1)
    if word == "CHARACTER":
        if following is None or parts[following].upper() != "SET":
            return None
        word, following = "CHARSET", _significant(parts, following + 1)
    if following is not None and parts[following] == "=":
        following = _significant(parts, following + 1)
    if following is None or not re.fullmatch(_NAME, parts[following], re.ASCII):
        return None
    return word, following


def _collate_follows(parts: list[str], position: int) -> bool:
    following = _significant(parts, position)
    if following is not None and parts[following].upper() == "DEFAULT":
        following = _significant(parts, following + 1)
    return following is not None and parts[following].upper() == "COLLATE"


def _significant(parts: list[str], position: int) -> int | None:
    """The next position that holds more than white space."""
    for at in range(position, len(parts)):
        if not parts[at].isspace():
            return at
    return None
