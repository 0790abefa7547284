"""The program that fills a copy: pipes, state, statistics, what failures mean."""

from __future__ import annotations

import contextlib
import errno
import getpass
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from boxlift_reader import crew, hot, source, uploads
from boxlift_reader import rsync as files
from boxlift_reader.fault import Code, InterruptedPullError, PullError, RefusedError
from boxlift_reader.state import State, Status
from boxlift_reader.stream import Ended, Flow, flow
from roles.portal_clone.files.boxlift_clone import __main__ as main
from roles.portal_clone.files.boxlift_clone import former as former_code
from roles.portal_clone.files.boxlift_clone import physical, schema, tree
from roles.portal_clone.files.boxlift_clone.order import Order

PYTHON = sys.executable
ROLE = Path(__file__).parents[2] / "roles" / "portal_clone"
LEFT_OUT = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))["__portal_clone_left_out"]
TALK = [PYTHON, "-c", "import sys; sys.stdout.write('x' * 300000)"]
CAT = ["cat"]


def told(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    return {
        "release": "clone-20261122100000",
        "method": "physical",
        "ssh": "/nonexistent/ssh",
        "address": "root@192.0.2.10",
        "source": "final-1",
        "database": "portal_final_1",
        "database_bytes": 1000,
        "base": str(tmp_path / "portal"),
        "copies": str(tmp_path / "copies"),
        "owner": "portal",
        "account": "mysql",
        "sockets": "/run",
        "bandwidth_kb": 0,
        "memory_mb": 64,
        "settings": str(tmp_path / "settings"),
        "options_file": str(tmp_path / "client.cnf"),
        "collation": "utf8mb4_unicode_ci",
        "upload": "upload",
        "left_out": LEFT_OUT,
        "attachments": True,
        "resume_hours": 24.0,
        **changed,
    }


def order(tmp_path: Path, **changed: Any) -> Order:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(told(tmp_path, **changed)))
    return Order.read(path)


def test_an_order(tmp_path: Path) -> None:
    found = order(tmp_path)
    assert found.own_database == "portal_clone_20261122100000"
    assert found.former is None
    assert found.socket == Path("/run/boxlift-database-clone-20261122100000/server.sock")


@pytest.mark.parametrize(
    "changed",
    [
        {"release": "final-1"},
        {"release": "clone-1/../.."},
        {"database": "mysql`; DROP"},
        {"method": "by pigeon"},
    ],
)
def test_an_order_that_names_what_must_not_be_touched(tmp_path: Path, changed: dict[str, str]) -> None:
    with pytest.raises(PullError, match=r"is no (release|database|order) of a copy"):
        order(tmp_path, **changed)


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_a_cut_order(tmp_path: Path, text: str) -> None:
    path = tmp_path / "order.json"
    path.write_text(text)
    with pytest.raises(PullError, match="no order of a copy"):
        Order.read(path)


def test_bytes_are_counted_on_both_ends() -> None:
    seen: list[int] = []
    moved = flow(
        [TALK, [PYTHON, "-c", "import sys; d = sys.stdin.read(); print(d * 2, end='')"], CAT],
        tell=seen.append,
    )
    assert moved.broken is None
    assert (moved.travelled, moved.arrived) == (300000, 600000)
    assert seen[-1] == 600000


def test_a_rate_is_held() -> None:
    began = time.monotonic()
    flow([TALK, CAT], rate_kb=600)
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize(
    ("chain", "guilty"),
    [
        ([[PYTHON, "-c", "import sys; print('x' * 10); sys.exit('gone')"], CAT], 0),
        ([TALK, [PYTHON, "-c", "import sys; sys.exit('gone')"]], 1),
        ([TALK, CAT, [PYTHON, "-c", "import sys; sys.stdin.read(1); sys.exit('gone')"]], 2),
        ([TALK, [PYTHON, "-c", "import sys; sys.stdin.read(); sys.exit('gone')"], CAT], 1),
    ],
)
def test_the_one_who_broke_the_chain_is_named(chain: list[list[str]], guilty: int) -> None:
    broken = flow(chain).broken
    assert broken is not None
    assert broken.words == tuple(chain[guilty])
    assert broken.said == "gone"


