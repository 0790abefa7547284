"""Go through the plan: which steps, in which order, until one fails or a person is next."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from boxlift import forecast as forecasting
from boxlift.errors import ExitCode, PersonNextError, PreflightError, RefusedError, UsageError
from boxlift.figures import count, size
from boxlift.journal import Journal
from boxlift.plan import Kind, Pass, Plan, Step
from boxlift.plan.load import nearest
from boxlift.plan.proof import unproved
from boxlift.plan.standing import command
from boxlift.plan.state import BACKUP_STEP, Position, State, StepState, position
from boxlift.plan.verdict import Word, speak
from boxlift.project import Backup, Project
from boxlift.project.place import place_option
from boxlift.risks.word import admit, confirm_leads, unready
from boxlift.runner import process
from boxlift.runner.attempt import Attempts
from boxlift.runner.display import Display, PlainDisplay
from boxlift.runner.outlook import outlook
from boxlift.runner.playbook import remove_work_folders
from boxlift.runner.secrets import redactor
from boxlift.runner.work import Work
from boxlift.testdata import made_by_tests, proof
from boxlift.uploads import give_up

PREFLIGHT_SUITE = "environment"
"""Its failure before a release is filled says that work must not start: exit code 3."""
OUTSIDE = "command"
"""The phase of what is done outside the plan's order."""
_SPACE = 20 * 1000 * 1000
"""Bytes that must be free on the control node before anything is started."""
Ask = Callable[[str], bool]


@dataclass(frozen=True)
class Request:
    """Which steps to go through. Nothing named: what is next, until a person is.

    Named steps run again even if they are done; a named phase goes on where it stands. `start` and `until`
    are the first and last step of a stretch. `trial`: check mode. `confirm_as`: confirm persons' steps in
    this name (for the lab).
    """

    names: Sequence[str] = ()
    start: str | None = None
    until: str | None = None
    trial: bool = False
    confirm_as: str | None = None


def _nobody(_: str) -> bool:
    return False


def _anybody(_: str) -> bool:
    return True


def run_plan(
    project: Project,
    pass_: Pass | None = None,
    request: Request | None = None,
    *,
    display: Display | None = None,
    ask: Ask = _nobody,
) -> ExitCode:
    """Run steps of a pass; DONE, or the code of the step that failed (its last lines were shown).

    `ask` is put before each destructive step with what it changes; the default says no. Raises
    PersonNextError where a person's step is next, RefusedError where needs, a lock or an answer forbid it.
    """
    request = request or Request()
    plan = project.plan()
    with at_work(project, "run", display) as (journal, attempts, shown):
        chosen = pass_ or Pass(journal.chosen_pass() or Pass.REHEARSAL)
        where = position(plan, journal, chosen, runner_alive=False)
        wanted = _select(plan, where, request)
        if pass_ is not None:
            journal.choose(pass_)
        shown.outlook(
            outlook(where, wanted, journal, trial=request.trial, confirmed=request.confirm_as is not None)
        )
        if not request.trial:
            forecasting.freeze(project, journal, chosen)
            shown.line(f"  done: {forecasting.when_done(project, journal, chosen)}")
        shown.end()
        for name in wanted:
            where = position(plan, journal, chosen, runner_alive=False)
            item = where.of(name)
            if item.step.kind is Kind.CONFIRM:
                if item.state is not State.DONE and not request.trial:
                    code = _confirm(
                        project, journal, attempts, where, item, confirm_as=request.confirm_as, shown=shown
                    )
                    if code is not ExitCode.DONE:
                        return code
                continue
            if request.trial and item.step.kind is Kind.SUITE:
                shown.line(f"– {name} has no check mode and is left out")
                continue
            trialled = set(wanted) if request.trial else set()
            _admit(item, trialled)
            if item.step.preview is not None:
                code = _preview(project, attempts, where, item, shown)
                if code is not ExitCode.DONE:
                    return code
                if request.trial:
                    continue
            _agree(project, where, item, ask if not request.trial else _anybody)
            source = project.backup(chosen) if item.step.backup else None
            if source is not None:
                attempts.hide(source.secrets())
            code = attempts.carry_out(_work(project, where, item, source, trial=request.trial))
            if code is not ExitCode.DONE:
                return code
            _tell_proof(project, where, item, shown)
            _tell_doubts(where, position(plan, journal, chosen, runner_alive=False), shown)
    return ExitCode.DONE


def _confirm(
    project: Project,
    journal: Journal,
    attempts: Attempts,
    where: Position,
    item: StepState,
    *,
    confirm_as: str | None,
    shown: Display,
) -> ExitCode:
    """A person's step, after what machines have to do before it."""
    code = _close_list(project, attempts, where, item, shown)
    if code is ExitCode.DONE:
        code = _prove(project, journal, attempts, where, item, confirm_as=confirm_as, shown=shown)
    if code is ExitCode.DONE:
        _person(project, journal, where, item, confirm_as=confirm_as, shown=shown)
    return code


