"""Checks before work starts: each has a measured value, a limit and a cure, and all are told at once."""

from __future__ import annotations

import os

from boxlift.errors import PreflightError
from boxlift.plan import Pass
from boxlift.preflight.backup import check_backups
from boxlift.preflight.control import check_control_node
from boxlift.preflight.finding import Finding, verdict
from boxlift.preflight.hosts import check_hosts
from boxlift.preflight.inventory import check_inventory, lacking_secrets, read_inventory
from boxlift.preflight.letter import check_letter, confirm_letter, send_letter
from boxlift.preflight.look import look
from boxlift.preflight.services import backup_bytes, check_services
from boxlift.preflight.variables import check_variables
from boxlift.project import Project, complete, keep_private

__all__ = ["Finding", "check_project", "complete_project", "confirm_letter", "send_letter", "verdict"]


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
        seen = look(project, hosts, _first_links(project))
    for host in seen.values():
        for pass_, answer in host.links.items():
            if (known := backup_bytes(answer)) is not None:
                project.remember_size(Pass(pass_), known)
    findings += [*check_variables(seen), *check_hosts(inventory, seen), *check_services(inventory, seen)]
    findings.append(check_letter(project))
    return findings


def complete_project(project: Project) -> list[str]:
    """Bring a project of an earlier boxlift up to date; gives what was added, a line for each file.

    Fresh secrets, where no file of the inventory has them, and what keeps private files out of repositories.
    """
    with project.lock("init"):
        inventory, readable = read_inventory(project)
        if inventory is None:
            raise PreflightError(f"the inventory cannot be read: {readable.measured}", readable.cure)
        added = []
        variables = project.inventory if project.inventory.is_dir() else project.inventory.parent
        for environment, names in lacking_secrets(inventory).items():
            vault = variables / "group_vars" / environment / "vault.yml"
            if new := complete(vault, project.vault(), names):
                added.append(f"{os.path.relpath(vault, project.root)}: {', '.join(new)}")
        if lines := keep_private(project.root):
            added.append(f".gitignore: {' '.join(lines)}")
    return added


def _first_links(project: Project) -> dict[str, str]:
    """Where the first part of each pass's backup is; what is wrong with the files is told elsewhere."""
    found = {}
    for pass_ in Pass:
        try:
            found[str(pass_)] = project.backup(pass_).sources[0]
        except PreflightError:
            continue
    return found
