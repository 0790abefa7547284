#!/usr/bin/python
"""Ansible module: where a copy of a portal still holds what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sample import Column, Question, Sample, backticked, text_of
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError

DOCUMENTATION = r"""
module: portal_unknown_secrets
short_description: Where a copy of a portal still holds what looks like a secret
description:
  - Rules empty the secrets that are known. A new version of the product, or an application, keeps others, in
    columns and options that no rule names.
  - Looks at names of columns and options that speak of passwords, tokens and keys, at values that are lists
    with such names in them, at tables of names and values, and at addresses with a password. Changes nothing.
  - Conditions are answered by the server, of a table's newest rows where the name of a column does not say it
    already. No value is read, so none can be shown.
options:
  database: {description: Database of the release., type: str, required: true}
  known:
    description: >-
      What somebody has looked at, as C(table.COLUMN) or, of options, C(module/name), with wildcards.
    type: list
    elements: str
    default: []
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: What is left of production's secrets
  portal_unknown_secrets:
    database: portal_clone_20261122193934
    known: [b_user.PASSWORD]
"""

RETURN = r"""
secrets:
  description: >-
    The places, each with place (C(table.COLUMN) or C(module/name)), table, column, why it looks like a
    secret, and rows (0 where a sample was looked at). Never a value.
  returned: always
  type: list