@pytest.mark.parametrize(
    ("code", "said", "kind", "text"),
    [
        (255, "ssh: connect to host: No route to host", InterruptedPullError, "the line to production broke"),
        (6, "refused: this key reads the portal", RefusedError, "this key reads the portal"),
        (1, "[00] error: write: No space left on device", InterruptedPullError, "production's disk is full"),
        (1, "mariadb-backup: Error: failed to connect", InterruptedPullError, "production could not send"),
    ],
)
def test_what_went_wrong_on_the_source(code: int, said: str, kind: type[PullError], text: str) -> None:
    found = source.of_source(code, said)
    assert isinstance(found, kind)
    assert text in str(found)


@pytest.mark.parametrize(
    ("broken", "text", "code"),
    [
        (
            Ended(("mbstream",), 1, "mbstream: Error: No space left on device"),
            "the disk of /data is full",
            Code.GO_ON,
        ),
        (Ended(("zstd",), -9, ""), "zstd was killed", Code.GO_ON),
        (Ended(("zstd",), 1, "zstd: corrupt"), "zstd failed: zstd: corrupt", Code.OUR_FAULT),
    ],
)
def test_what_went_wrong_here(broken: Ended, text: str, code: Code) -> None:
    found = source.here(broken, "/data")
    assert text in str(found)
    assert found.code == code


