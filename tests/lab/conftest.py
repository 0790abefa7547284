"""Fixtures of the lab's stories: they need the lab after `make demo`, with its portal open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.errors import PreflightError
from boxlift.lab.place import Lab
from boxlift.plan import Pass
from boxlift.project import Project, load
from boxlift.verify.browser import Browser
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.support import (
    OUTSIDE,
    PRODUCTION,
    STAGING,
    NewBrowser,
    Outside,
    Play,
    Recap,
    sign_in_administrator,
)

_BIN = Path(sys.executable).parent


def ansible_command(lab: Lab, project: Project, playbook: str, variables: Mapping[str, object]) -> list[str]:
    """How an operator without boxlift starts a playbook."""
    return [
        str(_BIN / "ansible-playbook"),
        "--inventory",
        str(project.inventory),
        "--extra-vars",
        json.dumps(variables),
        str(lab.repository / "playbooks" / playbook),
    ]


@pytest.fixture(scope="session")
def lab() -> Lab:
    return Lab.here()


@pytest.fixture(scope="session")
def project(lab: Lab) -> Project:
    return load(lab.project)


@pytest.fixture(scope="session")
def environment(lab: Lab, project: Project) -> dict[str, str]:
    """Environment of every Ansible call: our own programs first, our configuration, the vault's password."""
    surroundings = {
        **os.environ,
        "PATH": f"{_BIN}:{os.environ['PATH']}",
        "ANSIBLE_CONFIG": str(lab.repository / "ansible.cfg"),
        "ANSIBLE_VAULT_PASSWORD_FILE": str(lab.folder / "vault-password"),
    }
    os.environ.update(surroundings)
    return surroundings


@pytest.fixture(scope="session")
def inventory(project: Project, environment: Mapping[str, str]) -> Inventory:
    assert environment["ANSIBLE_VAULT_PASSWORD_FILE"]
    return Inventory(project.inventory)


@pytest.fixture(scope="session")
def production(inventory: Inventory) -> Host:
    return inventory.connect(PRODUCTION)


@pytest.fixture(scope="session")
def staging(inventory: Inventory) -> Host:
    return inventory.connect(STAGING)


def _active(host: Host) -> Release:
    link: str = host.check_output("readlink -f /srv/portal/current")
    return Release.on(host, Path(link).name)


@pytest.fixture(scope="session")
def release(production: Host) -> Release:
    """The release that production serves."""
    return _active(production)


@pytest.fixture(scope="session")
def copy(staging: Host) -> Release:
    """The release that staging serves."""
    return _active(staging)


@pytest.fixture(scope="session")
def play(lab: Lab, project: Project, environment: Mapping[str, str], release: Release) -> Play:
    """Run a playbook with plain ansible-playbook, as an operator without boxlift would."""
    try:
        backup = project.backup(Pass.FINAL).variables()
    except PreflightError:  # the stories of Molecule name none
        backup = {}

    def run(playbook: str, **variables: object) -> Recap:
        extra = {
            "portal_release": release.name,
            "boxlift_pass": "final",
            **backup,
            **variables,
        }
        result = subprocess.run(
            ansible_command(lab, project, playbook, extra),
            env={**environment, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"},
            capture_output=True,
            text=True,
            check=False,
        )
        try:
            report = json.loads(result.stdout[result.stdout.index("{") :])
        except ValueError:
            pytest.fail(f"{playbook} printed no report: {result.stdout[-2000:]}{result.stderr[-2000:]}")
        return Recap(result.returncode, report["stats"], result.stdout)

    return run


@pytest.fixture(scope="session")
def outside(inventory: Inventory) -> Outside:
    return Outside(inventory.address(OUTSIDE))


@pytest.fixture
def new_browser(inventory: Inventory) -> NewBrowser:
    """Makes web clients of production, each with cookies of its own."""

    def make() -> Browser:
        return Browser(
            domain=str(inventory.setting(PRODUCTION, "portal_domain")),
            address=inventory.address(PRODUCTION),
            ca_file=Path(str(inventory.setting(PRODUCTION, "acceptance_ca_file"))),
        )

    return make


@pytest.fixture
async def tester(inventory: Inventory) -> AsyncIterator[Browser]:
    """A web client of staging that knows its password, without a session."""
    user, password = (
        str(inventory.setting(STAGING, name)) for name in ("web_basic_auth_user", "web_basic_auth_password")
    )
    async with Browser(
        domain=str(inventory.setting(STAGING, "portal_domain")),
        address=inventory.address(STAGING),
        ca_file=Path(str(inventory.setting(STAGING, "acceptance_ca_file"))),
        credentials=(user, password),
    ) as browser:
        yield browser


@pytest.fixture
async def signed_in(new_browser: NewBrowser, inventory: Inventory) -> AsyncIterator[Browser]:
    """A web client with a session of the movers' administrator."""
    async with new_browser() as browser:
        await sign_in_administrator(browser, inventory)
        yield browser


@pytest.fixture(scope="session")
def opened(project: Project) -> float:
    """When the step open-portal of the final pass began, in seconds since 1970."""
    with project.journal() as journal:
        attempts = [attempt for attempt in journal.attempts() if attempt.step == "open-portal"]
    started = [attempt.started for attempt in attempts if attempt.pass_ == Pass.FINAL and not attempt.trial]
    if not started:
        pytest.fail("the lab's portal was not opened: run `make demo` first")
    return min(started)
