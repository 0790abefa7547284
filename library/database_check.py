#!/usr/bin/python
"""Ansible module: is a database server that somebody else runs what the portal needs?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_sql import (
    PYMYSQL_ERROR,
    SQL_ARGUMENTS,
    Database,
    NoConnectionError,
    SqlError,
)

DOCUMENTATION = """
---
module: database_check
short_description: Look whether a database server that somebody else runs is what the portal needs
description:
  - Asks the server that C(config_file) leads to. Tells all that is wrong at once and changes nothing.
  - What the portal's own connection sets for itself (an empty sql_mode, its collation) is not asked for.
author: The boxlift authors
options:
  collation: {description: Collation of the portal's databases., type: str, required: true}
  timezone: {description: Time zone of the portal., type: str, required: true}
  session_timezone:
    description:
      - Name of the zone that the portal's sessions set, which the server must know. Empty where they set
        none, so that the server's own zone must be the portal's.
    type: str
    default: ""
  packet_mb: {description: Longest statement that the server must take (MiB)., type: int, default: 16}
  accounts:
    description: Accounts that must be there, besides the one of C(config_file).
    type: list
    elements: dict
    default: []
    suboptions:
      user: {description: Name., type: str, required: true}
      password: {description: Password., type: str, required: true}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
"""

EXAMPLES = """
- name: The server is as the portal needs it
  database_check:
    collation: utf8mb4_unicode_ci
    timezone: Europe/Berlin
"""

RETURN = """
version: {description: What the server says it is., returned: success, type: str}
problems: {description: "What is wrong, a sentence each.", returned: always, type: list}
"""

PREFLIGHT_REFUSED = 3
SECONDS_APART = 1
"""Most that the clocks of PHP and database may differ (portal_runtime A4)."""
PORTAL, OWN, TRIAL = r"portal\_%", "boxlift", r"boxlift\_trial\_%"
OLDEST = {True: (10, 11), False: (8, 0)}
"""First versions of MariaDB and of MySQL that boxlift is tested with; MySQL ends before 9."""
MYSQL_END = (9, 0)
UNKNOWN_ZONE = 1298
"""The server's number for a time zone that its tables do not have."""
ZONE_TABLES = (
    "it does not know the time zone {zone}, which the portal's sessions set; whoever runs it loads the"
    " tables: mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql (MySQL: mysql_tzinfo_to_sql). Where"
    " its own zone is the portal's, an empty portal_settings_database_timezone asks for that instead"
)
# portal_runtime A4, what site_checker asks for; the session cannot make up for these.
SETTINGS = {
    "innodb_strict_mode": "OFF",
    "default_storage_engine": "InnoDB",
    "innodb_default_row_format": "dynamic",
}
_GRANT = re.compile(r"GRANT (?P<what>.+?) ON (?P<where>\S+?)\.\* TO ")


def version_problems(version: str) -> Iterator[str]:
    """At most one problem: another product, or one that is too old or too new."""
    mariadb = "mariadb" in version.lower()
    found = re.search(
        r"(\d+)\.(\d+)\.\d+(?=[^-]*-MariaDB)" if mariadb else r"(\d+)\.(\d+)", version, re.IGNORECASE
    )
    number = (int(found[1]), int(found[2])) if found else (0, 0)
    if number < OLDEST[mariadb] or (not mariadb and number >= MYSQL_END):
        yield f"its version is {version}; the portal needs MariaDB from 10.11 on or MySQL 8"


def setting_problems(settings: Mapping[str, str], packet_mb: int) -> Iterator[str]:
    """One problem for each setting that the product's own check refuses."""
    for name, wanted in SETTINGS.items():
        if settings[name] != wanted:
            yield f"{name} is {settings[name]}, the portal needs {wanted}"
    if settings.get("innodb_large_prefix", "ON") == "OFF":
        yield "innodb_large_prefix is OFF, the portal needs ON"
    packet = int(settings["max_allowed_packet"])
    if packet < packet_mb << 20:
        yield f"max_allowed_packet is {packet} bytes, the portal needs {packet_mb} MiB"


def grant_problems(user: str, grants: Sequence[str], needed: Sequence[str]) -> Iterator[str]:
    """One problem for each pattern of databases on which the account lacks rights."""
    held = set()
    for grant in grants:
        found = _GRANT.match(grant)
        if found and ("ALL PRIVILEGES" in found["what"] or "CREATE ROUTINE" in found["what"]):
            held.add(found["where"].strip("`"))
    for pattern in needed:
        plain = pattern.replace("\\", "")
        if not held & {"*", "%", pattern, plain}:
            yield f"account {user} lacks rights: GRANT ALL ON `{pattern}`.* TO the account"


def clock_problems(
    moments: Sequence[tuple[int, str]], now: tuple[float, float], timezone: str, named: str = ""
) -> Iterator[str]:
    """Problems of zone and clock.

    :param moments: seconds since 1970, each with the server's own local time of it.
    :param now: seconds since 1970 as the host and as the server count them.
    :param named: the zone that the session has set by name, empty where it has the server's own.
    """
    zone = ZoneInfo(timezone)
    for moment, local in moments:
        wanted = datetime.fromtimestamp(moment, zone).strftime("%Y-%m-%d %H:%M:%S")
        if local[: len(wanted)] != wanted:
            told = f"{local} is {wanted} in {timezone}"
            yield (
                f"it knows another {named} than the tz database: {told}; load its time zone tables anew"
                if named
                else f"its time zone is another one: {told}; set default_time_zone"
            )
            break
    apart = abs(now[0] - now[1])
    if apart > SECONDS_APART:
        yield f"its clock is {apart:.1f} s off the portal's"


def server_problems(database: Database, given: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the server, as its administrator's account sees it."""
    yield from version_problems(str(database.value("SELECT VERSION()")))
    names = [*SETTINGS, "innodb_large_prefix", "max_allowed_packet"]
    settings = dict(
        database.rows(
            f"SHOW GLOBAL VARIABLES WHERE Variable_name IN ({', '.join(['%s'] * len(names))})", names
        )
    )
    yield from setting_problems(settings, given["packet_mb"])
    collation = given["collation"]
    known = database.rows(
        "SELECT 1 FROM information_schema.COLLATIONS WHERE COLLATION_NAME = %s", [collation]
    )
    if not known and database.columns("information_schema", "COLLATION_CHARACTER_SET_APPLICABILITY").count(
        "FULL_COLLATION_NAME"
    ):
        known = database.rows(
            "SELECT 1 FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
            " WHERE FULL_COLLATION_NAME = %s",
            [collation],
        )
    if not known:
        yield f"it has no collation {collation}; choose another portal_database_collation"
    yield from grant_problems(user_of(database), grants_of(database), [PORTAL, OWN, TRIAL])


def time_problems(database: Database, timezone: str, named: str = "") -> Iterator[str]:
    """What is wrong with the server's time, in the zone of the portal's sessions.

    :param named: zone that they set by its name; empty where they keep the one they begin with.
    """
    try:
        if named:
            database.run("SET time_zone = %s", [named])
        else:
            database.run("SET time_zone = @@GLOBAL.time_zone")
    except SqlError as error:
        if error.code != UNKNOWN_ZONE:
            raise
        yield ZONE_TABLES.format(zone=named)
        return
    year = datetime.now(ZoneInfo("UTC")).year
    moments = [int(datetime(year, month, 15, 12, tzinfo=ZoneInfo("UTC")).timestamp()) for month in (1, 7)]
    told = [(moment, str(database.value("SELECT FROM_UNIXTIME(%s)", [moment]))) for moment in moments]
    before = datetime.now(ZoneInfo("UTC")).timestamp()
    theirs = float(database.value("SELECT UNIX_TIMESTAMP(NOW(3))"))
    after = datetime.now(ZoneInfo("UTC")).timestamp()
    # The answer was given at some moment between.
    yield from clock_problems(told, (min(max(theirs, before), after), theirs), timezone, named)


def user_of(database: Database) -> str:
    """The account of a session."""
    return str(database.value("SELECT CURRENT_USER()"))


def grants_of(database: Database) -> list[str]:
    """What the account of a session may do."""
    return [str(row[0]) for row in database.rows("SHOW GRANTS FOR CURRENT_USER()")]


def account_problems(given: Mapping[str, Any], user: str, password: str) -> Iterator[str]:
    """What is wrong with an account that the portal or its restores use."""
    try:
        database = Database(dict(given), (user, password))
    except NoConnectionError as error:
        yield f"account {user} cannot enter: {error}"
        return
    try:
        yield from grant_problems(user_of(database), grants_of(database), [PORTAL])
        if "caching_sha2_password" in str(database.value("SHOW CREATE USER CURRENT_USER()")):
            yield (
                f"account {user} logs in by caching_sha2_password, which the portal's PHP cannot do"
                " through the tunnel: ALTER USER ... IDENTIFIED WITH mysql_native_password"
            )
    finally:
        database.close()


def main() -> None:
    """Entry point of the module."""
    module = AnsibleModule(
        argument_spec={
            **SQL_ARGUMENTS,
            "collation": {"type": "str", "required": True},
            "timezone": {"type": "str", "required": True},
            "session_timezone": {"type": "str", "default": ""},
            "packet_mb": {"type": "int", "default": 16},
            "accounts": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "user": {"type": "str", "required": True},
                    "password": {"type": "str", "required": True, "no_log": True},
                },
            },
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR is not None:
        module.fail_json(msg="python3-pymysql is needed on the host to look at the database server")
    given = module.params
    try:
        database = Database(given)
        version = str(database.value("SELECT VERSION()"))
        problems = [
            *server_problems(database, given),
            *time_problems(database, given["timezone"], given["session_timezone"]),
        ]
        for account in given["accounts"]:
            problems += account_problems(given, account["user"], account["password"])
        where = database.address
        database.close()
    except SqlError as error:
        module.fail_json(msg=str(error), problems=[str(error)])
    if problems:
        head = f"the database server {where} is not what the portal needs; nothing was changed on it:"
        module.fail_json(
            msg="\n- ".join([head, *problems]),
            problems=problems,
            boxlift_exit=PREFLIGHT_REFUSED,
        )
    module.exit_json(changed=False, version=version, problems=[])


if __name__ == "__main__":
    main()
