"""The command that shows the feared defects and the sources of leads: risks."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from boxlift.cli.app import JsonOption, PassOption, app, current_pass, current_project
from boxlift.cli.output import console, print_json
from boxlift.errors import UsageError
from boxlift.figures import count
from boxlift.plan.load import nearest
from boxlift.plan.state import position
from boxlift.risks import (
    LeadState,
    LeadView,
    RiskState,
    RiskStatus,
    RiskView,
    Sign,
    lead_view,
    load_register,
    risk_view,
)

_STATES = {
    RiskState.OPEN: "[yellow]open[/]",
    RiskState.FOUND: "[bold red]found[/]",
    RiskState.CLEARED: "[green]cleared[/]",
    RiskState.DOUBTFUL: "[bold yellow]doubtful[/]",
}
_LEAD_STATES = {
    LeadState.OPEN: "[yellow]open[/]",
    LeadState.CONFIRMED: "[green]confirmed[/]",
    LeadState.REFUSED: "[bold red]refused[/]",
    LeadState.INACTIVE: "[dim]inactive[/]",
}
_SIGNS = {Sign.GOOD: "[green]✓[/]", Sign.BAD: "[bold red]✗[/]", Sign.FACT: "·", Sign.UNKNOWN: "?"}


@app.command()
def risks(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[RISK]", help="Tell all about one risk.")] = None,
    *,
    leads: Annotated[bool, typer.Option("--leads", help="Show every source of leads instead.")] = False,
    pass_: PassOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the ten feared defects with what speaks for and against them, or every source of leads.

    A person says what a machine cannot see: boxlift confirm risk:NAME, or lead:NAME once a test lead came
    through its new address. Step start-box-sales needs every lead source confirmed.

    [bold]Examples:[/] boxlift risks · boxlift risks mobile-app · boxlift risks --leads
    · boxlift confirm risk:mobile-app --by "Name" --note "both telephones"
    """
    if leads and name is not None:
        raise UsageError("name a risk, or show the lead sources, not both")
    project = current_project(context)
    register = load_register(project.root)
    known = [risk.id for risk in register]
    if name is not None and name not in known:
        raise UsageError(f"the register has no risk `{name}`{nearest(name, known)}", cure="boxlift risks")
    with project.journal() as journal:
        chosen = current_pass(pass_, journal)
        where = position(project.plan(), journal, chosen, runner_alive=project.runner_alive())
        sources = lead_view(project.root, journal, where.pass_, where.release)
        view = risk_view(project.root, journal, where, register)
    if name is not None:
        view = view.model_copy(update={"risks": tuple(risk for risk in view.risks if risk.id == name)})
    if as_json:
        print_json((sources if leads else view).model_dump(mode="json", by_alias=True))
    elif leads:
        _print_leads(sources)
    elif name is not None:
        _print_risk(view.risks[0])
    else:
        _print_risks(view, sources)


def _print_risks(view: RiskView, sources: LeadView) -> None:
    out = console()
    table = Table(box=None, pad_edge=False, title=_title(view), title_justify="left")
    for heading in ("risk", "detector", "owner", "state"):
        table.add_column(heading, no_wrap=True)
    table.add_column("why", overflow="fold")
    for risk in view.risks:
        table.add_row(risk.id, risk.detector, risk.owner, _STATES[risk.state], escape(risk.reason))
    out.print(table)
    counts = ", ".join(f"{len(view.of(state))} {state}" for state in RiskState if view.of(state))
    out.print(f"{counts}; {_told(sources)}", markup=False, soft_wrap=True)
    out.print("all about one: boxlift risks NAME      lead sources: boxlift risks --leads", markup=False)


def _told(sources: LeadView) -> str:
    if sources.collected is None:
        return "lead sources are not collected yet"
    return f"{len(sources.missing)} of {count(len(sources.sources), 'lead source')} to be confirmed"


def _title(view: RiskView | LeadView) -> str:
    return f"{view.pass_} · release {view.release}"


def _print_risk(risk: RiskStatus) -> None:
    out = console()

    def line(text: str) -> None:
        out.print(text, soft_wrap=True)

    line(f"[bold]{escape(risk.title)}[/]  {_STATES[risk.state]}")
    line(f"why       {escape(risk.reason)}")
    for item in risk.evidence:
        line(f"{item.stage:9} {_SIGNS[item.sign]} {escape(item.text)}")
        for name in item.items:
            line(f"            {escape(name)}")
    if risk.look:
        line(f"look      {escape(risk.look)}")
    line(f"remedy    {escape(risk.remedy)}")
    line(f"owner     {risk.owner}, found out by {_found_out(risk)}")


def _found_out(risk: RiskStatus) -> str:
    return {
        "automatic": "machines alone",
        "assisted": f"a person with a machine's help: boxlift confirm risk:{risk.id} --by NAME",
        "manual": f"a person: boxlift confirm risk:{risk.id} --by NAME",
    }[risk.detector]


def _print_leads(sources: LeadView) -> None:
    out = console()
    if sources.collected is None:
        out.print(f"The lead sources of {sources.release} are not collected yet.", markup=False)
        out.print("  next: boxlift run restore-backup", markup=False)
        return
    table = Table(box=None, pad_edge=False, title=_title(sources), title_justify="left")
    table.add_column("source", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for heading in ("what", "owner", "new address"):
        table.add_column(heading, overflow="fold")
    for item in sources.sources:
        said = _LEAD_STATES[item.state] + (f" by {escape(item.by)}" if item.by else "")
        table.add_row(
            item.id, said, escape(item.title), escape(item.owner or "–"), escape(item.new_address or "–")
        )
    out.print(table)
    _print_actions(out, sources)
    out.print(_told(sources), markup=False)


def _print_actions(out: Console, sources: LeadView) -> None:
    actions = {item.kind: item.action for item in sources.missing}
    for kind, action in actions.items():
        out.print(f"  {kind}: {action}", markup=False, soft_wrap=True)
