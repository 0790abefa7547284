"""Names that a portal had before, and its present one put where they stand (portal_runtime D)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ansible.module_utils.boxlift_serialized import looks_serialized, replaced
from ansible.module_utils.boxlift_sql import Database, quoted


class Names:
    """Replaces the portal's former names in a text by its present one."""

    def __init__(self, former: Sequence[str], domain: str, email: str) -> None:
        """Whole host names only: a longer name that contains a former one is another name."""
        hosts = "|".join(re.escape(name) for name in sorted(former, key=len, reverse=True)) or r"(?!)"
        self._address = re.compile(rf"(?<![\w.+-])[\w.+-]+@(?:{hosts})(?![\w-]|\.\w)", re.IGNORECASE)
        self._host = re.compile(rf"(?<![\w.@-])(?:{hosts})(?![\w-]|\.\w)", re.IGNORECASE)
        self._domain = domain
        self._email = email

    def put(self, text: str) -> str:
        """The text with the portal's present name and sender."""
        return self._host.sub(lambda _: self._domain, self._address.sub(lambda _: self._email, text))

    def put_into(self, value: str) -> str:
        """The same for a value that may be serialized.

        Raises:
            SerializedError: it looks serialized and cannot be rewritten safely.
        """
        return replaced(value, self.put) if looks_serialized(value) else self.put(value)


def former_names(database: Database, schema: str, domain: str) -> list[str]:
    """Names that the portal itself had before.

    A name above the present one is the company's, with a web site and mailboxes of its own: none of them.
    """
    found: set[str] = set()
    options = f"{quoted(schema)}.`b_option`"
    for (value,) in database.rows(
        f"SELECT VALUE FROM {options} WHERE MODULE_ID = %s AND NAME = %s", ["bitrix24", "host_name"]
    ):
        found.add(str(value or ""))
    if "held_value" in database.tables("boxlift"):
        for (old,) in database.rows(
            "SELECT JSON_UNQUOTE(JSON_EXTRACT(old_value, '$.SERVER_NAME')) FROM boxlift.held_value"
            " WHERE rule = 'domain-sites'"
        ):
            found.add(str(old or ""))
        for (old,) in database.rows(
            "SELECT JSON_UNQUOTE(JSON_EXTRACT(old_value, '$.DOMAIN')) FROM boxlift.held_value"
            " WHERE rule = 'domain-aliases'"
        ):
            found.add(str(old or ""))
    names = {name.strip().lower() for name in found}
    return sorted(name for name in names if "." in name and not f".{domain.lower()}".endswith(f".{name}"))


def present_names(database: Database, schema: str) -> Names | None:
    """What puts the names that role portal_domain gave the portal; None where it gave none yet."""
    sites = f"{quoted(schema)}.`b_lang`"
    if not {"SERVER_NAME", "DEF", "EMAIL"} <= set(database.columns(schema, "b_lang")):
        return None
    row = database.rows(
        f"SELECT SERVER_NAME, EMAIL FROM {sites} WHERE COALESCE(SERVER_NAME, '') <> ''"
        " ORDER BY DEF = 'Y' DESC LIMIT 1"
    )
    if not row:
        return None
    domain, email = str(row[0][0]), str(row[0][1] or "")
    return Names(former_names(database, schema, domain), domain, email or f"no-reply@{domain}")
