"""Commands by which persons speak: confirm, note."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from boxlift import forecast as forecasting
from boxlift.cli.app import PassOption, app, current_pass, current_project
from boxlift.cli.completion import persons_steps, steps
from boxlift.cli.output import MOMENTS, console
from boxlift.errors import UsageError
from boxlift.plan import Plan
from boxlift.plan.load import nearest
from boxlift.plan.state import BACKUP_STEP, position
from boxlift.plan.verdict import Word, speak
from boxlift.project.backup import paths
from boxlift.project.place import place_option
from boxlift.risks.word import admit, is_subject, speak_of
from boxlift.runner.secrets import best_redactor


@app.command()
def confirm(
    context: typer.Context,
    *,
    step: Annotated[
        str,
        typer.Argument(
            help="A person's step of the plan; or risk:NAME, lead:NAME.", autocompletion=persons_steps
        ),
    ],
    by: Annotated[str, typer.Option("--by", help="Who says so.")],
    note: Annotated[str | None, typer.Option("--note", help="What to remember about it.")] = None,
    began: Annotated[
        datetime | None,
        typer.Option(
            "--began",
            formats=MOMENTS,
            help="When the step began: what was ordered, say. By the portal's clock.",
        ),
    ] = None,
    refuse: Annotated[bool, typer.Option("--refuse", help="Say that it is not all right.")] = False,
    reopen: Annotated[bool, typer.Option("--reopen", help="Take back what was said.")] = False,
    pass_: PassOption = None,
) -> None:
    """Say that a person's step is done, a risk cleared, a lead source moved; refuse it, or reopen it.

    A step that is reopened or refused makes doubtful what was done after it; the answer names these steps.

    [bold]Examples:[/] boxlift confirm check-business --by "Name" --note "all branches"
    · boxlift confirm check-telephony --by "Name" --refuse --note "records are missing"
    · boxlift confirm request-backup --by "Name" --began 2026-11-21T18:30
    · boxlift confirm request-backup --by "Name" --reopen
    · boxlift confirm lead:web-form-3 --by "Name" --note "one came"
    """
    if refuse and reopen:
        raise UsageError("--refuse and --reopen exclude each other")
    word = Word.REFUSE if refuse else Word.REOPEN if reopen else Word.CONFIRM
    project = current_project(context)
    plan = project.plan()
    if is_subject(step):
        if began is not None:
            raise UsageError("--began is for steps of the plan, not for risks and lead sources")
    else:
        _known(plan, step)
    with project.journal() as journal:
        journal.redact = redact = best_redactor(project)
        chosen = current_pass(pass_, journal)
        alive = project.runner_alive()
        where = position(plan, journal, chosen, runner_alive=alive)
        if is_subject(step):
            text = speak_of(project.root, journal, where, step, word=word, by=by, note=note)
        else:
            if word is Word.CONFIRM:
                admit(project.root, journal, where, plan.step(step))
            since = forecasting.portal_moment(project, began) if began is not None else None
            text = speak(
                plan,
                journal,
                chosen,
                step,
                word=word,
                by=by,
                note=note,
                runner_alive=alive,
                began=since,
                place=place_option(project),
            )
        if pass_ is not None:
            journal.choose(pass_)
        if step == BACKUP_STEP and word is Word.CONFIRM:
            forecasting.freeze(project, journal, chosen, anew=True)
    out = console()
    out.print(f"✓ {redact(text)}", markup=False, soft_wrap=True)
    source, _ = paths(project.root, chosen)
    if step == BACKUP_STEP and word is Word.CONFIRM and not source.exists():
        out.print(f"  next: put the backup's link into {source}, chmod 600", markup=False, soft_wrap=True)


def _known(plan: Plan, step: str) -> None:
    if step not in plan.ids():
        raise UsageError(
            f"the plan has no step `{step}`{nearest(step, plan.ids())}", cure="see its steps: boxlift plan"
        )


@app.command()
def note(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="What happened.")],
    step: Annotated[
        str | None, typer.Option("--step", help="The step that it belongs to.", autocompletion=steps)
    ] = None,
    cost: Annotated[
        float | None, typer.Option("--cost", min=0, help="Minutes that it cost the move.")
    ] = None,
    pass_: PassOption = None,
) -> None:
    """Put a remark or an incident into the journal.

    [bold]Example:[/] boxlift note "provider's line was down" --step restore-backup --cost 40
    """
    project = current_project(context)
    if not text.strip():
        raise UsageError("a note needs words", cure='boxlift note "what happened"')
    if step is not None:
        _known(project.plan(), step)
    with project.journal() as journal:
        journal.redact = best_redactor(project)
        chosen = current_pass(pass_, journal)
        journal.incident(chosen, "note", text, step=step, cost=None if cost is None else cost * 60)
    console().print("✓ noted", markup=False)
