"""The vault password's one source, and the secrets that `init` generates.

Passwords are handed to Ansible by the path of a file or client script, never by value.
"""

from __future__ import annotations

import os
import secrets
import stat
import string
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, get_file_vault_secret

from boxlift.errors import UsageError

_ALPHABET = string.ascii_letters + string.digits
_ENVIRONMENT = ("ANSIBLE_VAULT_PASSWORD_FILE", "ANSIBLE_VAULT_IDENTITY_LIST")


@dataclass(frozen=True)
class VaultSource:
    """A file outside the project (0600) or a client script that prints the password."""

    path: Path

    def read(self) -> bytes:
        """The password itself; only for encrypting and for knowing what to hide."""
        try:
            secret = get_file_vault_secret(filename=str(self.path), vault_id="default", loader=DataLoader())
            secret.load()
        except AnsibleError as error:
            raise UsageError(f"the vault password cannot be read from {self.path}: {error}") from error
        return bytes(secret.bytes)


def vault_source(
    project_root: Path, password_file: Path | None, client: Path | None, environment: Mapping[str, str]
) -> VaultSource:
    """The one source that is named; UsageError for none, for two, and for one that is unsafe."""
    named = {
        f"boxlift.yml {key}": path
        for key, path in (("vault_password_file", password_file), ("vault_password_client", client))
        if path is not None
    }
    for variable in _ENVIRONMENT:
        value = environment.get(variable)
        if value:
            named[variable] = Path(value.rpartition("@")[2]).expanduser()
    if len({path.resolve() for path in named.values()}) > 1:
        listed = ", ".join(f"{name} ({path})" for name, path in named.items())
        raise UsageError(
            f"the vault password has more than one source: {listed}", cure="name exactly one of them"
        )
    if not named:
        raise UsageError(
            "the vault password has no source",
            cure="name a file outside the project in boxlift.yml: vault_password_file: PATH",
        )
    path = next(iter(named.values()))
    check_source(path, project_root)
    return VaultSource(path)


def check_source(path: Path, project_root: Path) -> None:
    """UsageError where a file could be read by others or travels with the project."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"the vault password's source {path} cannot be read: {error.strerror}") from error
    if os.access(path, os.X_OK):
        return
    if path.resolve().is_relative_to(project_root.resolve()):
        raise UsageError(
            f"the vault password's file {path} lies inside the project, beside what it locks",
            cure="move it out of the project and name its new path in boxlift.yml",
        )
    if stat.S_IMODE(mode) & 0o077:
        raise UsageError(f"the vault password's file {path} can be read by others", cure=f"chmod 600 {path}")


def write_private(path: Path, content: str | bytes) -> None:
    """Write a file that is 0600 from its first byte; refuses to replace one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)


def word(length: int = 32) -> str:
    """A random word of letters and digits (5.95 bits each)."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_secrets() -> dict[str, str]:
    """Fresh secrets of one environment."""
    return {
        "vault_database_portal_password": word(),
        "vault_database_restore_password": word(),
        "vault_database_admin_password": word(),
        "vault_cache_password": word(),
        "vault_push_signature_key": secrets.token_hex(64),
        "vault_portal_admin_password": word(),
        "vault_portal_crypto_key": secrets.token_hex(16),
        "vault_web_basic_auth_password": word(),
    }


def encrypt(values: Mapping[str, object], source: VaultSource) -> bytes:
    """An Ansible-vault file with these variables."""
    return _sealed(_dumped(values), source)


def complete(vault: Path, source: VaultSource, names: Collection[str] | None = None) -> list[str]:
    """Add the secrets that a vault of an earlier version lacks; gives their names. What is there stays.

    :param names: no others than these; default: all that boxlift knows.
    """
    plain = _opened(vault, source) if vault.exists() else ""
    values = _variables(plain, vault)
    lacking = {
        name: value
        for name, value in new_secrets().items()
        if not values.get(name) and (names is None or name in names)
    }
    if lacking:
        added = f"{plain.rstrip()}\n{_dumped(lacking)}".lstrip()
        try:
            whole = not lacking.keys() & values.keys() and yaml.safe_load(added) == {**values, **lacking}
        except yaml.YAMLError:
            whole = False
        part = vault.with_name(f".{vault.name}.new")
        part.unlink(missing_ok=True)
        write_private(part, _sealed(added if whole else _dumped({**values, **lacking}), source))
        part.replace(vault)
    return sorted(lacking)


def _opened(vault: Path, source: VaultSource) -> str:
    try:
        plain: bytes = VaultLib([("default", VaultSecret(source.read()))]).decrypt(vault.read_bytes())
    except AnsibleError as error:
        raise UsageError(f"{vault} cannot be read with the password of {source.path}: {error}") from error
    return plain.decode()


def _variables(plain: str, vault: Path) -> dict[str, object]:
    """Never tells what stands there: a parser's error quotes the line."""
    try:
        values = yaml.safe_load(plain)
    except yaml.YAMLError:
        values = plain
    if not isinstance(values, dict | None):
        raise UsageError(f"{vault} holds no variables", cure=f"look into it: ansible-vault edit {vault}")
    return dict(values or {})


def _dumped(values: Mapping[str, object]) -> str:
    return yaml.safe_dump(dict(values), default_flow_style=False, sort_keys=True)


def _sealed(plain: str, source: VaultSource) -> bytes:
    password = VaultSecret(source.read())
    encrypted: bytes = VaultLib([("default", password)]).encrypt(plain, secret=password)
    return encrypted
