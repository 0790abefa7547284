"""The report in a real browser: Debian's Chromium, driven by Playwright."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from programs import program

from boxlift.project import Project
from boxlift.report import gather, render
from tests.story import empty, moment, tell

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PATIENCE = 90_000
"""Milliseconds: a loaded machine looks at the journal late."""
Scheme = Literal["light", "dark"]
HOSTILE = "<script>document.title = 1</script><img src=http://evil.example/x onerror='document.title = 1'>"
INKS = """() => ["body", "svg text", "svg path[fill^=var]"].map((name) => {
    const style = getComputedStyle(document.querySelector(name));
    return name === "body" ? style.backgroundColor : style.fill;
})"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = program("chromium", "chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@dataclass
class Visit:
    """A page, what it asked for and what it complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    contexts = []

    def opened(address: str, *, scheme: Scheme = "light", width: int = 1180) -> Visit:
        context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
        contexts.append(context)
        found = Visit(context.new_page())
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.goto(address)
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of the story's report, with words in it that want to be markup."""
    folder = tmp_path_factory.mktemp("acme")
    project = empty(folder)
    tell(project)
    with project.journal() as journal:
        journal.incident("final", "note", HOSTILE, step="soak")
    path = folder / "report.html"
    path.write_text(render(gather(project, now=moment(15, 11))), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "acme").mkdir()
    return empty(tmp_path / "acme")


def accessible(page: Page, rules: Sequence[str] = ()) -> None:
    """No rule of axe-core is broken, or none of these. What is inside a drawing is no text for readers."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(page, context={"exclude": [["svg > g"]]}, options=options)
    assert found.violations_count == 0, found.generate_report()


def test_it_opens_without_a_request_or_a_complaint(visit: Open, story: str) -> None:
    seen = visit(story)
    assert seen.requests == [story]
    assert seen.complaints == []
    assert seen.page.title() == "Move of acme: report"
    assert seen.page.locator("main svg").count() == 7
    assert seen.page.locator("script, img").count() == 0
    expect(seen.page.locator("#events")).to_contain_text("<script>document.title")


def test_it_is_accessible_in_both_themes(visit: Open, story: str) -> None:
    page = visit(story).page
    page.evaluate("for (const details of document.querySelectorAll('details')) details.open = true")
    accessible(page)
    page.emulate_media(color_scheme="dark")
    accessible(page, ["color-contrast"])


def test_an_empty_project_is_accessible_too(visit: Open, project: Project, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(render(gather(project)), encoding="utf-8")
    seen = visit(path.as_uri(), scheme="dark")
    assert seen.complaints == []
    accessible(seen.page)


def test_the_plots_follow_the_theme(visit: Open, story: str) -> None:
    light, dark = (visit(story, scheme=scheme).page.evaluate(INKS) for scheme in ("light", "dark"))
    assert len(light) == 3
    assert not set(light) & set(dark)


@pytest.mark.parametrize("width", [360, 768])
def test_a_narrow_screen_scrolls_tables_and_not_the_page(visit: Open, story: str, width: int) -> None:
    page = visit(story, width=width).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything_in_order(visit: Open, story: str) -> None:
    page = visit(story).page
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    stops = []
    for _ in range(200):
        page.keyboard.press("Tab")
        stop = page.evaluate(
            """() => { const it = document.activeElement; return it === document.body ? null :
                [it.closest("section")?.id, it.tagName, getComputedStyle(it).outlineStyle] }"""
        )
        if stop is None:
            break
        stops.append(stop)
    sections = list(dict.fromkeys(section for section, _, _ in stops if section))
    assert sections == [one for one in _order(page) if one in sections]
    assert {"timeline", "transfer", "verification"} <= set(sections)
    assert all(outline != "none" for _, _, outline in stops)
    page.locator("#timeline summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#timeline table").first).to_be_visible()


def _order(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelectorAll('section')].map((one) => one.id)")
    return found


def test_it_prints_in_light_colours_without_what_only_a_screen_needs(visit: Open, story: str) -> None:
    page = visit(story, scheme="dark").page
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    expect(page.get_by_role("navigation")).to_be_hidden()
    # Chromium writes a page tree and its page objects plainly
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))) in range(4, 20)


@pytest.fixture
def watching(project: Project) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`boxlift watch`, and its address."""
    program = "from boxlift.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "-C", str(project.root), "watch", "--port", "0"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("✓ http://127.0.0.1:"), line
    yield process, line.removeprefix("✓ ").strip()
    process.kill()
    process.wait()


def test_the_live_view_follows_the_journal_and_keeps_what_the_reader_did(
    visit: Open, project: Project, watching: tuple[subprocess.Popen[str], str]
) -> None:
    process, address = watching
    with project.journal() as journal:
        for number in range(30):
            journal.incident("rehearsal", "note", f"note {number}")
    seen = visit(address)
    page = seen.page
    expect(page.get_by_role("status")).to_have_text("No run goes on now.")
    summary = page.locator("#events summary")
    summary.click()
    page.evaluate("document.querySelector('#words').marked = document.querySelector('#words .inside > *')")
    with project.lock("run"), project.journal() as journal:
        journal.incident("rehearsal", "failure", "the line was down")
        expect(page.locator("#events")).to_contain_text("the line was down", timeout=PATIENCE)
        expect(page.get_by_role("status")).to_have_text("A run goes on.", timeout=PATIENCE)
    expect(page.locator("#events details")).to_have_attribute("open", "")
    expect(summary).to_be_focused()
    assert page.evaluate("document.querySelector('#words').marked.isConnected"), "nothing changed there"
    assert all(url.startswith(address) for url in seen.requests)
    assert seen.complaints == []
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE / 1000) == 0
    assert process.stdout is not None
    assert process.stdout.read().endswith("✓ ended\n")
    expect(page.get_by_role("status")).to_contain_text("boxlift watch has ended", timeout=PATIENCE)
