"""A project folder: `boxlift.yml`, `inventory/`, `backup/` and what boxlift keeps in `.boxlift/`."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from boxlift.content import content_root, suites
from boxlift.errors import UsageError
from boxlift.journal import Journal
from boxlift.letters.templates import copy_templates
from boxlift.plan import Pass, Plan, load_plan
from boxlift.plan.load import Known
from boxlift.project import backup
from boxlift.project.backup import Backup
from boxlift.project.lock import RunnerLock, is_held
from boxlift.project.vault import (
    VaultSource,
    check_source,
    encrypt,
    new_secrets,
    vault_source,
    word,
    write_private,
)
from boxlift.validation import faults

SETTINGS = "boxlift.yml"
UNFINISHED = ".boxlift-init"
ENVIRONMENTS = ("production", "preproduction")
_NAME = "[a-z][a-z0-9-]*"
_LONGEST_NAME = 40
_PRIVATE = (
    "/.boxlift/",
    "/backup/",
    "/certificates/",
    "/evidence/",
    "/packages/",
    "/report.html",
    "/tell.txt",
)


class Settings(BaseModel):
    """Content of boxlift.yml. Paths are relative to the project folder; `~` is understood.

    `deadline`: when the sales managers must work in the box; without a zone by the portal's clock.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Annotated[int, Field(ge=1, le=1)] = 1
    name: Annotated[str, Field(pattern=f"^{_NAME}$", max_length=_LONGEST_NAME)]
    inventory: Path = Path("inventory")
    plan: Path | None = None
    deadline: datetime | None = None
    vault_password_file: Path | None = None
    vault_password_client: Path | None = None


@dataclass(frozen=True)
class Project:
    """An existing project folder."""

    root: Path
    settings: Settings

    @property
    def inventory(self) -> Path:
        return self._path(self.settings.inventory)

    @property
    def state(self) -> Path:
        return self.root / ".boxlift"

    @property
    def playbooks(self) -> Path:
        """Playbooks for steps that the project's plan adds."""
        return self.root / "playbooks"

    @property
    def wheels(self) -> Path:
        """Where `boxlift wheels` puts what hosts are given for a restore (`portal_wheels`)."""
        return self.root / "packages" / "wheels"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    def backup(self, pass_: Pass) -> Backup:
        """Where the pass's backup is, as the operator said."""
        return backup.read(self.root, pass_)

    def set_backup(self, pass_: Pass, sources: Sequence[str], password: str | None = None) -> None:
        """Say where the pass's backup is: URL or path of its first part, or the URL of each part."""
        backup.write(self.root, pass_, sources, password)

    def backup_size(self, pass_: Pass) -> int | None:
        """Bytes of the pass's backup, from its files or from what `boxlift check` learned of its link."""
        return backup.size(self.root, pass_)

    def remember_size(self, pass_: Pass, amount: int) -> None:
        """Keep about how large the backup is that is named now."""
        backup.remember_size(self.root, pass_, amount)

    def plan(self) -> Plan:
        """The plan of this move: its own file, or the default."""
        if self.settings.plan is None:
            return load_plan(None)
        content = content_root()
        playbooks = [*(content / "playbooks").glob("*.yml"), *self.playbooks.glob("*.yml")]
        known = Known(frozenset(path.name for path in playbooks), frozenset(suites(content)))
        return load_plan(self._path(self.settings.plan), known)

    def playbook(self, name: str) -> Path:
        """Where a step's playbook is: boxlift's, or one of the project's own."""
        carried = content_root() / "playbooks" / name
        return carried if carried.is_file() else self.playbooks / name

    def journal(self) -> Journal:
        return Journal(self.state / "journal.db")

    def lock(self, purpose: str) -> RunnerLock:
        return RunnerLock(self.state / "lock", purpose)

    def runner_alive(self) -> bool:
        return is_held(self.state / "lock")

    def vault(self, environment: Mapping[str, str] = os.environ) -> VaultSource:
        file, client = self.settings.vault_password_file, self.settings.vault_password_client
        return vault_source(
            self.root, self._path(file) if file else None, self._path(client) if client else None, environment
        )

    def _path(self, path: Path) -> Path:
        return self.root / path.expanduser()


def find(start: Path) -> Project:
    """The project that a folder belongs to: itself or the nearest folder above."""
    for folder in (start, *start.parents):
        if (folder / SETTINGS).is_file():
            return load(folder)
    raise UsageError(
        f"{start} is no boxlift project, nor is a folder above it",
        cure="go to the project's folder, or make one: boxlift init FOLDER",
    )


def load(root: Path) -> Project:
    """Read boxlift.yml; UsageError that names what is wrong in it."""
    path = root.resolve() / SETTINGS
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        settings = Settings.model_validate(data)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is no UTF-8 text") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is no YAML: {error}") from error
    except ValidationError as error:
        known = ", ".join(Settings.model_fields)
        lines = [f"{path}: {fault}" for fault in faults(error)]
        raise UsageError("\n".join(lines), cure=f"known keys: {known}") from error
    return Project(path.parent, settings)


@dataclass(frozen=True)
class Answers:
    """What `init` needs to know of the portal. None leaves the template's value."""

    portal_domain: str | None = None
    staging_domain: str | None = None
    telephony_domain: str | None = None
    timezone: str | None = None
    addresses: Mapping[str, str] | None = None
    """Inventory name of a host to the address that Ansible connects to."""


