"""One door to MariaDB or MySQL for boxlift's modules: a connection, safe names, the catalogue.

Which server that is, and how it is reached, stands in a client option file that the server's own programs and
bxbackup read too: whoever works on a portal's database works on the one whose marker was looked at.

Runs on the managed host with Debian's python3-pymysql. Values travel as text (or bytes for binary columns),
so that what was read can be written back unchanged whatever the column's type.
"""

from __future__ import annotations

import configparser
import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

try:
    import pymysql
except ImportError:
    PYMYSQL_ERROR: str | None = traceback.format_exc()
else:
    PYMYSQL_ERROR = None
    # Without readers every value arrives as text or bytes.
    _WRITERS: dict[Any, Any] = dict(pymysql.converters.encoders)

#: Arguments that every module with a database connection takes.
SQL_ARGUMENTS: dict[str, dict[str, Any]] = {
    "config_file": {"type": "path", "default": "/etc/boxlift/database.cnf"},
}

_TLS = ("ca", "cert", "key", "cipher")
_CONNECT_SECONDS = 10

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_$]{0,63}\Z")


class SqlError(Exception):
    """A statement or a name that the database, or this module, does not accept.

    :param code: the server's own number of the error, 0 where it is not the server's.
    """

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


class NoOptionFileError(SqlError):
    """The host does not know how it reaches its database: the file is missing, or says nothing."""


class NoConnectionError(SqlError):
    """The server is away, or does not let us in."""


def quoted(name: str) -> str:
    """Return an identifier in backticks; refuse what is not a plain name."""
    if not _NAME.match(name):
        raise SqlError(f"{name!r} is not a table, column or database name")
    return f"`{name}`"


def client_options(path: Path) -> dict[str, str]:
    """Group ``client`` of an option file, without the quotes around values.

    Raises:
        NoOptionFileError: it is not there, or is none. No line is quoted: it may be the password.
        SqlError: it cannot be read.
    """
    parser = configparser.RawConfigParser(allow_no_value=True, strict=False, delimiters=("=",))
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NoOptionFileError(
            f"{path} is missing, which says how this host reaches its database; provisioning writes it:"
            " boxlift run provision-production (build-staging for pre-production), or playbooks/provision.yml"
        ) from error
    except OSError as error:
        raise SqlError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, configparser.Error):
        raise NoOptionFileError(f"{path} is not a client option file; provisioning writes it anew") from None
    if not parser.has_section("client"):
        raise NoOptionFileError(f"{path} has no group [client]; provisioning writes it anew")
    options = {
        name.replace("_", "-"): re.sub(r"""^(["'])(.*)\1$""", r"\2", value or "")
        for name, value in parser.items("client")
    }
    if not options.get("port", "0").isdigit():
        raise NoOptionFileError(f"{path} has no number as port; provisioning writes it anew")
    return options


def server_of(release: str, config_file: str, copies: str = "/var/lib/boxlift/clones") -> str:
    """Client option file of the server that holds a release: a copy may have its own (role portal_clone)."""
    own = Path(copies) / release / "client.cnf"
    return str(own) if release and own.is_file() else config_file


class Database:
    """A session with sql_mode='' in UTC; reads are text or bytes, writes are one transaction."""

    def __init__(self, params: dict[str, Any], account: tuple[str, str] | None = None) -> None:
        """Connect as the option file says; ``params`` are the module's parameters (SQL_ARGUMENTS).

        ``account``, name and password, takes the place of the file's.

        A file that names an authority (ssl-ca) means an encrypted session with the very host that it names.
        """
        options = client_options(Path(params["config_file"]))
        socket = options.get("socket")
        tls = {name: options[f"ssl-{name}"] for name in _TLS if options.get(f"ssl-{name}")}
        user, password = account or (options.get("user", "root"), options.get("password", ""))
        host, port = options.get("host", "localhost"), int(options.get("port", 3306))
        self.address = f"socket {socket}" if socket else f"{host}:{port}"
        try:
            self._connection = pymysql.connect(
                unix_socket=socket,
                host=host,
                port=port,
                user=user,
                password=password,
                ssl=tls or None,
                connect_timeout=_CONNECT_SECONDS,
                charset="utf8mb4",
                conv=_WRITERS,
                autocommit=False,
                init_command="SET sql_mode='', time_zone='+00:00'",
            )
        except (pymysql.MySQLError, OSError) as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            raise NoConnectionError(
                f"no connection to the database at {self.address}: {error}", code
            ) from error
        # Old clients go on in plain text with a server that offers no encryption.
        if tls and not self.rows("SHOW SESSION STATUS LIKE 'Ssl_cipher'")[0][1]:
            raise NoConnectionError(f"the session with the database at {self.address} is not encrypted")

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self._connection.cursor() as cursor:
            self._execute(cursor, statement, values)
            return list(cursor.fetchall())

    def value(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        rows = self.rows(statement, values)
        return rows[0][0] if rows else None

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """Run a statement and return the number of rows it changed."""
        with self._connection.cursor() as cursor:
            self._execute(cursor, statement, values)
            return int(cursor.rowcount)

    @staticmethod
    def _execute(cursor: Any, statement: str, values: Sequence[Any]) -> None:
        # Without values the text is sent as it is: a percent sign in a LIKE pattern is not a placeholder.
        try:
            cursor.execute(statement, tuple(values) if values else None)
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
            raise SqlError(f"{error} in: {statement}", code) from error

    def commit(self) -> None:
        """Make the open transaction durable."""
        self._connection.commit()

    def close(self) -> None:
        """End the session; what was not committed is undone."""
        self._connection.close()

    def has_database(self, database: str) -> bool:
        """Tell whether a database exists."""
        return bool(self.rows("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", [database]))

    def tables(self, database: str) -> set[str]:
        """Return the names of a database's base tables."""
        return {
            row[0]
            for row in self.rows(
                "SELECT TABLE_NAME FROM information_schema.TABLES"
                " WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = 'BASE TABLE'",
                [database],
            )
        }

    def columns(self, database: str, table: str) -> list[str]:
        """Return a table's columns in order; empty where there is no such table."""
        return [
            row[0]
            for row in self.rows(
                "SELECT COLUMN_NAME FROM information_schema.COLUMNS"
                " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
                [database, table],
            )
        ]

    def key(self, database: str, table: str) -> list[str]:
        """Return the primary key's columns, or all columns where the table has none."""
        key = [
            row[0]
            for row in self.rows(
                "SELECT COLUMN_NAME FROM information_schema.KEY_COLUMN_USAGE"
                " WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s AND CONSTRAINT_NAME = 'PRIMARY'"
                " ORDER BY ORDINAL_POSITION",
                [database, table],
            )
        ]
        return key or self.columns(database, table)
