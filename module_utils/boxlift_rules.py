"""Rules that hold rows of a portal's database at a value, and give the old values back.

A rule is data::

    {id, reason, opening, option: {module, name}, value}              an option of the portal
    {id, reason, opening, table, where, set: {COLUMN: value}}         columns of some rows
    {id, reason, opening, table, where, delete: true}                 some rows as a whole

``opening`` says what happens when the portal opens: ``restore`` (the old value comes back), ``keep`` (the
held value stays; what piled up meanwhile is held as well) or ``{"set": value}`` for an option.
A rule whose table or columns the portal lacks does not apply, and is reported as such.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.boxlift_serialized import SerializedError
from ansible.module_utils.boxlift_sql import Database, SqlError, quoted

#: Where old values are kept, in the database ``boxlift`` of the same server.
HELD_TABLE = """
CREATE TABLE IF NOT EXISTS `boxlift`.`held_value` (
  `id` BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  `release_name` VARCHAR(64) NOT NULL,
  `rule` VARCHAR(64) NOT NULL,
  `table_name` VARCHAR(64) NOT NULL,
  `key_hash` CHAR(64) NOT NULL,
  `row_key` LONGTEXT NOT NULL,
  `old_value` LONGTEXT NOT NULL,
  `new_value` LONGTEXT NOT NULL,
  `held_at` DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  `returned_at` DATETIME(6) NULL,
  UNIQUE KEY `held` (`release_name`, `rule`, `table_name`, `key_hash`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""

_ABSENT = "absent"
_UNKNOWN_COLUMN = 1054


class RuleError(Exception):
    """A rule that says nothing clear."""


@dataclass(frozen=True)
class Rule:
    """One thing to hold still: rows of ``table`` that match ``where``, columns set or rows deleted."""

    name: str
    table: str
    where: str
    values: Mapping[str, Any]
    delete: bool
    option: tuple[str, str] | None
    opening: str
    opening_value: Any

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> Rule:
        """Read a rule from data; every rule must say why it exists and what opening does."""
        name = raw.get("id")
        if not name or not raw.get("reason") or not raw.get("opening"):
            raise RuleError(f"rule {name or raw!r} needs id, reason and opening")
        opening = raw["opening"]
        opening_value = opening["set"] if isinstance(opening, Mapping) else None
        opening_kind = "set" if isinstance(opening, Mapping) else opening
        if opening_kind not in ("restore", "keep", "set"):
            raise RuleError(f"rule {name}: opening is restore, keep or set, not {opening!r}")
        if option := raw.get("option"):
            return cls(
                name,
                "b_option",
                "",
                {"VALUE": str(raw["value"])},
                False,
                (option["module"], option["name"]),
                opening_kind,
                opening_value,
            )
        delete = bool(raw.get("delete", False))
        values = dict(raw.get("set") or {})
        if "table" not in raw or delete == bool(values):
            raise RuleError(f"rule {name} needs option, or table with either set or delete")
        if opening_kind == "set":
            raise RuleError(f"rule {name}: only an option can be set at opening")
        return cls(
            name, raw["table"], raw.get("where") or "TRUE", values, delete, None, opening_kind, opening_value
        )


@dataclass
class Outcome:
    """What a rule did: rows it held or gave back, or why it did not apply.

    ``lacks`` names what the portal's tables lack for the rule; ``exposed`` counts the rows of a table that is
    there and that the rule could not touch. ``former`` names what was given back with a former name of the
    portal in it, because it could not be rewritten safely.
    """

    rule: str
    table: str
    rows: int = 0
    applies: bool = True
    kept: list[str] = field(default_factory=list)
    lacks: list[str] = field(default_factory=list)
    exposed: int = 0
    former: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for a module's result."""
        return {
            "rule": self.rule,
            "table": self.table,
            "rows": self.rows,
            "applies": self.applies,
            "kept": self.kept,
            "lacks": self.lacks,
            "exposed": self.exposed,
            "former": self.former,
        }


def encoded(values: Mapping[str, Any]) -> str:
    """Return a row as JSON; binary values as hex."""
    return json.dumps(
        {name: {"hex": value.hex()} if isinstance(value, bytes) else value for name, value in values.items()},
        ensure_ascii=False,
        sort_keys=True,
    )


def decoded(text: str) -> dict[str, Any]:
    """Return a row from its JSON."""
    return {
        name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value
        for name, value in json.loads(text).items()
    }


class Holder:
    """Applies rules to one release's database and remembers what was there before."""

    def __init__(self, database: Database, release: str, schema: str, *, remember: bool = True) -> None:
        """Work on database ``schema`` of ``release``; the connection is the caller's.

        :param remember: keep old values. A copy keeps none: they are passwords and tokens of somebody else.
        """
        self._db = database
        self._release = release
        self._schema = schema
        self._tables = database.tables(schema)
        self._keeps = remember
        self._remembers = "held_value" in database.tables("boxlift")

    def prepare(self) -> None:
        """Make the place where old values are kept."""
        if not self._remembers:
            self._db.run("CREATE DATABASE IF NOT EXISTS `boxlift` DEFAULT CHARACTER SET utf8mb4")
            self._db.run(HELD_TABLE)
            self._remembers = True

    def count(self, rules: Iterable[Rule]) -> list[Outcome]:
        """Count the rows that each rule would still have to hold; changes nothing."""
        return [self._each(rule, dry=True) for rule in rules]

    def hold(self, rules: Iterable[Rule], *, dry: bool = False) -> list[Outcome]:
        """Hold what each rule names; the first old value of a row is the one remembered."""
        if not dry and self._keeps:
            self.prepare()
        return [self._each(rule, dry=dry) for rule in rules]

    def give_back(
        self, rules: Sequence[Rule], *, dry: bool = False, put: Callable[[str], str] | None = None
    ) -> list[Outcome]:
        """Undo what the rules say shall not outlive the opening.

        A row that somebody changed since it was held keeps its present value and is named in ``kept``.

        :param put: puts the portal's present name where a former one stands: what was held before the portal
            got its own still has the cloud's. Raises SerializedError where that is not safe.
        """
        outcomes = []
        for rule in rules:
            outcome = Outcome(rule.name, rule.table, applies=rule.table in self._tables)
            if outcome.applies and self._remembers and rule.opening != "keep":
                self._return_rule(rule, outcome, dry, put)
            outcomes.append(outcome)
        return outcomes

    def replace_row(self, rule: Rule, key: Mapping[str, Any], old: Mapping[str, Any]) -> None:
        """Write a rule's values, which a program worked out, into one row; the old ones are remembered."""
        self.prepare()
        self._remember(rule, rule.table, key, old)
        matches, key_values = self._match(key)
        changes = ", ".join(f"{quoted(name)} = %s" for name in rule.values)
        self._db.run(
            f"UPDATE {self._name(rule.table)} SET {changes} WHERE {matches}",
            [*rule.values.values(), *key_values],
        )

    def _each(self, rule: Rule, *, dry: bool) -> Outcome:
        if rule.table not in self._tables:
            return Outcome(rule.name, rule.table, applies=False, lacks=[rule.table])
        if rule.option:
            return self._hold_option(rule, rule.option, dry)
        columns = self._db.columns(self._schema, rule.table)
        if lacks := self._lacking(rule, columns):
            rows = int(self._db.value(f"SELECT COUNT(*) FROM {self._name(rule.table)}"))
            return Outcome(rule.name, rule.table, applies=False, lacks=lacks, exposed=rows)
        return self._hold_rows(rule, columns, dry)

    def _lacking(self, rule: Rule, columns: list[str]) -> list[str]:
        """Columns that a rule sets and the table lacks, or the one that its condition fails on."""
        lacks = [f"{rule.table}.{name}" for name in rule.values if name not in columns]
        if not lacks:
            try:
                self._db.rows(f"SELECT 1 FROM {self._name(rule.table)} WHERE {rule.where} LIMIT 0")
            except SqlError as error:
                if error.code != _UNKNOWN_COLUMN:
                    raise
                lacks = [f"{rule.table}: {rule.where}"]
        return lacks

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"

    def _hold_option(self, rule: Rule, option: tuple[str, str], dry: bool) -> Outcome:
        wanted = rule.values["VALUE"]
        key = {"MODULE_ID": option[0], "NAME": option[1]}
        where = "`MODULE_ID` = %s AND `NAME` = %s"
        found = self._db.rows(f"SELECT `VALUE` FROM {self._name('b_option')} WHERE {where}", option)
        outcome = Outcome(rule.name, "b_option")
        old = {"VALUE": found[0][0]} if found else {_ABSENT: True}
        differs = found[0][0] != wanted if found else wanted != ""
        # What the opening sets is remembered even where the cloud had the held value already.
        if not dry and (differs or rule.opening == "set"):
            self._remember(rule, "b_option", key, old)
        if differs:
            outcome.rows += 1
            if not dry:
                self._write_option(option, wanted, exists=bool(found))
        # A site's own value would win over the common one (portal_runtime C5).
        if "b_option_site" in self._tables:
            sites = self._db.rows(
                f"SELECT `SITE_ID`, `VALUE` FROM {self._name('b_option_site')}"
                f" WHERE {where} AND NOT `VALUE` <=> %s",
                [*option, wanted],
            )
            for site, value in sites:
                outcome.rows += 1
                if not dry:
                    self._remember(rule, "b_option_site", {**key, "SITE_ID": site}, {"VALUE": value})
                    self._db.run(
                        f"UPDATE {self._name('b_option_site')} SET `VALUE` = %s WHERE {where}"
                        " AND `SITE_ID` = %s",
                        [wanted, *option, site],
                    )
        return outcome

    def _write_option(self, option: tuple[str, str], value: Any, *, exists: bool) -> None:
        table = self._name("b_option")
        if exists:
            self._db.run(
                f"UPDATE {table} SET `VALUE` = %s WHERE `MODULE_ID` = %s AND `NAME` = %s", [value, *option]
            )
        else:
            self._db.run(
                f"INSERT INTO {table} (`MODULE_ID`, `NAME`, `VALUE`) VALUES (%s, %s, %s)", [*option, value]
            )

    def _hold_rows(self, rule: Rule, columns: list[str], dry: bool) -> Outcome:
        table = self._name(rule.table)
        values = list(rule.values.values())
        where = f"({rule.where})"
        if values:
            differs = " OR ".join(f"NOT {quoted(name)} <=> %s" for name in rule.values)
            where = f"({rule.where.replace('%', '%%')}) AND ({differs})"
        if dry:
            rows = int(self._db.value(f"SELECT COUNT(*) FROM {table} WHERE {where}", values))
            return Outcome(rule.name, rule.table, rows)
        if self._keeps and not (rule.delete and rule.opening == "keep"):
            self._remember_rows(rule, columns, where, values)
        if rule.delete:
            return Outcome(rule.name, rule.table, self._db.run(f"DELETE FROM {table} WHERE {where}"))
        changes = ", ".join(f"{quoted(name)} = %s" for name in rule.values)
        return Outcome(
            rule.name,
            rule.table,
            self._db.run(f"UPDATE {table} SET {changes} WHERE {where}", [*values, *values]),
        )

    def _remember_rows(self, rule: Rule, columns: list[str], where: str, values: list[Any]) -> None:
        key_columns = self._db.key(self._schema, rule.table)
        kept_columns = columns if rule.delete else list(rule.values)
        selected = list(dict.fromkeys([*key_columns, *kept_columns]))
        for row in self._db.rows(
            f"SELECT {', '.join(map(quoted, selected))} FROM {self._name(rule.table)}"
            f" WHERE {where} FOR UPDATE",
            values,
        ):
            content = dict(zip(selected, row, strict=True))
            self._remember(
                rule,
                rule.table,
                {name: content[name] for name in key_columns},
                {name: content[name] for name in kept_columns},
            )

    @staticmethod
    def _match(key: Mapping[str, Any]) -> tuple[str, list[Any]]:
        return " AND ".join(f"{quoted(name)} <=> %s" for name in key), list(key.values())

    def _remember(self, rule: Rule, table: str, key: Mapping[str, Any], old: Mapping[str, Any]) -> None:
        if not self._keeps:
            return
        text = encoded(key)
        self._db.run(
            "INSERT INTO `boxlift`.`held_value`"
            " (release_name, rule, table_name, key_hash, row_key, old_value, new_value)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)"
            # A value held again after it was given back is remembered anew; otherwise the first one counts.
            " ON DUPLICATE KEY UPDATE"
            " old_value = IF(returned_at IS NULL, old_value, VALUES(old_value)),"
            " held_at = IF(returned_at IS NULL, held_at, CURRENT_TIMESTAMP(6)), returned_at = NULL",
            [
                self._release,
                rule.name,
                table,
                hashlib.sha256(text.encode()).hexdigest(),
                text,
                encoded(old),
                encoded(rule.values),
            ],
        )

    def _return_rule(self, rule: Rule, outcome: Outcome, dry: bool, put: Callable[[str], str] | None) -> None:
        held = self._db.rows(
            "SELECT id, table_name, row_key, old_value, new_value FROM `boxlift`.`held_value`"
            " WHERE release_name = %s AND rule = %s AND returned_at IS NULL ORDER BY id",
            [self._release, rule.name],
        )
        for held_id, table, key_text, old_text, new_text in held:
            if table not in self._tables:
                continue
            outcome.rows += 1
            if dry:
                continue
            key, old, new = decoded(key_text), decoded(old_text), decoded(new_text)
            if rule.opening == "set":
                old = {"VALUE": rule.opening_value}
            elif put is not None:
                old, former = self._renamed(old, key if rule.delete else {}, put)
                outcome.former += [f"{self._place(table, key)}: {why}" for why in former]
            if not self._return_row(rule, table, key, old, new):
                outcome.kept.append(self._place(table, key))
            self._db.run(
                "UPDATE `boxlift`.`held_value` SET returned_at = CURRENT_TIMESTAMP(6) WHERE id = %s",
                [held_id],
            )

    @staticmethod
    def _renamed(
        old: Mapping[str, Any], key: Mapping[str, Any], put: Callable[[str], str]
    ) -> tuple[dict[str, Any], list[str]]:
        """Old values with the portal's present name, and which of them keep a former one, with why."""
        renamed, former = dict(old), []
        for name, value in old.items():
            if not isinstance(value, str):
                continue
            try:
                fresh = put(value)
            except SerializedError as error:
                former.append(f"{name}: {error}")
                continue
            if name not in key:
                renamed[name] = fresh
            elif fresh != value:
                former.append(f"{name}: part of the row's key")
        return renamed, former

    def _place(self, table: str, key: Mapping[str, Any]) -> str:
        """A row for the report. Without a key of its own it is not shown: its values may be secrets."""
        if set(key) == set(self._db.columns(self._schema, table)):
            return f"{table}, a row without a key"
        return f"{table} {encoded(key)}"

    def _return_row(
        self,
        rule: Rule,
        table: str,
        key: Mapping[str, Any],
        old: Mapping[str, Any],
        new: Mapping[str, Any],
    ) -> bool:
        name, (matches, key_values) = self._name(table), self._match(key)
        present = bool(self._db.rows(f"SELECT 1 FROM {name} WHERE {matches}", key_values))
        if rule.delete:
            if present:
                return False
            columns = ", ".join(map(quoted, old))
            marks = ", ".join(["%s"] * len(old))
            self._db.run(f"INSERT INTO {name} ({columns}) VALUES ({marks})", list(old.values()))
            return True
        unchanged, new_values = self._match(new)
        if old.get(_ABSENT):
            gone: int = self._db.run(
                f"DELETE FROM {name} WHERE {matches} AND {unchanged}", [*key_values, *new_values]
            )
            return gone > 0
        changes = ", ".join(f"{quoted(column)} = %s" for column in old)
        changed: int = self._db.run(
            f"UPDATE {name} SET {changes} WHERE {matches} AND {unchanged}",
            [*old.values(), *key_values, *new_values],
        )
        return changed > 0 or old == new
