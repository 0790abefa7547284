"""The database server: option file, sessions, and what it has."""

from __future__ import annotations

import configparser
import contextlib
import getpass
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CR, ER

from bxbackup.dump import bytes_of
from bxbackup.errors import AbsentError, BackupError, DatabaseError, UsageError

SOCKET = "/run/mysqld/mysqld.sock"
GROUPS = ("client", "client-server", "client-mariadb", "bxbackup")
"""Groups of the option file that are read; a later one wins."""

_LAST_PORT = 65535
CONNECT_TIMEOUT = 15
"""Seconds."""

KILLED = 1927
"""MariaDB's "connection was killed"."""

LOST = frozenset({0, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST, ER.SERVER_SHUTDOWN, KILLED})
"""Codes of a session that ended under our hands."""

UNDONE = LOST | {ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK}
"""Codes after which a transaction is begun again in a new session."""

AWAY = LOST | {CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, ER.CON_COUNT_ERROR}
"""Codes of a server that may come back: stopped, starting, full of sessions."""

FULL = frozenset({ER.DISK_FULL, ER.RECORD_FILE_FULL})
NO_SPACE = re.compile(r"\b(?:errno|error|Errcode)[: ]+(?:28|135)\b|No space left")
"""In the text of other codes: the system's number, or the storage engine's (CREATE TABLE on a full disk)."""

UNSAID = re.compile(r"\berrno: 168\b")
"""The storage engine's number for any failure; a FULLTEXT key on a full disk is one."""

Row = tuple[Any, ...]


class SessionLostError(Exception):
    """The session is of no more use: the server ended it, went away, or undid its transaction."""


@dataclass(frozen=True, slots=True)
class Account:
    """How to reach a server. The password stays out of every message."""

    user: str
    password: str
    host: str | None
    port: int
    socket: str | None
    tls: dict[str, str]

    @property
    def address(self) -> str:
        """Where the server is, for messages."""
        return f"{self.host}:{self.port}" if self.host else f"socket {self.socket}"


class _OptionFile(configparser.RawConfigParser):
    """Client option files as servers' own programs read them: `-` and `_` in names are the same."""

    def __init__(self) -> None:
        super().__init__(allow_no_value=True, strict=False, delimiters=("=",))

    def optionxform(self, optionstr: str) -> str:
        return optionstr.lower().replace("_", "-")


def read_account(defaults_file: Path | None) -> Account:
    """The account in a client option file; without one, this user over the local socket.

    :raises UsageError: the file cannot be read.
    """
    values = _options(defaults_file) if defaults_file else {}
    host = values.get("host", "localhost")
    local = host == "localhost"
    port = values.get("port", "3306")
    if not re.fullmatch(r"0*[1-9]\d{0,4}", port, re.ASCII) or int(port) > _LAST_PORT:
        raise UsageError(f"the option file {defaults_file} names no port: {port[:20]}")
    return Account(
        user=values.get("user") or getpass.getuser(),
        password=values.get("password", ""),
        host=None if local else host,
        port=int(port),
        socket=values.get("socket", SOCKET) if local else None,
        tls={name: values[name] for name in ("ssl-ca", "ssl-cert", "ssl-key") if name in values},
    )


def _options(path: Path) -> dict[str, str]:
    parser = _OptionFile()
    try:
        text = path.read_text(encoding="utf-8")
        # No line goes on with the next one, as indented ones would here; includes are left out.
        plain = re.sub(r"^!.*$", "", re.sub(r"^[^\S\n]+", "", text, flags=re.MULTILINE), flags=re.MULTILINE)
        parser.read_string(plain)
    except OSError as error:
        raise UsageError(f"the option file {path} cannot be read", cause=error.strerror) from error
    except (UnicodeDecodeError, configparser.Error):
        # Their messages quote the line, and that line may be the password: they end here.
        raise UsageError(
            f"{path} is not a client option file", advice="write [client], then one `name = value` a line"
        ) from None
    values: dict[str, str] = {}
    for group in GROUPS:
        if parser.has_section(group):
            values |= {name: _unquoted(value or "") for name, value in parser.items(group)}
    return values


_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", "\\": "\\"}


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return re.sub(r"\\([btnrs\\])", lambda match: _ESCAPES[match[1]], value)


