"""The portal's stand-in on the data of a sample backup: each page, and the ways it goes wrong."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from ansible.module_utils.boxlift_wizard import WizardError, install
from programs import lacking

from tests.integration.portal_site import Answer, Site, Visitor, free_port, make_site, restored_site
from tests.integration.push_site import running_redis

NEW_PASSWORD = "a-new-password-1"
LETTER = "http://#SERVER_NAME#/auth/?change_password=yes&USER_CHECKWORD=#CHECKWORD#&USER_LOGIN=#URL_LOGIN#"


@pytest.fixture(scope="module")
def restored(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path) -> Iterator[Site]:
    """A release filled from the sample, served; agents and letters are as in the backup: off."""
    home = tmp_path_factory.mktemp("restored")
    site = restored_site(home, mariadb_socket, "portal_standin", "define('BX_CRONTAB_SUPPORT', true);")
    with site.served():
        yield site


@pytest.fixture
def site(restored: Site) -> Site:
    """The restored release without what an earlier test left in caches and mailbox."""
    restored.settings()
    restored.dbconn("define('BX_CRONTAB_SUPPORT', true);")
    restored.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    restored.sql(
        "UPDATE b_lang SET SERVER_NAME = 'portal.acme.example', EMAIL = 'p@acme.example' WHERE LID = 's1'"
    )
    restored.sql("DELETE FROM b_event WHERE SUCCESS_EXEC = 'N'")
    restored.sql("UPDATE b_event_message SET MESSAGE = %s WHERE EVENT_NAME = 'USER_PASS_REQUEST'", LETTER)
    for row in (
        ("main", "check_agents", "N"),
        ("main", "check_events", "N"),
        ("main", "server_name", "portal.acme.example"),
        ("main", "captcha_restoring_password", "N"),
        ("pull", "nginx", "N"),
    ):
        restored.sql("REPLACE INTO b_option (MODULE_ID, NAME, VALUE) VALUES (%s, %s, %s)", *row)
    restored.purge()
    restored.forget_letters()
    return restored


@pytest.fixture
def admin(site: Site) -> Visitor:
    """User 1, given a local account with a password, signed in."""
    site.give_password("admin", NEW_PASSWORD)
    visitor = site.visitor()
    assert visitor.sign_in("admin", NEW_PASSWORD).status == 200
    return visitor


def option(module: str, name: str) -> str:
    return f"echo \\Bitrix\\Main\\Config\\Option::get('{module}', '{name}', 'none');"


# --- the wizard


@pytest.fixture
def fresh(tmp_path: Path, mariadb_socket: Path) -> Site:
    return make_site(tmp_path, mariadb_socket, "portal_fresh")


ANSWERS = {
    "__wiz_agree_license": "Y",
    "__wiz_license": "ABC-DE-123456789012",
    "__wiz_login": "admin",
    "__wiz_admin_password": NEW_PASSWORD,
    "__wiz_admin_password_confirm": NEW_PASSWORD,
    "__wiz_email": "admin@acme.example",
    "__wiz_user_name": "Ada",
    "__wiz_user_surname": "Example",
}


def play(site: Site, **answers: str) -> list[str]:
    visitor = site.visitor()

    def send(path: str, fields: dict[str, str] | None) -> str:
        answer = (
            visitor.get(path, accept="text/html")
            if fields is None
            else visitor.post(path, accept="text/html", **fields)
        )
        return answer.text

    steps: list[str] = install(send, {**ANSWERS, **answers})
    return steps


def test_wizard_installs(fresh: Site) -> None:
    with fresh.served():
        assert "__wizard_form" in fresh.visitor().get("/", accept="text/html").text
        assert play(fresh) == ["agreement", "check_license_key", "create_modules", "create_admin", "finish"]
        visitor = fresh.visitor()
        page = visitor.get("/", accept="text/html")
        assert "__wizard_form" not in page.text
        digest = hashlib.md5(b"BITRIXABC-DE-123456789012LICENCE", usedforsecurity=False).hexdigest()
        assert page.headers["x-powered-cms"] == f"Bitrix Site Manager ({digest})"
        assert visitor.sign_in("admin", NEW_PASSWORD).status == 200
        assert visitor.get("/").facts["edition"] == "box"
        assert visitor.post("/crm/lead/add", TITLE="Первый лид").facts["id"] == 1
        assert visitor.get("/search/", q="первый").facts["count"] == 1
    sample = {
        "b_user",
        "b_option",
        "b_crm_lead",
        "b_event_message",
        "b_pull_channel",
        "b_search_content_text",
    }
    assert sample <= {row[0] for row in fresh.sql("SHOW TABLES")}


@pytest.mark.parametrize(
    ("ini", "reason"),
    [
        ({"mbstring.internal_encoding": "CP1251"}, "mbstring.internal_encoding"),
        ({"default_charset": "ISO-8859-1"}, "default_charset"),
    ],
)
def test_wizard_stops_on_php_settings(fresh: Site, ini: dict[str, str], reason: str) -> None:
    fresh.ini.update(ini)
    with fresh.served(), pytest.raises(WizardError, match=re.escape(reason)):
        play(fresh)
    assert fresh.sql("SHOW TABLES") == []


def test_wizard_stops_on_sql_mode(fresh: Site) -> None:
    path = fresh.root / "bitrix/php_interface/after_connect_d7.php"
    path.write_text(path.read_text().replace("sql_mode=''", "sql_mode='STRICT_TRANS_TABLES'"))
    with fresh.served(), pytest.raises(WizardError, match="sql_mode"):
        play(fresh)


def test_wizard_writes_a_collation_that_mariadb_lacks(fresh: Site) -> None:
    (fresh.root / "bitrix/php_interface/after_connect_d7.php").unlink()
    fresh.sql("SET GLOBAL sql_mode=''")
    try:
        with fresh.served(), pytest.raises(WizardError):
            play(fresh)
    finally:
        fresh.sql("SET GLOBAL sql_mode=DEFAULT")
    assert "0900" in (fresh.root / "bitrix/php_interface/after_connect_d7.php").read_text()


def test_wizard_tells_that_there_is_no_database(fresh: Site) -> None:
    fresh.sql(f"DROP DATABASE {fresh.database}")
    with fresh.served():
        assert "__wizard_form" in fresh.visitor().get("/", accept="text/html").text
        with pytest.raises(WizardError, match="Unknown database"):
            play(fresh)


def test_wizard_refuses_a_database_that_holds_a_portal(fresh: Site) -> None:
    fresh.sql("CREATE TABLE b_user (ID INT)")
    with fresh.served(), pytest.raises(WizardError, match="b_user"):
        play(fresh)


def test_wizard_goes_on_after_an_interruption(fresh: Site) -> None:
    with fresh.served():
        fields = {
            "CurrentStepID": "create_modules",
            "__wiz_nextStep": "main",
            "__wiz_nextStepStage": "database",
        }
        assert "Post('main', 'files'" in fresh.visitor().post("/index.php", **fields).text
        assert fresh.sql("SHOW TABLES LIKE 'b_user'")
        assert play(fresh)[-1] == "finish"


def test_wizard_refuses_short_passwords(fresh: Site) -> None:
    with fresh.served(), pytest.raises(WizardError, match="password"):
        play(fresh, __wiz_admin_password="short", __wiz_admin_password_confirm="short")


# --- options and caches


def test_raw_sql_stays_unseen_until_the_cache_is_purged(site: Site) -> None:
    assert site.php(option("main", "site_name")) != "Other"
    before = site.php(option("main", "site_name"))
    site.sql("UPDATE b_option SET VALUE = 'Other' WHERE MODULE_ID = 'main' AND NAME = 'site_name'")
    assert site.php(option("main", "site_name")) == before
    site.php(r"\Bitrix\Main\Application::getInstance()->getManagedCache()->cleanAll();")
    assert site.php(option("main", "site_name")) == "Other"
    site.option("main", "site_name", before)
    assert site.php(option("main", "site_name")) == before
    site.php(r"\Bitrix\Main\Config\Option::delete('sample', ['name' => 'filler_000']);")
    assert site.php(option("sample", "filler_000")) == "none"
    assert site.sql("SELECT COUNT(*) FROM b_option WHERE NAME = 'filler_000'") == [(0,)]


def test_sections_of_settings_extra_replace_those_of_settings(site: Site) -> None:
    site.settings(crypto={"other": 1})
    assert (
        site.php(r"echo json_encode(\Bitrix\Main\Config\Configuration::getValue('crypto'));") == '{"other":1}'
    )


def test_cloud_edition(site: Site, admin: Visitor) -> None:
    assert admin.get("/stream/").status == 200
    site.sql("INSERT INTO b_module (ID, DATE_ACTIVE) VALUES ('bitrix24', NOW())")
    assert admin.get("/stream/").facts["edition"] == "box", "b_module is cached"
    site.php("BXClearCache(true);")
    assert admin.get("/crm/lead/list/").facts["edition"] == "cloud"
    assert admin.get("/stream/").status == 500
    site.php(r"\Bitrix\Main\ModuleManager::unRegisterModule('bitrix24');")
    assert admin.get("/stream/").status == 200


def test_host_restriction(site: Site) -> None:
    site.sql("INSERT INTO b_module (ID, DATE_ACTIVE) VALUES ('security', NOW())")
    site.php("BXClearCache(true);")
    assert site.visitor().get("/auth/").status == 403
    site.option("security", "restriction_hosts_hosts", "portal.acme.example")
    assert site.visitor().get("/auth/").status == 200


def test_no_database_is_an_error_page(site: Site) -> None:
    path = site.root / "bitrix/.settings.php"
    path.write_text(path.read_text().replace('"portal"', '"nobody"'))
    answer = site.visitor().get("/auth/", accept="text/html")
    assert answer.status == 500
    assert "ConnectionException" in answer.text
    assert "nobody" not in answer.text


# --- people


def test_network_user_cannot_sign_in_nor_recover(site: Site) -> None:
    site.sql("UPDATE b_user SET EXTERNAL_AUTH_ID = 'socservices', PASSWORD = '' WHERE ID = 1")
    visitor = site.visitor()
    assert visitor.get("/crm/lead/list/").status == 401
    assert (
        visitor.get("/crm/lead/list/", accept="text/html").headers["location"].startswith("/auth/?backurl=")
    )
    assert visitor.sign_in("admin", "").status == 401
    answer = visitor.post("/auth/?forgot_password=yes", AUTH_FORM="Y", TYPE="SEND_PWD", USER_LOGIN="admin")
    assert answer.facts["result"] == "ERROR"
    assert site.letters() == []


def recover(site: Site) -> tuple[str, str]:
    """Ask for a letter and return control line and login of its link."""
    site.php("$u = new CUser; $u->Update(1, ['EXTERNAL_AUTH_ID' => '', 'LOGIN' => 'admin']);")
    answer = site.visitor().post("/auth/", AUTH_FORM="Y", TYPE="SEND_PWD", USER_LOGIN="admin")
    assert answer.facts["result"] == "OK"
    (letter,) = site.letters()
    assert letter["To"] == "user1@example.test"
    assert letter["From"] == "p@acme.example"
    found = re.search(r"https?://\S+", letter.get_content())
    assert found is not None
    link = urllib.parse.urlsplit(found.group())
    assert (link.netloc, link.path) == ("portal.acme.example", "/auth/")
    query = dict(urllib.parse.parse_qsl(link.query))
    return query["USER_CHECKWORD"], query["USER_LOGIN"]


def change(site: Site, checkword: str, login: str, password: str = NEW_PASSWORD) -> Answer:
    return site.visitor().post(
        "/auth/",
        AUTH_FORM="Y",
        TYPE="CHANGE_PWD",
        USER_LOGIN=login,
        USER_CHECKWORD=checkword,
        USER_PASSWORD=password,
        USER_CONFIRM_PASSWORD=password,
    )


def test_recovery_by_letter(site: Site) -> None:
    checkword, login = recover(site)
    page = site.visitor().get(
        f"/auth/?change_password=yes&USER_CHECKWORD={checkword}&USER_LOGIN={login}", accept="text/html"
    )
    assert f'value="{checkword}"' in page.text
    assert change(site, checkword[::-1], login).status == 400
    assert change(site, checkword, login, "short").status == 400
    assert change(site, checkword, login).facts["result"] == "OK"
    assert change(site, checkword, login).status == 400, "a control line holds once"
    assert site.visitor().sign_in("admin", NEW_PASSWORD).status == 200
    assert site.visitor().sign_in("admin", "wrong").status == 401
    assert site.sql("SELECT PASSWORD LIKE '$6$%%' FROM b_user WHERE ID = 1") == [(1,)]


def test_control_line_grows_old(site: Site) -> None:
    checkword, login = recover(site)
    site.sql("UPDATE b_user SET TIMESTAMP_X = NOW() - INTERVAL 3 DAY WHERE ID = 1")
    assert "old" in change(site, checkword, login).facts["message"]


def test_https_links_in_letters(site: Site) -> None:
    site.option("main", "mail_link_protocol", "https")
    recover(site)
    assert "https://portal.acme.example/auth/" in site.letters()[0].get_content()
    site.option("main", "mail_link_protocol", "http")


def test_captcha_refuses_letters(site: Site) -> None:
    site.option("main", "captcha_restoring_password", "Y")
    assert '"TYPE":"ERROR"' in site.php("echo json_encode(CUser::SendPassword('admin', ''));")
    assert site.letters() == []


def test_shared_address_gives_several_letters(site: Site) -> None:
    site.sql("UPDATE b_user SET EXTERNAL_AUTH_ID = '' WHERE ID IN (2, 3)")
    site.sql("UPDATE b_user SET EMAIL = 'shared@example.test' WHERE ID IN (2, 3)")
    site.php("CUser::SendPassword('', 'shared@example.test');")
    assert [letter["To"] for letter in site.letters()] == ["shared@example.test"] * 2


def test_no_template_no_letter(site: Site) -> None:
    site.sql("UPDATE b_event_message SET ACTIVE = 'N' WHERE EVENT_NAME = 'USER_PASS_REQUEST'")
    site.php("$u = new CUser; $u->Update(1, ['EXTERNAL_AUTH_ID' => '', 'LOGIN' => 'admin']);")
    assert '"TYPE":"OK"' in site.php("echo json_encode(CUser::SendPassword('admin', ''));")
    site.sql("UPDATE b_event_message SET ACTIVE = 'Y'")
    assert site.letters() == []


def test_login_must_be_unique_when_it_is_given(site: Site) -> None:
    site.sql("UPDATE b_user SET EXTERNAL_AUTH_ID = '' WHERE ID = 1")
    update = "$u = new CUser; echo json_encode([$u->Update(4, %s), $u->LAST_ERROR]);"
    assert site.php(update % "['EXTERNAL_AUTH_ID' => '', 'LOGIN' => 'admin']").startswith("[false,")
    assert site.php(update % "['EXTERNAL_AUTH_ID' => '', 'LOGIN' => 'ab']").startswith("[false,")
    assert site.php(update % "['EXTERNAL_AUTH_ID' => '']").startswith("[true,")


def test_profile(site: Site, admin: Visitor) -> None:
    (first, last) = site.sql("SELECT NAME, LAST_NAME FROM b_user WHERE ID = 2")[0]
    assert admin.get("/company/personal/user/2/").facts["name"] == f"{first} {last}"
    assert admin.get("/company/personal/user/9/").status == 404, "a bot is no employee"


# --- domain


def first_link(visitor: Visitor) -> str:
    return str(visitor.get("/online/?IM_NOTIFY=Y").facts["items"][0]["url"])


def test_links_take_their_host_in_order(site: Site, admin: Visitor) -> None:
    assert admin.get("/online/?IM_NOTIFY=Y").facts["count"] >= 26
    assert first_link(admin).startswith("http://portal.acme.example/")
    site.dbconn("define('BX24_HOST_NAME', 'cedar.bitrix24.example');")
    assert first_link(admin).startswith("http://cedar.bitrix24.example/")
    site.dbconn()
    site.sql("UPDATE b_lang SET SERVER_NAME = ''")
    site.option("main", "server_name", "by-option.example")
    assert first_link(admin).startswith("http://by-option.example/")
    site.option("main", "server_name", "")
    assert first_link(admin).startswith("http://portal.acme.example/"), "the request's own host"
    assert site.php(r"echo \Boxlift\Standin\Links::absolute('/crm/');") == "http:///crm/"


# --- CRM, tasks, search


def test_leads(site: Site, admin: Visitor) -> None:
    (total,) = site.sql("SELECT COUNT(*) FROM b_crm_lead")[0]
    facts = admin.get("/crm/lead/list/").facts
    assert facts["total"] == total >= 1140
    assert len(facts["items"]) == 20
    page = admin.get("/crm/lead/list/", accept="text/html")
    assert f'data-total="{total}"' in page.text
    added = admin.post("/crm/lead/add", TITLE="Лид из теста", NAME="Иван", PHONE="+70001112233").facts["id"]
    assert admin.get("/crm/lead/list/").facts["total"] == total + 1
    assert admin.get(f"/crm/lead/details/{added}/").facts["lead"]["TITLE"] == "Лид из теста"
    assert admin.post("/crm/lead/add", TITLE=" ").status == 400
    assert site.sql("SELECT COUNT(*) FROM b_event WHERE SUCCESS_EXEC = 'N'") == [(1,)]


def test_task_with_comments(site: Site, admin: Visitor) -> None:
    (count,) = site.sql("SELECT COUNT(*) FROM b_forum_message WHERE TOPIC_ID = 2 AND SERVICE_TYPE IS NULL")[0]
    path = "/company/personal/user/4/tasks/task/view/2/"
    assert len(admin.get(path).facts["comments"]) == count > 0
    assert admin.post(path, COMMENT="Готово").status == 200
    assert admin.get("/task/comments/2/").facts["comments"][-1]["text"] == "Готово"
    site.sql("CREATE TABLE b_forum (ID INT PRIMARY KEY)")
    assert admin.get(path).facts["comments"] == [], "tasks/task_forum_id names no forum"
    site.sql("DROP TABLE b_forum")
    assert admin.get("/company/personal/user/4/tasks/task/view/99999/").status == 404


STEPS = r"""
\Bitrix\Main\Loader::includeModule('search');
$calls = 0;
$state = [];
do { $state = CSearch::ReIndexAll(true, 1, $state, false); $calls++; } while (is_array($state));
echo $state;
"""


def test_search_needs_an_index_and_a_fulltext_key(site: Site, admin: Visitor) -> None:
    title = site.sql("SELECT FULL_NAME FROM b_crm_lead WHERE FULL_NAME > '' ORDER BY ID LIMIT 1")[0][0]
    assert admin.get("/search/", q=title).facts["error"] == "no_fulltext"
    indexed = int(site.php(STEPS))
    assert indexed == site.sql("SELECT COUNT(*) FROM b_search_content")[0][0] > 1300
    assert admin.get("/search/", q=title).facts["count"] == 0
    site.sql("ALTER TABLE b_search_content_text ADD FULLTEXT KEY ft (SEARCHABLE_CONTENT)")
    assert admin.get("/search/", q=title).facts["count"] == 0, "the portal's own note is missing"
    site.option("main", "~ft_b_search_content_text", 'a:1:{s:18:"SEARCHABLE_CONTENT";b:1;}')
    found = admin.get("/search/", q=title).facts["items"]
    assert found
    assert found[0]["url"].startswith("http://portal.acme.example/")
    identifier, title = site.sql("SELECT ID, TITLE FROM b_crm_lead ORDER BY ID DESC LIMIT 1")[0]
    assert admin.get("/search/", q=title).facts["items"][0]["item"] == f"LEAD.{identifier}"


def test_search_by_words(site: Site, admin: Visitor) -> None:
    site.option("search", "full_text_engine", "bitrix")
    site.php(r"\Bitrix\Main\Loader::includeModule('search'); CSearch::ReIndexAll(true);")
    (title,) = site.sql("SELECT TITLE FROM b_tasks WHERE ID = 2")[0]
    assert "TASK.2" in {item["item"] for item in admin.get("/search/", q=title).facts["items"]}
    site.option("search", "full_text_engine", "sphinx")
    assert admin.get("/search/", q=title).facts["error"] == "no_engine"
    site.option("search", "full_text_engine", "mysql")


def test_reindexing_goes_on_where_it_stopped(site: Site) -> None:
    script = r"""
    \Bitrix\Main\Loader::includeModule('search');
    $state = ['MODULE' => 'crm', 'ID' => 'CONTACT.150', 'CNT' => 1000, 'CLEAR' => 'Y', 'SESS_ID' => 'x'];
    echo CSearch::ReIndexAll(true, 0, $state, false);
    """
    contacts, tasks, users = (
        site.sql(f"SELECT COUNT(*) FROM {condition}")[0][0]
        for condition in (
            "b_crm_contact WHERE ID > 150",
            "b_tasks WHERE ZOMBIE <> 'Y'",
            "b_user WHERE ACTIVE = 'Y' AND COALESCE(EXTERNAL_AUTH_ID, '') IN ('', 'socservices')",
        )
    )
    assert int(site.php(script)) == 1000 + contacts + tasks + users


# --- agents, letters, connections


def test_mail_queue_leaves_from_cron_five_at_a_time(site: Site) -> None:
    queue = (
        "for ($i = 0; $i < 7; $i++) { CEvent::Send('CRM_EMAIL', 's1', ['EMAIL' => \"u$i@example.test\"]); }"
    )
    site.php(queue)
    site.cron()
    site.visitor().get("/auth/")
    assert site.letters() == [], "main/check_events is N"
    site.option("main", "check_events", "Y")
    site.visitor().get("/auth/")
    assert site.letters() == [], "with cron support hits send nothing"
    site.cron()
    assert len(site.letters()) == 5
    site.cron()
    assert len(site.letters()) == 7
    assert site.sql("SELECT COUNT(*) FROM b_event WHERE SUCCESS_EXEC = 'N'") == [(0,)]


def test_letters_leave_on_hits_without_cron_support(site: Site) -> None:
    site.dbconn()
    site.php("CEvent::Send('CRM_EMAIL', 's1', ['EMAIL' => 'u@example.test']);")
    site.php("CEvent::Send('NO_SUCH_EVENT', 's1', ['EMAIL' => 'u@example.test']);")
    site.option("main", "check_events", "Y")
    site.visitor().get("/auth/")
    assert len(site.letters()) == 1
    assert site.sql("SELECT SUCCESS_EXEC FROM b_event WHERE EVENT_NAME = 'NO_SUCH_EVENT'") == [("0",)]


def test_agents(site: Site) -> None:
    site.sql("DELETE FROM b_agent WHERE NAME LIKE '%%Option%%'")
    site.sql("UPDATE b_agent SET NEXT_EXEC = NOW() + INTERVAL 1 DAY")
    name = r"\Bitrix\Main\Config\Option::set('main', 'agent_ran', 'Y');"
    site.sql(
        "INSERT INTO b_agent (MODULE_ID, NAME, NEXT_EXEC, IS_PERIOD) VALUES ('main', %s, NOW(), 'N')", name
    )
    site.cron()
    assert site.php(option("main", "agent_ran")) == "none", "main/check_agents is N"
    site.option("main", "check_agents", "Y")
    site.visitor().get("/auth/")
    assert site.php(option("main", "agent_ran")) == "none", "with cron support hits run periodic agents only"
    site.cron()
    assert site.php(option("main", "agent_ran")) == "Y"
    assert site.sql("SELECT COUNT(*) FROM b_agent WHERE NAME = %s", name) == [(0,)], (
        "an empty answer ends an agent"
    )


def test_agents_that_fail_stay(site: Site) -> None:
    site.sql("UPDATE b_agent SET NEXT_EXEC = NOW(), DATE_CHECK = NULL, RETRY_COUNT = 0")
    site.option("main", "check_agents", "Y")
    site.cron()
    assert set(site.sql("SELECT RUNNING, RETRY_COUNT > 0 FROM b_agent")) == {("N", 1)}


class Mailbox:
    """Takes letters over SMTP."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], str]] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content or b""
        text = content if isinstance(content, str) else content.decode()
        self.taken.append((str(envelope.mail_from), envelope.rcpt_tos, text))
        return "250 taken"


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_letters_leave_by_the_mailbox_of_the_settings(site: Site) -> None:
    mailbox, port = Mailbox(), free_port()
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        authenticator=lambda *_: AuthResult(success=True),
        auth_required=True,
        auth_require_tls=False,
    )
    controller.start()
    try:
        smtp = {"host": "127.0.0.1", "port": port, "login": "p@acme.example", "password": "x"}
        site.settings(smtp={**smtp, "enabled": True})
        site.php("CEvent::SendImmediate('CRM_EMAIL', 's1', ['EMAIL' => 'u@example.test']);")
        site.settings(smtp={**smtp, "enabled": False})
        site.php("CEvent::SendImmediate('CRM_EMAIL', 's1', ['EMAIL' => 'v@example.test']);")
    finally:
        controller.stop()
    ((sender, recipients, text),) = mailbox.taken
    assert (sender, recipients) == ("p@acme.example", ["u@example.test"])
    assert "Ссылка: http://portal.acme.example/" in text
    assert [letter["To"] for letter in site.letters()] == ["v@example.test"]


