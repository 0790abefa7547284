"""What is killed in the middle goes on by itself or when it is started again: letters, index, push server."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import pytest
from testinfra.host import Host

from boxlift.lab.place import Lab
from boxlift.project import Project
from boxlift.verify.browser import Browser, receive_text
from boxlift.verify.channel import messages
from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release
from tests.lab.conftest import ansible_command
from tests.lab.support import PRODUCTION, Outside, Play

SOON = 120.0
PEOPLE = 8
# The sender, its PHP and its mail program are those that hold the lock.
KILL_SENDERS = (
    "for process in /proc/[0-9]*; do"
    " if ls -l $process/fd 2>/dev/null | grep -q boxlift-letters.lock;"
    " then kill -9 ${process#/proc/} && echo ${process#/proc/}; fi; done"
)


def wait_for(what: Callable[[], bool], seconds: float = SOON) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.3)


# --- letters


@pytest.fixture
def waiting(release: Release) -> Iterator[dict[int, str]]:
    """Some people whose letter counts as not sent: user ID → address."""
    rows = release.database.rows(
        "SELECT u.ID, u.EMAIL FROM boxlift.person p JOIN b_user u ON u.ID = p.user_id"
        f" WHERE p.release_name = '{release.name}' AND p.letter = 'sent' AND u.ACTIVE = 'Y'"
        f" GROUP BY u.EMAIL ORDER BY u.ID LIMIT {PEOPLE}"
    )
    people = {int(identifier): email.lower() for identifier, email in rows}
    assert len(people) == PEOPLE
    marks = ", ".join(map(str, people))
    release.database.rows(
        "UPDATE boxlift.person SET letter = 'none', note = ''"
        f" WHERE release_name = '{release.name}' AND user_id IN ({marks})"
    )
    yield people
    release.database.rows(
        "UPDATE boxlift.person SET letter = 'sent'"
        f" WHERE release_name = '{release.name}' AND user_id IN ({marks})"
    )


def letters_of(outside: Outside, people: Mapping[int, str]) -> Counter[str]:
    addresses = set(people.values())
    return Counter(mail["to"].lower() for mail in outside.mails() if mail["to"].lower() in addresses)


def sent(release: Release, people: Mapping[int, str]) -> int:
    marks = ", ".join(map(str, people))
    return int(
        release.database.value(
            "SELECT COUNT(*) FROM boxlift.person WHERE letter = 'sent'"
            f" AND release_name = '{release.name}' AND user_id IN ({marks})"
        )
    )


def captcha(release: Release) -> list[list[str]]:
    return release.database.rows(
        "SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'captcha_restoring_password'"
    )


def test_a_mailing_that_was_killed_sends_each_letter_once(
    waiting: dict[int, str],
    release: Release,
    production: Host,
    outside: Outside,
    play: Play,
    lab: Lab,
    project: Project,
    environment: Mapping[str, str],
) -> None:
    before, rule = letters_of(outside, waiting), captcha(release)
    command = ansible_command(
        lab,
        project,
        "send_password_letters.yml",
        {"portal_release": release.name, "boxlift_pass": "final", "portal_users_per_minute": 40},
    )
    process = subprocess.Popen(
        command, env=dict(environment), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, process_group=0
    )
    try:
        wait_for(lambda: sent(release, waiting) >= 2)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    killed = production.check_output("sh -c %s", KILL_SENDERS)
    assert killed, "nobody was sending any more"
    assert sent(release, waiting) < PEOPLE, "it was through before it could be killed"
    recap = play("send_password_letters.yml", portal_users_per_minute=600)
    assert recap.returncode == 0, recap.output[-2000:]
    wait_for(lambda: (letters_of(outside, waiting) - before).total() >= PEOPLE)
    time.sleep(3)
    assert letters_of(outside, waiting) - before == Counter(waiting.values())
    assert captcha(release) == rule


# --- indexes


def index_state(production: Host, release: Release) -> dict[str, str | int]:
    path = production.file(f"/var/lib/boxlift-search/{release.name}/state.json")
    content = json.loads(path.content_string) if path.exists else {}
    found: dict[str, str | int] = content.get("indexes", {}).get("site", {})
    return found


def test_an_index_that_was_killed_is_built_to_its_end(production: Host, release: Release) -> None:
    unit = f"portal-search@{release.name}.service"
    # Steps short enough to be killed between two of them.
    config = f"/var/lib/boxlift-search/{release.name}/config.json"
    usual = production.check_output("grep -o '\"seconds\": [0-9]*' %s", config)
    production.check_output(f"sed -i 's/{usual}/\"seconds\": 1/' {config}")
    stored = int(release.database.value("SELECT COUNT(*) FROM b_search_content"))
    production.check_output("rm --force %s", f"/var/lib/boxlift-search/{release.name}/state.json")
    production.check_output("systemctl start --no-block %s", unit)
    wait_for(lambda: int(index_state(production, release).get("done", 0)) > 0)
    production.check_output("systemctl kill --signal=KILL %s", unit)
    reached = int(index_state(production, release)["done"])
    assert 0 < reached < stored
    wait_for(lambda: index_state(production, release).get("state") == "done")
    wait_for(lambda: not production.service(unit).is_running)
    assert int(index_state(production, release)["done"]) == stored
    assert int(release.database.value("SELECT COUNT(*) FROM b_search_content")) == stored
    production.check_output(f"sed -i 's/\"seconds\": 1/{usual}/' {config}")


# --- push server


async def test_messages_travel_again_after_the_push_server_was_killed(
    signed_in: Browser, production: Host, inventory: Inventory
) -> None:
    production.check_output("systemctl kill --signal=KILL 'push-server@*.service'")
    ports = inventory.setting(PRODUCTION, "push_server_subscribe_ports")
    assert isinstance(ports, list)
    await asyncio.sleep(1)
    wait_for(lambda: all(production.run(f"ss -Hltn 'sport = :{port}' | grep -q .").rc == 0 for port in ports))
    page = json.loads((await signed_in.get("/online/", json=True)).text)
    address = urlsplit(page["ws_url"])
    text = f"after the kill {secrets.token_hex(8)}"
    async with signed_in.subscribe(f"{address.path}?{address.query}") as channel:
        await asyncio.sleep(0.5)
        posted = await signed_in.post("/online/", {"MESSAGE": text, "CHAT_ID": str(page["chat"])}, json=True)
        assert posted.status == HTTPStatus.OK, posted.text
        received = await receive_text(channel, 15)
    assert received is not None
    assert text in json.dumps([message["text"] for message in messages(received)], ensure_ascii=False)
