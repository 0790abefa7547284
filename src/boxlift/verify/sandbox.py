"""Commands in the sandbox of a unit: a fence is proved by a forbidden act that fails, not by a score."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from testinfra.backend.base import CommandResult
from testinfra.host import Host

_FENCES = re.compile(
    r"(AmbientCapabilities|Bind(ReadOnly)?Paths|CapabilityBoundingSet|Group|Inaccessible(Directories|Paths)"
    r"|LockPersonality|MemoryDenyWriteExecute|NoNewPrivileges|Private\w+|Protect\w+|Read(Only|Write)(Directories|Paths)"
    r"|Restrict\w+|SupplementaryGroups|SystemCall\w+|TemporaryFileSystem|UMask|User)=.*"
)
_ACCOUNT = ("User=", "Group=", "SupplementaryGroups=")


@dataclass(frozen=True)
class Sandbox:
    """What a unit allows, as its files say, drop-ins included. The unit itself is not touched."""

    host: Host
    properties: tuple[str, ...]

    @classmethod
    def of(cls, host: Host, unit: str) -> Sandbox:
        """The sandbox of a unit that the host knows."""
        text: str = host.check_output("systemctl cat --no-pager %s", unit)
        return cls(host, tuple(fences(text, unit)))

    def run(self, command: str, user: str | None = None) -> CommandResult:
        """Run a line of shell under the unit's account, or under another one, root say, with the same fences.

        A fence that holds for root as well is the sandbox's, and not that of the account.
        """
        kept = [part for part in self.properties if user is None or not part.startswith(_ACCOUNT)]
        options = [f"--property={part}" for part in kept]
        if user is not None:
            options.append(f"--property=User={user}")
        start = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *options]
        return self.host.run(shlex.join([*start, "--", "/bin/sh", "-c", command]).replace("%", "%%"))


def fences(text: str, unit: str) -> Iterator[str]:
    """Properties of a unit's files that fence it in, in their order, with the instance's name put in."""
    instance = unit.partition("@")[2].removesuffix(".service")
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if _FENCES.fullmatch(line.strip()):
            yield line.strip().replace("%i", instance).replace("%I", instance)


def inside(host: Host, pid: str, command: Sequence[str]) -> CommandResult:
    """Run a command as root on the files that a running process sees."""
    return host.run(shlex.join(["nsenter", f"--target={pid}", "--mount", "--", *command]).replace("%", "%%"))
