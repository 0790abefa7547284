"""What is done outside the plan's order: verify, activate, rollback, clone, backup, certificate."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum

from boxlift.content import content_root, suites
from boxlift.errors import ExitCode, RefusedError, UsageError
from boxlift.plan import Kind, Pass
from boxlift.plan.load import nearest
from boxlift.plan.state import Position, State, position
from boxlift.project import Project
from boxlift.project.place import place_option
from boxlift.runner.display import Display
from boxlift.runner.walk import OUTSIDE, PREFLIGHT_SUITE, at_work, variables, verification
from boxlift.runner.work import Work

_RELEASE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class Command(StrEnum):
    """Commands with a playbook of their own."""

    ACTIVATE = "activate"
    ROLLBACK = "rollback"
    CLONE = "clone"
    BACKUP = "backup"
    CERTIFICATE = "certificate"


_PLAYBOOKS = {
    Command.ACTIVATE: ("activate_release.yml", "Serve another release"),
    Command.ROLLBACK: ("rollback_release.yml", "Serve the release before"),
    Command.CLONE: ("clone_to_preproduction.yml", "Copy production to pre-production"),
    Command.BACKUP: (
        "backup_production.yml",
        "Back up production off the host, and prove that it can be restored",
    ),
    Command.CERTIFICATE: ("deploy_certificate.yml", "Put the certificate into service"),
}


def run_command(
    project: Project,
    command: Command,
    pass_: Pass | None = None,
    *,
    release: str | None = None,
    staging: bool = False,
    before: Callable[[Display], None] | None = None,
    after: Callable[[Display], None] | None = None,
    display: Display | None = None,
) -> ExitCode:
    """Run a command's playbook; the journal keeps it beside the plan's steps.

    :param staging: on pre-production instead of production; a clone always goes there.
    :param before: looks and asks first, with the project locked; what it raises ends the command.
    :param after: has something to say once it has succeeded.
    """
    if release is not None and not _RELEASE.fullmatch(release):
        raise UsageError(
            f"`{release}` is no name of a release", cure="releases are box, rehearsal-1, final-1, ..."
        )
    playbook, title = _PLAYBOOKS[command]
    target = "preproduction" if staging or command is Command.CLONE else "production"
    words = [command, *([release] if release else []), *(["--staging"] if staging else [])]
    with at_work(project, command, display) as (journal, attempts, shown):
        if before is not None:
            before(shown)
        chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
        where = position(project.plan(), journal, chosen, runner_alive=False)
        told = release or where.release
        work = Work(
            step=command,
            title=title,
            phase=OUTSIDE,
            kind="playbook",
            pass_=str(chosen),
            release=told,
            target=target,
            resume=f"boxlift{place_option(project)} {' '.join(words)}",
            playbooks=(playbook,),
            variables=variables(chosen, told) | {"portal_target": target},
        )
        ended = attempts.carry_out(work)
        if after is not None and ended is ExitCode.DONE:
            after(shown)
        return ended


def run_verification(
    project: Project,
    pass_: Pass | None = None,
    suite: str | None = None,
    *,
    staging: bool = False,
    display: Display | None = None,
) -> ExitCode:
    """Run one suite, or all suites that the pass's done steps rest on."""
    with at_work(project, "verify", display) as (journal, attempts, _):
        chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
        where = position(project.plan(), journal, chosen, runner_alive=False)
        target = "preproduction" if staging or suite == "staging" else "production"
        known = suites(content_root())
        if suite is not None and suite not in known:
            raise UsageError(
                f"there is no suite `{suite}`{nearest(suite, known)}", cure=f"name one of {', '.join(known)}"
            )
        if suite is not None and staging and suite in {item.step.proof for item in where.steps}:
            raise UsageError(f"suite `{suite}` is a proof of production", cure=f"boxlift verify {suite}")
        wanted = [suite] if suite is not None else _suites_due(where, target)
        if not wanted:
            raise RefusedError(
                "no step is done yet whose suites could be run", cure=f"name one of {', '.join(known)}"
            )
        return attempts.carry_out(verification(project, where, wanted, suite or "", target))


def _suites_due(where: Position, target: str) -> list[str]:
    """Suites of the steps done, without those that later steps made out of date.

    What holds for the empty box holds for what is restored as well, but for the time until that is repaired.
    Once it is active, what compares it with the backup is out of date. What a person's step asks for as proof
    is due from the moment that the step could be confirmed.
    """
    done = [item.step for item in where.steps if item.state is State.DONE and item.step.target == target]
    restored = [step for step in done if step.release == "restored" and not step.backup]
    changed = any(step.kind is Kind.PLAYBOOK for step in restored)
    repaired = any(step.suites for step in restored)
    found: dict[str, None] = {}
    for step in done:
        if step.backup and changed:
            continue
        broken = step.release == "box" and changed and not repaired
        found.update(dict.fromkeys(each for each in step.suites if each == PREFLIGHT_SUITE or not broken))
    for item in where.ahead:
        if item.step.proof is not None and not item.missing and item.step.target == target:
            found[item.step.proof] = None
    return list(found)