class Sink(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    bodies: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        type(self).bodies.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Tests say nothing."""


def test_new_lead_calls_the_handlers_of_its_event(site: Site, admin: Visitor) -> None:
    server = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Sink.bodies.clear()
    try:
        site.sql("DELETE FROM b_rest_event WHERE EVENT_NAME = 'ONCRMLEADADD'")
        site.sql(
            "INSERT INTO b_rest_event (APP_ID, EVENT_NAME, EVENT_HANDLER) VALUES (NULL, 'ONCRMLEADADD', %s)",
            f"http://127.0.0.1:{server.server_port}/event/",
        )
        lead = admin.post("/crm/lead/add", TITLE="Лид").facts["id"]
        (body,) = Sink.bodies
        said = dict(urllib.parse.parse_qsl(body))
        assert said["event"] == "ONCRMLEADADD"
        assert said["data[FIELDS][ID]"] == str(lead)
        assert said["auth[domain]"] == "portal.acme.example"
    finally:
        server.shutdown()
        site.sql("DELETE FROM b_rest_event WHERE EVENT_NAME = 'ONCRMLEADADD'")


def test_waiting_short_messages_go_to_an_application(site: Site) -> None:
    server = HTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Sink.bodies.clear()
    try:
        site.sql(
            "CREATE TABLE b_messageservice_message (ID INT PRIMARY KEY, MESSAGE_TO TEXT, MESSAGE_BODY TEXT,"
            " SUCCESS_EXEC CHAR(1), DATE_EXEC DATETIME)"
        )
        site.sql("INSERT INTO b_messageservice_message VALUES (1, '+70001', 'да', 'N', NULL)")
        site.sql("UPDATE b_rest_app SET URL = %s", f"http://127.0.0.1:{server.server_port}/sms/")
        run = (
            r"\Bitrix\Main\Loader::includeModule('messageservice'); echo \Bitrix\MessageService\Queue::run();"
        )
        assert site.php(run) == r"\Bitrix\MessageService\Queue::run();"
        site.php(run)
        assert [urllib.parse.parse_qs(body)["message_to"] for body in Sink.bodies] == [["+70001"]]
    finally:
        server.shutdown()
        site.sql("DROP TABLE b_messageservice_message")


def test_mailbox_agent_connects(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(5)
        site.sql(
            "CREATE TABLE b_mail_mailbox (ID INT PRIMARY KEY, ACTIVE CHAR(1), SERVER VARCHAR(255), PORT INT)"
        )
        site.sql("INSERT INTO b_mail_mailbox VALUES (1, 'Y', '127.0.0.1', %s)", server.getsockname()[1])
        site.sql(
            "INSERT INTO b_agent (MODULE_ID, NAME, NEXT_EXEC, IS_PERIOD)"
            r" VALUES ('mail', 'Bitrix\\Mail\\Helper::syncMailboxAgent(1);', NOW(), 'N')"
        )
        site.option("main", "check_agents", "Y")
        site.cron()
        server.accept()[0].close()
        site.sql("DROP TABLE b_mail_mailbox")
        site.sql("DELETE FROM b_agent WHERE MODULE_ID = 'mail'")


# --- sessions and cache in Redis


@pytest.fixture
def redis_socket(tmp_path: Path) -> Iterator[Path]:
    with running_redis(tmp_path) as path:
        yield path


def test_cache_and_sessions_in_redis(site: Site, redis_socket: Path) -> None:
    if "redis" not in site.php("echo implode(' ', get_loaded_extensions());").split():
        lacking("PHP lacks redis (apt-get install php-redis)")
    place = {"host": f"unix://{redis_socket}", "port": 0}
    engine = {"class_name": "\\Bitrix\\Main\\Data\\CacheEngineRedis", "extension": "redis"}
    site.settings(
        cache={"type": engine, "redis": place, "sid": "tests"},
        session={"mode": "default", "handlers": {"general": {"type": "redis", "keyPrefix": "T", **place}}},
    )
    site.sql("UPDATE b_option SET VALUE = 'first' WHERE NAME = 'filler_001'")
    assert site.php(option("sample", "filler_001")) == "first"
    site.sql("UPDATE b_option SET VALUE = 'second' WHERE NAME = 'filler_001'")
    assert site.php(option("sample", "filler_001")) == "first"
    site.php("BXClearCache(true);")
    assert site.php(option("sample", "filler_001")) == "second"
    site.give_password("admin", NEW_PASSWORD)
    visitor = site.visitor()
    assert visitor.sign_in("admin", NEW_PASSWORD).status == 200
    assert visitor.get("/crm/lead/list/").status == 200
    keys = site.php(f"$r = new Redis; $r->connect('{redis_socket}'); echo implode(' ', $r->keys('*'));")
    assert "Tsession_" in keys
    assert "tests|managed|" in keys
