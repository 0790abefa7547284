"""The program that builds a portal's indexes, on the stand-in: to the end, killed, with indexes that fail."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.boxlift_sql import Database

from library.portal_index import due, is_emptied, progress, read_state, resumed, write_state
from tests.integration.portal_site import REPOSITORY, Site, restored_site

ROLE = REPOSITORY / "roles" / "portal_search"
PROGRAM = ROLE / "files" / "portal_index.php"
SCHEMA = "portal_search_program"

BREAKS = """<?php
namespace Bitrix\\Crm\\Agent\\Search;
final class BreakingSearchContentRebuildAgent
{
    public static function getInstance(): self { return new self(); }
    public function enable(bool $enable): void {}
    public static function doRun(): bool
    {
        throw new \\RuntimeException("Unknown column in: UPDATE b_crm_lead SET TITLE = 'Anna +7 912'", 1054);
    }
}
"""
STEPS = """<?php
namespace Bitrix\\Crm\\Update;
final class Steps
{
    public static function execAgent(): string
    {
        $known = \\Bitrix\\Main\\Config\\Option::get('main.stepper.crm', self::class);
        $step = ($known === '' ? 0 : unserialize($known)['steps']) + 1;
        usleep(20000);
        if ($step === 40) {
            \\Bitrix\\Main\\Config\\Option::delete('main.stepper.crm', ['name' => self::class]);
            return '';
        }
        $reached = serialize(['steps' => $step, 'count' => 40]);
        \\Bitrix\\Main\\Config\\Option::set('main.stepper.crm', self::class, $reached);
        return self::class . '::execAgent();';
    }
}
"""
RECORDS = """<?php
namespace Bitrix\\Crm\\Update;
final class Records
{
    public static function index(int $id): void
    {
        $connection = \\Bitrix\\Main\\Application::getConnection();
        $connection->queryExecute("INSERT INTO b_made_up (LEAD_ID) VALUES ($id)");
    }
}
"""
TYPES = """<?php
namespace Bitrix\\Crm\\Update;
final class Types
{
    private function __construct(private readonly int $type) {}
    public static function create(int $type): self { return new self($type); }
    public function bulkBuild(array $ids): void
    {
        $connection = \\Bitrix\\Main\\Application::getConnection();
        foreach ($ids as $id) {
            $connection->queryExecute("INSERT INTO b_made_types VALUES ({$this->type}, $id)");
        }
    }
}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, mariadb_socket: Path) -> Site:
    """A restored sample with an index column in its leads and classes that step, record and break."""
    site = restored_site(tmp_path_factory.mktemp("search"), mariadb_socket, SCHEMA)
    site.sql("DELETE FROM b_module WHERE ID IN ('bitrix24', 'security')")
    site.sql("ALTER TABLE b_crm_lead ADD SEARCH_CONTENT MEDIUMTEXT NULL")
    site.sql("CREATE TABLE b_made_up (LEAD_ID INT PRIMARY KEY)")
    site.sql("INSERT INTO b_made_up SELECT ID FROM b_crm_lead ORDER BY ID LIMIT 5")
    modules = site.root / "bitrix/modules/crm/lib"
    (modules / "update").mkdir()
    (modules / "agent/search/breakingsearchcontentrebuildagent.php").write_text(BREAKS)
    (modules / "update/steps.php").write_text(STEPS)
    (modules / "update/records.php").write_text(RECORDS)
    (modules / "update/types.php").write_text(TYPES)
    return site


def agent(name: str) -> dict[str, Any]:
    return {
        "id": f"crm-{name.lower()}",
        "kind": "agent",
        "module": "crm",
        "class": f"Bitrix\\Crm\\Agent\\Search\\{name}SearchContentRebuildAgent",
        "progress": f"~CRM_REBUILD_{name.upper()}_SEARCH_CONTENT_PROGRESS",
        "table": "b_crm_lead",
        "column": "SEARCH_CONTENT",
    }


SITE_INDEX = {"id": "site", "kind": "site", "module": "search", "index": "b_search_content"}
STEPPER = {"id": "steps", "kind": "stepper", "module": "crm", "class": "Bitrix\\Crm\\Update\\Steps"}
RECORD = {
    "id": "records",
    "kind": "records",
    "module": "crm",
    "class": "Bitrix\\Crm\\Update\\Records",
    "method": "index",
    "table": "b_crm_lead",
    "index": "b_made_up",
    "key": "LEAD_ID",
}


