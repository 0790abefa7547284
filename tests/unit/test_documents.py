"""What the documents point at exists, and nothing in them waits to be written."""

import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("bxbackup/*.md"),
        *REPOSITORY.glob("roles/*/README.md"),
        *REPOSITORY.glob("lab/*/README.md"),
    ]
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_nothing_waits_to_be_written(document: Path) -> None:
    assert re.findall(r"@@\w*|\bTODO\b|\bFIXME\b|\bTBD\b", document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_examples_name_nobody_elses_domain(document: Path) -> None:
    assert re.findall(r"\bacme\.(?:ru|com|net|org|lan)\b", document.read_text(encoding="utf-8")) == []


def test_two_commands_stand_on_the_first_screen() -> None:
    screen = (REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()[:20]
    assert {line.split("#")[0].strip() for line in screen} >= {"make demo", "make test"}
