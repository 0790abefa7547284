"""Where the letters' templates are: the package's own, and the project's copies that may be edited."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

FOLDER = "letters"
SUFFIX = ".txt.j2"
LANGUAGES = ("en", "ru")
LETTERS = {
    "backup-request": "asks the cloud's support for the backup",
    "notice": "tells the users the backup date and where they keep their work meanwhile",
    "timetable": "the cut-over, hour by hour, with a line for each source of leads",
    "passwords": "tells the users that a password letter comes, and what to do with it",
    "health": "the client's declaration that the portal is healthy, with its proofs",
}
"""Names of the letters, and what each is for."""


def builtin_folder() -> Path:
    """Folder of the package's templates; it is never inside an archive."""
    return Path(str(resources.files("boxlift.letters"))) / "texts"


def names(root: Path, language: str) -> list[str]:
    """All letters of a project: the built-in ones, then its own."""
    own = {path.name.removesuffix(SUFFIX) for path in (root / FOLDER / language).glob(f"*{SUFFIX}")}
    return [*LETTERS, *sorted(own - set(LETTERS))]


def template(root: Path, language: str, name: str) -> Path:
    """The project's file where it has one, else the package's."""
    own = root / FOLDER / language / f"{name}{SUFFIX}"
    return own if own.exists() else builtin_folder() / language / f"{name}{SUFFIX}"


def copy_templates(root: Path) -> None:
    """Copy all templates into a project; a file that is there is left as it is."""
    for language in LANGUAGES:
        folder = root / FOLDER / language
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted((builtin_folder() / language).glob(f"*{SUFFIX}")):
            target = folder / source.name
            if not target.exists():
                target.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
