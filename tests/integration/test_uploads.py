"""Which uploads only the cloud has: asked of a real server and a real folder, with the host's program."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import testinfra
from ansible.module_utils.boxlift_sql import Database as Session

from boxlift.uploads import shown
from boxlift.verify.release import Database, Release
from tests.unit.acceptance import suite

ROWS = [
    (1, "disk/1", "here.pdf", 5, ""),
    (2, "disk/2", "here, its bucket forgotten.pdf", 5, "1"),
    (3, "disk/3", "in the cloud.pdf", 5, "1"),
    (4, "disk/4", "nowhere\nат all.pdf", 5, None),
    (5, "disk/5", "of another size.pdf", 99, None),
]


@pytest.fixture
def program(tmp_path: Path) -> str:
    """`bxbackup` of this repository where a host has it installed."""
    path = tmp_path / "bxbackup"
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from bxbackup.cli import main; main()" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def release(tmp_path: Path, session: Session, client_options: Path) -> Release:
    root, state = tmp_path / "releases" / "final-1", tmp_path / "restores" / "final-1"
    state.mkdir(parents=True)
    session.run("DROP DATABASE IF EXISTS portal_final_1")
    session.run("CREATE DATABASE portal_final_1 CHARACTER SET utf8mb4")
    session.run(
        "CREATE TABLE portal_final_1.b_file (ID INT PRIMARY KEY, SUBDIR VARCHAR(255), FILE_NAME VARCHAR(255),"
        " FILE_SIZE BIGINT, HANDLER_ID VARCHAR(50))"
    )
    for row in ROWS:
        session.run("INSERT INTO portal_final_1.b_file VALUES (%s, %s, %s, %s, %s)", row)
    session.commit()
    for number, folder, name, *_ in ROWS:
        if number in {1, 2, 5}:
            path = root / "upload" / folder / name
            path.parent.mkdir(parents=True)
            path.write_bytes(b"12345")
    database = Database(testinfra.get_host("local://"), "portal_final_1", str(client_options))
    return Release("final-1", str(root), str(state), database)


def missing(release: Release, program: str) -> dict[str, str]:
    found: dict[str, str] = suite("uploads/test_uploads").missing(release.database.host, release, program)
    return found


NOWHERE = shown("disk/4/nowhere\nат all.pdf")


def test_what_a_row_names_and_the_host_lacks_is_found(release: Release, program: str) -> None:
    assert missing(release, program) == {"disk/3/in the cloud.pdf": "in bucket", NOWHERE: "missing"}
    for number in (2, 3):
        _, folder, name, *_ = ROWS[number]
        path = Path(release.root, "upload", folder, name)
        path.parent.mkdir()
        path.write_bytes(b"12345")
    assert missing(release, program) == {}
    assert list(Path(release.state).iterdir()) == []


def test_what_no_mirror_had_is_missing_until_somebody_brings_it(release: Release, program: str) -> None:
    release.database.rows("DELETE FROM b_file WHERE ID IN (3, 4)")
    listed = [{"key": "p/a.pdf", "path": "a.pdf"}, {"key": "p/b.pdf", "path": "b.pdf"}]
    Path(release.state, "uploads-missing.json").write_text(json.dumps({"missing": listed}))
    Path(release.root, "upload", "a.pdf").touch()
    assert missing(release, program) == {"b.pdf": "at no mirror"}


def test_a_portal_without_uploads_misses_none(release: Release, program: str) -> None:
    release.database.rows("DELETE FROM b_file")
    assert missing(release, program) == {}


def test_a_program_that_fails_is_no_proof(release: Release) -> None:
    with pytest.raises(AssertionError):
        missing(release, "/bin/false")
