"""A restored portal's settings: the archive's own, with this database's account (backup_format 6, step 3).

Everything else of the source stays as it is, the key of encrypted columns above all; what still names the
source's servers is told, for that is not ours to guess.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from bxbackup.durable import write_atomic
from bxbackup.errors import AbsentError, RefusedError
from bxbackup.phpvalue import Array, Value, quoted, read, write
from bxbackup.server import SOCKET, Account

_MODE = 0o600
_PORT = 3306
_MASK = "******"
_SETTINGS = ("bitrix/.settings.restore.php", "bitrix/.settings.php")
_CONNECTION = ("bitrix/php_interface/dbconn.restore.php", "bitrix/php_interface/dbconn.php")
_RULES = (".htaccess.restore", ".htaccess")
_VARIABLE = re.compile(
    r"""^([ \t]*\$DB(Host|Login|Password|Name)[ \t]*=[ \t]*)(?:"[^"\n]*"|'[^'\n]*')[ \t]*;""", re.MULTILINE
)
_CLOUD = re.compile(r"""define\(\s*['"](BX24_\w+)['"]""")
_SERVER = re.compile(r"\A(?:https?://\S+|[\w-]+(?:\.[\w-]+)+)\Z")
_NAMED_AS_SERVER = frozenset({"host", "server", "servers", "path_to_publish", "path_to_listener"})


@dataclass(frozen=True)
class Merged:
    """What was written.

    :param written: paths below the folder.
    :param remarks: what a person should look at before the portal's first request.
    """

    written: tuple[str, ...]
    remarks: tuple[str, ...]


def merge(site: Path, database: str, account: Account) -> Merged:
    """Write `.settings.php` and `dbconn.php` from the files that the archive brought.

    :param account: the portal's own; its password goes into the settings.
    :raises AbsentError: the archive brought no settings.
    :raises RefusedError: settings stand already.
    :raises DamagedError: the archive's settings are no plain array.
    """
    source, target = (site / path for path in _SETTINGS)
    if not source.is_file():
        raise AbsentError(
            f"{source} is not there", advice="unpack the backup first; not every backup has settings"
        )
    for path in (target, site / _CONNECTION[1]):
        if path.exists() or path.is_symlink():
            raise RefusedError(
                f"{path} is there already",
                advice="remove it if the portal is to have the archive's settings; nothing was changed",
            )
    settings = read(_text(source), source.name)
    default = settings.below("connections", "value", "default")
    if not isinstance(default, Array):
        raise AbsentError(f"{source} has no connection named default", advice="write the settings by hand")
    values = {"host": _host(account), "database": database, "login": account.user}
    default.items.update(values | {"password": account.password})
    remarks = list(_remarks(settings))
    connection = None
    if (site / _CONNECTION[0]).is_file():
        text = _text(site / _CONNECTION[0])
        connection = _VARIABLE.sub(
            lambda found: f"{found[1]}{quoted(_variable(found[2], database, account))};", text
        )
        remarks += [f"{_CONNECTION[1]} defines {name}, a mark of the cloud" for name in _CLOUD.findall(text)]
    written = [_SETTINGS[1]]
    if connection is not None:
        _write(site / _CONNECTION[1], connection, like=site / _CONNECTION[0])
        written.append(_CONNECTION[1])
    # The last one: with it the portal can run.
    _write(target, write(settings), like=source)
    remarks += _rules(site)
    return Merged(tuple(written), tuple(remarks))


def _variable(name: str, database: str, account: Account) -> str:
    return {
        "Host": _host(account),
        "Login": account.user,
        "Password": account.password,
        "Name": database,
    }[name]


def _host(account: Account) -> str:
    """Where the server is, as the product writes it: host, host:port or socket (portal_runtime C1)."""
    if account.host is None:
        return "localhost" if account.socket in (None, SOCKET) else f"localhost:{account.socket}"
    return account.host if account.port == _PORT else f"{account.host}:{account.port}"


def _remarks(settings: Array) -> list[str]:
    connections = settings.below("connections", "value")
    others = connections.items if isinstance(connections, Array) else {}
    found = [
        f"the connection {name} has no account: the backup masks it"
        for name, other in others.items()
        if isinstance(other, Array) and _MASK in (other.items.get("login"), other.items.get("password"))
    ]
    servers = [
        str(section)
        for section, value in settings.items.items()
        if section != "connections" and _names(value)
    ]
    if servers:
        found.append(f"these sections name servers, maybe the source's: {', '.join(servers)}")
    if not isinstance(settings.below("crypto", "value", "crypto_key"), str):
        found.append("no key of encrypted columns (section crypto): mail passwords may be unreadable")
    return found


def _names(value: Value) -> bool:
    """Whether something below names a server."""
    if not isinstance(value, Array):
        return False
    return any(
        _SERVER.match(item) is not None if isinstance(item, str) and key in _NAMED_AS_SERVER else _names(item)
        for key, item in value.items.items()
    )


def _rules(site: Path) -> list[str]:
    kept, standing = (site / name for name in _RULES)
    if not kept.is_file():
        return []
    if standing.is_file() and standing.read_bytes() == kept.read_bytes():
        kept.unlink()
        return []
    return [f"{_RULES[0]} holds the source's rules for Apache: look at them before they become {_RULES[1]}"]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="surrogateescape")


def _write(path: Path, text: str, *, like: Path) -> None:
    """Write a file of the same owner; nobody else may read it."""
    write_atomic(path, text.encode("utf-8", "surrogateescape"), _MODE)
    figures = like.stat()
    if (figures.st_uid, figures.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(path, figures.st_uid, figures.st_gid)