"""

#: What a secret is called, wherever the word stands in a name.
WORDS = (
    r"passw(?:or)?d|passphrase|secret|token|credential"
    r"|(?:api|access|private|shared|sign|signature|signing|auth|secure)[_-]?key"
)
#: And as a word of its own only.
SHORT = r"(?:^|[_.~-])(?:pwd|psw|pass)(?:[_.~-]|$)"
#: What such a name ends with when it is about a secret and is none.
ABOUT = (
    r"(?:expired?|expires|expire_?at|lifetime|ttl|timeout|date|time|count|length|policy|enabled?|types?|algo"
    r"|algorithm|(?:_|^)id)$"
)
NAME = rf"(?i)(?:{WORDS}|{SHORT})"
BESIDE = f"(?i){ABOUT}"
#: Columns that hold a key of something, often of nothing secret: their values decide.
KEY = r"(?i)(?:^|_)(?:key|salt)$"
RANDOM = r"^(?=.{0,200}[0-9])(?=.{0,200}[A-Za-z])[A-Za-z0-9+/=_-]{24,200}$"
#: A list as PHP or JSON writes it, with a secret in it that is not empty.
LISTED = rf'(?i)(?:{WORDS})[^"]{{0,60}}(?:";s:[1-9]|\\?"[ ]*:[ ]*\\?"[^"\\])'
#: An address with a password, a token or a webhook's secret in it (portal_runtime H), a private key.
WRITTEN = (
    r"(?i)://[^/@: \"<>]{1,100}:[^/@: \"<>]{1,100}@|-----BEGIN [A-Z ]{0,20}PRIVATE KEY"
    r"|/rest/[0-9]{1,10}/[a-z0-9]{12,40}(?:/|$)"
    rf"|[?&][a-z_.-]{{0,30}}(?:{WORDS})[a-z_.-]{{0,30}}=[^&# \"<>]{{4}}"
)
#: What a program calls something, in contrast to what people write.
IDENTIFIER = r"^[A-Za-z0-9_.:~-]{1,200}$"
#: Column of a table of names and values.
VALUE = re.compile(r"(?:^|_)VAL(?:UE)?$", re.IGNORECASE)
#: Shorter columns hold switches.
SHORTEST = 6
#: Longer ones hold no names.
LONGEST_NAME = 255
OPTIONS = ("b_option", "b_option_site")

CALLED = "called like a secret"
RANDOM_KEY = "a key that looks random"
LIST = "a list with a secret in it"
WRITTEN_OUT = "an address with a secret in it, or a private key"
NOT_SEEN = "the server could not look at it"
NAMED = "rows that are called like secrets"


@dataclass(frozen=True)
class Place:
    """Where something looks like a secret; ``rows`` counts those of a whole column, 0 for a sample.

    ``place`` is what somebody names who has looked at it: table.COLUMN or, of options, module/name.
    """

    place: str
    table: str
    column: str
    why: str
    rows: int = 0


def speaks_of_a_secret(name: str) -> bool:
    """Tell whether a column is called like a secret."""
    return bool(re.search(NAME, name)) and not re.search(BESIDE, name)


def is_known(place: Place, known: Sequence[str]) -> bool:
    """Tell whether somebody has looked at it."""
    return any(fnmatchcase(place.place.lower(), pattern.lower()) for pattern in known)


class Look:
    """One look at a database."""

    def __init__(self, database: Database, schema: str) -> None:
        self._db = database
        self._schema = schema
        self._sample = Sample(database, schema)

    def places(self) -> Iterator[Place]:
        """Every place that looks like a secret."""
        for table, columns in self._sample.columns().items():
            try:
                yield from list(self._options(table) if table in OPTIONS else self._table(table, columns))
            except SqlError:
                # A server may give a pattern up on a value; its words may quote that value.
                yield Place(f"{table}.*", table, "*", NOT_SEEN)

    def _options(self, table: str) -> Iterator[Place]:
        """Options by name or by value; a single letter is a switch."""
        text = text_of("VALUE")
        reasons = (
            (CALLED, "NAME REGEXP %s AND NAME NOT REGEXP %s", [NAME, BESIDE]),
            (LIST, f"{text} REGEXP %s", [LISTED]),
            (WRITTEN_OUT, f"{text} REGEXP %s", [WRITTEN]),
            (RANDOM_KEY, f"NAME REGEXP %s AND {text} REGEXP %s", [KEY, RANDOM]),
        )
        asked = " ".join(f"WHEN {condition} THEN {place}" for place, (_, condition, _) in enumerate(reasons))
        for module, name, place in self._db.rows(
            "SELECT DISTINCT * FROM (SELECT MODULE_ID, NAME,"
            f" CASE {asked} END AS place FROM {backticked(self._schema)}.{backticked(table)}"
            " WHERE CHAR_LENGTH(VALUE) > 1) AS options WHERE place IS NOT NULL ORDER BY MODULE_ID, NAME",
            [value for _, _, values in reasons for value in values],
        ):
            yield Place(f"{module}/{name}", table, "VALUE", reasons[int(place)][0], 1)

    def _table(self, table: str, columns: Sequence[Column]) -> Iterator[Place]:
        called = [c.name for c in columns if c.length >= SHORTEST and speaks_of_a_secret(c.name)]
        for column in called:
            if rows := self._sample.filled(table, column):
                yield Place(f"{table}.{column}", table, column, CALLED, rows)
        rest = [c for c in columns if c.name not in called and c.length >= SHORTEST]
        questions: dict[str, tuple[str, str, Question]] = {}
        for column in rest:
            text = backticked(column.name)
            for why, pattern in ((LIST, LISTED), (WRITTEN_OUT, WRITTEN)):
                questions[f"{column.name} {why}"] = (column.name, why, (f"{text} REGEXP %s", [pattern]))
            if re.search(KEY, column.name):
                questions[f"{column.name} key"] = (column.name, RANDOM_KEY, (f"{text} REGEXP %s", [RANDOM]))
        names = [backticked(c.name) for c in rest if c.length <= LONGEST_NAME and not VALUE.search(c.name)]
        for column in rest:
            if names and VALUE.search(column.name):
                named = " OR ".join(
                    f"({name} REGEXP %s AND {name} REGEXP %s AND {name} NOT REGEXP %s)" for name in names
                )
                question = f"{backticked(column.name)} > '' AND ({named})"
                questions[f"{column.name} named"] = (
                    *(column.name, NAMED),
                    (question, [IDENTIFIER, NAME, BESIDE] * len(names)),
                )
        fitting = self._sample.fitting(
            table, [c.name for c in rest], {name: question for name, (_, _, question) in questions.items()}
        )
        for name, (column, why, _) in questions.items():
            if name in fitting:
                yield Place(f"{table}.{column}", table, column, why)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "database": {"type": "str", "required": True},
            "known": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    schema = module.params["database"]
    try:
        look = Look(Database(module.params), schema)
        found = [place for place in look.places() if not is_known(place, module.params["known"])]
    except SqlError as error:
        module.fail_json(msg=f"secrets of {schema}: {error}")
    module.exit_json(changed=False, secrets=[asdict(place) for place in found])


if __name__ == "__main__":
    main()
