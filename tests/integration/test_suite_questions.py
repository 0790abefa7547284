"""What the suites ask the portal's PHP API, asked of the stand-in: no host is needed for that."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from boxlift.verify import product
from tests.acceptance.business.test_crm import COMMENTS, LEADS
from tests.acceptance.repairs.test_domain import ADDRESS
from tests.acceptance.repairs.test_push import ATTACHMENTS, CHANNEL
from tests.acceptance.repairs.test_search import FIND
from tests.integration.portal_site import Site, restored_site


class Local:
    """This machine in place of a host: the portal's user is whoever runs the tests."""

    def __init__(self, site: Site) -> None:
        self._php = site.command()

    def run(self, command: str, *arguments: str) -> object:
        """What testinfra's host does, without the step down to another account."""
        run, encoded, _, _, *options = arguments
        words = ["sh", "-c", run, "sh", encoded, *self._php, *options]
        done = subprocess.run(words, capture_output=True, text=True, check=False)

        class Done:
            stdout, stderr, rc = done.stdout, done.stderr, done.returncode

        return Done()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path) -> Site:
    site = restored_site(tmp_path_factory.mktemp("questions"), mariadb_socket, "portal_questions")
    site.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    site.sql("UPDATE b_lang SET SERVER_NAME = 'portal.acme.example' WHERE LID = 's1'")
    return site


@pytest.fixture
def asked(site: Site) -> product.Product:
    site.purge()
    return product.Product(Local(site), str(site.root))


def test_leads(asked: product.Product, site: Site) -> None:
    found = asked.ask(LEADS, {"newest": 3})
    assert found["total"] == site.sql("SELECT COUNT(*) FROM b_crm_lead")[0][0] > 3
    newest = site.sql("SELECT ID, TITLE FROM b_crm_lead ORDER BY ID DESC LIMIT 3")
    assert found["newest"] == [[str(lead), title] for lead, title in newest]


def test_comments(asked: product.Product, site: Site) -> None:
    topic, stored = site.sql(
        "SELECT TOPIC_ID, COUNT(*) FROM b_forum_message GROUP BY TOPIC_ID ORDER BY 2 DESC LIMIT 1"
    )[0]
    assert asked.ask(COMMENTS, {"topic": topic}) == stored > 0


def test_links(asked: product.Product) -> None:
    assert urlsplit(asked.ask(ADDRESS)).hostname == "portal.acme.example"


@pytest.mark.parametrize(("queue", "offered"), [("Y", True), ("N", False)])
def test_attachments(asked: product.Product, site: Site, queue: str, offered: bool) -> None:
    site.option("pull", "nginx", queue)
    site.option("disk", "successfully_converted", "Y")
    assert asked.ask(ATTACHMENTS) is offered


def test_channel(asked: product.Product, site: Site) -> None:
    site.option("pull", "signature_key", "key")
    given = asked.ask(CHANNEL, {"user": 1})
    assert given["address"] == "wss://#DOMAIN#/bitrix/subws/"
    assert re.fullmatch(r"[0-9a-f]{32}\.[0-9a-f]{40}", given["channel"])


def test_search(asked: product.Product, site: Site) -> None:
    site.option("search", "full_text_engine", "bitrix")
    site.php(r"\Bitrix\Main\Loader::includeModule('search'); CSearch::ReIndexAll(true);")
    lead, title = site.sql("SELECT ID, TITLE FROM b_crm_lead ORDER BY ID DESC LIMIT 1")[0]
    question = {"user": 1, "query": title, "item": f"LEAD.{lead}"}
    assert asked.ask(FIND, question) == [f"LEAD.{lead}"]
    assert asked.ask(FIND, question | {"query": "nothing has such a word"}) == []


def test_what_the_portal_says_is_the_error(asked: product.Product) -> None:
    with pytest.raises(Exception, match="no such thing"):
        asked.ask("throw new \\RuntimeException('no such thing');")