def _close_list(
    project: Project, attempts: Attempts, where: Position, item: StepState, shown: Display
) -> ExitCode:
    """Before a person's step that adds rows: list once and for all what tests have made until then."""
    known = made_by_tests(project.root, where.release)
    if item.step.preview is None or item.missing or (known is not None and known.closed):
        return ExitCode.DONE
    return _preview(project, attempts, where, item, shown)


def _prove(
    project: Project,
    journal: Journal,
    attempts: Attempts,
    where: Position,
    item: StepState,
    *,
    confirm_as: str | None,
    shown: Display,
) -> ExitCode:
    """Before a person's step that asks for a proof: run its suite, unless it has passed.

    The stand-in of the lab gives up the uploads that nobody there has.
    """
    step = item.step
    if step.proof is None or item.missing or unproved(journal, where, step) is None:
        return ExitCode.DONE
    work = verification(project, where, [step.proof], step.proof)
    code = attempts.carry_out(work)
    if code is ExitCode.VERIFICATION_FAILED and confirm_as is not None:
        lost = give_up(project.root, where.release)
        if lost:
            shown.line(f"✓ {count(lost, 'upload')} · given up by {confirm_as}")
            code = attempts.carry_out(work)
    return code


def _preview(
    project: Project, attempts: Attempts, where: Position, item: StepState, shown: Display
) -> ExitCode:
    """Run a step's preview in check mode and show what it lists."""
    work = _work(project, where, item, None, trial=True)
    resume = resume_command(project, item.step.id)
    code = attempts.carry_out(replace(work, playbooks=(item.step.preview or "",), resume=resume))
    listed = made_by_tests(project.root, where.release)
    if code is ExitCode.DONE and listed is not None:
        for line in listed.lines():
            shown.line(f"  {line}")
    return code


def _agree(project: Project, where: Position, item: StepState, ask: Ask) -> None:
    """RefusedError where a destructive step is not agreed to; where its preview is empty nobody is asked."""
    listed = made_by_tests(project.root, where.release) if item.step.preview is not None else None
    if not item.step.destructive or (listed is not None and listed.rows == 0) or ask(_question(where, item)):
        return
    name = item.step.id
    raise RefusedError(
        f"{name} is destructive and was not agreed to. It changes: {item.step.changes}",
        cure=f"{resume_command(project, name)} --yes",
    )


def _tell_proof(project: Project, where: Position, item: StepState, shown: Display) -> None:
    proved = proof(project.root, where.release) if item.step.preview is not None else None
    if proved is not None:
        shown.line(f"  {proved.line()}")


def _question(where: Position, item: StepState) -> str:
    """What to agree to before a step that cannot be undone."""
    doubtful = ", ".join(other.step.id for other in where.doubtful)
    return f"{item.step.id} changes: {item.step.changes}" + (f"; doubtful: {doubtful}" if doubtful else "")


def _tell_doubts(before: Position, after: Position, shown: Display) -> None:
    known = {item.step.id for item in before.doubtful}
    new = [item.step.id for item in after.doubtful if item.step.id not in known]
    if new:
        shown.line(f"! doubtful now, do or confirm them again: {', '.join(new)}")


@contextmanager
def at_work(
    project: Project, purpose: str, display: Display | None
) -> Iterator[tuple[Journal, Attempts, Display]]:
    """Hold the lock, put in order what a killed runner left, know the secrets to hide."""
    with project.lock(purpose), project.journal() as journal, display or PlainDisplay() as shown:
        shown.busy("reading plan, journal and secrets")
        _check_space(project)
        journal.hold_reserve()
        redact = redactor(project, project.vault())
        journal.redact = redact
        if process.end(project.runs):
            shown.line("! ended processes that a killed runner had left")
        for run in project.runs.glob("*"):
            remove_work_folders(run)
        for attempt in journal.settle_interrupted():
            shown.line(f"! {attempt.step} was interrupted when its runner was ended; it is not done")
        yield journal, Attempts(project, journal, redact, shown), shown


def _check_space(project: Project) -> None:
    free = shutil.disk_usage(project.root).free
    if free < _SPACE:
        raise PreflightError(
            f"the disk of {project.root} has {size(free)} left; journal and logs need {size(_SPACE)}",
            cure="make room there, then run the command again",
        )


def _select(plan: Plan, where: Position, request: Request) -> list[str]:
    """Ids of the steps to go through, in the plan's order. UsageError for a name that does not exist."""
    ids = [item.step.id for item in where.in_pass]
    for bound in (request.start, request.until):
        if bound is not None:
            _check_name(plan, where, bound, phases=False)
    if request.names:
        if request.start or request.until:
            raise UsageError("name steps, or a stretch with --from and --until, not both")
        wanted: set[str] = set()
        for name in request.names:
            _check_name(plan, where, name, phases=True)
            phase = [item for item in where.in_pass if item.phase.id == name]
            wanted |= {item.step.id for item in phase if item.state is not State.DONE} if phase else {name}
        return [name for name in ids if name in wanted]
    if request.start is None:
        ids = [item.step.id for item in where.ahead]
        if request.until is not None and request.until not in ids:
            return []
    first = ids.index(request.start) if request.start else 0
    last = ids.index(request.until) + 1 if request.until else len(ids)
    if last <= first and request.until:
        raise UsageError(f"{request.until} comes before {request.start} in the plan")
    stretch = ids[first:last]
    if request.trial and not (request.start or request.until):
        # nothing is done in check mode, so only what is next can be tried on the hosts as they are
        return stretch[:1]
    return stretch