def test_stages_outlive_the_program(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.bind(source="final-1", database="portal_final_1", method="physical")
    state.mark("stream")
    state.measure("database", {"bytes": 7})
    again = State(tmp_path)
    again.bind(source="final-1", database="portal_final_1", method="physical")
    assert again.done("stream") is not None
    assert again.figures("database") == {"bytes": 7}
    again.forget("stream")
    assert State(tmp_path).done("stream") is None


def test_what_was_copied_of_another_release_does_not_count(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.bind(source="final-1", database="portal_final_1", method="physical")
    state.mark("stream")
    again = State(tmp_path)
    again.bind(source="final-2", database="portal_final_2", method="physical")
    assert again.done("stream") is None


def test_a_cut_state_is_none(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"stages": {"str')
    assert State(tmp_path).done("stream") is None


def test_status_has_the_form_of_bxbackup_s(tmp_path: Path) -> None:
    status = Status(tmp_path)
    status.stage("database", 100)
    status.moved(50)
    status.end("failed", 4, "the line broke")
    found = json.loads((tmp_path / "status.json").read_text())
    assert (found["state"], found["exit"], found["error"]) == ("failed", 4, "the line broke")
    assert found["bytes"] == {"fetched": 50, "total": 100}


def test_what_is_done_at_the_same_time_is_told_in_one_line(tmp_path: Path) -> None:
    def told() -> tuple[str, dict[str, int | None]]:
        found = json.loads((tmp_path / "status.json").read_text())
        return found["stage"], found["bytes"]

    status = Status(tmp_path)
    status.stage("database", 100)
    with status.beside() as one, status.beside() as other:
        one.stage("prepare")
        other.stage("files", 10)
        other.moved(7)
        one.stage("server", 5)
        assert told() == ("server, files", {"fetched": 7, "total": 15})
    status.stage("check")
    assert told() == ("check", {"fetched": 0, "total": None})


def test_the_part_that_failed_stays_told(tmp_path: Path) -> None:
    status = Status(tmp_path)
    with contextlib.suppress(InterruptedPullError), status.beside() as part:
        part.stage("uploads")
        raise InterruptedPullError("the line broke")
    status.end("failed", 4, "the line broke")
    assert json.loads((tmp_path / "status.json").read_text())["stage"] == "uploads"


def test_a_full_disk_hides_no_cause(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = Status(tmp_path)
    status.stage("database", 100)

    def full(self: Path, text: str, **options: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    status._written = 0.0
    status.moved(50)
    status.end("failed", 4, "the disk is full")


SAID = """\
Number of regular files transferred: 1,234
Total file size: 5,000,000 bytes
Total transferred file size: 4,321 bytes
Total bytes sent: 99
Total bytes received: 5,432
"""


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


@pytest.fixture
def rsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in rsync's place: prints, complains, ends as the test wants."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setattr(files, "_ENVIRONMENT", {"PATH": f"{folder}:/usr/bin:/bin"})
    return folder / "rsync"


def test_what_rsync_says(tmp_path: Path, rsync: Path) -> None:
    program(rsync, f"printf '  1,000  10%%  1MB/s\\r  2,000  20%%\\r\\n'; cat <<'E'\n{SAID}E\n")
    seen: list[int] = []
    moved = tree._rsync(order(tmp_path), [], seen.append)
    assert seen == [1000, 2000]
    assert moved == files.Moved(files=1234, bytes=4321, size=5000000, travelled=5432)


def test_files_that_vanish_are_no_failure(tmp_path: Path, rsync: Path) -> None:
    program(rsync, f"cat <<'E'\n{SAID}E\nexit 24\n")
    assert tree._rsync(order(tmp_path), []).files == 1234


@pytest.mark.parametrize(
    ("end", "text"),
    [
        ("echo 'Connection closed by 192.0.2.10' >&2; exit 255", "the line to production broke"),
        ("echo 'rsync: write failed: No space left on device (28)' >&2; exit 11", "is full"),
        ("echo 'refused: production serves release final-2 now' >&2; exit 12", "serves release final-2"),
        ("echo 'rsync: permission denied' >&2; exit 23", "permission denied"),
    ],
)
def test_what_rsync_s_end_means(tmp_path: Path, rsync: Path, end: str, text: str) -> None:
    program(rsync, end)
    with pytest.raises(PullError, match=text):
        tree._rsync(order(tmp_path), [])


def test_missing_files_are_told_apart(tmp_path: Path) -> None:
    ssh = program(
        tmp_path / "ssh",
        "cat >/dev/null; printf '1\\tthere\\n2\\tabsent\\n3\\tabsent\\n\\n1\\n3\\n'",
    )
    found = uploads.Missing()
    uploads._ask(order(tmp_path, ssh=str(ssh)), [("1", "a/1"), ("2", "a/2"), ("3", "a/3")], found)
    assert (found.late, found.deleted, found.lost) == (["1 a/1"], ["2 a/2"], ["3 a/3"])


def test_definers_of_production_are_left_out() -> None:
    assert schema._DEFINER.sub("", "CREATE DEFINER=`portal`@`%` TRIGGER t") == "CREATE  TRIGGER t"


def test_what_was_copied_of_another_release_goes_with_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = order(tmp_path)
    found.data.mkdir(parents=True)
    State(found.folder).bind(source="rehearsal-1", database="portal_rehearsal_1", method="physical")
    for name in ("server.cnf", "client.cnf", "objects.sql"):
        (found.folder / name).touch()
    ran: list[list[str]] = []
    left: list[str] = []

    def pull(*_: object) -> None:
        left.extend(path.name for path in found.folder.iterdir())
        raise InterruptedPullError("enough")

    monkeypatch.setattr(source, "ask", lambda *_: "final-1")
    monkeypatch.setattr(source, "run", lambda words, _: ran.append(words))
    monkeypatch.setattr(physical, "arrive", pull)
    monkeypatch.setattr(tree, "begin", lambda *_: None)
    with pytest.raises(InterruptedPullError, match="enough"):
        main._fill(found, Status(found.folder))
    assert ran == [["systemctl", "stop", "boxlift-database@clone-20261122100000.service"]]
    assert left == ["state.json"]


def test_a_database_that_is_pulled_again_wants_its_files_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run before was killed when the files were there and the database was being prepared."""
    found = order(tmp_path)
    found.folder.mkdir(parents=True)
    state = State(found.folder)
    for stage in ("stream", "files"):
        state.mark(stage)
    pulled: list[str] = []

    def broken(*_: object) -> float:
        raise PullError("no backup")

    def stream(*_: object, **__: object) -> Flow:
        pulled.append("stream")
        return Flow(1, 1, 1.0, None)

    monkeypatch.setattr(hot, "prepare", broken)
    monkeypatch.setattr(hot, "stream", stream)
    physical.arrive(found, state, Status(found.folder))
    assert pulled == ["stream"]
    assert state.done("files") is None


@pytest.mark.parametrize("guilty", ["database", "files"])
def test_either_part_s_failure_ends_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, guilty: str
) -> None:
    found = order(tmp_path)
    begun = threading.Barrier(2)

    def part(name: str) -> Callable[..., None]:
        def work(*_: object) -> None:
            begun.wait(60)
            if name == guilty:
                raise InterruptedPullError(f"{name} failed")
            with crew.started(["sleep", "600"], goes_on=True) as process:
                process.wait()

        return work

    monkeypatch.setattr(source, "ask", lambda *_: "final-1")
    monkeypatch.setattr(physical, "discard", lambda _: None)
    monkeypatch.setattr(physical, "arrive", lambda *_: None)
    monkeypatch.setattr(tree, "begin", lambda *_: None)
    monkeypatch.setattr(physical, "serve", part("database"))
    monkeypatch.setattr(tree, "pull", part("files"))
    with main._alone(found), pytest.raises(InterruptedPullError, match=f"{guilty} failed"):
        main._copy(found)
    status = json.loads((found.folder / "status.json").read_text())
    assert (status["state"], status["exit"], status["error"]) == ("failed", 4, f"{guilty} failed")


def test_the_former_copy_is_taken_over_while_the_database_travels(
    second: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Production's files come behind the database: those of the copy before are no reading of production."""

    def travels(*_: object) -> None:
        deadline = time.monotonic() + 60
        while State(second.folder).figures("begun") == {}:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        raise InterruptedPullError("the line broke")

    monkeypatch.setattr(source, "ask", lambda *_: "final-1")
    monkeypatch.setattr(physical, "discard", lambda _: None)
    monkeypatch.setattr(physical, "arrive", travels)
    with main._alone(second), pytest.raises(InterruptedPullError, match="line broke"):
        main._copy(second)
    assert {name for name in contents(second.root) if not name.startswith("upload/")} == {
        *("bitrix/same.php", "bitrix/modules/main/.settings.php", "index.php"),
        *("bitrix/changed/a.php", "bitrix/gone/a.php"),
    }
    status = json.loads((second.folder / "status.json").read_text())
    assert (status["stage"], status["bytes"]) == ("former copy", {"fetched": 0, "total": 0})


def test_an_interruption_ends_a_stream_beside_other_work() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    left = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            crew.together(lambda: flow([["sleep", "600"], ["cat"]]), lambda: None)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, left)
    assert time.monotonic() - began < 60


LOGGED = """echo "begun" >>{folder}/log
while [ "$(grep -c begun {folder}/log)" -lt {wanted} ]; do sleep 0.05; done
echo "ended" >>{folder}/log
"""


@pytest.mark.parametrize(
    ("rate", "wanted", "log"),
    [(0, 2, ["begun", "begun", "ended", "ended"]), (100, 1, ["begun", "ended", "begun", "ended"])],
)
def test_code_and_uploads_come_at_the_same_time_but_not_where_a_rate_is_to_be_held(
    tmp_path: Path, rsync: Path, rate: int, wanted: int, log: list[str]
) -> None:
    found = order(tmp_path, bandwidth_kb=rate, owner=ME)
    program(rsync, LOGGED.format(folder=tmp_path, wanted=wanted))
    pull_files(found)
    assert (tmp_path / "log").read_text().split() == log


ME = getpass.getuser()


def pull_files(found: Order) -> dict[str, Any]:
    found.folder.mkdir(parents=True, exist_ok=True)
    state, status = State(found.folder), Status(found.folder)
    tree.begin(found, state, status)
    tree.pull(found, state, status)
    return state.figures("files")


def put(root: Path, files: dict[str, str]) -> None:
    """Files of one time."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        os.utime(path, (1_000_000, 1_000_000))


@pytest.fixture
def second(tmp_path: Path) -> Order:
    """A second copy: production has changed, and so has the first copy, which is active."""
    ssh = program(tmp_path / "ssh", f'shift\ncd {tmp_path}/production\nexec "$@"\n')
    found = order(tmp_path, ssh=str(ssh), address="production", owner=ME)
    former = found.base / "releases" / "clone-20260101000000"
    same = dict.fromkeys(
        ("bitrix/same.php", "bitrix/modules/main/.settings.php", "index.php", "upload/same.jpg"), "same"
    )
    changed = ("bitrix/changed/a.php", "upload/changed/a.jpg")
    new, gone = ("local/new.php", "upload/new.jpg"), ("bitrix/gone/a.php", "upload/gone/a.jpg")
    own = (
        *("bitrix/cache/a", "bitrix/tmp/a/b", "bitrix/.settings.php", "bitrix/php_interface/dbconn.php.old"),
        *("local/.settings.php", "local/deep/er/a.restore.php", "a.restore.php"),
    )
    put(tmp_path / "production" / "final-1", same | dict.fromkeys((*changed, *new), "of production"))
    put(former, same | dict.fromkeys((*changed, *gone, *own), "of staging"))
    (found.base / "current").symlink_to("releases/clone-20260101000000")
    return found


def contents(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_second_copy_has_production_s_files_and_shares_uploads_alone(second: Order, tmp_path: Path) -> None:
    former = second.base / "releases" / "clone-20260101000000"
    before = contents(former)
    figures = pull_files(second)
    assert contents(second.root) == contents(tmp_path / "production" / "final-1")
    assert contents(former) == before
    assert figures["files"] == 4
    for name in ("bitrix/same.php", "index.php", "bitrix/changed/a.php"):
        assert not (second.root / name).samefile(former / name)
        assert (second.root / name).stat().st_mtime == 1_000_000
    if figures["shared"] == "hard links":
        assert (second.root / "upload" / "same.jpg").samefile(former / "upload" / "same.jpg")
    changed = "upload/changed/a.jpg"
    assert not (second.root / changed).samefile(former / changed)


@pytest.mark.parametrize("at_once", [1, 3, 2000])
def test_code_is_copied_in_parts_of_any_size(
    second: Order, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(former_code, "_FILES", at_once)
    names = [f"bitrix/modules/{module}/-a {number}.php" for module in range(3) for number in range(5)]
    for root in (tmp_path / "production" / "final-1", second.base / "current"):
        put(root, dict.fromkeys(names, "same"))
    assert pull_files(second)["files"] == 4
    assert contents(second.root) == contents(tmp_path / "production" / "final-1")


def test_what_lies_about_on_staging_is_not_copied(tmp_path: Path) -> None:
    staging, new = tmp_path / "staging", tmp_path / "new"
    put(staging, {"local/a.php": "code", "local/dump.sql": "", "upload/a.jpg": "upload"})
    os.truncate(staging / "local" / "dump.sql", 2_000_000)
    (staging / "local" / "gone.php").symlink_to("nowhere")
    former_code.begin(staging, new, ["/upload"])
    assert sorted(path.name for path in new.rglob("*")) == ["a.php", "gone.php", "local"]


@pytest.mark.parametrize("left", ["bitrix/same.php", "bitrix/gone/a.php", "local/other.php"])
def test_a_second_copy_goes_on_with_whatever_an_interrupted_run_left(
    second: Order, tmp_path: Path, left: str
) -> None:
    path = second.root / left
    path.parent.mkdir(parents=True)
    path.write_text("sa")
    pull_files(second)
    assert contents(second.root) == contents(tmp_path / "production" / "final-1")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("bitrix/.settings.php", False),
        ("bitrix/.settings.php.bak", False),
        ("bitrix/.settings_extra.php~", False),
        ("bitrix/php_interface/dbconn.php.old", False),
        ("local/.settings.php", False),
        ("local/.settings_extra.php.bak", False),
        ("local/php_interface/init.php", True),
        ("bitrix/php_interface/init.php", True),
        ("bitrix/modules/main/.settings.php", True),
    ],
)
def test_settings_of_production_stay_there(tmp_path: Path, path: str, there: bool) -> None:
    file = tmp_path / "production" / path
    file.parent.mkdir(parents=True)
    file.write_text("secret")
    options = tree._rest(order(tmp_path))
    subprocess.run(
        ["rsync", "--recursive", *options, f"{tmp_path / 'production'}/", f"{tmp_path / 'copy'}/"], check=True
    )
    assert (tmp_path / "copy" / path).exists() is there
