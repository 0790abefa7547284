"""Commands in the sandbox of a unit: a fence is proved by a forbidden act that fails, not by a score."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from testinfra.host import Host

_FENCES = re.compile(
    r"(AmbientCapabilities|Bind(ReadOnly)?Paths|CapabilityBoundingSet|Group|Inaccessible(Directories|Paths)"
    r"|LockPersonality|MemoryDenyWriteExecute|NoNewPrivileges|Private\w+|Protect\w+|Read(Only|Write)(Directories|Paths)"
    r"|Restrict\w+|SupplementaryGroups|SystemCall\w+|TemporaryFileSystem|UMask|User)=.*"
)
_ACCOUNT = ("User=", "Group=", "SupplementaryGroups=")


@dataclass(frozen=True)
class Outcome:
    """How a line of shell ended. `said`: both its outputs."""

    code: int
    said: str


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

    def tries(self, acts: Mapping[str, str], user: str | None = None) -> dict[str, Outcome]:
        """Run lines of shell under the unit's account, or under another one, root say, with the same fences.

        A fence that holds for root as well is the sandbox's, and not that of the account.
        """
        kept = [part for part in self.properties if user is None or not part.startswith(_ACCOUNT)]
        options = [f"--property={part}" for part in kept]
        if user is not None:
            options.append(f"--property=User={user}")
        start = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", *options, "--"]
        return outcomes(self.host, acts, start)


def outcomes(host: Host, acts: Mapping[str, str], start: Sequence[str] = ()) -> dict[str, Outcome]:
    """Run lines of shell on a host, each whatever became of the others; `start` is what they run under."""
    lines = [
        f"said=$(sh -c {shlex.quote(act)} 2>&1);"
        f" printf '%s\\037%s\\037%s\\036' {shlex.quote(name)} $? \"$said\""
        for name, act in acts.items()
    ]
    command = shlex.join([*start, "/bin/sh", "-c", "\n".join(lines)])
    told: str = host.check_output(command)
    found = {}
    for record in filter(None, told.split("\x1e")):
        name, code, said = record.split("\x1f")
        found[name] = Outcome(int(code), said)
    if found.keys() != acts.keys():
        raise LookupError(f"only {sorted(found)} of {sorted(acts)} were tried: {told}")
    return found


def fences(text: str, unit: str) -> Iterator[str]:
    """Properties of a unit's files that fence it in, in their order, with the instance's name put in."""
    instance = unit.partition("@")[2].removesuffix(".service")
    for line in re.sub(r"\\\n\s*", " ", text).splitlines():
        if _FENCES.fullmatch(line.strip()):
            yield line.strip().replace("%i", instance).replace("%I", instance)
