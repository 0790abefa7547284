"""The lab's own bridge network: a subnet that nothing else on this machine uses."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
from collections.abc import Iterable

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


class Network:
    """The network of one lab."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.name = engine.lab.name

    def subnet(self) -> Subnet | None:
        """The subnet of the lab's network, None while there is no such network."""
        networks = self._networks()
        return networks.get(self.name)

    def ensure(self) -> Subnet:
        """Make the network unless it is there."""
        networks = self._networks()
        asked = wanted()
        if (existing := networks.get(self.name)) is not None:
            if asked not in (None, existing):
                raise LabError(
                    f"the lab stands on {existing}, not on BOXLIFT_LAB_SUBNET={asked}: `boxlift lab down`",
                    ExitCode.REFUSED,
                )
            return existing
        used = (*routes(run(["ip", "-json", "route"])), *networks.values())
        subnet = asked or choose(self.name, used)
        if asked and (clash := next((network for network in used if asked.overlaps(network)), None)):
            raise LabError(f"BOXLIFT_LAB_SUBNET={asked} overlaps {clash}, which this machine uses already")
        self._engine.podman(
            *("network", "create", "--label", self._engine.lab.label, "--subnet", str(subnet), self.name)
        )
        return subnet

    def remove(self) -> None:
        if self._engine.succeeds("network", "exists", self.name):
            self._engine.podman("network", "rm", self.name)

    def _networks(self) -> dict[str, Subnet]:
        found: dict[str, Subnet] = {}
        names = self._engine.podman("network", "ls", "--quiet").split()
        if not names:
            return found
        for entry in json.loads(self._engine.podman("network", "inspect", *names)):
            for item in entry.get("subnets") or ():
                if ":" not in item["subnet"]:
                    found[str(entry["name"])] = ipaddress.IPv4Network(item["subnet"])
        return found
