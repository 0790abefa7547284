"""Ansible module: the portal's installation wizard, unattended."""

from __future__ import annotations

import fcntl
import http.client
import os
import socket
import subprocess
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, as_user
from ansible.module_utils.boxlift_wizard import WizardError, install, is_installer, parse

DOCUMENTATION = r"""
module: portal_wizard
short_description: Go through the installation wizard of the portal
description:
  - Answers the wizard by HTTP, as a browser does, through PHP's own server on a loopback port.
    The unfinished installer is thus never reachable from outside.
  - Does nothing when the portal answers with something else than the installer.
  - Goes on by itself on the host when whoever started it is gone. Another run is told so, and does nothing.
options:
  root: {description: Document root of the distribution., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  state:
    description: C(installed) goes through the wizard, C(read) only looks.
    type: str
    choices: [installed, read]
    default: installed
  host: {description: Name that the portal is asked for., type: str, default: localhost}
  ended_file: {description: File that says that the wizard came to its end., type: path, required: true}
  answers: {description: "Fields of the wizard, C(__wiz_) left out.", type: dict, default: {}}
  secret_answers: {description: Fields whose values are secrets., type: dict, default: {}}
  timeout: {description: Seconds that one request may take., type: int, default: 900}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Go through the wizard
  portal_wizard:
    root: /srv/portal/releases/box
    ended_file: /srv/portal/.box.installed
    answers: {agree_license: "Y", login: admin}
"""

RETURN = r"""
installed: {description: Whether the installer is gone., returned: always, type: bool}
ended: {description: Whether the wizard came to its end., returned: always, type: bool}
running: {description: Whether another run is going through the wizard., returned: always, type: bool}
steps: {description: Steps that were taken., returned: always, type: list}
"""


NOTHING_DONE: dict[str, Any] = {
    "changed": False,
    "installed": False,
    "ended": False,
    "running": False,
    "steps": [],
}
"""What is returned where nothing was found and nothing done."""


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Client:
    """A browser of one site with cookies."""

    def __init__(self, port: int, host: str, timeout: int) -> None:
        """Talk to a loopback port under the given host name; ``timeout`` in seconds."""
        self._port = port
        self._host = host
        self._timeout = timeout
        self._cookies: SimpleCookie = SimpleCookie()

    def send(self, path: str, fields: Mapping[str, str] | None) -> str:
        """Post fields, or get the path when there are none, and return the text."""
        location, text = self._request(path, fields)
        for _ in range(5):
            if not location:
                return text
            location, text = self._request(location, None)
        raise WizardError(f"{path} redirects without end")

    def _request(self, path: str, fields: Mapping[str, str] | None) -> tuple[str, str]:
        url = urllib.parse.urlsplit(path)
        target = urllib.parse.urlunsplit(("", "", url.path or "/", url.query, ""))
        headers = {"Host": self._host}
        if self._cookies:
            headers["Cookie"] = "; ".join(f"{name}={cookie.value}" for name, cookie in self._cookies.items())
        body = None
        if fields is not None:
            body = urllib.parse.urlencode(fields)
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)
        try:
            connection.request("GET" if fields is None else "POST", target, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise WizardError(f"no answer from the portal: {error}") from error
        finally:
            connection.close()
        for header in answer.headers.get_all("Set-Cookie", []):
            self._cookies.load(header)
        return answer.getheader("Location") or "", text


@contextmanager
def served(params: Mapping[str, Any]) -> Iterator[Client]:
    """Serve a document root on loopback while the block runs."""
    port = free_port()
    command = as_user(
        params["user"],
        [
            params["php"],
            "-d",
            "short_open_tag=1",
            "-d",
            "max_execution_time=0",
            "-d",
            "memory_limit=1G",
            "-S",
            f"127.0.0.1:{port}",
            "-t",
            params["root"],
        ],
    )
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=params["root"],
    )
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None:
                raise WizardError(f"PHP's server ended with {process.returncode}")
            time.sleep(0.1)
        yield Client(port, params["host"], params["timeout"])
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def alone(root: str) -> Iterator[bool]:
    """Whether nobody else goes through the wizard of this document root; nobody does while the block runs."""
    handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(handle)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            "state": {"type": "str", "choices": ["installed", "read"], "default": "installed"},
            "host": {"type": "str", "default": "localhost"},
            "ended_file": {"type": "path", "required": True},
            "answers": {"type": "dict", "default": {}},
            "secret_answers": {"type": "dict", "default": {}, "no_log": True},
            "timeout": {"type": "int", "default": 900},
        },
        supports_check_mode=True,
    )
    given = module.params
    looks = given["state"] == "read" or module.check_mode
    if not (Path(given["root"]) / "index.php").is_file():
        module.exit_json(**{**NOTHING_DONE, "changed": given["state"] == "installed"})
    try:
        with alone(given["root"]) as free:
            if free:
                module.exit_json(**go_through(given, looks=looks))
    except WizardError as error:
        module.fail_json(msg=f"installation wizard: {error}")
    if not looks:
        module.fail_json(msg="installation wizard: another run is going through it")
    module.exit_json(**{**NOTHING_DONE, "running": True})


def go_through(given: Mapping[str, Any], *, looks: bool) -> dict[str, Any]:
    """Go through the wizard if it is there, or look whether it is.

    Raises:
        WizardError: it does not end, or the portal does not answer.
    """
    ended_file = Path(given["ended_file"])
    with served(given) as client:
        installed = not is_installer(parse(client.send("/", None)))
        if installed or looks:
            return {
                **NOTHING_DONE,
                "changed": not installed and given["state"] == "installed",
                "installed": installed,
                "ended": installed and ended_file.exists(),
            }
        told = {**given["answers"], **given["secret_answers"]}
        answers = {f"__wiz_{name}": str(value) for name, value in told.items()}
        steps = install(client.send, answers)
        if is_installer(parse(client.send("/", None))):
            raise WizardError(f"still there after {' → '.join(steps)}")
    ended_file.touch()
    return {**NOTHING_DONE, "changed": True, "installed": True, "ended": True, "steps": steps}


if __name__ == "__main__":
    main()
