"""baseline.json: what stands before the portal's own code runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from backup_samples import M1
from loading import Loading, write_dump

from bxbackup.baseline import Baseline, Clock, take_baseline, write_baseline
from bxbackup.errors import DatabaseError
from bxbackup.rights import digest_statement

STAGES = (
    b"CREATE TABLE `b_crm_status` (\n  `ID` int(11) NOT NULL AUTO_INCREMENT,\n"
    b"  `STATUS_ID` varchar(50) DEFAULT NULL,\n  `COLOR` float DEFAULT NULL,\n  PRIMARY KEY (`ID`)\n)"
    b" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
)
ROWS = b"INSERT INTO `b_crm_status` VALUES\n(1, 'NEW', NULL),\n(2, '', 0.5)"


def baseline_of(loading: Loading, folder: Path) -> Baseline:
    """Load and take the baseline."""
    result = loading.load(folder)
    clock = Clock("2026-11-22 12:15:22", None, None)
    return take_baseline(result.identity, clock, loading.database, loading.server.defaults_file, "+00:00")


def write(loading: Loading, folder: Path, path: Path) -> None:
    """Load and write the baseline."""
    write_baseline(
        path,
        load=loading.load(folder).identity,
        dump_dir=folder,
        database=loading.database,
        defaults_file=loading.server.defaults_file,
        source_zone="+03:00",
    )


def test_the_baseline_of_a_sample_says_what_its_manifest_says(
    sample_dumps: dict[str, Path], loading: Loading, tmp_path: Path
) -> None:
    path = tmp_path / "baseline.json"
    write(loading, sample_dumps["M1"], path)
    assert path.stat().st_mode & 0o777 == 0o640
    said = json.loads(path.read_text())
    tables = {name: table["after_import"] for name, table in M1.manifest["tables"].items()}
    assert said["rows"] == {name: table["rows"] for name, table in tables.items()}
    assert said["dump"] == {"began": "2026-11-22 12:15:22", "ended": "2026-11-22 12:15:22", "zone": "+03:00"}
    assert (said["database"], said["time_zone"]) == (loading.database, "+00:00")
    assert said["ids"]["b_crm_lead"] == {"max_id": 1140, "auto_increment": 1141}
    assert {"b_tasks", "b_im_message", "b_forum_message", "b_crm_deal"} <= set(said["ids"])
    for name, ids in said["ids"].items():
        assert ids["auto_increment"] == tables[name]["auto_increment"]
    assert set(said["hashes"]) == {"stages", "categories", "user_fields"}
    assert said["hashes"]["categories"] is None
    assert len(said["hashes"]["stages"]) == 64
    assert {"b_group", "b_user_group"} <= set(said["rights"])
    assert not {"b_user", "b_search_content_right"} & set(said["rights"])
    assert said["rights"]["b_user_group"]["columns"][:2] == ["USER_ID", "GROUP_ID"]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("UPDATE b_crm_status SET STATUS_ID = 'NEW ' WHERE ID = 1", False),
        ("UPDATE b_crm_status SET COLOR = 0 WHERE ID = 1", False),
        ("DELETE FROM b_crm_status WHERE ID = 2", False),
        ("ALTER TABLE b_crm_status CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", True),
        ("ALTER TABLE b_crm_status ENGINE = MyISAM", True),
    ],
)
def test_hashes_follow_every_byte_and_nothing_else(
    change: str, same: bool, tmp_path: Path, loading: Loading
) -> None:
    folder = write_dump(tmp_path / "dump", STAGES, ROWS)
    before = baseline_of(loading, folder)
    loading.rows(change)
    after = baseline_of(loading, folder)
    assert (before.hashes == after.hashes) is same


RIGHTS = (
    b"CREATE TABLE `b_user_group` (\n  `USER_ID` int(11) NOT NULL,\n  `GROUP_ID` int(11) NOT NULL,\n"
    b"  `SINCE` datetime DEFAULT NULL,\n  `NOTE` varchar(50) DEFAULT NULL\n)"
    b" ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"
)
MEMBERS = (
    b"INSERT INTO `b_user_group` VALUES\n(1, 1, '2026-01-02 03:04:05', NULL),\n(1, 2, NULL, ''),\n"
    b"(2, 2, NULL, 'x|-'),\n(2, 2, NULL, 'x|-')"
)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ("UPDATE b_user_group SET GROUP_ID = 1 WHERE USER_ID = 2 LIMIT 1", False),
        ("UPDATE b_user_group SET NOTE = '' WHERE USER_ID = 1 AND GROUP_ID = 1", False),
        ("UPDATE b_user_group SET NOTE = 'X|-' WHERE USER_ID = 2", False),
        ("DELETE FROM b_user_group WHERE USER_ID = 2 LIMIT 1", False),
        ("DELETE FROM b_user_group WHERE USER_ID = 2", False),
        ("INSERT INTO b_user_group VALUES (3, 1, NULL, NULL)", False),
        ("ALTER TABLE b_user_group ORDER BY GROUP_ID DESC, USER_ID DESC", True),
        ("ALTER TABLE b_user_group CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", True),
    ],
)
def test_a_right_more_or_less_is_seen(change: str, same: bool, tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", RIGHTS, MEMBERS)
    before = baseline_of(loading, folder).rights["b_user_group"]
    loading.rows(change)
    question = digest_statement("b_user_group", before.columns)
    assert (loading.rows(question)[0][0] == before.digest) is same


def test_rows_of_ones_own_are_left_out(tmp_path: Path, loading: Loading) -> None:
    before = baseline_of(loading, write_dump(tmp_path / "dump", RIGHTS, MEMBERS)).rights["b_user_group"]
    loading.rows("INSERT INTO b_user_group VALUES (9, 1, NULL, NULL)")
    question = digest_statement("b_user_group", before.columns, "USER_ID <> 9")
    assert loading.rows(question)[0][0] == before.digest


def test_an_empty_portal_has_a_baseline(tmp_path: Path, loading: Loading) -> None:
    baseline = baseline_of(loading, write_dump(tmp_path / "dump", STAGES))
    assert baseline.rows == {"b_crm_status": 0}
    assert baseline.ids["b_crm_status"].max_id is None


def test_without_a_server_there_is_no_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bxbackup.baseline.PATIENCE", 0.0)
    options = tmp_path / "client.cnf"
    options.write_text(f"[client]\nsocket={tmp_path / 'none.sock'}\n")
    folder = write_dump(tmp_path / "dump", STAGES)
    with pytest.raises(DatabaseError):
        write_baseline(tmp_path / "b.json", load="1", dump_dir=folder, database="x", defaults_file=options)
    assert not (tmp_path / "b.json").exists()


def test_a_baseline_is_taken_once_for_each_load(tmp_path: Path, loading: Loading) -> None:
    folder = write_dump(tmp_path / "dump", STAGES, ROWS)
    path = tmp_path / "baseline.json"
    write(loading, folder, path)
    first = path.read_bytes()
    loading.rows("DELETE FROM b_crm_status")  # the portal has begun to work
    write(loading, folder, path)
    assert path.read_bytes() == first
    loading.server.rows(f"DROP DATABASE {loading.database}")
    write(loading, folder, path)
    assert json.loads(path.read_text())["load"] != json.loads(first)["load"]
