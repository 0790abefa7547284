"""Uploads against b_file and b_file_hash: what is missing, differs, or only lies in the cloud."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from archive_builder import Form, entry, volumes, write_volumes
from backup_samples import M1, Outcome, Run
from database_server import DatabaseServer
from loading import Loading

from bxbackup import comparison
from bxbackup.comparison import Comparison, compare_uploads
from bxbackup.depth import Depth

Compare = Callable[..., Outcome]
FACTS: dict[str, Any] = M1.manifest["b_file"]
ROWS = M1.manifest["tables"]["b_file"]["after_import"]["rows"]
GONE = len(FACTS["handler_set_object_not_delivered"])
LOST = len(FACTS["local_row_without_file"])


@pytest.fixture
def site(tmp_path: Path, sample_dumps: dict[str, Path]) -> Path:
    """An unpacked sample."""
    return shutil.copytree(sample_dumps["M1"], tmp_path / "site")


@pytest.fixture
def loaded(loading: Loading, site: Path) -> Loading:
    """Its database."""
    loading.load(site)
    return loading


@pytest.fixture
def compared(run: Run, loaded: Loading, site: Path, tmp_path: Path) -> Compare:
    def call(*options: str) -> Outcome:
        return run(
            *("compare", site, "--database", loaded.database, "--state", tmp_path / "state"),
            *("--defaults-file", loaded.server.defaults_file, *options),
        )

    return call


def listed(state: Path) -> dict[str, dict[str, str]]:
    with (state / "uploads-compared.csv").open(encoding="utf-8", newline="") as report:
        return {line["path"]: line for line in csv.DictReader(report)}


def test_a_sample_is_as_its_manifest_says(compared: Compare, tmp_path: Path) -> None:
    outcome = compared("--json")
    assert outcome.code == 4
    found = outcome.json
    assert (found["rows"], found["done"]) == (ROWS, ROWS)
    assert (found["in_bucket"], found["missing"]) == (GONE, LOST)
    assert found["sound"] is False
    assert found["other_size"] == found["other_content"] == 0
    assert found["hashed"] == M1.manifest["tables"]["b_file_hash"]["after_import"]["rows"] - GONE - LOST
    assert found["bytes"] == found["bytes_total"]
    assert found["without_row"] >= len(FACTS["files_without_row"])
    kinds = sorted(line["kind"] for line in listed(tmp_path / "state").values())
    assert kinds == ["in bucket"] * GONE + ["missing"] * LOST
    assert json.loads((tmp_path / "state" / "uploads-compared.json").read_text())["missing"] == LOST


def test_a_whole_portal_is_sound(compared: Compare, loaded: Loading) -> None:
    gone = [*FACTS["handler_set_object_not_delivered"], *FACTS["local_row_without_file"]]
    loaded.rows(f"DELETE FROM b_file WHERE ID IN ({', '.join(map(str, gone))})")
    outcome = compared()
    assert outcome.code == 0, outcome.err
    assert f"{ROWS - GONE - LOST} of {ROWS - GONE - LOST} are as the database says" in outcome.out
    assert "that no row names" in outcome.out


def test_what_differs_is_named_and_damaged_wins(compared: Compare, site: Path, tmp_path: Path) -> None:
    flipped, longer = site / "upload/crm/edge/b1024.dat", site / "upload/crm/edge/one.dat"
    flipped.write_bytes(b"x" + flipped.read_bytes()[1:])
    longer.write_bytes(b"longer")
    outcome = compared()
    assert outcome.code == 3
    assert f"uploads that are not what the database says: 2 of {ROWS}" in outcome.err
    found = listed(tmp_path / "state")
    line = found["crm/edge/b1024.dat"]
    assert line["kind"] == "other content"
    assert line["md5"] != line["found_md5"]
    assert (found["crm/edge/one.dat"]["kind"], found["crm/edge/one.dat"]["found_size"]) == ("other size", "6")


def test_by_size_alone_reads_no_file(compared: Compare, site: Path) -> None:
    flipped = site / "upload/crm/edge/b1024.dat"
    flipped.write_bytes(b"x" + flipped.read_bytes()[1:])
    found = compared("--json", "--by", "sizes").json
    assert (found["other_content"], found["hashed"], found["bytes_total"]) == (0, 0, 0)
    assert found["missing"] == LOST


def test_nothing_but_a_regular_file_below_the_folder_counts(
    compared: Compare, loaded: Loading, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"12345")
    os.mkfifo(site / "upload/pipe")
    loaded.rows(
        "INSERT INTO b_file (ID, FILE_SIZE, SUBDIR, FILE_NAME) VALUES"
        " (901, 5, '../..', 'secret'), (902, 0, '', 'pipe'), (903, 0, 'crm', 'edge'), (904, 1, NULL, ''),"
        f" (905, 1, 'crm', '{'n' * 255}'), (906, 1, '{'n' * 255}', '{'n' * 255}'), (907, NULL, 'crm', 'no')"
    )
    found = compared("--json").json
    assert found["missing"] == LOST + 7


def test_names_do_not_command_the_terminal(compared: Compare, loaded: Loading) -> None:
    loaded.rows("DELETE FROM b_file")
    loaded.rows("INSERT INTO b_file (ID, FILE_SIZE, SUBDIR, FILE_NAME) VALUES (1, 5, 'disk', '\x1b[2Jx\ny')")
    outcome = compared()
    assert outcome.code == 4
    assert "\x1b" not in outcome.err
    assert "\\x1b[2Jx\\ny" in outcome.err


def test_files_that_the_portal_makes_anew_are_no_strangers(
    compared: Compare, site: Path, tmp_path: Path
) -> None:
    before = compared("--json").json["without_row"]
    for name in ("tmp/x", "resize_cache/1/x", "stranger/x"):
        (site / "upload" / name).parent.mkdir(parents=True, exist_ok=True)
        (site / "upload" / name).write_bytes(b"12345")
    (site / "upload/link").symlink_to(tmp_path)
    assert compared("--json").json["without_row"] == before + 1


def test_the_portals_own_name_of_the_folder_counts(compared: Compare, loaded: Loading, site: Path) -> None:
    (site / "upload").rename(site / "files")
    loaded.rows("DELETE FROM b_option WHERE MODULE_ID = 'main' AND NAME = 'upload_dir'")
    loaded.rows("INSERT INTO b_option (MODULE_ID, NAME, VALUE) VALUES ('main', 'upload_dir', 'files')")
    assert compared("--json").json["missing"] == LOST


def test_a_database_without_files_and_a_folder_that_is_none_are_said(
    run: Run, server: DatabaseServer, loading: Loading, tmp_path: Path
) -> None:
    loading.server.rows(f"CREATE DATABASE `{loading.database}`")
    words = ("--database", loading.database, "--defaults-file", server.defaults_file)
    (tmp_path / "site").mkdir()
    outcome = run("compare", tmp_path / "site", *words)
    assert outcome.code == 2
    assert "knows of no uploads" in outcome.err
    for table in ("b_option", "b_file", "b_file_hash"):
        loading.rows(f"CREATE TABLE {table} (ID int)")
    assert run("compare", tmp_path / "site", *words).code == 2
    assert run("compare", tmp_path / "none", *words).code == 2
    assert run("compare", tmp_path / "site", "--database", "not_there", *words[2:]).code == 7


def test_a_comparison_gives_no_right_to_fill_the_folder(compared: Compare, run: Run, site: Path) -> None:
    compared()
    outcome = run(
        *("restore", M1.first, "--to", site, "--state", site.parent / "state", "--database", "other"),
    )
    assert outcome.code == 6
    other = run("compare", site.parent, "--database", "d", "--state", site.parent / "state")
    assert other.code == 6


def test_an_interrupted_one_goes_on(
    loaded: Loading, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_PAGE", 10)
    monkeypatch.setattr(comparison, "_SLICE", 3)
    monkeypatch.setattr(comparison, "_EVERY", 0.0)
    (tmp_path / "state").mkdir()
    seen: list[int] = []

    def compare(progress: Callable[[Comparison], None]) -> Comparison:
        return compare_uploads(
            site,
            tmp_path / "state",
            database=loaded.database,
            defaults_file=loaded.server.defaults_file,
            depth=Depth.HASHES,
            progress=progress,
        )

    def stop(found: Comparison) -> None:
        if found.done > ROWS - 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(stop)
    found = compare(lambda now: seen.append(now.done))
    assert found.rate > 0
    assert found.remaining == 0
    assert seen[0] > ROWS - 11
    assert (found.done, found.missing, found.in_bucket) == (ROWS, LOST, GONE)
    assert len(listed(tmp_path / "state")) == LOST + GONE
    assert compare(lambda now: seen.append(now.done)).done == ROWS
    assert len(listed(tmp_path / "state")) == LOST + GONE


def test_a_lost_session_is_opened_again(
    loaded: Loading, server: DatabaseServer, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparison, "_PAGE", 10)
    killed: list[int] = []

    def kill(found: Comparison) -> None:
        if not killed:
            mine = server.rows(
                f"SELECT ID FROM information_schema.PROCESSLIST WHERE DB = '{loaded.database}'"
            )
            killed.extend(number for (number,) in mine)
            for number in killed:
                server.rows(f"KILL {number}")

    (tmp_path / "state").mkdir()
    found = compare_uploads(
        site,
        tmp_path / "state",
        database=loaded.database,
        defaults_file=server.defaults_file,
        depth=Depth.SIZES,
        progress=kill,
    )
    assert killed
    assert found.done == ROWS


@pytest.fixture
def dropped(server: DatabaseServer) -> Iterator[str]:
    name = f"test_{time.monotonic_ns()}"
    yield name
    server.rows(f"DROP DATABASE IF EXISTS `{name}`")


def test_restore_and_load_compare_and_tell(
    run: Run, server: DatabaseServer, dropped: str, tmp_path: Path
) -> None:
    outcome = run(
        *("restore", M1.first, "--to", tmp_path / "out", "--database", dropped),
        *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
    )
    assert outcome.code == 0, outcome.err
    assert f"uploads missing: {LOST};" in outcome.out
    assert f"uploads only in a bucket of the cloud: {GONE};" in outcome.out
    status = json.loads((tmp_path / "state" / "status.json").read_text())
    assert status["compared"]["missing"] == LOST
    assert f"uploads: {ROWS} of {ROWS} compared" in run("status", "--state", tmp_path / "state").out
    assert len(listed(tmp_path / "state")) == LOST + GONE
    server.rows(f"DROP DATABASE `{dropped}`")
    assert run("unpack", M1.first, "--to", tmp_path / "site").code == 0
    words = ("load", tmp_path / "site", "--database", dropped, "--defaults-file", server.defaults_file)
    loaded = run(*words)
    assert loaded.code == 0, loaded.err
    assert f"uploads missing: {LOST};" in loaded.out
    assert "uploads" not in run(*words, "--compare", "nothing").out


def swapped(tmp_path: Path) -> Path:
    """A backup in which one whole part of a file lies in the place of another: the format cannot tell."""
    content = bytes(random.Random(5).randbytes(12_288))
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    dump = (
        "-- Started: 2026-11-20 10:00:00\nSET NAMES 'utf8mb4';\n"
        "CREATE TABLE `b_file` (`ID` int NOT NULL, `FILE_SIZE` bigint, `SUBDIR` varchar(255),"
        " `FILE_NAME` varchar(255), `HANDLER_ID` varchar(50), PRIMARY KEY (`ID`)) ENGINE=InnoDB;\n"
        "CREATE TABLE `b_file_hash` (`FILE_ID` int NOT NULL, `FILE_SIZE` bigint, `FILE_HASH` varchar(50),"
        " PRIMARY KEY (`FILE_ID`)) ENGINE=InnoDB;\n"
        f"INSERT INTO `b_file` VALUES\n(1, {len(content)}, 'disk/1', 'big.bin', NULL);\n"
        f"INSERT INTO `b_file_hash` VALUES\n(1, {len(content)}, '{digest}');\n"
        "-- Finished: 2026-11-20 10:00:01"
    )
    stream = entry("bitrix/backup/small.sql", dump.encode()) + entry("upload/disk/1/big.bin", content)
    parts = volumes(stream, Form(limit=2048))
    parts[3], parts[4] = parts[4], parts[3]
    return write_volumes(tmp_path / "swapped", parts)


def test_swapped_parts_are_found_by_the_md5_that_the_portal_keeps(
    run: Run, server: DatabaseServer, dropped: str, tmp_path: Path
) -> None:
    archive = swapped(tmp_path)
    assert run("verify", archive).code == 0
    words = (
        *("restore", archive, "--to", tmp_path / "out", "--database", dropped),
        *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
    )
    outcome = run(*words)
    assert outcome.code == 3
    assert "disk/1/big.bin" in outcome.err
    assert "everything is restored" in outcome.err
    allowed = run(*words, "--allow-suspect-files")
    assert allowed.code == 0, allowed.err
    assert "of another content than their MD5 says: 1" in allowed.out


def test_killed_at_any_moment_it_ends_the_same(loaded: Loading, site: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from bxbackup import comparison; comparison._EVERY = 0; comparison._SLICE = 1\n"
        "from bxbackup.cli import main; main()"
    )
    argv = [sys.executable, "-c", program, "compare", str(site), "--database", loaded.database, "--state"]
    argv += [str(tmp_path / "state"), "--defaults-file", str(loaded.server.defaults_file)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    for moment in (0.35, 0.42, 0.5):
        process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    done = subprocess.run(argv, env=environment, check=False, capture_output=True, text=True)
    assert done.returncode == 4, done.stderr
    assert len(listed(tmp_path / "state")) == LOST + GONE
    assert f"{ROWS - LOST - GONE} of {ROWS} are as the database says" in done.stdout
