"""`boxlift watch`: whom it answers, and what it says while a run goes on."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from boxlift.errors import UsageError
from boxlift.project import Project
from boxlift.report.page import SECTIONS
from boxlift.report.watch import application, watch

WORD = "w0rd"
Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def client(project: Project) -> AsyncIterator[Client]:
    async with TestClient(TestServer(application(project, None, WORD), host="127.0.0.1")) as made:
        yield made


@pytest.mark.parametrize("name", ["localhost:8437", "127.0.0.1", "[::1]:9000", "LOCALHOST"])
async def test_names_of_this_machine_are_answered(client: Client, name: str) -> None:
    answer = await client.get(f"/{WORD}/", headers={"Host": name})
    assert answer.status == 200


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8437", "[", ""]
)
async def test_other_names_are_not(client: Client, name: str) -> None:
    for path in (f"/{WORD}/", f"/{WORD}/sections.json", f"/{WORD}/watch.js"):
        answer = await client.get(path, headers={"Host": name})
        assert answer.status in {400, 421}
        assert "acme" not in await answer.text()


@pytest.mark.parametrize("path", ["/", "/sections.json", "/watch.js", "/other/", f"/{WORD}/../../etc/passwd"])
async def test_without_the_word_nothing_is_there(client: Client, path: str) -> None:
    assert (await client.get(path)).status == 404


async def test_nothing_can_be_sent(client: Client) -> None:
    assert (await client.post(f"/{WORD}/", data="x")).status == 405


async def test_headers_close_the_page(client: Client) -> None:
    answer = await client.get(f"/{WORD}/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_sections_tell_whether_a_run_goes_on(client: Client, project: Project) -> None:
    with project.lock("run"):
        news = await (await client.get(f"/{WORD}/sections.json")).json()
    assert news["running"] is True
    assert list(news["sections"]) == list(SECTIONS)
    page = await (await client.get(f"/{WORD}/")).text()
    assert all(text.strip() in page for text in news["sections"].values())


async def test_a_project_that_cannot_be_read_meanwhile_is_told(client: Client, project: Project) -> None:
    (project.state / "journal.db").unlink(missing_ok=True)
    project.state.mkdir(exist_ok=True)
    (project.state / "journal.db").write_text("this is no database, but long enough to be looked at" * 20)
    answer = await client.get(f"/{WORD}/sections.json")
    assert answer.status == 503
    assert "cannot be used" in (await answer.json())["error"]


def test_a_taken_port_is_told(project: Project) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError, match="cannot be used"):
        watch(project, None, taken.getsockname()[1], print)
