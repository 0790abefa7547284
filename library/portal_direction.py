"""Ansible module: may this side be copied onto that one, and how does the database travel?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: portal_direction
short_description: Judge the two sides of a copy; touches no host
description:
  - A copy goes from production to pre-production. Both say by themselves what they are, the hosts by their
    markers, the database servers that they really reach by theirs.
  - Messages of a refusal begin with C(refused:) and the result carries C(boxlift_exit) 6.
    There is no way to override one.
options:
  source: {description: Side that is copied, as portal_side found it., type: dict, required: true}
  target: {description: Side that the copy goes to., type: dict, required: true}
  source_name: {description: Host of the inventory., type: str, required: true}
  target_name: {description: Host of the inventory., type: str, required: true}
  method:
    description: How the database is to travel. C(auto) chooses.
    type: str
    choices: [auto, physical, logical]
    default: auto
author: The boxlift authors
"""

EXAMPLES = r"""
- name: The direction is right
  portal_direction:
    source: "{{ there.side }}"
    target: "{{ here.side }}"
    source_name: portal-1
    target_name: staging-1
"""

RETURN = r"""
clone: {description: Both sides, C(method) and C(why)., returned: always, type: dict}
"""

_WORK = {"bxbackup-restore@": "a restore", "boxlift-backup": "a backup"}
_PHYSICAL = "the same version of MariaDB on both hosts: its files are copied while it runs"


@dataclass(frozen=True)
class Choice:
    """How the database travels, and why so."""

    method: str
    why: str


def refusals(
    source: dict[str, Any], target: dict[str, Any], source_name: str, target_name: str
) -> Iterator[str]:
    """Every reason not to copy."""
    for side, name, wanted in ((target, target_name, "preproduction"), (source, source_name, "production")):
        for marker, where in (
            (side["marker"], name),
            (side["database_marker"], f"the database server of {name}"),
        ):
            if marker is None:
                yield f"{where} carries no marker, {wanted} was meant"
            elif marker["environment"] != wanted:
                yield f"{where} is {marker['environment']} of {marker['portal_id']}, {wanted} was meant"
        if (
            side["marker"] is not None
            and side["database_marker"] is not None
            and side["marker"]["portal_id"] != side["database_marker"]["portal_id"]
        ):
            yield (
                f"{name} belongs to {side['marker']['portal_id']} and reaches the database server of"
                f" {side['database_marker']['portal_id']}"
            )
    if source["marker"] is not None and source["marker"] == target["marker"]:
        yield f"{source_name} and {target_name} are the same environment of the same portal"
    elif (
        source["marker"] is not None
        and target["marker"] is not None
        and source["marker"]["portal_id"] == target["marker"]["portal_id"]
    ):
        yield f"{source_name} and {target_name} have the same portal id, {source['marker']['portal_id']}"
    if same_server(source["server"], target["server"]):
        yield f"{target_name} reaches the database server of {source_name}, {source['server']['hostname']}"
    if not source["release"]:
        yield f"{source_name} serves no portal that could be copied"
    for side, name in ((source, source_name), (target, target_name)):
        for unit in side["busy"]:
            work = next((does for start, does in _WORK.items() if unit.startswith(start)), "another copy")
            yield f"{work} runs on {name} ({unit})"


def same_server(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two looks met the same database server."""
    if one["uid"] and one["uid"] == other["uid"]:
        return True
    return all(one[name] == other[name] for name in ("hostname", "port", "datadir"))


def choose(source: dict[str, Any], target: dict[str, Any], wanted: str) -> Choice:
    """How the database travels.

    Data files are read only by a server of the same version, and only on the host that they lie on.

    :raises ValueError: the physical way was asked for and cannot be gone.
    """
    one, other = source["server"], target["server"]
    hindrance = ""
    if not (one["mariadb"] and other["mariadb"]):
        hindrance = "one of the database servers is no MariaDB"
    elif series(one["version"]) != series(other["version"]):
        hindrance = f"MariaDB {series(one['version'])} in production, {series(other['version'])} here"
    elif not one["local"]:
        hindrance = "production's database server is on a host of its own"
    elif not other["local"]:
        hindrance = "pre-production's database server is on a host of its own"
    if wanted == "physical" and hindrance:
        raise ValueError(f"the database cannot be copied as files: {hindrance}")
    if wanted == "logical":
        return Choice("logical", "statements were asked for")
    return Choice("logical", hindrance) if hindrance else Choice("physical", _PHYSICAL)


def series(version: str) -> str:
    """`10.11` of `10.11.19-MariaDB-0+deb12u1`."""
    return ".".join(version.split("-", maxsplit=1)[0].split(".")[:2])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "dict", "required": True},
            "target": {"type": "dict", "required": True},
            "source_name": {"type": "str", "required": True},
            "target_name": {"type": "str", "required": True},
            "method": {"type": "str", "choices": ["auto", "physical", "logical"], "default": "auto"},
        },
        supports_check_mode=True,
    )
    given = module.params
    source, target = given["source"], given["target"]
    reasons = list(refusals(source, target, given["source_name"], given["target_name"]))
    if reasons:
        module.fail_json(msg=f"refused: {'; '.join(reasons)}", boxlift_exit=6)
    try:
        choice = choose(source, target, given["method"])
    except ValueError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=False,
        clone={
            "source": {"name": given["source_name"], **source},
            "target": {"name": given["target_name"], **target},
            "method": choice.method,
            "why": choice.why,
        },
    )


if __name__ == "__main__":
    main()
