"""The way into the hosts: the lab's own key, and host keys that were read inside the hosts."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from boxlift.errors import ExitCode
from boxlift.lab.command import run
from boxlift.lab.engine import Engine
from boxlift.lab.errors import LabError
from boxlift.lab.place import Lab

_BOOT_SECONDS = 120.0
_OPEN = (
    "umask 077 && mkdir -p /root/.ssh && cat > /root/.ssh/authorized_keys && systemctl start ssh"
    " && cat /etc/ssh/ssh_host_ed25519_key.pub"
)
_UP = ("running", "degraded")


def ensure_key(lab: Lab) -> None:
    """Make the key pair that opens every host of the lab."""
    lab.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not lab.key.exists():
        comment = f"boxlift lab {lab.name}"
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(lab.key)])


def wait_for_systemd(engine: Engine, host: str) -> None:
    """Wait until the host has booted; a host that does not is told with its failed units."""
    deadline = time.monotonic() + _BOOT_SECONDS
    state = "unknown"
    while time.monotonic() < deadline:
        try:
            state = engine.inside(host, "sh", "-c", "systemctl is-system-running || true").strip()
        except LabError:
            state = engine.containers()[host].state if host in engine.containers() else "gone"
        if state in _UP:
            return
        time.sleep(0.5)
    raise LabError(
        f"{host} is still {state} after {_BOOT_SECONDS:.0f} s: "
        f"look with `podman logs {engine.container(host)}`, then `boxlift lab down` and up again",
        ExitCode.HOST_FAILED,
    )


def open_host(engine: Engine, host: str) -> str:
    """Let the lab's key in; give the host's public key, read inside the host and not over the network."""
    public = engine.lab.key.with_suffix(".pub").read_text(encoding="utf-8")
    kind, key, *_ = engine.inside(host, "sh", "-c", _OPEN, text=public).split()
    return f"{kind} {key}"


def write_client_files(lab: Lab, addresses: Mapping[str, str], keys: Mapping[str, str]) -> None:
    """Write known_hosts and an ssh configuration: `ssh -F .lab/ssh_config portal-1`."""
    known = [f"{addresses[host]},{host} {key}" for host, key in keys.items()]
    replace(lab.known_hosts, "\n".join([*known, ""]))
    lines = [
        "Host *",
        "  User root",
        f'  IdentityFile "{lab.key}"',
        "  IdentitiesOnly yes",
        f'  UserKnownHostsFile "{lab.known_hosts}"',
        "  StrictHostKeyChecking yes",
    ]
    for host in keys:
        lines += [f"Host {host}", f"  HostName {addresses[host]}", f"  HostKeyAlias {host}"]
    replace(lab.ssh_config, "\n".join([*lines, ""]))


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.touch(mode=mode)
    part.write_text(text, encoding="utf-8")
    part.replace(path)
