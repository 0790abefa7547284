"""Commands that prepare a project: init, wheels, check."""

from __future__ import annotations

import re
import sys
import zoneinfo
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from boxlift.cli.app import JsonOption, app, current_project
from boxlift.cli.output import console, print_json, working
from boxlift.errors import UsageError
from boxlift.figures import count, size
from boxlift.plan.load import nearest
from boxlift.preflight import (
    Finding,
    check_project,
    complete_project,
    confirm_letter,
    send_letter,
    verdict,
)
from boxlift.project import Answers, Project, create, find
from boxlift.wheels import MACHINES, PYTHONS, collect, sources

_DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")
_HOST = re.compile(r"[0-9A-Za-z_:]([0-9A-Za-z._:%-]*[0-9A-Za-z_:])?")


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="The project's folder; made if absent.")] = Path(),
    *,
    name: Annotated[str | None, typer.Option("--name", help="Short name; default: the folder's.")] = None,
    domain: Annotated[str | None, typer.Option("--domain", help="Domain of the portal.")] = None,
    staging_domain: Annotated[
        str | None, typer.Option("--staging-domain", help="Domain of the staging copy.")
    ] = None,
    telephony_domain: Annotated[
        str | None, typer.Option("--telephony-domain", help="Domain of the telephony server.")
    ] = None,
    timezone: Annotated[
        str | None, typer.Option("--timezone", help="Zone of the cloud portal, as Europe/Moscow.")
    ] = None,
    portal_host: Annotated[
        str | None, typer.Option("--portal-host", help="Address of the production host.")
    ] = None,
    staging_host: Annotated[
        str | None, typer.Option("--staging-host", help="Address of the staging host.")
    ] = None,
    telephony_host: Annotated[
        str | None, typer.Option("--telephony-host", help="Address of the telephony host.")
    ] = None,
    vault_password_file: Annotated[
        Path | None, typer.Option("--vault-password-file", help="File outside the project; made if absent.")
    ] = None,
    vault_password_client: Annotated[
        Path | None, typer.Option("--vault-password-client", help="Script that prints the vault password.")
    ] = None,
    complete: Annotated[
        bool,
        typer.Option("--complete", help="Add to a project what a newer boxlift needs, and nothing else."),
    ] = False,
) -> None:
    """Make a project folder: inventory, fresh secrets in a vault, the vault password outside.

    Asks for what the options leave open; without a terminal all of them are needed. A project of an earlier
    boxlift gets with --complete the secrets that it lacks; what is there stays as it is.

    [bold]Examples:[/] boxlift init acme --domain portal.acme.example --timezone Europe/Moscow
    · boxlift init --complete
    """
    if complete:
        if any(
            value is not None for name, value in context.params.items() if name not in {"folder", "complete"}
        ):
            raise UsageError("--complete takes no other option", cure="boxlift init --complete")
        _bring_up_to_date(current_project(context) if folder == Path() else find(folder.resolve()))
        return
    given = {
        "--domain": domain,
        "--staging-domain": staging_domain,
        "--telephony-domain": telephony_domain,
        "--timezone": timezone,
        "--portal-host": portal_host,
        "--staging-host": staging_host,
        "--telephony-host": telephony_host,
    }
    answers = _complete(given)
    project = create(
        folder,
        name=name,
        answers=Answers(
            portal_domain=_domain(answers["--domain"]),
            staging_domain=_domain(answers["--staging-domain"]),
            telephony_domain=_domain(answers["--telephony-domain"]),
            timezone=_zone(answers["--timezone"]),
            addresses={
                "portal-1": _host(answers["--portal-host"]),
                "staging-1": _host(answers["--staging-host"]),
                "pbx-1": _host(answers["--telephony-host"]),
            },
        ),
        vault_password_file=vault_password_file,
        vault_password_client=vault_password_client,
    )
    source = project.vault().path
    out = console()
    out.print(f"✓ {project.root} is a boxlift project", markup=False, soft_wrap=True)
    out.print(f"  vault password: {source} (keep a copy; without it the secrets are lost)", soft_wrap=True)
    out.print("  next: look through inventory/, then: boxlift wheels, boxlift check", markup=False)


def _bring_up_to_date(project: Project) -> None:
    with working("looking at the inventory"):
        added = complete_project(project)
    for line in added:
        console().print(f"✓ {line}", markup=False, soft_wrap=True)
    if not added:
        console().print("✓ nothing is lacking", markup=False)


_QUESTIONS = {
    "--domain": "Domain of the portal",
    "--staging-domain": "Domain of the staging copy",
    "--telephony-domain": "Domain of the telephony server",
    "--timezone": "Time zone of the cloud portal (Europe/Moscow, ...)",
    "--portal-host": "Address of the production host",
    "--staging-host": "Address of the staging host",
    "--telephony-host": "Address of the telephony host",
}


