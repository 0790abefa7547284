"""The lab's own bridge network: a subnet that nothing else on this machine uses."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from boxlift.errors import ExitCode
from boxlift.lab.command import run
from boxlift.lab.engine import Engine
from boxlift.lab.errors import LabError

_POOL = ipaddress.IPv4Network("10.213.0.0/16")
_PREFIX = 24
Subnet = ipaddress.IPv4Network


def routes(text: str) -> tuple[Subnet, ...]:
    """Networks that `ip -json route` lists, the default route left out."""
    listed = (str(entry["dst"]) for entry in json.loads(text or "[]"))
    return tuple(ipaddress.IPv4Network(item) for item in listed if item != "default" and ":" not in item)


def choose(name: str, used: Iterable[Subnet]) -> Subnet:
    """A free /24 for the lab `name`: the same one each time while nothing else takes it."""
    taken = tuple(used)
    pool = list(_POOL.subnets(new_prefix=_PREFIX))
    start = int(hashlib.sha256(name.encode()).hexdigest(), 16) % len(pool)
    for candidate in pool[start:] + pool[:start]:
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise LabError(f"every subnet of {_POOL} is in use: name a free one as BOXLIFT_LAB_SUBNET=10.1.2.0/24")


def wanted() -> Subnet | None:
    """The subnet that BOXLIFT_LAB_SUBNET asks for."""
    text = os.environ.get("BOXLIFT_LAB_SUBNET")
    if not text:
        return None
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise LabError(f"BOXLIFT_LAB_SUBNET={text} is no IPv4 network: {error}", ExitCode.USAGE) from error
    if network.prefixlen > _PREFIX:
        raise LabError(f"BOXLIFT_LAB_SUBNET={text} is too small: the lab needs a /24", ExitCode.USAGE)
    return network


@dataclass(frozen=True)
class Found:
    """A network that Podman knows: its IPv4 subnets, and the lab whose label it has, if any."""

    subnets: tuple[Subnet, ...]
    lab: str


def networks(text: str) -> dict[str, Found]:
    """Networks by name that `podman network ls --format json` lists."""
    return {
        str(entry["name"]): Found(
            tuple(
                ipaddress.IPv4Network(item["subnet"])
                for item in entry.get("subnets") or ()
                if ":" not in item["subnet"]
            ),
            str((entry.get("labels") or {}).get("boxlift.lab", "")),
        )
        for entry in json.loads(text or "[]")
    }


class Network:
    """The network of one lab."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.lab.name

    def subnet(self) -> Subnet | None:
        """The subnet of the lab's network, None while there is no such network."""
        return self._own(self._networks())

    def ensure(self) -> Subnet:
        """Make the network unless it is there."""
        found = self._networks()
        asked = wanted()
        if (existing := self._own(found)) is not None:
            if asked not in (None, existing):
                raise LabError(
                    f"the lab stands on {existing}, not on BOXLIFT_LAB_SUBNET={asked}: `boxlift lab down`",
                    ExitCode.REFUSED,
                )
            return existing
        taken = (subnet for network in found.values() for subnet in network.subnets)
        used = (*routes(run(["ip", "-json", "route"])), *taken)
        subnet = asked or choose(self.name, used)
        if asked and (clash := next((network for network in used if asked.overlaps(network)), None)):
            raise LabError(f"BOXLIFT_LAB_SUBNET={asked} overlaps {clash}, which this machine uses already")
        self._engine.podman(
            *("network", "create", "--label", self._engine.lab.label, "--subnet", str(subnet), self.name)
        )
        return subnet

    def remove(self) -> None:
        if self._own(self._networks()) is not None:
            self._engine.podman("network", "rm", self.name)

    def _own(self, found: Mapping[str, Found]) -> Subnet | None:
        """The lab's network among those found; one of its name that is not its own is refused."""
        network = found.get(self.name)
        if network is None:
            return None
        if network.lab != self.name or not network.subnets:
            raise LabError(
                f"Podman's network {self.name} is not this lab's: its label is not {self._engine.lab.label}, "
                "or it has no IPv4 subnet; give the lab another name with BOXLIFT_LAB",
                ExitCode.REFUSED,
            )
        return network.subnets[0]

    def _networks(self) -> dict[str, Found]:
        return networks(self._engine.podman("network", "ls", "--format", "json"))
