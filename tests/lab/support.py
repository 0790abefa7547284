"""What the lab's stories share: boxlift itself, playbook results, the world outside, signing in."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from boxlift.verify.browser import Browser, Page
from boxlift.verify.inventory import Inventory

PRODUCTION = "portal-1"
STAGING = "staging-1"
OUTSIDE = "cloud-1"


def boxlift(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command of boxlift in a project's folder."""
    program = "import sys; from boxlift.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, "--project", str(project), *words],
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True)
class Recap:
    """What a playbook did: per host the counts of Ansible's recap, and the messages of failures."""

    returncode: int
    stats: Mapping[str, Mapping[str, int]]
    output: str

    @property
    def changed(self) -> dict[str, int]:
        """Hosts on which something changed, with the number of tasks."""
        return {host: counts["changed"] for host, counts in self.stats.items() if counts["changed"]}

    @property
    def complaints(self) -> list[str]:
        """What failed, by host and task, with the message."""
        report = json.loads(self.output[self.output.index("{") :])
        return [
            f"{host}: {task['task']['name']}: {result.get('msg')} {result.get('stderr', '')}"
            for play in report["plays"]
            for task in play["tasks"]
            for host, result in task["hosts"].items()
            if result.get("failed") or result.get("unreachable")
        ]


Play = Callable[..., Recap]


@dataclass(frozen=True)
class Outside:
    """The world outside as the lab plays it: mailboxes and sinks that keep whatever reaches them."""

    address: str

    def _get(self, port: int, path: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://{self.address}:{port}{path}", timeout=10) as answer:
            content: list[dict[str, Any]] = json.load(answer)
        return content

    def mails(self, recipient: str | None = None) -> list[dict[str, Any]]:
        return self._get(8025, f"/messages?to={recipient}" if recipient else "/messages")

    def requests(self) -> list[dict[str, Any]]:
        return self._get(8026, "/requests")

    def connections(self) -> list[dict[str, Any]]:
        return self._get(8026, "/connections")


NewBrowser = Callable[[], Browser]


async def sign_in(browser: Browser, login: str, password: str) -> Page:
    """Send the sign-in form; 200 is a session, 401 a refusal."""
    fields = {"AUTH_FORM": "Y", "TYPE": "AUTH", "USER_LOGIN": login, "USER_PASSWORD": password}
    return await browser.post("/auth/", fields, json=True)


async def sign_in_administrator(browser: Browser, inventory: Inventory) -> None:
    """Give a web client a session of the movers' administrator, in production or in a copy of it."""
    page = await sign_in(
        browser,
        str(inventory.setting(PRODUCTION, "portal_administrator_login")),
        str(inventory.setting(PRODUCTION, "vault_portal_admin_password")),
    )
    assert page.status == HTTPStatus.OK, page.text
