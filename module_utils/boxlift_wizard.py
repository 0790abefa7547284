"""The portal's installation wizard, driven as a browser drives it (portal_runtime B).

A page carries one form ``__wizard_form`` whose fields hold the whole state: the wizard keeps none between
requests. A step is answered with all its fields, our answers among them, and ``StepNext``. The step that
installs modules answers with ``[response] … Post({nextStep, nextStepStage})`` until a page comes again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Steps of the installer; another step id belongs to a wizard that follows it.
INSTALLER_STEPS = frozenset(
    {
        "welcome",
        "agreement",
        "select_database",
        "check_license_key",
        "requirements",
        "create_database",
        "create_modules",
        "create_admin",
        "select_wizard",
        "finish",
    }
)

_POST_OBJECT = re.compile(r"Post\(\s*\{(.*?)\}", re.S)
_POST_POSITIONS = re.compile(r"Post\(\s*'([^']*)'\s*,\s*'([^']*)'")
_PAIR = re.compile(r"""['"]?(\w+)['"]?\s*:\s*['"]?([^'",}]*)['"]?""")
_ERROR = re.compile(r'id="error_text"[^>]*>(.*?)</(?:div|span|td)>', re.S)
_MAX_REQUESTS = 2000


class WizardError(Exception):
    """The wizard shows an error, or something that is no wizard."""


@dataclass
class Page:
    """A page of the wizard: its step and the form's fields with their present values."""

    text: str
    is_wizard: bool = False
    action: str = "/index.php"
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def step(self) -> str:
        """Id of the step that the page shows."""
        return self.fields.get("CurrentStepID", "")

    @property
    def error(self) -> str:
        """The error that the page shows, or an empty text."""
        found = _ERROR.search(self.text)
        return plain(found.group(1)) if found else ""

    @property
    def asks_in_background(self) -> bool:
        """Tell whether the step goes on by background requests."""
        return "__wiz_nextStep" in self.fields or "CAjaxForm" in self.text


class _Form(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.inside = self.found = False
        self.action = "/index.php"
        self.fields: dict[str, str] = {}
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and "__wizard_form" in (given.get("name"), given.get("id")):
            self.inside = self.found = True
            self.action = given.get("action") or self.action
        if not self.inside:
            return
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select and ("selected" in given or self._select not in self.fields):
            self.fields[self._select] = given.get("value", "")
        elif tag == "textarea" and name:
            self.fields[name] = ""
        elif tag == "input" and name:
            if kind in ("submit", "button", "image", "reset"):
                return
            if kind in ("checkbox", "radio") and "checked" not in given:
                return
            self.fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "select":
            self._select = ""


def plain(text: str) -> str:
    """Return the words of a piece of HTML."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text))).strip()


def parse(text: str) -> Page:
    """Read a page."""
    form = _Form()
    form.feed(text)
    return Page(text, form.found, form.action, form.fields)


def next_request(text: str) -> dict[str, str]:
    """Read which step a background answer asks for next; empty when it asks for none."""
    if found := _POST_OBJECT.search(text):
        return {f"__wiz_{name}": value for name, value in _PAIR.findall(found.group(1))}
    if found := _POST_POSITIONS.search(text):
        return {"__wiz_nextStep": found.group(1), "__wiz_nextStepStage": found.group(2)}
    return {}


Send = Callable[[str, Mapping[str, str] | None], str]


def is_installer(page: Page) -> bool:
    """Tell whether a page belongs to the installer."""
    return page.is_wizard and page.step in INSTALLER_STEPS


def install(send: Send, answers: Mapping[str, str]) -> list[str]:
    """Go through the installer and return the steps that were taken.

    ``send(path, fields)`` posts fields, or gets the path when they are None, and returns the text.

    Raises:
        WizardError: a step shows an error, or comes again after it was answered.
    """
    steps: list[str] = []
    page = parse(send("/", None))
    for _ in range(len(INSTALLER_STEPS) * 2):
        if not is_installer(page):
            return steps
        if page.error or page.step in steps:
            raise WizardError(f"step {page.step}: {page.error or 'the wizard shows it again'}")
        steps.append(page.step)
        fields = {**page.fields, **answers}
        if page.asks_in_background:
            page = _background(send, page, fields)
        else:
            page = parse(send(page.action, {**fields, "StepNext": "Y"}))
    raise WizardError(f"no end after {' → '.join(steps)}")


def _background(send: Send, page: Page, fields: dict[str, str]) -> Page:
    for _ in range(_MAX_REQUESTS):
        text = send(page.action, fields)
        answer = parse(text)
        if answer.is_wizard:
            if answer.error and answer.step == page.step:
                raise WizardError(f"step {page.step}, {fields.get('__wiz_nextStep', '')}: {answer.error}")
            return answer
        wanted = next_request(text)
        if not wanted:
            raise WizardError(f"step {page.step}: unexpected answer: {plain(text)[:300]}")
        if wanted.items() <= fields.items():
            raise WizardError(
                f"step {page.step} asks for {wanted.get('__wiz_nextStep')} again: {plain(text)[:300]}"
            )
        fields.update(wanted)
    raise WizardError(f"step {page.step} has no end")