def create(
    root: Path,
    *,
    name: str | None = None,
    answers: Answers | None = None,
    template: Path | None = None,
    vault_password_file: Path | None = None,
    vault_password_client: Path | None = None,
) -> Project:
    """Make a project folder: inventory from `template`, fresh secrets, a vault password outside.

    Without a source of the password a new one is generated into the user's configuration folder (0600). A
    source file that does not exist yet is generated there. Refuses a folder that is a project already; what a
    broken-off call left behind is taken over. With a `template` an inventory that is there is added to.
    """
    root = root.resolve()
    if root.exists() and not root.is_dir():
        raise UsageError(f"{root} is no folder", cure="name a folder, or one that boxlift may make")
    if (root / SETTINGS).exists():
        raise UsageError(
            f"{root} is a boxlift project already", cure=f"see where it stands: boxlift -C {root} status"
        )
    if vault_password_file and vault_password_client:
        raise UsageError(
            "the vault password has two sources: a file and a client script", cure="name exactly one"
        )
    inventory = root / "inventory"
    unfinished = inventory / UNFINISHED
    if template is None and inventory.exists() and not unfinished.exists():
        raise UsageError(f"{inventory} exists already and is not boxlift's", cure="choose another folder")
    name = name or _project_name(root)
    if not re.fullmatch(_NAME, name) or len(name) > _LONGEST_NAME:
        raise UsageError(
            f"`{name}` is no name of a project",
            cure=f"at most {_LONGEST_NAME} small letters, digits and hyphens: --name NAME",
        )
    settings = {"version": 1, "name": name, "inventory": "inventory"}
    if vault_password_client:
        source = VaultSource(vault_password_client.expanduser().resolve())
        settings["vault_password_client"] = str(source.path)
    else:
        path = (vault_password_file or _default_password_file(root, name)).expanduser().resolve()
        if not path.exists():
            write_private(path, word(40) + "\n")
        source = VaultSource(path)
        settings["vault_password_file"] = str(path)
    check_source(source.path, root)

    for folder in (root, root / ".boxlift", root / ".boxlift" / "runs", root / "backup", root / "packages"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    inventory.mkdir(exist_ok=True)
    unfinished.touch()
    shutil.copytree(
        template or content_root() / "inventories" / "example",
        inventory,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("vault.yml"),
    )
    _answer(inventory, name, answers or Answers())
    for environment in ENVIRONMENTS:
        vault = inventory / "group_vars" / environment / "vault.yml"
        if not vault.exists():
            write_private(vault, encrypt(new_secrets(), source))
    keep_private(root)
    copy_templates(root)
    unfinished.unlink()
    # written last: its presence says that the folder is complete
    temporary = root / f".{SETTINGS}.new"
    temporary.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    temporary.rename(root / SETTINGS)
    return load(root)


def keep_private(root: Path) -> list[str]:
    """Keep keys, links, webhooks and what names people out of version control; gives the lines added to
    .gitignore. Lines of the operator's own stay.
    """
    path = root / ".gitignore"
    there = path.read_bytes() if path.exists() else b""
    lacking = [line for line in _PRIVATE if line.encode() not in map(bytes.strip, there.splitlines())]
    if lacking:
        end = b"" if not there or there.endswith(b"\n") else b"\n"
        with path.open("ab") as file:
            file.write(end + "".join(f"{line}\n" for line in lacking).encode())
    return lacking


def _project_name(root: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", root.name.lower()).strip("-")
    name = name if re.match(r"[a-z]", name) else f"portal-{name}"
    return name[:_LONGEST_NAME].rstrip("-")


def _default_password_file(root: Path, name: str) -> Path:
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:6]
    return home / "boxlift" / f"{name}-{mark}.vault-password"


def _answer(inventory: Path, name: str, answers: Answers) -> None:
    """Put the answers into the inventory's files, keeping their comments."""
    project_file = inventory / "group_vars" / "all" / "project.yml"
    portal_id = f"{name}-{word(8).lower()}"
    values = {
        "portal_id": portal_id,
        "portal_domain": answers.portal_domain,
        "telephony_domain": answers.telephony_domain,
        "portal_timezone": answers.timezone,
    }
    if project_file.exists():
        with _edit(project_file) as data:
            data.update({key: value for key, value in values.items() if value is not None})
    staging_file = inventory / "group_vars" / "preproduction" / "environment.yml"
    if staging_file.exists():
        with _edit(staging_file) as data:
            data["portal_id"] = f"{portal_id}-staging"
            if answers.staging_domain:
                data["portal_domain"] = answers.staging_domain
    if answers.addresses:
        with _edit(inventory / "hosts.yml") as data:
            hosts = {
                host: variables
                for group in data["all"]["children"].values()
                for host, variables in (group.get("hosts") or {}).items()
                if variables is not None
            }
            for host, address in answers.addresses.items():
                if host not in hosts:
                    raise UsageError(f"the inventory has no host {host}; it has {', '.join(sorted(hosts))}")
                hosts[host]["ansible_host"] = address


@contextmanager
def _edit(path: Path) -> Iterator[CommentedMap]:
    yaml_file = YAML(typ="rt")
    yaml_file.width = 160
    yaml_file.preserve_quotes = True
    yaml_file.indent(mapping=2, sequence=4, offset=2)
    data = yaml_file.load(path.read_text(encoding="utf-8"))
    yield data
    with path.open("w", encoding="utf-8") as file:
        yaml_file.dump(data, file)
