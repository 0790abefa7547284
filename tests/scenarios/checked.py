"""`python -m tests.scenarios.checked PLAYBOOK OPTION…`: a playbook in check mode, with what it would change.

It must come to its end and leave every host, and the project, as they are; secrets never show.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from boxlift.verify.inventory import Inventory
from tests.scenarios.fingerprint import Fingerprint, differences, fingerprint

_HOSTS = "production:preproduction"
_BROKEN = re.compile(
    r"Traceback|MODULE FAILURE|is undefined|has no attribute|object of type '\w+' has no|"
    r"Could not find the requested service|Destination directory .* does not exist|"
    r"No such file or directory|[Tt]emplate error|unexpected"
)
"""What Ansible prints where a task stumbles over something that check mode has not done."""
_REFUSAL = re.compile(r"^fatal: .*?\"msg\": \"((?:[^\"\\]|\\.)*)\"", re.M)
_SECRET = "vault_"
_SHORTEST_SECRET = 8
_WRITTEN = re.compile(r"^(?:\.boxlift/|evidence/[^/]+/test-data\.json$)")
"""Where the project keeps what a look is made for."""


@dataclass(frozen=True)
class Look:
    """How a run in check mode ended."""

    code: int
    output: str

    @property
    def refusal(self) -> str | None:
        """What it says where it does not go on; the first message of it."""
        found = _REFUSAL.search(self.output)
        return found[1] if found else None

    def faults(self, secrets: Iterable[str]) -> list[str]:
        """What no run in check mode may show, refused or not."""
        found = [line.strip() for line in self.output.splitlines() if _BROKEN.search(line)]
        found += ["a secret is shown" for secret in secrets if secret in self.output][:1]
        if self.code and self.refusal is None:
            found.append(f"it ended with {self.code} and gave no reason")
        return found


def look(
    playbook: Path, inventory: Path, variables: Mapping[str, str], environment: Mapping[str, str]
) -> Look:
    """Run a playbook in check mode, with diffs; the environment names the file of the vault's password."""
    ended = subprocess.run(
        [
            *("ansible-playbook", "--check", "--diff", f"--inventory={inventory}"),
            *(f"--extra-vars={name}={value}" for name, value in variables.items()),
            str(playbook),
        ],
        env={**environment, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "false"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Look(ended.returncode, ended.stdout)


def secrets(inventory: Path) -> frozenset[str]:
    """Values of the vault, those that are too short to be told from other words left out."""
    listed = subprocess.run(
        ["ansible-inventory", f"--inventory={inventory}", "--list"], stdout=subprocess.PIPE, check=True
    )
    return frozenset(
        value
        for settings in json.loads(listed.stdout)["_meta"]["hostvars"].values()
        for name, value in settings.items()
        if name.startswith(_SECRET) and isinstance(value, str) and len(value) >= _SHORTEST_SECRET
    )


@dataclass(frozen=True)
class Surroundings:
    """What a look must leave as it is."""

    inventory: Inventory

    def state(self) -> dict[str, Fingerprint]:
        """How everything is, by host; the project's files are one of them."""
        hosts = self.inventory.names(_HOSTS)
        return {name: fingerprint(self.inventory.connect(name)) for name in hosts} | {
            "project": dict(self._project())
        }

    def _project(self) -> Iterable[tuple[str, str]]:
        root = self.inventory.path.parent
        for path in root.rglob("*"):
            name = str(path.relative_to(root))
            if path.is_file() and not _WRITTEN.match(name):
                told = path.stat()
                yield name, f"{told.st_size} bytes of {told.st_mtime}"


def changes(before: Mapping[str, Fingerprint], after: Mapping[str, Fingerprint]) -> list[str]:
    """What is otherwise afterwards, by host."""
    return [f"{host}: {line}" for host in before for line in differences(before[host], after[host])]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios.checked", description=__doc__)
    parser.add_argument("playbook", type=Path)
    parser.add_argument("--inventory", type=Path, required=True)
    parser.add_argument("--vault-password-file", required=True)
    parser.add_argument("--extra-vars", action="append", default=[])
    asked = parser.parse_args()
    os.environ["ANSIBLE_VAULT_PASSWORD_FILE"] = asked.vault_password_file
    surroundings = Surroundings(Inventory(asked.inventory))
    before = surroundings.state()
    variables = dict(each.split("=", 1) for each in asked.extra_vars)
    seen = look(asked.playbook, asked.inventory, variables, os.environ)
    told = seen.faults(secrets(asked.inventory)) + changes(before, surroundings.state())
    if seen.code:
        told.append(f"it did not come to its end: {seen.output[-3000:]}")
    for line in told:
        sys.stderr.write(f"{asked.playbook.name}: {line}\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
