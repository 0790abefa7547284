"""The wizard is answered as a browser would, and its errors reach the operator."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.boxlift_wizard import WizardError, install, is_installer, next_request, parse

from library import portal_wizard


def page(step: str, following: str, body: str = "") -> str:
    return (
        f'<html><form method="post" action="/index.php" name="__wizard_form">'
        f'<input type="hidden" name="CurrentStepID" value="{step}">'
        f'<input type="hidden" name="NextStepID" value="{following}">{body}'
        f'<input type="submit" name="StepNext" value="Next"></form></html>'
    )


AGREEMENT = page(
    "agreement",
    "create_modules",
    '<input type="checkbox" name="__wiz_agree_license" value="Y"><input name="__wiz_kept" value="as it is">',
)
MODULES = page(
    "create_modules",
    "create_admin",
    '<input type="hidden" name="__wiz_nextStep" value="main">'
    '<input type="hidden" name="__wiz_nextStepStage" value="database">',
)
STAGES = {
    (
        "main",
        "database",
    ): "[response]window.ajaxForm.Post({'nextStep': 'main', 'nextStepStage': 'files'}, 'x');[/response]",
    ("main", "files"): "[response]window.ajaxForm.Post('__finish', '', 'done');[/response]",
    ("__finish", ""): page("create_admin", "finish", '<input name="__wiz_login" value="">'),
}


class Site:
    """Enough of the product's wizard to be answered."""

    def __init__(self, stages: Mapping[tuple[str, str], str] = STAGES) -> None:
        self.stages = stages
        self.posts: list[dict[str, str]] = []

    def send(self, path: str, fields: Mapping[str, str] | None) -> str:
        if fields is None:
            return AGREEMENT
        assert path == "/index.php"
        self.posts.append(dict(fields))
        step = fields["CurrentStepID"]
        if step == "agreement":
            return MODULES if fields.get("__wiz_agree_license") == "Y" else AGREEMENT
        if step == "create_modules":
            return self.stages[fields["__wiz_nextStep"], fields["__wiz_nextStepStage"]]
        return "<html>a portal</html>"


def test_goes_through() -> None:
    site = Site()
    steps = install(site.send, {"__wiz_agree_license": "Y", "__wiz_login": "admin"})
    assert steps == ["agreement", "create_modules", "create_admin"]
    assert site.posts[0]["__wiz_kept"] == "as it is"
    assert site.posts[0]["StepNext"] == "Y"
    assert [
        (post["__wiz_nextStep"], post["__wiz_nextStepStage"])
        for post in site.posts
        if post["CurrentStepID"] == "create_modules"
    ] == list(STAGES)
    assert site.posts[-1]["__wiz_login"] == "admin"


def test_a_step_that_comes_again_is_an_error() -> None:
    with pytest.raises(WizardError, match="agreement"):
        install(Site().send, {})


def test_an_error_of_a_module_is_told() -> None:
    stages = {
        ("main", "database"): page(
            "create_modules", "create_admin", '<div id="error_text">Table <b>b_x</b> exists</div>'
        )
    }
    with pytest.raises(WizardError, match="create_modules, main: Table b_x exists"):
        install(Site(stages).send, {"__wiz_agree_license": "Y"})


def test_an_answer_that_asks_for_nothing_is_an_error() -> None:
    with pytest.raises(WizardError, match="out of memory"):
        install(Site({("main", "database"): "out of memory"}).send, {"__wiz_agree_license": "Y"})


def test_a_stage_that_does_not_advance_is_an_error() -> None:
    again = "Post({'nextStep': 'main', 'nextStepStage': 'database'}, 'x')"
    with pytest.raises(WizardError, match="asks for main again"):
        install(Site({("main", "database"): again}).send, {"__wiz_agree_license": "Y"})


def test_an_installed_portal_has_nothing_to_answer() -> None:
    assert install(lambda _path, _fields: "<html>log in</html>", {}) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Post({nextStep: 'a', nextStepStage: 0}, 'x')", {"__wiz_nextStep": "a", "__wiz_nextStepStage": "0"}),
        ("Post('a', 'b', 'c')", {"__wiz_nextStep": "a", "__wiz_nextStepStage": "b"}),
        ("nothing", {}),
    ],
)
def test_next_request(text: str, expected: dict[str, str]) -> None:
    assert next_request(text) == expected


def test_a_following_wizard_is_not_the_installer() -> None:
    assert not is_installer(parse(page("select_template", "site_settings")))


class Browser:
    """Sees the installer until it has been gone through, if it ever is."""

    def __init__(self, *, ends: bool) -> None:
        self.ends = ends
        self.gone = False

    def send(self, path: str, fields: Mapping[str, str] | None) -> str:
        return "<html>portal</html>" if self.gone else AGREEMENT

    def install(self, *_: object) -> list[str]:
        self.gone = self.ends
        return ["agreement", "finish"]


def gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, browser: Browser, *, looks: bool = False
) -> dict[str, Any]:
    @contextmanager
    def served(_: object) -> Iterator[Browser]:
        yield browser

    monkeypatch.setattr(portal_wizard, "served", served)
    monkeypatch.setattr(portal_wizard, "install", browser.install)
    given: dict[str, Any] = {
        "ended_file": str(tmp_path / "ended"),
        "state": "read" if looks else "installed",
        "answers": {},
        "secret_answers": {},
    }
    return portal_wizard.go_through(given, looks=looks)


def test_an_end_of_the_wizard_stays_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever started it may be gone by then: the next run must know that this database is whole."""
    browser = Browser(ends=True)
    assert gone_through(tmp_path, monkeypatch, browser)["steps"] == ["agreement", "finish"]
    seen = gone_through(tmp_path, monkeypatch, browser, looks=True)
    assert seen == {"changed": False, "installed": True, "ended": True, "running": False, "steps": []}


def test_a_wizard_that_hides_itself_without_an_end_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(ends=False)
    with pytest.raises(WizardError, match="still there after agreement → finish"):
        gone_through(tmp_path, monkeypatch, browser)
    browser.gone = True
    assert gone_through(tmp_path, monkeypatch, browser, looks=True)["ended"] is False


class EndError(Exception):
    """The module has said its last word."""


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("read", {"running": True, "installed": False}),
        ("installed", {"msg": "installation wizard: another run is going through it"}),
    ],
)
def test_two_runs_do_not_go_through_one_wizard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str, told: dict[str, object]
) -> None:
    (tmp_path / "index.php").touch()
    said: dict[str, Any] = {}

    def end(**words: Any) -> None:
        said.update(words)
        raise EndError

    params = {"root": str(tmp_path), "state": state, "ended_file": str(tmp_path / "ended")}
    module = SimpleNamespace(params=params, check_mode=False, exit_json=end, fail_json=end)
    monkeypatch.setattr(portal_wizard, "AnsibleModule", lambda **_: module)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(EndError):
        portal_wizard.main()
    os.close(other)
    assert {name: said[name] for name in told} == told
    with portal_wizard.alone(str(tmp_path)) as free:
        assert free
