"""The portal's stand-in on a generated backup: what the manifest's facts promise is what a visitor meets."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.generator.__main__ import main
from lab.writer import damage
from tests.integration.portal_site import Site, Visitor, make_site, unpack

DOMAIN = "portal.acme.example"
REINDEX = """
\\Bitrix\\Main\\Loader::includeModule('search');
$state = [];
do { $state = CSearch::ReIndexAll(true, 1, $state, false); } while (is_array($state));
"""
FULLTEXT_NOTE = 'a:1:{s:18:"SEARCHABLE_CONTENT";b:1;}'
PREPARED = (
    "DELETE FROM b_module WHERE ID = 'bitrix24'",
    f"UPDATE b_lang SET SERVER_NAME = '{DOMAIN}'",
    f"UPDATE b_option SET VALUE = '{DOMAIN}' WHERE MODULE_ID = 'main' AND NAME = 'server_name'",
)


@dataclass(frozen=True)
class Moved:
    """The restored portal and the facts of its manifest."""

    site: Site
    facts: dict[str, Any]


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path) -> Iterator[Moved]:
    """Files and tables of a generated backup under the stand-in, repaired as far as signing in needs."""
    folder = tmp_path_factory.mktemp("backup") / "b"
    options = ("--collation", "utf8mb4_unicode_ci", "--no-gzip", "--quiet")
    assert main(["--size", "3M", "--out", str(folder), *options]) == 0
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    site = make_site(tmp_path_factory.mktemp("moved"), mariadb_socket, "b24_acme")
    after_connect = (site.root / "bitrix/php_interface/after_connect_d7.php").read_bytes()
    archive = b"".join(part.read_bytes() for part in damage.volumes(folder))
    unpack(archive, "--exclude=bitrix/.settings.php", site.root)
    (site.root / "bitrix/php_interface/after_connect_d7.php").write_bytes(after_connect)
    dump = b"".join((site.root / name).read_bytes() for name in manifest["dump"]["files"])
    shutil.rmtree(site.root / "bitrix/backup")
    load(site, dump.replace(b"DEFINER=`bx_cloud`@`%`", b""))
    for statement in PREPARED:
        site.sql(statement)
    site.dbconn("define('BX_CRONTAB_SUPPORT', true);")
    with site.served():
        yield Moved(site, manifest["facts"])


def load(site: Site, dump: bytes) -> None:
    prelude = b"SET sql_mode='', FOREIGN_KEY_CHECKS=0, time_zone='+00:00';\n"
    command = ["mariadb", "--no-defaults", f"--socket={site.mariadb}", "--user=root", "--binary-mode"]
    subprocess.run(
        [*command, "--default-character-set=utf8mb4", site.database],
        input=prelude + dump,
        check=True,
        capture_output=True,
    )


@pytest.fixture
def visitor(moved: Moved) -> Visitor:
    """Somebody with a password of the portal's own."""
    known = moved.facts["users"]["with_password"]
    person = moved.site.visitor()
    assert person.sign_in(known["login"], known["password"]).status == 200
    return person


def test_leads(moved: Moved, visitor: Visitor) -> None:
    assert visitor.get("/crm/lead/list/").facts["total"] == moved.facts["leads"]["count"]
    wanted = moved.facts["search"]
    assert visitor.get(f"/crm/lead/details/{wanted['lead_id']}/").facts["lead"]["TITLE"] == wanted["title"]


def test_search_finds_after_reindexing_only(moved: Moved, visitor: Visitor) -> None:
    wanted = moved.facts["search"]
    before = visitor.get("/search/", q=wanted["query"]).facts
    assert before.get("count", 0) == wanted["found_before_reindex"]
    moved.site.sql("ALTER TABLE b_search_content_text ADD FULLTEXT KEY ft (SEARCHABLE_CONTENT)")
    moved.site.option("main", "~ft_b_search_content_text", FULLTEXT_NOTE)
    moved.site.php(REINDEX)
    found = visitor.get("/search/", q=wanted["query"]).facts["items"]
    assert [item["item"] for item in found] == [f"LEAD.{wanted['lead_id']}"]


def test_task_has_its_comments(moved: Moved, visitor: Visitor) -> None:
    task = moved.facts["task"]
    page = visitor.get(f"/task/comments/{task['id']}/").facts
    assert page["title"] == task["title"]
    assert [comment["text"] for comment in page["comments"]] == task["comments"]


def test_user_without_password_stays_outside(moved: Moved) -> None:
    person = moved.facts["users"]["without_password"]
    assert moved.site.visitor().sign_in(person["login"], "").status == 401
    for field in ("USER_LOGIN", "USER_EMAIL"):
        value = person["login" if field == "USER_LOGIN" else "email"]
        asked = moved.site.visitor().post("/auth/", AUTH_FORM="Y", TYPE="SEND_PWD", **{field: value})
        assert asked.facts["result"] == "ERROR"
    assert moved.site.letters() == []


def test_letter_leads_to_the_portal(moved: Moved) -> None:
    person = moved.facts["users"]["without_password"]
    update = f"['EXTERNAL_AUTH_ID' => '', 'LOGIN' => '{person['email']}']"
    moved.site.php(f"$u = new CUser; $u->Update({person['id']}, {update});")
    moved.site.php(f"CUser::SendPassword('{person['email']}', '');")
    (letter,) = moved.site.letters()
    assert letter["To"] == person["email"]
    assert f"http://{DOMAIN}/auth/?change_password=yes" in letter.get_content()


def test_notification_has_a_link_without_domain(moved: Moved, visitor: Visitor) -> None:
    known = moved.facts["notification"]
    text = moved.site.sql("SELECT MESSAGE FROM b_im_message WHERE ID = %s", known["message_id"])[0][0]
    assert known["link"] in text
    assert f"//{DOMAIN}" not in text
    assert visitor.get("/online/", IM_NOTIFY="Y").status == 200


def test_chats(moved: Moved) -> None:
    for chat, texts in (
        (moved.facts["chat"]["id"], moved.facts["chat"]["messages"]),
        (moved.facts["task"]["chat_id"], moved.facts["task"]["chat_messages"]),
    ):
        rows = moved.site.sql("SELECT MESSAGE FROM b_im_message WHERE CHAT_ID = %s ORDER BY ID", chat)
        assert [row[0] for row in rows] == texts
