"""Ansible module: persons in a copy of a portal get other names, telephones, addresses and texts."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import chain, cycle
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sample import Question, Sample, backticked
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError, quoted

DOCUMENTATION = r"""
module: portal_pseudonyms
short_description: Give the persons in a copy of a portal pseudonyms
description:
  - Works on the database alone, before any of the copy's code runs.
  - The same value gets the same pseudonym everywhere and in every copy that is made with the same key.
  - Each rule is one transaction, noted in the database C(boxlift) of the same server. A run that was killed
    goes on after the last rule that was done, and nothing is replaced twice.
  - A rule whose table or columns are absent does not apply.
options:
  release: {description: Release that the copy is known by., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  key: {description: Secret that the pseudonyms are derived with., type: str, default: ""}
  pools:
    description: Names to choose from, by kind (first_name, last_name, middle_name, company, address).
    type: dict
    default: {}
  rules:
    description: "What to replace; see the role portal_pseudonyms."
    type: list
    elements: dict
    required: true
    suboptions:
      table: {description: Table., type: str, required: true}
      columns:
        description: Columns, also as patterns of a shell; none with C(delete).
        type: list
        elements: str
        default: []
      kind:
        description: What stands in the columns.
        type: str
        required: true
        choices:
          - address
          - array
          - company
          - delete
          - email
          - file_name
          - first_name
          - full_name
          - last_name
          - login
          - middle_name
          - phone
          - text
      where: {description: Condition on the rows., type: str, default: ""}
  known:
    description: Columns that somebody has looked at, as C(table.COLUMN) with wildcards.
    type: list
    elements: str
    default: []
  keep_logins:
    description: Logins of accounts that keep their names, as the administrator's of those who use the copy.
    type: list
    elements: str
    default: []
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Persons of the copy get pseudonyms
  portal_pseudonyms:
    release: clone-20261122193934
    database: portal_clone_20261122193934
    key: "{{ copy_key }}"
    pools: "{{ 'ru_RU' | pseudonym_pools }}"
    rules:
      - {table: b_user, columns: [NAME], kind: first_name}
"""

RETURN = r"""
rules: {description: "Each rule with table, columns and changed rows.", returned: always, type: list}
inapplicable: {description: Tables and columns of rules that the portal lacks., returned: always, type: list}
unhandled:
  description: Own fields of the portal that hold text and that no rule names.
  returned: always
  type: list
persons:
  description: >-
    Columns that no rule names and that look like persons' data, by their name or by addresses of mail and
    telephone numbers in a table's newest rows: C(table.COLUMN) to what it looks like (mail, telephone, name),
    C(not seen) where the server could not look.
    Never a value.
  returned: always
  type: dict
"""

#: Rows of values that one statement takes.
PORTION = 1000
#: Digits that a telephone number has at least; shorter ones are extensions.
SHORTEST_NUMBER = 7
#: Pseudonyms that are tried where a column takes each value once.
TURNS = 100
#: A top-level domain that never exists (RFC 2606).
DOMAIN = "pseudonym.invalid"
#: An empty list as the product stores it.
EMPTY_ARRAY = "a:0:{}"
#: Kinds that leave nothing to derive.
KEYLESS = frozenset({"array", "delete", "text"})
TEXT_TYPES = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
#: Own fields of the product's types (portal_runtime G; samples).
OWN_FIELDS = "b_uts_*"
#: An address of mail that is nobody's pseudonym, in whatever text.
ADDRESS = rf"[A-Za-z0-9]@(?!{re.escape(DOMAIN)})[A-Za-z0-9.-]{{1,100}}[.][A-Za-z]{{2}}"
#: A telephone number with its country's code, or Russia's as people write it there; no part of a longer one.
NUMBER = (
    r"(?<![0-9A-Za-z])(?:[+][1-9][0-9 ()-]{8,16}[0-9]|[78][ (-]{0,2}[0-9]{3}[ )-]{0,2}[0-9]{3}[ -]?[0-9]{2}"
    r"[ -]?[0-9]{2})(?![0-9A-Za-z])"
)
#: Columns that are called like what persons have.
PERSONAL = re.compile(
    r"(?i)(?:first|last|second|middle|full|user|author|person|contact|client)_?name|surname|patronymic"
    r"|birth|passport|e_?mail|phone|mobile"
)
#: And hold switches or names of something else.
SWITCHES = re.compile(r"(?i)(?:_id|_type|_code|_format|_template|_confirmed|_verified)$")
SHORTEST_TEXT = 6
_DIGIT = re.compile(r"[0-9]")


class Pseudonyms:
    """Pseudonyms of values: the same for the same value and key, and not to be turned back without it."""

    def __init__(self, key: str, pools: Mapping[str, Sequence[str]]) -> None:
        self._key = key.encode()
        self._pools = pools

    def of(self, kind: str, value: str) -> str:
        """Return the pseudonym of a value; what is empty stays so."""
        if not value.strip():
            return value
        makers: dict[str, Callable[[str], str]] = {
            "email": self._address,
            "file_name": self._file_name,
            "full_name": self._full_name,
            "login": self._login,
            "phone": self._number,
        }
        maker = makers.get(kind)
        return maker(value) if maker else self._drawn(kind, value)

    def other(self, turn: int) -> Pseudonyms:
        """Pseudonyms for values whose own are taken."""
        return Pseudonyms(f"{self._key.decode()}\0{turn}", self._pools)

    def _drawn(self, kind: str, value: str) -> str:
        pool = self._pools[kind]
        return pool[int(self._digest(kind, value)[:12], 16) % len(pool)]

    def _full_name(self, value: str) -> str:
        first, *rest = value.split()
        return " ".join(
            [self._drawn("first_name", first), *(self._drawn("last_name", word) for word in rest)]
        )

    def _address(self, value: str) -> str:
        return f"p{self._digest('email', value)[:12]}@{DOMAIN}"

    def _login(self, value: str) -> str:
        return self._address(value) if "@" in value else f"p{self._digest('login', value)[:12]}"

    def _file_name(self, value: str) -> str:
        extension = value.rpartition(".")[2] if "." in value else ""
        return f"{self._digest('file_name', value)[:16]}{'.' if extension else ''}{extension}"

    def _number(self, value: str) -> str:
        """A number of the same form that nobody has: after the country's digit comes 000."""
        digits = "".join(_DIGIT.findall(value))
        if len(digits) < SHORTEST_NUMBER:
            return value
        # Russia's country code and its prefix inside the country are both one digit before the same number.
        own = digits[1:] if digits[0] in "78" else digits
        fresh = chain(digits[0], "000", cycle(str(int(self._digest("phone", own), 16))))
        return _DIGIT.sub(lambda _: next(fresh), value)

    def _digest(self, kind: str, value: str) -> str:
        text = f"{kind}\0{' '.join(value.casefold().split())}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True)
class Rule:
    """Columns of a table that hold one kind of thing."""

    table: str
    columns: tuple[str, ...]
    kind: str
    where: str

    @property
    def name(self) -> str:
        """What the rule is noted by: another condition is another rule."""
        text = " ".join([self.table, *self.columns, self.kind, self.where])
        return f"{self.table} {self.kind} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Copy:
    """The database of a copy."""

    def __init__(self, database: Database, release: str, schema: str, kept: Sequence[str]) -> None:
        self._db = database
        self._release = release
        self._schema = schema
        self._tables = database.tables(schema)
        self._kept = kept
        # A condition of a rule may ask another table of the copy.
        self._db.run(f"USE {quoted(schema)}")

    def prepare(self) -> None:
        """Make the table of rules that are done, which the first rule needs."""
        self._db.run("CREATE DATABASE IF NOT EXISTS `boxlift` DEFAULT CHARACTER SET utf8mb4")
        self._db.run(
            "CREATE TABLE IF NOT EXISTS boxlift.pseudonyms"
            " (`release` VARCHAR(64) NOT NULL, `rule` VARCHAR(190) NOT NULL,"
            " done_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (`release`, `rule`))"
        )

    def resolved(self, rules: Sequence[Rule]) -> tuple[list[Rule], list[str]]:
        """Rules with the columns that there are, and what the portal lacks."""
        found, lacking = [], []
        for rule in rules:
            if rule.table not in self._tables:
                lacking.append(rule.table)
                continue
            texts = self._texts(rule.table)
            columns = [name for name in texts if any(fnmatchcase(name, pattern) for pattern in rule.columns)]
            lacking += [
                f"{rule.table}.{pattern}"
                for pattern in rule.columns
                if not any(fnmatchcase(name, pattern) for name in texts)
            ]
            if columns or rule.kind == "delete":
                found.append(Rule(rule.table, tuple(columns), rule.kind, rule.where))
        return found, lacking

    def undone(self, rules: Sequence[Rule]) -> list[Rule]:
        """Rules that no earlier run has finished."""
        if "pseudonyms" not in self._db.tables("boxlift"):
            return list(rules)
        rows = self._db.rows("SELECT `rule` FROM boxlift.pseudonyms WHERE `release` = %s", [self._release])
        done = {row[0] for row in rows}
        return [rule for rule in rules if rule.name not in done]

    def apply(self, rule: Rule, pseudonyms: Pseudonyms) -> int:
        """Do one rule in one transaction and return the number of rows changed."""
        if rule.kind == "delete":
            rows = int(self._db.run(f"DELETE FROM {self._name(rule.table)} WHERE {self._condition(rule)}"))
        else:
            rows = sum(self._replace(rule, column, pseudonyms) for column in rule.columns)
        self._db.run(
            "INSERT INTO boxlift.pseudonyms (`release`, `rule`) VALUES (%s, %s)", [self._release, rule.name]
        )
        self._db.commit()
        return rows

    def unhandled(self) -> list[str]:
        """Own fields that hold text; only who made them knows whether it is about persons."""
        return [
            f"{table}.{column}"
            for table in sorted(self._tables)
            if fnmatchcase(table, OWN_FIELDS)
            for column in self._texts(table)
            if self._db.value(f"SELECT 1 FROM {self._name(table)} WHERE {quoted(column)} > '' LIMIT 1")
        ]

    def persons(self, rules: Sequence[Rule], known: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
        """Columns that no rule names and that look like persons' data; own fields are told apart."""
        sample = Sample(self._db, self._schema)
        emptied = {rule.table for rule in rules if rule.kind == "delete" and not rule.where}
        ruled = {(rule.table, column) for rule in rules for column in rule.columns}
        for table, columns in sample.columns().items():
            if table in emptied or fnmatchcase(table, OWN_FIELDS):
                continue
            names = [
                column.name
                for column in columns
                if column.length >= SHORTEST_TEXT
                and (table, column.name) not in ruled
                and not any(fnmatchcase(f"{table}.{column.name}", pattern) for pattern in known)
            ]
            questions: dict[str, Question] = {}
            for name in names:
                questions[f"{name} mail"] = (f"{backticked(name)} REGEXP %s", [ADDRESS])
                questions[f"{name} telephone"] = (f"{backticked(name)} REGEXP %s", [NUMBER])
                if PERSONAL.search(name) and not SWITCHES.search(name):
                    questions[f"{name} name"] = (f"{backticked(name)} > ''", [])
            try:
                fitting = sample.fitting(table, names, questions)
            except SqlError:
                # A server may give a pattern up on a value; its words may quote that value.
                yield f"{table}.*", ["not seen"]
                continue
            for name in names:
                looks = [kind for kind in ("mail", "telephone", "name") if f"{name} {kind}" in fitting]
                if looks:
                    yield f"{table}.{name}", looks

    def _replace(self, rule: Rule, column: str, pseudonyms: Pseudonyms) -> int:
        table, own = self._name(rule.table), quoted(column)
        condition = f"{own} > '' AND {self._condition(rule)}"
        if rule.kind == "text":
            masked = f"REGEXP_REPLACE(REGEXP_REPLACE({own}, %s, 'x'), '[0-9]', '0')"
            return int(self._db.run(f"UPDATE {table} SET {own} = {masked} WHERE {condition}", [r"\p{L}"]))
        if rule.kind == "array":
            return int(self._db.run(f"UPDATE {table} SET {own} = %s WHERE {condition}", [EMPTY_ARRAY]))
        self._map(rule, column, condition, pseudonyms)
        replaced = self._db.run(
            f"UPDATE {table} JOIN boxlift.pseudonym_map AS map"
            f" ON map.original = UNHEX(SHA1(CONVERT({own} USING utf8mb4)))"
            f" SET {own} = map.pseudonym WHERE {condition}"
        )
        return int(replaced)

    def _map(self, rule: Rule, column: str, condition: str, pseudonyms: Pseudonyms) -> None:
        """Fill the temporary table that leads from a value, by its SHA-1, to its pseudonym."""
        table, own = self._name(rule.table), quoted(column)
        once = self._once(rule.table, column)
        taken: set[str] = set()
        self._db.run("DROP TEMPORARY TABLE IF EXISTS boxlift.pseudonym_map")
        self._db.run(
            "CREATE TEMPORARY TABLE boxlift.pseudonym_map"
            " (original BINARY(20) NOT NULL PRIMARY KEY, pseudonym VARCHAR(500) NOT NULL)"
            " CHARACTER SET utf8mb4"
        )
        values = self._db.rows(
            f"SELECT DISTINCT BINARY CONVERT({own} USING utf8mb4) FROM {table} WHERE {condition}"
            f"{' ORDER BY 1' if once else ''}"
        )
        for start in range(0, len(values), PORTION):
            portion = values[start : start + PORTION]
            parameters: list[Any] = []
            for (value,) in portion:
                raw = value if isinstance(value, bytes) else str(value).encode()
                parameters += [hashlib.sha1(raw, usedforsecurity=False).digest()]
                text = raw.decode(errors="replace")
                pseudonym = pseudonyms.of(rule.kind, text)
                for turn in range(1, TURNS if once else 1):
                    if pseudonym.casefold() not in taken:
                        break
                    pseudonym = pseudonyms.other(turn).of(rule.kind, text)
                if once:
                    taken.add(pseudonym.casefold())
                parameters += [pseudonym]
            marks = ", ".join(["(%s, %s)"] * len(portion))
            self._db.run(f"INSERT INTO boxlift.pseudonym_map VALUES {marks}", parameters)

    def _once(self, table: str, column: str) -> bool:
        """Whether the column is part of a key that takes each value once."""
        keys = self._db.rows(
            "SELECT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = %s"
            " AND TABLE_NAME = %s AND COLUMN_NAME = %s AND NON_UNIQUE = 0",
            [self._schema, table, column],
        )
        return len(keys) > 0

    def _condition(self, rule: Rule) -> str:
        conditions = [f"({rule.where})"] if rule.where else []
        if rule.table == "b_user" and self._kept:
            logins = [login.replace("\\", "\\\\").replace("'", "''") for login in self._kept]
            conditions.append("LOGIN NOT IN (" + ", ".join(f"'{login}'" for login in logins) + ")")
        return " AND ".join(conditions) or "TRUE"

    def _texts(self, table: str) -> list[str]:
        rows = self._db.rows(
            "SELECT COLUMN_NAME, DATA_TYPE FROM information_schema.COLUMNS"
            " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
            [self._schema, table],
        )
        return [name for name, kind in rows if kind in TEXT_TYPES]

    def _name(self, table: str) -> str:
        return f"{quoted(self._schema)}.{quoted(table)}"


def told(rules: Sequence[Rule], rows: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    """What each rule did, for the result."""
    for rule in rules:
        yield {
            "table": rule.table,
            "columns": list(rule.columns),
            "kind": rule.kind,
            "rows": rows.get(rule.name, 0),
        }


def main() -> None:
    """Run the module."""
    kinds = (
        *("address", "array", "company", "delete", "email", "file_name", "first_name", "full_name"),
        *("last_name", "login", "middle_name", "phone", "text"),
    )
    rule: dict[str, Any] = {
        "table": {"type": "str", "required": True},
        "columns": {"type": "list", "elements": "str", "default": []},
        "kind": {"type": "str", "required": True, "choices": list(kinds)},
        "where": {"type": "str", "default": ""},
    }
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "key": {"type": "str", "default": "", "no_log": True},
            "pools": {"type": "dict", "default": {}},
            "rules": {"type": "list", "elements": "dict", "required": True, "options": rule},
            "known": {"type": "list", "elements": "str", "default": []},
            "keep_logins": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR is not None:
        module.fail_json(msg="python3-pymysql is missing on the host", exception=PYMYSQL_ERROR)
    wanted = [
        Rule(item["table"], tuple(item["columns"]), item["kind"], item["where"])
        for item in module.params["rules"]
    ]
    if not module.params["key"] and any(item.kind not in KEYLESS for item in wanted):
        module.fail_json(msg="pseudonyms need a key: without one anybody could derive them")
    try:
        database = Database(module.params)
        copy = Copy(
            database, module.params["release"], module.params["database"], module.params["keep_logins"]
        )
        if not module.check_mode:
            copy.prepare()
        rules, lacking = copy.resolved(wanted)
        undone = copy.undone(rules)
        pseudonyms = Pseudonyms(module.params["key"], module.params["pools"])
        rows = {} if module.check_mode else {item.name: copy.apply(item, pseudonyms) for item in undone}
        unhandled = copy.unhandled()
        persons = dict(copy.persons(rules, module.params["known"]))
    except SqlError as error:
        module.fail_json(msg=f"persons of {module.params['release']} keep their names: {error}")
    module.exit_json(
        changed=bool(undone),
        rules=list(told(rules, rows)),
        inapplicable=lacking,
        unhandled=unhandled,
        persons=persons,
    )


if __name__ == "__main__":
    main()
