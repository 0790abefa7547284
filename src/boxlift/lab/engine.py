"""Podman as the lab uses it: settings of its own, systemd hosts, nothing written outside the lab's folder."""

from __future__ import annotations

import json
import os
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from boxlift.lab.command import attempt, run
from boxlift.lab.errors import LabError
from boxlift.lab.place import Lab

_SYS_RESOURCE = 24  # CAP_SYS_RESOURCE's number in linux/capability.h
_FILES = 10240
_PROCESSES = 30000
_HELPERS = ("/usr/lib/podman", "/usr/libexec/podman", "/usr/local/libexec/podman")


def may_raise_limits(status: str) -> bool:
    """Whether the bounding set in a /proc/PID/status text has CAP_SYS_RESOURCE."""
    for line in status.splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> _SYS_RESOURCE & 1)
    return False


def settings(*, unified: bool, systemd: bool, raise_limits: bool, hard: tuple[int, int]) -> str:
    """containers.conf for this machine (lab_hosts.md, Traps).

    `unified`: cgroup v2 alone; crun refuses anything else. `hard`: this process's own hard limits of open
    files and processes, beyond which a host cannot go without CAP_SYS_RESOURCE.
    """
    lines = ["# Written by boxlift lab: settings of the lab alone, named by CONTAINERS_CONF.", "[containers]"]
    if not raise_limits:
        files, processes = (
            limit if 0 < limit < wanted else wanted
            for limit, wanted in zip(hard, (_FILES, _PROCESSES), strict=True)
        )
        lines.append(f'default_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]')
    lines += ["", "[engine]"]
    if not unified or shutil.which("crun") is None:
        lines.append('runtime = "runc"')
    if not (systemd and unified):
        lines += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    lines += ["", "[network]", 'network_backend = "netavark"', ""]
    return "\n".join(lines)


def helper(name: str) -> Path | None:
    """Where Podman finds one of its network helpers, which are on no PATH."""
    return next((Path(folder, name) for folder in _HELPERS if Path(folder, name).exists()), None)


@dataclass(frozen=True)
class Container:
    """One host's container: `state` as Podman says it (running, exited, created), or absent."""

    name: str
    state: str
    image: str


class Engine:
    """Runs Podman for one lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._settings = lab.folder / "containers.conf"

    def prepare(self) -> None:
        """Write the settings for this machine as it is now."""
        hard = (resource.getrlimit(resource.RLIMIT_NOFILE)[1], resource.getrlimit(resource.RLIMIT_NPROC)[1])
        text = settings(
            unified=Path("/sys/fs/cgroup/cgroup.controllers").exists(),
            systemd=Path("/run/systemd/system").is_dir(),
            raise_limits=may_raise_limits(Path("/proc/self/status").read_text(encoding="ascii")),
            hard=hard,
        )
        self._settings.parent.mkdir(parents=True, exist_ok=True)
        self._settings.write_text(text, encoding="utf-8")

    @property
    def variables(self) -> dict[str, str]:
        return {"CONTAINERS_CONF": str(self._settings)}

    def podman(self, *arguments: str, text: str | None = None, timeout: float | None = 300) -> str:
        return run(["podman", *arguments], root=True, variables=self.variables, text=text, timeout=timeout)

    def succeeds(self, *arguments: str) -> bool:
        done = attempt(["podman", *arguments], root=True, variables=self.variables, timeout=120)
        return done.returncode == 0

    def inside(self, host: str, *command: str, text: str | None = None, timeout: float | None = 120) -> str:
        """Run a command in a host as root, without the network."""
        interactive = ("--interactive",) if text is not None else ()
        return self.podman("exec", *interactive, self.container(host), *command, text=text, timeout=timeout)

    def container(self, host: str) -> str:
        return f"{self.lab.name}-{host}"

    def containers(self) -> dict[str, Container]:
        """The lab's containers by host name, whatever their state."""
        listed = self.podman("ps", "--all", "--filter", f"label={self.lab.label}", "--format", "json")
        found: dict[str, Container] = {}
        for entry in _objects(listed):
            name = str(entry["Names"][0]).removeprefix(f"{self.lab.name}-")
            found[name] = Container(name, str(entry["State"]), str(entry["Image"]))
        return found

    def has_image(self, reference: str) -> bool:
        return self.succeeds("image", "exists", reference)

    def security(self) -> tuple[str, ...]:
        """AppArmor's profile for containers forbids the mounts that systemd's sandboxing needs."""
        enabled = Path("/sys/module/apparmor/parameters/enabled")
        if enabled.exists() and enabled.read_text(encoding="ascii").startswith("Y"):
            return ("--security-opt", "apparmor=unconfined")
        return ()

    def storage(self) -> Path:
        return Path(self.podman("info", "--format", "{{.Store.GraphRoot}}").strip())


def free_bytes(folder: Path) -> int:
    """Bytes free for the user on the file system that holds `folder`, or will hold it."""
    try:
        figures = os.statvfs(folder)
    except (FileNotFoundError, PermissionError):
        return free_bytes(folder.parent)
    return figures.f_bavail * figures.f_frsize


def _objects(text: str) -> list[dict[str, Any]]:
    value = json.loads(text or "[]")
    if not isinstance(value, list):
        raise LabError("podman answered something that is no list")
    return value
