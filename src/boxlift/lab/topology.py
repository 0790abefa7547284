"""Which hosts a lab has, and which of the portal's parts stand on each."""

from __future__ import annotations

from dataclasses import dataclass, replace

from boxlift.errors import ExitCode
from boxlift.lab.errors import LabError
from boxlift.lab.host import ROLES, Host

DEFAULT = "demo"


@dataclass(frozen=True)
class Topology:
    """A set of hosts under a name."""

    name: str
    hosts: tuple[Host, ...]

    def groups(self) -> dict[str, tuple[str, ...]]:
        """Group name to the names of its hosts, in the order in which the hosts name them."""
        found: dict[str, tuple[str, ...]] = {}
        for host in self.hosts:
            for group in host.groups:
                found[group] = (*found.get(group, ()), host.name)
        return found


_PORTAL = Host("portal-1", "debian12", 11, ("production", *ROLES), ("portal.acme.example",))
_STAGING = Host("staging-1", "debian12", 12, ("preproduction", *ROLES), ("staging.acme.example",))
_PBX = Host("pbx-1", "debian11-asterisk", 13, ("production", "telephony"), ("pbx.acme.example",))
_DATABASE = Host("database-1", "debian12", 14, ("production", "database"))
_CACHE = Host("cache-1", "debian12", 15, ("production", "cache", "push"))
_STAGING_DATABASE = Host("database-2", "debian12", 16, ("preproduction", "database"))
_CLOUD = Host(
    "cloud-1",
    "cloud",
    21,
    ("outside",),
    (
        "backup.cloud.example",
        "cdn.cloud.example",
        "mail.acme.example",
        "imap.acme.example",
        "hooks.vendor.example",
        "sip.vendor.example",
    ),
    cloud=True,
)


def _serving(*roles: str, host: Host = _PORTAL) -> Host:
    """The portal's host with some of the roles alone."""
    return replace(host, groups=(host.groups[0], *roles))


_BESIDE_DATABASE = ("portal", "cache", "push", "search")

TOPOLOGIES = {
    topology.name: topology
    for topology in (
        Topology(DEFAULT, (_PORTAL, _STAGING, _PBX, _CLOUD)),
        Topology("single", (_PORTAL,)),
        Topology("trixie", (replace(_PORTAL, image="debian13"),)),
        Topology("split_database", (_serving(*_BESIDE_DATABASE), _DATABASE)),
        # somebody else's: no group of the portal's has it
        Topology("foreign_database", (_serving(*_BESIDE_DATABASE), replace(_DATABASE, groups=("outside",)))),
        Topology("three_tiers", (_serving("portal", "search"), _DATABASE, _CACHE)),
        Topology("clone", (_PORTAL, _STAGING, _CLOUD)),
        Topology(
            "split_clone",
            (
                *(_serving(*_BESIDE_DATABASE, host=host) for host in (_PORTAL, _STAGING)),
                _DATABASE,
                _STAGING_DATABASE,
            ),
        ),
        Topology("certificate", (_PORTAL, _PBX, _CLOUD)),
    )
}


def named(name: str) -> Topology:
    """The topology `name`; LabError names those that there are."""
    try:
        return TOPOLOGIES[name]
    except KeyError:
        raise LabError(
            f"no such topology of the lab: {name}; there are {', '.join(TOPOLOGIES)}", ExitCode.USAGE
        ) from None
