"""`kill -9` at any moment costs nothing: the next start goes on and ends like an undisturbed run."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from backup_samples import M1, M2, Sample, tree
from database_server import DatabaseServer
from faults import fault, saw
from faulty_server import Answer, FaultyServer

SOURCES = Path(__file__).parents[1] / "src"
COMMAND = [sys.executable, "-c", "from bxbackup.cli import main; main()"]


def start(*arguments: object) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        env=environment | {"PYTHONPATH": str(SOURCES)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_equal_to_manifest(sample: Sample, out: Path, server: DatabaseServer, database: str) -> None:
    assert tree(out) == sample.expected(dump=False)
    for name, table in sample.manifest["tables"].items():
        checksum = server.rows(f"CHECKSUM TABLE `{database}`.`{name}` EXTENDED")[0][1]
        assert checksum == table["after_import"]["checksum"], name


@pytest.mark.parametrize(
    ("sample", "kills", "seconds"),
    [(M1, 10, 2.0), pytest.param(M2, 50, 1.2, marks=pytest.mark.long)],
    ids=["M1, 10 kills", "M2, 50 kills"],
)
@fault(
    "our process killed",
    "restore",
    0,
    "ten times, fifty in the long run: the end is that of an undisturbed one",
    "restored:",
)
def test_a_restore_that_is_killed_again_and_again_ends_like_any_other(
    sample: Sample, kills: int, seconds: float, tmp_path: Path, server: DatabaseServer
) -> None:
    database = f"kill_{kills}"
    moments = random.Random(kills)
    options: list[object] = []
    if sample.password is not None:
        (tmp_path / "password").write_text(sample.password)
        options = ["--password-file", tmp_path / "password"]
    with FaultyServer(sample.folder) as cloud:
        cloud.rules.append(lambda seen: Answer(rate=sum(p["size"] for p in sample.manifest["parts"]) / 8))
        command = [
            *("restore", cloud.url(sample.names[0]), "--to", tmp_path / "out", "--database", database),
            *("--state", tmp_path / "state", "--defaults-file", server.defaults_file, *options),
        ]
        done = 0
        for _ in range(kills):
            process = start(*command)
            try:
                process.communicate(timeout=moments.uniform(0.2, seconds))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
            else:
                assert process.returncode == 0
                done += 1
            if done > 1:
                break
        process = start(*command)
        out, said = process.communicate(timeout=120)
        saw(process.returncode, out + said)
        assert process.returncode == 0, said
    assert_equal_to_manifest(sample, tmp_path / "out", server, database)
    assert json.loads((tmp_path / "state" / "status.json").read_text())["state"] == "done"
    server.rows(f"DROP DATABASE `{database}`")


@fault("our process killed", "unpack", 0, "the end is that of an undisturbed one", "files and … folders")
def test_unpack_killed_again_and_again(tmp_path: Path) -> None:
    moments = random.Random(7)
    command = ["unpack", M1.first, "--to", tmp_path / "out"]
    for _ in range(6):
        process = start(*command)
        try:
            process.communicate(timeout=moments.uniform(0.25, 0.5))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    process = start(*command)
    out, said = process.communicate(timeout=60)
    saw(process.returncode, out + said)
    assert process.returncode == 0, said
    assert tree(tmp_path / "out") == M1.expected(dump=True)


def test_a_stop_by_the_service_manager_leaves_a_state_that_goes_on(
    tmp_path: Path, server: DatabaseServer
) -> None:
    with FaultyServer(M1.folder) as cloud:
        cloud.rules.append(lambda seen: Answer(rate=20_000))
        command = [
            *("restore", cloud.url(M1.names[0]), "--to", tmp_path / "out", "--database", "terminated"),
            *("--state", tmp_path / "state", "--defaults-file", server.defaults_file),
        ]
        process = start(*command)
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
        second = start(*command)
        assert second.wait(20) == 6
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
        assert process.returncode == 143
        status = json.loads((tmp_path / "state" / "status.json").read_text())
        assert (status["state"], status["exit"]) == ("failed", 143)
        cloud.rules.clear()
        process = start(*command)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    assert_equal_to_manifest(M1, tmp_path / "out", server, "terminated")
    server.rows("DROP DATABASE `terminated`")