class Session:
    """One session with the server. Not for several threads."""

    def __init__(self, account: Account, *, database: str | None = None, raw: bool = False) -> None:
        """Open a session.

        :param raw: rows come as the bytes that the server sends.
        :raises SessionLostError: the server is away.
        :raises DatabaseError: the server refuses the account or the database.
        """
        converters: dict[int | type[Any], Any] | None = {} if raw else None
        try:
            self._connection = pymysql.connect(
                user=account.user,
                password=account.password,
                host=account.host or "localhost",
                port=account.port,
                unix_socket=account.socket,
                database=database,
                charset="utf8mb4",
                use_unicode=not raw,
                conv=converters,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT,
                # a socket has no line to listen on, and each session's context reads all certificates
                ssl_disabled=account.socket is not None and not account.tls,
                ssl_ca=account.tls.get("ssl-ca"),
                ssl_cert=account.tls.get("ssl-cert"),
                ssl_key=account.tls.get("ssl-key"),
                # Who names an authority wants the very server that it vouches for.
                ssl_verify_cert=True if "ssl-ca" in account.tls else None,
                ssl_verify_identity="ssl-ca" in account.tls,
            )
        except pymysql.MySQLError as error:
            code, text = code_and_text(error)
            if code in AWAY:
                raise SessionLostError(f"{text} ({account.address})") from error
            raise DatabaseError(
                f"the database server at {account.address} refuses user {account.user}",
                cause=f"{code}: {text}",
            ) from error

        self.number = int(self.rows("SELECT CONNECTION_ID()")[0][0])
        """The server's number of this session, for KILL."""

    def close(self) -> None:
        """End the session."""
        with contextlib.suppress(pymysql.MySQLError):
            self._connection.close()

    def run(self, sql: str | bytes) -> int:
        """Send a statement; the number of rows that it changed.

        :raises SessionLostError: the session is gone.
        :raises pymysql.MySQLError: the server refuses the statement.
        """
        with _losses():
            return int(self._connection.query(bytes_of(sql) if isinstance(sql, str) else sql))

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Row]:
        """Ask; all rows at once.

        :raises SessionLostError: the session is gone.
        :raises pymysql.MySQLError: the server refuses the statement.
        """
        with _losses(), self._connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            return list(cursor.fetchall())


@contextlib.contextmanager
def _losses() -> Iterator[None]:
    try:
        yield
    except pymysql.MySQLError as error:
        code, text = code_and_text(error)
        if code in UNDONE:
            raise SessionLostError(text) from error
        raise


@contextlib.contextmanager
def telling(what: str) -> Iterator[None]:
    """Turn what a server refuses, or a session that is lost, into an error that says so.

    :param what: what was to be done, as in "the database server refuses to …".
    """
    try:
        yield
    except SessionLostError as error:
        raise DatabaseError(
            "the session with the database server was lost",
            cause=str(error),
            advice="start the same command again",
            kept="what was loaded stays",
        ) from error
    except pymysql.MySQLError as error:
        raise failure(error, f"the database server refuses to {what}") from error


def code_and_text(error: BaseException) -> tuple[int, str]:
    """Number and text of a server's error; 0 where there is no number."""
    arguments = error.args
    if len(arguments) > 1 and isinstance(arguments[0], int):
        return arguments[0], str(arguments[1])
    return 0, str(arguments[0]) if arguments else type(error).__name__


def failure(error: pymysql.MySQLError, what: str, advice: str | None = None) -> BackupError:
    """The error for a statement that the server refused; a full disk can be gone on from (4)."""
    code, text = code_and_text(error)
    if code in FULL or NO_SPACE.search(text):
        return AbsentError(
            f"the database server's disk is full: {what}",
            cause=f"{code}: {text}",
            advice="make room there and start the same command again",
            kept="the tables loaded so far stay",
        )
    if advice is None and UNSAID.search(text):
        advice = (
            "the storage engine does not say why; a full disk looks like this too: look there, then go on"
        )
    return DatabaseError(what, cause=f"{code}: {text}", advice=advice)


def patiently(
    account: Account,
    patience: float,
    stopped: Callable[[], bool] = lambda: False,
    *,
    database: str | None = None,
    raw: bool = False,
) -> Session:
    """Open a session; wait for a server that is away.

    :param patience: seconds.
    :param stopped: says that nobody waits any more.
    :raises DatabaseError: it stays away, or refuses.
    """
    deadline = time.monotonic() + patience
    pause = 0.1
    while True:
        try:
            return Session(account, database=database, raw=raw)
        except SessionLostError as error:
            if stopped() or time.monotonic() + pause > deadline:
                raise DatabaseError(
                    f"the database server at {account.address} cannot be reached",
                    cause=str(error),
                    advice="start it, then start the same command again",
                    kept="what was loaded stays",
                ) from error
            time.sleep(pause)
            pause = min(pause * 2, 2.0)


@dataclass(frozen=True, slots=True)
class Features:
    """What a server is and has.

    :param packet: longest statement that it takes (bytes).
    """

    version: str
    mariadb: bool
    packet: int
    collations: frozenset[str]
    charsets: frozenset[str]


def features(session: Session) -> Features:
    """Ask a server what it has."""
    version, packet = session.rows("SELECT VERSION(), @@max_allowed_packet")[0]
    mariadb = "mariadb" in version.lower()
    collations = {
        name for (name,) in session.rows("SELECT COLLATION_NAME FROM information_schema.COLLATIONS")
    }
    if mariadb:
        with contextlib.suppress(pymysql.MySQLError):  # before 10.10 the column is not there, nor needed
            collations |= {
                name
                for (name,) in session.rows(
                    "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY"
                )
            }
    charsets = {
        name for (name,) in session.rows("SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS")
    }
    return Features(
        version, mariadb, int(packet), frozenset(name for name in collations if name), frozenset(charsets)
    )