def _check_name(plan: Plan, where: Position, name: str, *, phases: bool) -> None:
    known = [*plan.ids(), *([phase.id for phase in plan.phases] if phases else [])]
    if name not in known:
        what = "step or phase" if phases else "step"
        raise UsageError(f"the plan has no {what} `{name}`{nearest(name, known)}", cure="boxlift plan")
    if name in plan.ids() and where.of(name).state is State.SKIPPED:
        raise RefusedError(
            f"{name} is no step of the {where.pass_}: it would reach people or the cloud",
            cure="see the steps of this pass: boxlift plan",
        )


def _admit(item: StepState, trialled: set[str]) -> None:
    missing = [name for name in item.missing if name not in trialled]
    if missing:
        raise RefusedError(
            f"{item.step.id} needs steps that are not done: {', '.join(missing)}", cure="boxlift status"
        )


def _person(
    project: Project,
    journal: Journal,
    where: Position,
    item: StepState,
    *,
    confirm_as: str | None,
    shown: Display,
) -> None:
    """A person's step is next: hear the stand-in of the lab, or stop and say who must do what."""
    if confirm_as is not None:
        name, plan = item.step.id, project.plan()
        if item.step.needs_leads:
            leads = confirm_leads(project.root, journal, where, by=confirm_as)
            shown.line(f"✓ {count(leads, 'lead source')} · confirmed by {confirm_as}")
        admit(project.root, journal, where, item.step)
        speak(
            plan,
            journal,
            where.pass_,
            name,
            word=Word.CONFIRM,
            by=confirm_as,
            note=None,
            runner_alive=False,
            place=place_option(project),
        )
        if name == BACKUP_STEP:
            forecasting.freeze(project, journal, where.pass_, anew=True)
        shown.line(f"✓ {name} · confirmed by {confirm_as}")
        return
    _admit(item, set())
    refused = f" ({item.cause})" if item.state is State.FAILED else ""
    lines = [
        f"the next step is the {item.step.owner}'s: {item.step.id}{refused} · {item.step.title}",
        f"  {item.step.instructions.strip()}",
        *(f"  {line}" for line in unready(project.root, journal, where, item.step)),
        *(f"  {line}" for line in forecasting.advice(project, journal, where.pass_, item.step.id)),
    ]
    raise PersonNextError("\n".join(lines), cure=command(item, place_option(project)))


def _work(project: Project, where: Position, item: StepState, source: Backup | None, *, trial: bool) -> Work:
    step = item.step
    release = "box" if step.release == "box" else where.release
    return Work(
        step=step.id,
        title=step.title,
        phase=item.phase.id,
        kind=str(step.kind),
        pass_=str(where.pass_),
        release=where.release,
        target=step.target,
        resume=resume_command(project, step.id, trial=trial),
        playbooks=step.playbooks,
        suites=step.suites,
        variables=variables(where.pass_, release, step) | (source.variables() if source else {}),
        trial=trial,
        preflight=PREFLIGHT_SUITE in step.suites and step.kind is Kind.SUITE and step.release == "box",
        estimate=item.estimate,
        changes=step.changes,
    )


def verification(
    project: Project, where: Position, wanted: Sequence[str], name: str = "", target: str = "production"
) -> Work:
    """Suites by themselves. `name`: the one that `boxlift verify` is told, if it is."""
    restored = any(
        item.step.release == "restored" and item.step.backup and item.state is State.DONE
        for item in where.steps
    )
    staging = target == "preproduction" and name != "staging"
    words = ["verify", *([name] if name else []), *(["--staging"] if staging else [])]
    return Work(
        step="verify",
        title=f"Verify {', '.join(wanted)}",
        phase=OUTSIDE,
        kind="suite",
        pass_=str(where.pass_),
        release=where.release,
        target=target,
        resume=f"boxlift{place_option(project)} {' '.join(words)}",
        suites=wanted,
        variables=variables(where.pass_, where.release if restored else "box"),
    )


def variables(pass_: Pass, release: str, step: Step | None = None) -> dict[str, Any]:
    """What boxlift tells every playbook."""
    told: dict[str, Any] = {"boxlift_pass": str(pass_), "portal_release": release}
    if step is not None:
        told |= {"portal_target": step.target, **step.variables}
    return told


def resume_command(project: Project, name: str, *, trial: bool = False) -> str:
    """The command that goes on, from the folder where the person is now."""
    return f"boxlift{place_option(project)} run {name}{' --check' if trial else ''}"
