"""The command that writes letters: letter."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.table import Table

from boxlift.cli.app import PassOption, app, current_pass, current_project
from boxlift.cli.completion import letter_names
from boxlift.cli.output import console
from boxlift.letters.templates import LETTERS, names, template
from boxlift.project import Project


class LetterLanguage(StrEnum):
    EN = "en"
    RU = "ru"


@app.command()
def letter(
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(help="Which; without it they are listed.", autocompletion=letter_names)
    ] = None,
    *,
    lang: Annotated[LetterLanguage, typer.Option("--lang", help="Its language.")] = LetterLanguage.EN,
    pass_: PassOption = None,
) -> None:
    """Write a letter, filled with the project's dates and figures, to standard output.

    A figure that nobody knows yet is told as such, with the command that finds it out. The templates in
    letters/ of the project may be edited. No letter carries a link to a backup or a password.

    [bold]Examples:[/] boxlift letter · boxlift letter notice --lang ru > notice.txt
    """
    project = current_project(context)
    if name is None:
        _list(project, lang)
        return
    # the forecast's numpy and the report's plots take a second to load: other commands do without
    from boxlift.letters.render import render  # noqa: PLC0415

    with project.journal() as journal:
        chosen = current_pass(pass_, journal)
    written = render(project, name, lang.value, chosen)
    sys.stdout.write(written.text)
    for command in written.unknown:
        sys.stderr.write(f"! a figure is not known yet: {command}\n")


def _list(project: Project, lang: LetterLanguage) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("letter", no_wrap=True)
    table.add_column("what it is for", overflow="fold")
    table.add_column("template", overflow="fold")
    for name in names(project.root, lang):
        path = template(project.root, lang, name)
        own = path.is_relative_to(project.root)
        place = str(path.relative_to(project.root)) if own else "the built-in one"
        table.add_row(name, LETTERS.get(name, "your own"), place)
    console().print(table)