class Unit:
    """The program as its unit starts it."""

    def __init__(self, site: Site, folder: Path, *indexes: dict[str, Any], seconds: int = 0) -> None:
        self.state = folder / "state.json"
        config = folder / "config.json"
        content = {"root": str(site.root), "state": str(self.state), "seconds": seconds, "indexes": indexes}
        config.write_text(json.dumps(content))
        self._command = [*site.command(), str(PROGRAM), str(config)]

    def run(self) -> int:
        done = subprocess.run(self._command, check=False, capture_output=True, text=True, timeout=120)
        self.said = done.stderr
        return done.returncode

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def known(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = read_state(self.state).get(name, {})
        return found


def test_cards_of_every_type_are_built_once(site: Site, tmp_path: Path) -> None:
    """Also where each step is cut after one batch, a type has no cards, and one has lost its table."""
    site.sql("CREATE TABLE b_made_types (TYPE INT, ID INT, PRIMARY KEY (TYPE, ID))")
    site.sql("CREATE TABLE b_made_type (ENTITY_TYPE_ID INT PRIMARY KEY, TABLE_NAME VARCHAR(64))")
    site.sql(
        "INSERT INTO b_made_type VALUES"
        " (128, 'b_made_128'), (130, 'b_made_130'), (132, 'b_lost'), (134, 'b_made_134')"
    )
    for number, rows in ((128, 250), (130, 0), (134, 3)):
        site.sql(f"CREATE TABLE b_made_{number} (ID INT PRIMARY KEY)")
        if rows:
            site.sql(f"INSERT INTO b_made_{number} SELECT seq FROM seq_1_to_{rows}")
    types = {
        "id": "types",
        "kind": "types",
        "module": "crm",
        "class": "Bitrix\\Crm\\Update\\Types",
        "method": "create",
        "table": "b_made_type",
    }
    unit = Unit(site, tmp_path, types)
    assert unit.run() == 0, unit.said
    built = dict(site.sql("SELECT TYPE, COUNT(*) FROM b_made_types GROUP BY TYPE"))
    assert built == {128: 250, 134: 3}
    assert (unit.known("types")["done"], unit.known("types")["total"]) == (253, 253)


def test_all_kinds_to_the_end(site: Site, tmp_path: Path) -> None:
    unit = Unit(site, tmp_path, SITE_INDEX, agent("Lead"), STEPPER, RECORD, seconds=1)
    assert unit.run() == 0, unit.said
    leads = int(site.sql("SELECT COUNT(*) FROM b_crm_lead")[0][0])
    assert unit.known("site")["done"] == site.sql("SELECT COUNT(*) FROM b_search_content")[0][0] > 0
    assert site.sql("SELECT COUNT(*) FROM b_crm_lead WHERE SEARCH_CONTENT IS NULL")[0][0] == 0
    assert (unit.known("crm-lead")["done"], unit.known("crm-lead")["total"]) == (leads, leads)
    assert unit.known("steps")["state"] == "done"
    assert site.sql("SELECT COUNT(*) FROM b_made_up")[0][0] == leads
    assert unit.known("records")["done"] == leads - 5, "rows that the index has are left alone"
    before = unit.state.read_bytes()
    assert unit.run() == 0
    assert unit.state.read_bytes() == before, "a finished one writes nothing"


def test_what_the_portal_lacks_is_absent(site: Site, tmp_path: Path) -> None:
    lacking = [
        {**RECORD, "id": "module", "module": "nothing"},
        {**RECORD, "id": "table", "index": "b_not_there"},
        {**RECORD, "id": "call", "method": "nothing"},
        {**STEPPER, "id": "class", "class": "Bitrix\\Crm\\Update\\Nothing"},
    ]
    unit = Unit(site, tmp_path, *lacking)
    assert unit.run() == 0, unit.said
    assert {known["state"] for known in read_state(unit.state).values()} == {"absent"}
    assert unit.known("table")["note"] == "the portal has no table b_not_there"


def test_one_that_breaks_is_given_up_and_the_rest_goes_on(site: Site, tmp_path: Path) -> None:
    unit = Unit(site, tmp_path, agent("Breaking"), SITE_INDEX, seconds=5)
    assert [unit.run() for _ in range(4)] == [2, 2, 2, 1]
    assert unit.known("crm-breaking")["state"] == "failed"
    assert unit.known("crm-breaking")["note"] == (
        "RuntimeException (1054) in"
        " bitrix/modules/crm/lib/agent/search/breakingsearchcontentrebuildagent.php:9"
    )
    assert "Anna" not in unit.state.read_text() + unit.said, "a statement quotes what people wrote"
    assert unit.known("site")["state"] == "done"


def test_killed_it_goes_on_where_it_was(site: Site, tmp_path: Path) -> None:
    unit = Unit(site, tmp_path, STEPPER)
    process = unit.start()
    for _ in range(200):
        if unit.known("steps").get("done", 0) >= 3:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = unit.known("steps")["done"]
    assert 3 <= reached < 40
    assert unit.run() == 0
    steps = unit.known("steps")
    assert (steps["state"], steps["done"], steps["total"]) == ("done", 40, 40)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"indexes": 3}'])
