"""The lab's hosts: what each is called, made from and used for."""

from __future__ import annotations

from dataclasses import dataclass, field

ROLES = ("portal", "database", "cache", "push", "search")


@dataclass(frozen=True)
class Host:
    """One host. `number` is the last octet of its address; `names` are resolved inside the lab's network."""

    name: str
    image: str
    number: int
    groups: tuple[str, ...]
    names: tuple[str, ...]
    cloud: bool = field(default=False)


HOSTS = (
    Host("portal-1", "debian12", 11, ("production", *ROLES), ("portal.acme.example",)),
    Host("staging-1", "debian12", 12, ("preproduction", *ROLES), ("staging.acme.example",)),
    Host("pbx-1", "debian11-asterisk", 13, ("production", "telephony"), ("pbx.acme.example",)),
    Host(
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
    ),
)


def groups() -> dict[str, tuple[str, ...]]:
    """Group name to the names of its hosts, in the order in which the hosts name them."""
    found: dict[str, tuple[str, ...]] = {}
    for host in HOSTS:
        for group in host.groups:
            found[group] = (*found.get(group, ()), host.name)
    return found
