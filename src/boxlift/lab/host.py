"""A host of the lab: what it is called, made from and used for."""

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
    names: tuple[str, ...] = ()
    cloud: bool = field(default=False)