def test_a_state_that_cannot_be_read_begins_anew(site: Site, tmp_path: Path, content: str) -> None:
    unit = Unit(site, tmp_path, RECORD)
    unit.state.write_text(content)
    assert read_state(unit.state) == {}
    assert unit.run() == 0
    assert unit.known("records")["state"] == "done"


def test_what_is_due(site: Site, session: Database, tmp_path: Path) -> None:
    indexes = [SITE_INDEX, agent("Lead"), RECORD]
    assert due(session, SCHEMA, indexes, {}) == ["site", "crm-lead", "records"]
    over = {"site": {"state": "done"}, "crm-lead": {"state": "absent"}, "records": {"state": "done"}}
    site.sql("INSERT IGNORE INTO b_made_up VALUES (1)")
    assert Unit(site, tmp_path, SITE_INDEX).run() == 0
    assert due(session, SCHEMA, indexes, over) == []
    assert due(session, SCHEMA, [{**SITE_INDEX, "variant": "sphinx"}], over) == ["site"], "another engine"
    site.sql("DELETE FROM b_made_up")
    session.commit()
    assert due(session, SCHEMA, indexes, over) == ["records"]
    assert due(session, SCHEMA, indexes, {**over, "site": {"state": "failed"}}) == ["site", "records"]


def test_an_index_of_nothing_is_not_emptied(site: Site, session: Database) -> None:
    site.sql("CREATE TABLE b_no_rows (ID INT)")
    assert not is_emptied(session, SCHEMA, {**RECORD, "table": "b_no_rows"})
    assert not is_emptied(session, SCHEMA, {**RECORD, "table": "b_not_there"})
    site.sql("UPDATE b_crm_lead SET SEARCH_CONTENT = NULL")
    session.commit()
    assert is_emptied(session, SCHEMA, agent("Lead"))
    assert not is_emptied(session, SCHEMA, {**agent("Lead"), "column": "NOTHING"})


def test_an_index_that_had_nothing_to_hold_is_done(site: Site, session: Database, tmp_path: Path) -> None:
    site.sql("CREATE TABLE b_never (LEAD_ID INT PRIMARY KEY)")
    site.sql("DELETE FROM b_made_up")
    never = {**RECORD, "index": "b_never"}
    unit = Unit(site, tmp_path, never, seconds=5)
    assert unit.run() == 0, unit.said
    session.commit()
    assert is_emptied(session, SCHEMA, never)
    assert due(session, SCHEMA, [never], read_state(unit.state)) == []
    assert Unit(site, tmp_path, RECORD).run() == 0


def test_a_start_goes_on_with_what_was_cut_off() -> None:
    state: dict[str, dict[str, Any]] = {
        "site": {"state": "running", "position": {"ID": "7"}, "tries": 2, "variant": "mysql"},
        "records": {"state": "failed", "position": 9},
        "steps": {"state": "done"},
    }
    indexes = [{**SITE_INDEX, "variant": "mysql"}, RECORD, STEPPER]
    assert resumed(state, indexes, ["site", "records"]) == {
        "site": {**state["site"], "tries": 0},
        "steps": state["steps"],
    }
    assert resumed(state, [{**SITE_INDEX, "variant": "sphinx"}, RECORD], ["site", "records"]) == {
        "steps": state["steps"]
    }, "another engine"


def test_a_link_that_was_laid_out_leads_nowhere(tmp_path: Path) -> None:
    """The folder is the portal's user's, and root writes the state."""
    other = tmp_path / "shadow"
    other.write_text("secret")
    other.chmod(0o600)
    for name in ("state.new", "state.json"):
        (tmp_path / name).symlink_to(other)
    write_state(tmp_path / "state.json", {"site": {"state": "done"}})
    assert (other.read_text(), other.stat().st_mode & 0o777) == ("secret", 0o600)
    assert read_state(tmp_path / "state.json") == {"site": {"state": "done"}}


def test_progress_names_what_is_being_built(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    write_state(
        path, {"site": {"state": "done"}, "records": {"state": "running", "done": 7, "total": 9, "rate": 2.5}}
    )
    found = progress([SITE_INDEX, RECORD], read_state(path))
    assert found == {"what": "index records (2 of 2)", "done": 7, "total": 9, "rate": 2.5}
    assert progress([SITE_INDEX], read_state(path)) == {}


def test_the_roles_list_is_sound() -> None:
    content = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    indexes = content["__portal_search_indexes_auto"]
    assert len({index["id"] for index in indexes}) == len(indexes)
    for index in indexes:
        needed = {
            "site": set(),
            "agent": {"class", "progress"},
            "stepper": {"class"},
            "records": {"class", "method", "table"},
            "types": {"class", "method", "table"},
        }
        assert needed[index["kind"]] <= index.keys(), index["id"]
