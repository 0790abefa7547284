"""Letters in both languages: filled with figures, honest about what is missing, free of secrets."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast, get_args

import pytest

from boxlift.errors import UsageError
from boxlift.letters.filters import filters
from boxlift.letters.render import render
from boxlift.letters.templates import LANGUAGES, LETTERS, copy_templates, names, template
from boxlift.letters.unknown import Unknown
from boxlift.letters.words import SAYING, Language
from boxlift.plan import Pass, default_plan
from boxlift.plan.model import Urgency
from boxlift.project import Project, create
from boxlift.report.clock import Clock
from boxlift.risks import LeadKind, load_register

pytestmark = pytest.mark.slow

LINK = "https://backup.cloud.example/acme.tar.gz?X-Amz-Signature=canary-signature"
PASSWORD = "canary-archive-password"
BOTH = pytest.mark.parametrize("language", get_args(Language))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = create(tmp_path / "acme", vault_password_file=tmp_path / "password")
    for pass_ in Pass:
        made.set_backup(pass_, [LINK], PASSWORD)
    return made


@pytest.fixture
def lay(project: Project) -> Callable[..., None]:
    def write(name: str, release: str = "final-1", **content: Any) -> None:
        path = project.root / "evidence" / release / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"schema": 1, "release": release, "collected": "2026-11-22T10:00:00Z"}
        path.write_text(json.dumps(head | content))

    return write


@pytest.fixture
def known(project: Project, lay: Callable[..., None]) -> None:
    """A final pass of which much is known."""
    form = {
        "id": "web-form-1",
        "kind": "web-form",
        "title": "Call me back",
        "active": True,
        "owner": "Ivanova Anna",
        "new_address": "https://portal.acme.example/upload/crm/form/loader_1_a.js",
    }
    lay("leads", domain="portal.acme.example", sources=[form, form | {"id": "web-form-2", "active": False}])
    lay("backup", stage="backup", figures={"network_users": {"value": 42, "items": []}})
    table = {"left": 0, "kept": 1, "rows": 11, "baseline": 10}
    lay("test-data-proof", deleted=7, tables={"b_crm_lead": table}, other=[], missing=[])
    hours = [1] * 168
    kind = {"hours": hours, "weeks": 12.0, "first": "2026-09-01 10:00:00", "last": "2026-11-20 10:00:00"}
    (project.root / "evidence" / "arrivals.json").write_text(
        json.dumps(
            {
                "schema": 1,
                "release": "final-1",
                "timezone": "Europe/Moscow",
                "backup": {"began": "2026-11-20 18:00:00", "ended": "2026-11-20 18:20:00", "zone": None},
                "kinds": {"leads": kind | {"weekly": []}},
            }
        )
    )
    with project.journal() as journal:
        journal.verdict("final", "lead:web-form-1", "final-1", verdict="confirm", by="Anna", note=None)


@BOTH
@pytest.mark.parametrize("name", LETTERS)
def test_every_letter_is_written_when_nothing_is_known(
    project: Project, name: str, language: Language
) -> None:
    written = render(project, name, language, Pass.FINAL)
    assert written.text.startswith(("Subject: ", "Тема: "))
    assert written.unknown
    assert SAYING[language].unknown.format(command=written.unknown[0]) in written.text
    assert "{{" not in written.text
    assert "None" not in written.text
    rehearsal = render(project, name, language, Pass.REHEARSAL)
    assert "final-1" not in rehearsal.text


@BOTH
@pytest.mark.usefixtures("known")
def test_figures_stand_where_they_are_known(project: Project, language: Language) -> None:
    notice = render(project, "notice", language, Pass.FINAL).text
    assert "2026, 18:00" in notice
    passwords = render(project, "passwords", language, Pass.FINAL)
    assert "42" in passwords.text
    health = render(project, "health", language, Pass.FINAL).text
    assert "b_crm_lead" in health
    assert "11" in health


@BOTH
@pytest.mark.usefixtures("known")
def test_the_timetable_has_a_line_for_each_source_and_step(project: Project, language: Language) -> None:
    text = render(project, "timetable", language, Pass.FINAL).text
    assert text.count("Call me back") == 1
    assert "Ivanova Anna" in text
    assert "https://portal.acme.example/upload/crm/form/loader_1_a.js" in text
    assert "[x]" in text
    waited = [
        step
        for phase, step in default_plan().steps()
        if phase.urgency is Urgency.HIGH and Pass.FINAL in step.passes
    ]
    assert all(SAYING[language].steps.get(step.id, step.title) in text for step in waited)
    assert "\n\n\n" not in text


@BOTH
@pytest.mark.parametrize("name", LETTERS)
def test_no_letter_carries_a_link_or_a_password(project: Project, name: str, language: Language) -> None:
    own = template(project.root, language, name)
    own.write_text(f"{own.read_text()}\n{LINK}\n{PASSWORD}\nhttps://x.example/?key=canary\n")
    text = render(project, name, language, Pass.FINAL).text
    assert "canary" not in text
    assert "backup.cloud.example" not in text


def test_what_is_done_stands_with_its_time(project: Project) -> None:
    with project.journal() as journal:
        for step in ("request-backup", "inform-users"):
            journal.verdict("final", step, "final-1", verdict="confirm", by="A", note=None)
    text = render(project, "timetable", "en", Pass.FINAL).text
    assert text.count("[x]") == 2
    assert text.count("done ") == 2


def test_the_domain_of_production_is_found(project: Project) -> None:
    folder = project.inventory / "group_vars"
    all_hosts = folder / "all" / "project.yml"
    all_hosts.write_text(all_hosts.read_text().replace("portal_domain:", "other_domain:"))
    (folder / "production" / "names.yml").write_text("portal_domain: portal.acme.example\n")
    assert "https://portal.acme.example/" in render(project, "health", "en").text


def test_everything_has_russian_words() -> None:
    russian = SAYING["ru"]
    waited = {step.id for phase, step in default_plan().steps() if phase.urgency is Urgency.HIGH}
    assert waited == set(russian.steps)
    assert {risk.id for risk in load_register(None)} == set(russian.defects)
    for saying in SAYING.values():
        assert set(saying.kinds) == set(LeadKind)
    assert set(russian.actions) == set(LeadKind)


def test_init_copies_and_never_overwrites(project: Project) -> None:
    for language in LANGUAGES:
        assert template(project.root, language, "notice").is_relative_to(project.root)
    own = project.root / "letters" / "en" / "notice.txt.j2"
    own.write_text("changed {{ project }}\n")
    (project.root / "letters" / "en" / "health.txt.j2").unlink()
    copy_templates(project.root)
    assert own.read_text() == "changed {{ project }}\n"
    assert render(project, "notice", "en").text == "changed acme\n"


def test_a_project_without_templates_uses_the_built_in_ones(project: Project) -> None:
    for path in (project.root / "letters").rglob("*.j2"):
        path.unlink()
    written = render(project, "health", "en")
    assert "DECLARATION" in written.text
    assert not written.source.is_relative_to(project.root)


def test_a_letter_of_ones_own(project: Project) -> None:
    folder = project.root / "letters" / "en"
    (folder / "thanks.txt.j2").write_text("Thanks, {{ release }}: {% include 'part.txt.j2' %}")
    (folder / "part.txt.j2").write_text("{{ deadline | moment }}")
    assert names(project.root, "en")[-2:] == ["part", "thanks"]
    assert render(project, "thanks", "en").text.startswith("Thanks, rehearsal-1: [not known yet")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("one\n{{ no_such }}\n", 2, "'no_such' is undefined"),
        ("one\ntwo\n{% if %}", 3, "Expected an expression"),
        ("{{ steps[0].no_such }}", 1, "no attribute 'no_such'"),
        ("a\n{{ project | no_such }}", 2, "No filter named 'no_such'"),
        ("{{ project | moment }}", 1, "Invalid isoformat"),
        ("a\nb\n{{ 1 / 0 }}", 3, "division by zero"),
        ("{% include 'no_such.txt.j2' %}", 1, "no template `no_such.txt.j2`"),
        ("{{ steps.__class__.__mro__ }}", 1, "unsafe"),
    ],
)
def test_what_is_wrong_in_a_template_is_named_with_its_line(
    project: Project, text: str, line: int, said: str
) -> None:
    path = project.root / "letters" / "en" / "notice.txt.j2"
    path.write_text(text)
    with pytest.raises(UsageError) as raised:
        render(project, "notice", "en")
    assert f"notice.txt.j2:{line}: " in raised.value.message
    assert said in raised.value.message


def test_unknown_names_and_languages(project: Project) -> None:
    with pytest.raises(UsageError, match="did you mean `notice`"):
        render(project, "notise", "en")
    with pytest.raises(UsageError, match="not in `de`"):
        render(project, "notice", cast(Language, "de"))


def test_filters() -> None:
    english, russian = (filters(language, Clock()) for language in get_args(Language))
    assert english["duration"](90_061) == "1 d 1 h"
    assert russian["duration"](3 * 3600 + 125) == "3 ч 2 мин"
    assert english["duration"](0) == "0 s"
    assert english["duration"](3605) == "1 h"
    assert english["size"](30_200_000_000) == "30.2 GB"
    assert russian["size"](5e15) == "5000.0 ТБ"
    assert english["moment"]("2026-11-20 18:04:00") == "Fri 20 Nov 2026, 18:04"
    assert russian["moment"]("2026-11-20 18:04:00") == "пт 20 ноя 2026, 18:04"
    assert russian["kind"]("web-form") == "веб-форма"
    missing = Unknown("ru", "x")
    assert english["moment"](missing) is missing
    assert not missing
