"""The command line: what exists, what it prints, and that its JSON keeps the published schemas."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from boxlift.cli import app, main, running
from boxlift.errors import BoxliftError
from boxlift.journal import Result, Segment
from boxlift.plan import Pass
from boxlift.project import Project, create, load, new_secrets
from boxlift.project.vault import encrypt

CONTRACTS = Path(__file__).parents[2] / "docs" / "contracts"
RUNNER = CliRunner()
COMMANDS = [
    *("init", "wheels", "check", "confirm", "note", "plan", "status", "journal", "risks", "letter"),
    *("forecast", "report", "watch"),
    *("run", "verify", "activate", "rollback", "clone", "backup", "certificate", "lab"),
]
INIT = [
    *("--domain", "portal.acme.example", "--staging-domain", "staging.acme.example"),
    *("--telephony-domain", "pbx.acme.example", "--timezone", "Europe/Moscow"),
    *("--portal-host", "10.0.0.1", "--staging-host", "10.0.0.2", "--telephony-host", "10.0.0.3"),
]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    template = tmp_path / "template"
    template.mkdir()
    made = create(tmp_path / "acme", template=template, vault_password_file=tmp_path / "password")
    monkeypatch.chdir(made.root)
    with made.journal() as journal:
        attempt = journal.begin(
            run=1,
            pass_="rehearsal",
            phase="prepare",
            step="provision-production",
            kind="playbook",
            release="rehearsal-1",
            trial=False,
            log=".boxlift/runs/0001/provision-production.log",
        )
        journal.add(
            attempt,
            [Result("p", "r", "t", "portal-1", 1.0, 2.0, 1.0, "changed")],
            [Segment("portal-1", 1.5, "running", bytes=1, rate=2.0)],
        )
        journal.end(attempt, "failed", 4, changes=1, cause="broke\nmore")
        journal.incident("rehearsal", "note", "the line was down", cost=60.0)
        journal.verdict("rehearsal", "request-backup", "rehearsal-1", verdict="confirm", by="A", note=None)
    return made


def call(*words: str, code: int = 0) -> str:
    ended = RUNNER.invoke(app, words, catch_exceptions=True)
    if isinstance(ended.exception, BoxliftError):
        assert ended.exception.code == code, ended.exception.message
        return ended.exception.message
    assert ended.exit_code == code, ended.output
    return ended.output


def data(name: str, *words: str) -> Any:
    """Output of a command, checked against its schema."""
    found = json.loads(call(*words, "--json"))
    schema = json.loads((CONTRACTS / f"{name}.schema.json").read_text())
    checker = jsonschema.FormatChecker()
    jsonschema.Draft202012Validator(schema, format_checker=checker).validate(found)
    return found


def test_commands() -> None:
    output = call("--help")
    for name in COMMANDS:
        assert f"│ {name} " in output
        call(name, "--help")


@pytest.mark.parametrize("name", ["init", "confirm", "letter", "note", "risks", "run", "verify"])
def test_help_has_an_example(name: str) -> None:
    assert f"boxlift {name}" in call(name, "--help").partition("Example")[2]


def test_every_schema_is_sound() -> None:
    for path in CONTRACTS.glob("*.json"):
        jsonschema.Draft202012Validator.check_schema(json.loads(path.read_text()))


def test_plan(project: Project) -> None:
    found = data("plan", "plan")
    assert [phase["id"] for phase in found["phases"]] == ["prepare", "move", "settle"]
    step = found["phases"][0]["steps"][0]
    assert (step["state"], step["cause"], step["attempts"]) == ("failed", "broke\nmore", 1)
    assert data("plan", "plan", "--pass", "final")["release"] == "final-1"
    output = call("plan")
    assert "provision-production" in output
    assert "open-portal" not in output


def test_a_person_says_when_a_step_was_ordered(project: Project) -> None:
    folder = project.inventory / "group_vars" / "all"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zone.yml").write_text("portal_timezone: Europe/Moscow\n")
    ordered = datetime.now(ZoneInfo("Europe/Moscow")) - timedelta(hours=30)
    text = ordered.strftime("%Y-%m-%dT%H:%M")
    words = ("confirm", "buy-certificate", "--by", "Anna", "--began")
    late = (ordered + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert "has not come yet" in call(*words, late, code=2)
    assert "more than a year" in call(*words, "1970-01-02", code=2)
    call(*words, "0001-01-01", code=2)
    call(*words, "9999-12-31", code=2)
    assert "--began" in call(*words, text, "--refuse", code=2)
    assert "--began" in call("confirm", "risk:mobile-app", "--by", "Anna", "--began", text, code=2)
    call(*words, "yesterday", code=2)
    call(*words, text)
    step = next(
        step
        for phase in data("plan", "plan")["phases"]
        for step in phase["steps"]
        if step["id"] == "buy-certificate"
    )
    assert datetime.fromisoformat(step["started"]) == ordered.replace(second=0, microsecond=0)
    assert 30 * 3600 <= step["seconds"] < 30 * 3600 + 120
    assert "1 d 6 h" in call("plan")
    row = next(row for row in data("journal", "journal")["records"] if row["step"] == "buy-certificate")
    assert (row["step"], row["began"]) == ("buy-certificate", step["started"])
    assert "since" in call("journal")


def test_commands_that_are_next_name_the_folder_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert data("status", "status")["next_command"] == "boxlift run provision-production"
    monkeypatch.chdir(tmp_path)
    place = f"-C {project.root}"
    found = data("status", *place.split(), "status")
    assert found["next_command"] == f"boxlift {place} run provision-production"
    assert found["next_command"] in found["next"]
    confirm = [*place.split(), "confirm", "request-backup", "--by", "Anna"]
    for words, cure in (
        (["request-backup"], f"boxlift {place} confirm request-backup --by NAME --reopen"),
        (["go-no-go", "--pass", "final"], f"boxlift {place} status"),
        (["provision-production"], f"boxlift {place} run provision-production"),
    ):
        ended = RUNNER.invoke(app, [*confirm[:3], *words, *confirm[4:]])
        assert isinstance(ended.exception, BoxliftError)
        assert ended.exception.cure == cure


def test_risks(project: Project) -> None:
    found = data("risks", "risks")
    assert [risk["state"] for risk in found["risks"]] == ["open"] * 10
    assert "10 open; lead sources are not collected yet" in call("risks")
    assert "boxlift confirm risk:mobile-app" in call("risks", "mobile-app")
    assert "did you mean `mobile-app`" in call("risks", "mobil-app", code=2)
    assert "not both" in call("risks", "mobile-app", "--leads", code=2)
    assert "cleared, says Anna" in call("confirm", "risk:mobile-app", "--by", "Anna")
    assert len(data("risks", "risks", "mobile-app")["risks"]) == 1


def test_lead_sources(project: Project) -> None:
    assert data("leads", "risks", "--leads")["collected"] is None
    assert "not collected yet" in call("risks", "--leads")
    path = project.root / "evidence" / "rehearsal-1" / "leads.json"
    path.parent.mkdir(parents=True)
    source = {
        "id": "web-form-1",
        "kind": "web-form",
        "title": "[bold]Call me[/]",
        "active": True,
        "owner": "Anna",
        "new_address": "https://portal.acme.example/upload/crm/form/loader_1_a.js",
    }
    head = {"schema": 1, "release": "rehearsal-1", "collected": "2026-11-22T10:00:00Z", "domain": "x"}
    path.write_text(json.dumps(head | {"sources": [source]}))
    assert data("leads", "risks", "--leads")["sources"][0]["state"] == "open"
    shown = call("risks", "--leads")
    assert "[bold]Call me[/]" in shown
    assert "1 of 1 lead source to be confirmed" in shown
    assert "every lead source is confirmed" in call("confirm", "lead:web-form-1", "--by", "Anna")
    assert "confirmed by Anna" in call("risks", "--leads")


def test_letter(project: Project) -> None:
    assert "asks the cloud's support for the backup" in call("letter")
    assert call("letter", "notice", "--lang", "ru").startswith("Тема: ")
    assert "did you mean `health`" in call("letter", "helth", code=2)


def test_status(project: Project) -> None:
    found = data("status", "status")
    assert found["next_command"] == "boxlift run provision-production"
    lines = call("status").splitlines()
    assert [line.split()[0] for line in lines] == ["where", "next", "who", "done", "back"]


def test_journal(project: Project) -> None:
    found = data("journal", "journal", "--tasks")
    kinds = {row["kind"] for row in found["records"]}
    assert kinds == {"attempt", "task", "segment", "verdict", "note"}
    assert "the line was down" in call("journal")
    assert call("journal", "--format", "csv").startswith("kind,at,pass,step,")
    line = json.loads(call("journal", "--format", "jsonl").splitlines()[0])
    record = {key: line[key] for key in line if key != "schema"}
    assert record in found["records"]


def test_confirm_refuse_reopen(project: Project) -> None:
    assert "inform-users is confirmed by Anna; next: provision-production" in call(
        "confirm", "inform-users", "--by", "Anna", "--note", "by mail"
    )
    assert "open again" in call("confirm", "inform-users", "--by", "Anna", "--reopen")
    call("confirm", "inform-users", "--by", "Anna")
    assert "doubtful now, do or confirm them again: inform-users" in call(
        "confirm", "request-backup", "--by", "Anna", "--reopen"
    )
    assert "? inform-users may not hold any more: request-backup is not done any more" in call("plan")
    assert data("plan", "plan")["phases"][1]["steps"][1]["doubt"] == "request-backup is not done any more"
    assert data("status", "status")["doubtful"] == ["inform-users"]
    call("confirm", "request-backup", "--by", "Anna")
    assert "refused by Anna" in call("confirm", "inform-users", "--by", "Anna", "--refuse")
    assert "did you mean `inform-users`" in call("confirm", "inform-user", "--by", "A", code=2)
    assert "exclude each other" in call(
        "confirm", "inform-users", "--by", "A", "--refuse", "--reopen", code=2
    )
    assert "needs steps that are not done" in call("confirm", "check-telephony", "--by", "A", code=6)


def test_confirming_the_final_pass_chooses_it(project: Project) -> None:
    output = call("confirm", "request-backup", "--by", "Anna", "--pass", "final")
    assert f"next: put the backup's link into {project.root}/backup/final.txt, chmod 600" in output
    assert data("status", "status")["pass"] == Pass.FINAL


def test_note(project: Project) -> None:
    call("note", "went for [coffee] at https://x.example/a?sig=canary", "--step", "restore-backup")
    assert "canary" not in call("journal")
    assert "went for [coffee]" in call("journal")
    assert "did you mean `restore-backup`" in call("note", "x", "--step", "restore-backu", code=2)


def test_a_note_needs_words(project: Project) -> None:
    assert "needs words" in call("note", " ", code=2)
    assert len([row for row in data("journal", "journal")["records"] if row["kind"] == "note"]) == 1


def test_no_terminal_obeys_what_was_said(project: Project) -> None:
    call("note", "gone \x1b[2J red")
    assert "gone  [2J red" in call("journal")
    call("confirm", "buy-certificate", "--by", "An\x1b[31mna")
    assert "\x1b" not in call("journal") + call("status")


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "is no boxlift project" in call("status", code=2)
    assert "there is no folder" in call("-C", str(tmp_path / "absent"), "status", code=2)


def test_init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    assert "next: look through inventory/, then: boxlift wheels, boxlift check" in call("init", "acme", *INIT)
    assert "is a boxlift project already" in call("init", "acme", *INIT, code=2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "boxlift init needs --domain, --staging-domain, --telephony-domain, --timezone"),
        ((*INIT, "--timezone", "Europe/Moskow"), "no time zone; did you mean `Europe/Moscow`"),
        ((*INIT, "--domain", "portal_acme"), "`portal_acme` is no domain name"),
        ((*INIT, "--portal-host", ""), "`` is no address of a host"),
        ((*INIT, "--portal-host", "{{ 7 * 7 }}"), "`{{ 7 * 7 }}` is no address of a host"),
        ((*INIT, "--name", "Bad Name!"), "`Bad Name!` is no name of a project"),
    ],
)
def test_init_refuses_what_is_missing_or_wrong(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    assert message in call("init", str(tmp_path / "acme"), *words, code=2)
    assert not (tmp_path / "acme").exists()


def test_a_project_of_an_earlier_boxlift_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    call("init", "acme", *INIT)
    assert "nothing is lacking" in call("init", "acme", "--complete")
    made = load(tmp_path / "acme")
    folder = made.inventory / "group_vars" / "production"
    earlier = {**new_secrets(), "vault_cache_password": ""}
    elsewhere = earlier.pop("vault_push_signature_key")
    (folder / "vault.yml").write_bytes(encrypt(earlier, made.vault({})))
    (folder / "own.yml").write_text(f"vault_push_signature_key: {elsewhere}\n")
    (made.root / ".gitignore").write_text("/backup/\n")
    told = call("-C", "acme", "init", "--complete").splitlines()
    # What it is at is told where it takes long.
    added = [line for line in told if not line.startswith("…")]
    assert added[0] == "✓ inventory/group_vars/production/vault.yml: vault_cache_password"
    assert added[1].startswith("✓ .gitignore: /.boxlift/ /certificates/")
    assert "nothing is lacking" in call("init", "acme", "--complete")
    assert "takes no other option" in call("init", "acme", "--complete", "--name", "acme", code=2)
    assert "is no boxlift project" in call("init", "--complete", code=2)


def test_words_that_are_no_text_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["boxlift", "note", "\udcff\udcfe"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "word 2 of the command line is no UTF-8 text" in capsys.readouterr().err


def test_main_prints_message_and_cure_and_ends_with_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["boxlift", "-C", str(tmp_path), "status"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"✗ {tmp_path} is no boxlift project")
    assert lines[1].startswith("  next: ")


def test_ctrl_c_is_130_also_at_a_question(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def abort(*_: object, **__: object) -> bool:
        raise typer.Abort

    def asking(*_: object, ask: Callable[[str], bool], **__: object) -> int:
        return int(ask("open-portal changes: all"))

    monkeypatch.setattr("typer.confirm", abort)
    monkeypatch.setattr(running, "run_plan", asking)
    monkeypatch.setattr(running, "sys", SimpleNamespace(stdin=SimpleNamespace(isatty=lambda: True)))
    ended = RUNNER.invoke(app, ["run"])
    assert ended.exit_code == 130


def test_amounts_exclude_each_other(project: Project) -> None:
    assert "--quiet and --verbose exclude each other" in call("run", "--quiet", "--verbose", code=2)
    assert "--verbose and --json exclude each other" in call("verify", "--json", "--verbose", code=2)
