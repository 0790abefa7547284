"""Fill a letter's template; what is wrong in a template is named with its file and line."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.exceptions import TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from boxlift.errors import PreflightError, UsageError
from boxlift.letters.facts import Facts, gather
from boxlift.letters.filters import filters
from boxlift.letters.templates import FOLDER, LANGUAGES, SUFFIX, builtin_folder, names, template
from boxlift.letters.unknown import Unknown
from boxlift.letters.words import SAYING, Language
from boxlift.plan import Pass
from boxlift.plan.load import nearest
from boxlift.project import Project
from boxlift.redact import Redactor
from boxlift.report.clock import clock_of


@dataclass(frozen=True)
class Letter:
    """A filled letter. `source`: its template; `unknown`: commands that find out what it lacks."""

    name: str
    language: str
    source: Path
    text: str
    unknown: tuple[str, ...]


def render(
    project: Project, name: str, language: Language, pass_: Pass | None = None, *, now: float | None = None
) -> Letter:
    """Fill one letter. UsageError for a name or language that does not exist, or a template that is wrong."""
    if language not in LANGUAGES:
        raise UsageError(f"letters are written in {', '.join(LANGUAGES)}, not in `{language}`")
    known = names(project.root, language)
    if name not in known:
        raise UsageError(
            f"there is no letter `{name}`{nearest(name, known)}", cure="see them all: boxlift letter"
        )
    clock = clock_of(project)
    facts = gather(project, pass_, language, clock, time.time() if now is None else now)
    text, used = fill(project.root, name, language, facts, filters(language, clock))
    hide = Redactor(_secrets(project))
    return Letter(name, language, template(project.root, language, name), hide(text), used)


def fill(
    root: Path, name: str, language: Language, facts: Facts, of_language: Mapping[str, Any]
) -> tuple[str, tuple[str, ...]]:
    """Text of a letter, and the commands that would find out what is not known in it."""
    folders = [root / FOLDER / language, builtin_folder() / language]
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters.update(of_language)
    used: dict[str, None] = {}

    def finalize(value: Any) -> Any:
        if isinstance(value, Unknown):
            used[value.command] = None
        return value

    environment.finalize = finalize
    file = f"{name}{SUFFIX}"
    words = {"actions": SAYING[language].actions, "defects": SAYING[language].defects}
    try:
        text = environment.get_template(file).render(facts.fields() | words)
    except TemplateSyntaxError as error:
        raise _wrong(error.filename or file, error.lineno, error.message or "") from error
    except TemplateNotFound as error:
        raise _wrong(file, 1, f"no template `{error.name}`") from error
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise _wrong(*_place(error, folders, file), str(error)) from error
    return text, tuple(used)


def _place(error: Exception, folders: list[Path], file: str) -> tuple[str, int]:
    """File and line of the innermost template that the error went through."""
    places = [
        (frame.filename, frame.lineno or 1)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.endswith(SUFFIX) and Path(frame.filename).parent in folders
    ]
    return places[-1] if places else (file, 1)


def _wrong(file: str, line: int, said: str) -> UsageError:
    return UsageError(
        f"{file}:{line}: {said}", cure=f"correct {file}; delete it to have the built-in letter again"
    )


def _secrets(project: Project) -> list[str]:
    """What no letter may carry, whatever its template says: the whole link of each backup, and passwords."""
    found: list[str] = []
    for pass_ in Pass:
        try:
            backup = project.backup(pass_)
        except PreflightError:
            continue
        found += [*backup.sources, *backup.secrets()]
    return found