def _complete(given: dict[str, str | None]) -> dict[str, str]:
    missing = [flag for flag, value in given.items() if value is None]
    if missing and not sys.stdin.isatty():
        raise UsageError(f"boxlift init needs {', '.join(missing)}", cure="name them, or use a terminal")
    return {
        flag: value if value is not None else str(typer.prompt(_QUESTIONS[flag])).strip()
        for flag, value in given.items()
    }


def _domain(text: str) -> str:
    lowered = text.lower().rstrip(".")
    if not _DOMAIN.fullmatch(lowered):
        raise UsageError(f"`{text}` is no domain name")
    return lowered


def _host(text: str) -> str:
    """A name or an address: what else stands in an inventory would be a template, or nothing."""
    if not _HOST.fullmatch(text):
        raise UsageError(f"`{text}` is no address of a host")
    return text


def _zone(text: str) -> str:
    zones = zoneinfo.available_timezones()
    if zones and text not in zones:
        raise UsageError(f"`{text}` is no time zone{nearest(text, sorted(zones))}")
    return text


@app.command()
def wheels(
    context: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to; default: packages/wheels of the project.")
    ] = None,
    *,
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine", help=f"The hosts' processor: {' or '.join(MACHINES)}; default: this machine's."
        ),
    ] = None,
) -> None:
    """Collect bxbackup and what it needs as wheels, which hosts are given for a restore.

    It needs the network that pip needs. A control node without it gets the folder from a machine that has it:
    with FOLDER no project is needed. What is up to date is left alone.

    [bold]Examples:[/] boxlift wheels · boxlift wheels /tmp/wheels --machine aarch64
    """
    if machine is not None and machine not in MACHINES:
        raise UsageError(f"`{machine}` is no processor of a host", cure=" or ".join(MACHINES))
    if folder is None:
        project = current_project(context)
        folder = project.wheels
        with project.lock("wheels"):
            _collect(folder, machine)
    else:
        _collect(folder, machine)


def _collect(folder: Path, machine: str | None) -> None:
    with working("collecting bxbackup and what it needs, about a minute"):
        new = collect(*sources(), folder.absolute(), machine)
    found = [path.stat().st_size for path in folder.glob("*.whl")]
    told = f"{count(len(found), 'wheel')}, {size(sum(found))}, for Python {' and '.join(PYTHONS)} in {folder}"
    console().print(f"✓ {told}" if new else f"✓ up to date: {told}", markup=False, soft_wrap=True)


@app.command()
def check(
    context: typer.Context,
    as_json: JsonOption = False,
    letter_to: Annotated[
        str | None,
        typer.Option(
            "--letter-to", metavar="ADDRESS", help="Send a test letter over the portal's way of mail."
        ),
    ] = None,
    letter_word: Annotated[
        str | None,
        typer.Option("--letter-word", metavar="WORD", help="The word in the test letter's subject."),
    ] = None,
) -> None:
    """Look at control node, project and hosts before work starts, and tell all that is wrong at once.

    Exit code 3 where a check refuses, 5 where nothing but reaching a host fails. Warnings refuse nothing:
    what they name has time until a later step. What each check means: docs/checks.md

    [bold]Examples:[/] boxlift check · boxlift check --json
    · boxlift check --letter-to me@acme.example · boxlift check --letter-word K7Q2MX
    """
    project = current_project(context)
    if letter_to is not None and letter_word is not None:
        raise UsageError("--letter-to and --letter-word exclude each other")
    if letter_to is not None:
        send_letter(project, letter_to)
        console().print(
            f"✓ sent to {letter_to}; when it was read: boxlift check --letter-word WORD", markup=False
        )
        return
    if letter_word is not None:
        confirm_letter(project, letter_word)
        console().print("✓ the test letter was read", markup=False)
        return
    with working("looking at control node, project and hosts"):
        findings = check_project(project)
    code = verdict(findings)
    if as_json:
        print_json({"passed": code == 0, "checks": [asdict(finding) for finding in findings]})
    else:
        _print_findings(findings)
    raise typer.Exit(code)


def _print_findings(findings: Sequence[Finding]) -> None:
    out = console()
    table = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        limit = f"[dim]({escape(finding.limit)})[/]" if finding.limit else ""
        table.add_row(_sign(finding), finding.subject, finding.check, escape(finding.measured), limit)
    out.print(table)
    bad = [finding for finding in findings if finding.refuses]
    warnings = [finding for finding in findings if finding.warning and not finding.ok]
    for sign, some in (("!", warnings), ("✗", bad)):
        for finding in some:
            line = f"{sign} {finding.subject} · {finding.check}: {finding.cure}"
            out.print(line, markup=False, soft_wrap=True)
    summary = (
        f"{len(bad)} of {len(findings)} checks refuse" if bad else f"no check of {len(findings)} refuses"
    )
    if warnings:
        summary += f", {count(len(warnings), 'warning')}"
    out.print(summary, markup=False)


def _sign(finding: Finding) -> str:
    if finding.ok:
        return "[green]✓[/]"
    return "[yellow]![/]" if finding.warning else "[bold red]✗[/]"
