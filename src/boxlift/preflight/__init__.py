"""Checks before work starts: each has a measured value, a limit and a cure, and all are told at once."""

from __future__ import annotations

from boxlift.preflight.backup import check_backups
from boxlift.preflight.control import check_control_node
from boxlift.preflight.finding import Finding, verdict
from boxlift.preflight.hosts import check_hosts, look
from boxlift.preflight.inventory import check_inventory, read_inventory
from boxlift.project import Project

__all__ = ["Finding", "check_project", "verdict"]


def check_project(project: Project) -> list[Finding]:
    """Look at control node, project and hosts; changes nothing on them."""
    project.plan()
    findings = [*check_control_node(project), *check_backups(project)]
    inventory, readable = read_inventory(project)
    findings.append(readable)
    if inventory is None:
        return findings
    findings += check_inventory(inventory)
    hosts = sorted({*inventory.hosts("production"), *inventory.hosts("preproduction")})
    with project.lock("check"):
        findings += check_hosts(inventory, look(project, hosts))
    return findings
