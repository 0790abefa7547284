"""The wizard is answered as a browser would, and its errors reach the operator."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from ansible.module_utils.boxlift_wizard import WizardError, install, is_installer, next_request, parse


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
