"""`boxlift forecast`, and what other commands say of when it will be done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
from typer.testing import CliRunner

from boxlift import forecast as forecasting
from boxlift.cli import app
from boxlift.cli.forecasting import parse_size
from boxlift.errors import BoxliftError, UsageError
from boxlift.forecast.arrivals import FILE
from boxlift.plan import Pass
from boxlift.project import Project, create, load
from tests.unit.forecast.diary import GB, Diary
from tests.unit.forecast.test_gap import pattern

pytestmark = pytest.mark.slow

CONTRACT = Path(__file__).parents[3] / "docs" / "contracts" / "forecast.schema.json"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")
    monkeypatch.chdir(made.root)
    Diary(made.state / "journal.db").go(Pass.REHEARSAL).journal.close()
    return made


def count_leads(project: Project) -> None:
    path = project.root / FILE
    path.parent.mkdir()
    path.write_text(pattern().model_dump_json(by_alias=True))


def call(*words: str, code: int = 0) -> str:
    ended = CliRunner().invoke(app, words)
    if isinstance(ended.exception, BoxliftError):
        assert ended.exception.code == code, ended.exception.message
        return ended.exception.message
    assert ended.exit_code == code, ended.output
    return ended.output


def told(*words: str) -> Any:
    found = json.loads(call("forecast", *words, "--json"))
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(json.loads(CONTRACT.read_text()), format_checker=checker).validate(found)
    return found


def test_after_the_rehearsal_the_final_pass_is_forecast(project: Project) -> None:
    count_leads(project)
    found = told("--deadline", "2030-01-01T09:00")
    assert found["pass"] == "final"
    assert found["starts"]["kind"] == "leads"
    assert found["decision"]["deadline"] == "2030-01-01T06:00:00.000Z"
    assert found["restore"]["bytes"] == 30 * GB
    assert told("--pass", "rehearsal")["complete"]


def test_the_table_says_what_stands_behind_each_figure(project: Project) -> None:
    count_leads(project)
    output = call("forecast", "--size", "34GB", "--deadline", "2030-01-01")
    assert "measured: 1200 slices of 1 transfer; how days differ is a prior" in output
    assert "history: once; the next is below the worst with 50 %" in output
    assert "estimate: the plan's guess" in output
    assert "what dominates: " in output
    assert "backup of 34.0 GB (as you said)" in output
    assert "latest hour to say go" in output
    assert "(worst)" in output


def test_an_empty_project_has_a_forecast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    template = tmp_path / "template"
    template.mkdir()
    made = create(tmp_path / "new", template=template, vault_password_file=tmp_path / "password")
    monkeypatch.chdir(made.root)
    assert told()["pass"] == "rehearsal"
    assert "no restore has been measured yet" in call("forecast")


@pytest.mark.parametrize(
    ("text", "size"),
    [("32GB", 32 * GB), ("1.5 TB", 1500 * GB), ("800MB", 800_000_000), ("7k", 7000), ("5", 5)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "0", "1e9", "12XB", "nan"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


def test_the_size_is_that_of_parts_that_lie_here(project: Project) -> None:
    folder = project.root / "parts"
    folder.mkdir()
    for name, size in (("a.tar.gz", 600), ("a.tar.gz.1", 300), ("b.tar.gz", 5)):
        (folder / name).write_bytes(b"x" * size)
    project.set_backup(Pass.FINAL, ["parts/a.tar.gz"])
    found = told()["restore"]
    assert (found["bytes"], found["earlier"]) == (900, 30 * GB)


def test_the_size_behind_a_link_is_what_the_check_learned(project: Project) -> None:
    link = "https://cloud.example/a.tar.gz"
    project.set_backup(Pass.FINAL, [f"{link}?signature=canary"])
    assert told()["restore"]["bytes"] == 30 * GB
    project.remember_size(Pass.FINAL, 32 * GB)
    project.set_backup(Pass.FINAL, [f"{link}?signature=another"])
    assert told()["restore"]["bytes"] == 32 * GB
    assert "canary" not in call("forecast")
    project.set_backup(Pass.FINAL, ["https://cloud.example/later.tar.gz"])
    assert told()["restore"]["bytes"] == 30 * GB


def test_the_deadline_of_the_project_is_by_the_portals_clock(project: Project) -> None:
    settings = project.root / "boxlift.yml"
    settings.write_text(settings.read_text() + "deadline: 2030-01-01 09:00\n")
    moscow = datetime(2030, 1, 1, 9, tzinfo=ZoneInfo("Europe/Moscow"))
    inventory = project.inventory / "group_vars" / "all"
    inventory.mkdir(parents=True, exist_ok=True)
    (inventory / "project.yml").write_text("portal_timezone: Europe/Moscow\n")
    with project.journal() as journal:
        decision = forecasting.ask(load(project.root), journal, Pass.FINAL).decision
    assert decision is not None
    assert decision.deadline == moscow.timestamp()
    assert "the latest hour to say go is 20" in call("status", "--pass", "final")


def test_a_deadline_that_is_none_is_refused(project: Project) -> None:
    settings = project.root / "boxlift.yml"
    settings.write_text(settings.read_text() + "deadline: soon\n")
    assert "deadline" in call("forecast", code=2)


def test_status_and_plan_say_when_it_will_be_done(project: Project) -> None:
    assert "80 of 100 moves by" in call("status", "--pass", "final")
    assert "80 of 100 moves by" in call("plan", "--pass", "final")


def test_a_broken_count_of_leads_stops_the_forecast_and_nothing_else(project: Project) -> None:
    path = project.root / FILE
    path.parent.mkdir()
    path.write_text("{")
    assert "arrivals.json" in call("forecast", code=2)
    assert "80 of 100 moves by" in call("status", "--pass", "final")


def test_a_forecast_is_frozen_once_a_release_and_once_more_when_its_backup_has_come(project: Project) -> None:
    with project.journal() as journal:
        forecasting.freeze(project, journal, Pass.FINAL)
        forecasting.freeze(project, journal, Pass.FINAL)
        assert len(journal.forecasts()) == 1
        assert json.loads(journal.forecasts()[0].content)["starts"] is None
    call("confirm", "request-backup", "--by", "A", "--pass", "final")
    with project.journal() as journal:
        assert [frozen.release for frozen in journal.forecasts()] == ["final-1", "final-1"]


def test_to_decide_go_no_go_shows_its_latest_hour(project: Project) -> None:
    settings = project.root / "boxlift.yml"
    settings.write_text(settings.read_text() + "deadline: 2030-01-01T09:00:00Z\n")
    loaded = load(project.root)
    with loaded.journal() as journal:
        (line,) = forecasting.advice(loaded, journal, Pass.FINAL, "go-no-go")
        assert line.startswith("the latest hour to say go is 20")
        assert forecasting.advice(loaded, journal, Pass.FINAL, "soak") == []


def test_other_commands_do_not_wait_for_numbers() -> None:
    program = "import sys, boxlift.cli; sys.exit('numpy' in sys.modules)"
    found = {"PYTHONPATH": os.pathsep.join(sys.path), "PATH": ""}
    ended = subprocess.run([sys.executable, "-c", program], check=False, env=found)
    assert ended.returncode == 0
