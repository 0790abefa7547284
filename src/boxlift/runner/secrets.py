"""The secrets that an inventory holds, to hide them in everything that is stored or shown."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import yaml
from ansible.errors import AnsibleError
from ansible.parsing.vault import VaultLib, VaultSecret

from boxlift.errors import PreflightError, UsageError
from boxlift.plan import Pass
from boxlift.project import Project
from boxlift.project.vault import VaultSource
from boxlift.redact import Redactor

_SECRET_NAME = re.compile(
    r"passw|passphrase|_pass$|(^|_)pwd$|secret|token|_key|apikey|credential", re.IGNORECASE
)
_INI = re.compile(r"([\w.-]+)\s*=\s*(\"[^\"]*\"|'[^']*'|\S+)")
_READ = frozenset({".yml", ".yaml", ".json", ".ini", ".cfg", ""})
_PASSES = frozenset(Pass)
"""Values of variables that end in _pass and mean a pass of the move."""
_PLACES = ("/", "~", "{{")
"""What a path or a template begins with: not the secret itself."""


def redactor(project: Project, source: VaultSource) -> Redactor:
    """Hides what the project, its backups and this process's environment hold. UsageError as below."""
    redact = Redactor(inventory_secrets(project.inventory, source))
    redact.hide(named_secrets(os.environ))
    for pass_ in Pass:
        # what is wrong with a backup's file is said when the backup is needed
        with suppress(PreflightError):
            redact.hide(project.backup(pass_).secrets())
    return redact


def best_redactor(project: Project) -> Redactor:
    """The same for what persons type; without the vault's password only what is secret by its form."""
    try:
        return redactor(project, project.vault())
    except UsageError:
        return Redactor()


def named_secrets(variables: Mapping[str, object]) -> Iterator[str]:
    """Values of variables whose names say secret."""
    return _strings(dict(variables), always=False)


def inventory_secrets(inventory: Path, source: VaultSource) -> Iterator[str]:
    """The vault password, every value kept in a vault, and plain values whose names say secret."""
    if not inventory.exists():
        raise UsageError(f"there is no inventory {inventory}", cure="name it in boxlift.yml: inventory: PATH")
    password = source.read()
    yield password.decode("utf-8", "replace")
    vault = VaultLib([("default", VaultSecret(password))])
    for path in sorted(inventory.rglob("*")) if inventory.is_dir() else [inventory]:
        if path.suffix not in _READ or not path.is_file():
            continue
        content = path.read_bytes()
        if content.startswith(b"$ANSIBLE_VAULT"):
            try:
                content = vault.decrypt(content)
            except AnsibleError as error:
                raise UsageError(
                    f"{path} cannot be opened with the vault password of {source.path}",
                    cure="name the right vault password in boxlift.yml",
                ) from error
            yield from _strings(_parsed(content, vault), always=True)
        elif path.suffix in {".yml", ".yaml", ".json"}:
            yield from _strings(_parsed(content, vault), always=False)
        elif not path.stat().st_mode & 0o111:
            # what can be run is a dynamic inventory, not a file of variables
            pairs = _INI.findall(content.decode("utf-8", "replace"))
            yield from named_secrets({name: value.strip("\"'") for name, value in pairs})


class _Encrypted(str):
    """A value of a plain file that stands in a vault of its own."""

    __slots__ = ()


def _parsed(content: bytes, vault: VaultLib) -> object:
    class Loader(yaml.SafeLoader):
        pass

    def decrypt(_: yaml.SafeLoader, node: yaml.Node) -> str:
        try:
            return _Encrypted(vault.decrypt(str(node.value).encode()).decode("utf-8", "replace"))
        except AnsibleError:
            return ""

    def ignore(_: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> str:
        return str(node.value) if isinstance(node, yaml.ScalarNode) else ""

    Loader.add_constructor("!vault", decrypt)
    Loader.add_multi_constructor("!", ignore)
    try:
        return yaml.load(content, Loader=Loader)  # noqa: S506
    except yaml.YAMLError:
        return None


def _strings(node: object, *, always: bool) -> Iterator[str]:
    if isinstance(node, dict):
        for name, value in node.items():
            named = bool(_SECRET_NAME.search(str(name))) and not str(value).startswith(_PLACES)
            named = named and str(value) not in _PASSES
            yield from _strings(value, always=always or named)
    elif isinstance(node, list):
        for value in node:
            yield from _strings(value, always=always)
    elif isinstance(node, _Encrypted) or (always and isinstance(node, str)):
        yield node
    elif always and isinstance(node, int | float) and not isinstance(node, bool):
        yield str(node)
