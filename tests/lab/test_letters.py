"""Users whose password lived in the vendor's network get exactly one letter, follow it and sign in."""

import html
import json
import re
import secrets
from collections import Counter
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import pytest

from boxlift.verify.release import Database, Release
from tests.lab.support import NewBrowser, Outside, Play, sign_in

LINK = re.compile(r"https://\S*change_password=yes\S*")


@pytest.fixture(scope="module")
def people(release: Release) -> dict[int, tuple[str, str]]:
    """Everybody who was sent a letter: user ID → (login, address)."""
    rows = release.database.rows(
        "SELECT u.ID, u.LOGIN, u.EMAIL FROM boxlift.person p JOIN b_user u ON u.ID = p.user_id"
        f" WHERE p.release_name = '{release.name}' AND p.letter = 'sent'"
    )
    assert rows
    return {int(identifier): (login, email) for identifier, login, email in rows}


def letters(outside: Outside, people: dict[int, tuple[str, str]]) -> Counter[tuple[str, str]]:
    """How many letters with a link each (login, address) got."""
    counts: Counter[tuple[str, str]] = Counter()
    addresses = {email.lower() for _, email in people.values()}
    for mail in outside.mails():
        found = LINK.search(html.unescape(mail["body"]))
        if found and mail["to"].lower() in addresses:
            query = parse_qs(urlsplit(found.group()).query)
            counts[query["USER_LOGIN"][0], mail["to"].lower()] += 1
    return counts


def test_each_got_exactly_one_letter(outside: Outside, people: dict[int, tuple[str, str]]) -> None:
    assert letters(outside, people) == Counter((login, email.lower()) for login, email in people.values())


def test_sending_again_sends_nothing(
    play: Play, outside: Outside, people: dict[int, tuple[str, str]]
) -> None:
    before = letters(outside, people)
    recap = play("send_password_letters.yml")
    assert recap.returncode == 0, recap.output[-2000:]
    assert recap.changed == {}
    assert letters(outside, people) == before


def test_rehearsal_without_named_recipients_is_refused(play: Play) -> None:
    recap = play("send_password_letters.yml", boxlift_pass="rehearsal")
    assert recap.returncode != 0
    assert "refused: " in recap.output


async def test_letter_leads_to_a_session(
    outside: Outside, people: dict[int, tuple[str, str]], new_browser: NewBrowser
) -> None:
    login, email = next(iter(people.values()))
    (link,) = {
        found.group()
        for mail in outside.mails(email)
        if (found := LINK.search(html.unescape(mail["body"]))) and login in found.group()
    }
    password = secrets.token_urlsafe(12)
    checkword = parse_qs(urlsplit(link).query)["USER_CHECKWORD"][0]
    async with new_browser() as browser:
        assert (await sign_in(browser, login, password)).status == HTTPStatus.UNAUTHORIZED
        page = await browser.get(link)
        assert page.status == HTTPStatus.OK
        changed = await browser.post(
            link,
            {
                "AUTH_FORM": "Y",
                "TYPE": "CHANGE_PWD",
                "USER_LOGIN": login,
                "USER_CHECKWORD": checkword,
                "USER_PASSWORD": password,
                "USER_CONFIRM_PASSWORD": password,
            },
            json=True,
        )
        assert changed.status == HTTPStatus.OK, changed.text
        assert (await sign_in(browser, login, password)).status == HTTPStatus.OK


def test_helpdesk_gets_a_list(people: dict[int, tuple[str, str]], release: Release) -> None:
    ledger = Database(release.database.host, "boxlift").rows(
        f"SELECT letter, COUNT(*) FROM person WHERE release_name = '{release.name}' GROUP BY letter"
    )
    assert json.dumps(dict(ledger).get("sent")) == json.dumps(str(len(people)))
