"""A restore over HTTP: undisturbed, disturbed in each way a line and a server can, stopped, gone on with."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from archive_builder import Form, entry, small_site, write
from backup_samples import ALL, M1, M2, M3, Outcome, Run, Sample, tree
from fake_database import FakeDatabase
from faults import fault
from faulty_server import Answer, FaultyServer, Request

from bxbackup import transfer

Options = Callable[[Sample], list[str]]
Restore = Callable[..., Outcome]


@pytest.fixture
def restored(run: Run, fake_database: FakeDatabase, cloud: FaultyServer, tmp_path: Path) -> Restore:
    """Restore sample M1 from the cloud."""

    def call(source: object = None, *more: object) -> Outcome:
        return run(
            "restore",
            source or cloud.url(M1.names[0]),
            *("--to", tmp_path / "out", "--database", "portal_box", "--state", tmp_path / "state"),
            *more,
        )

    return call


def on(name: str, answer: Answer, *, first: int = 0, last: int = 10**9) -> Callable[[Request], Answer | None]:
    """The answer to some requests for one name; `first` and `last` count from 0."""
    return lambda seen: answer if seen.name == name and first <= seen.count <= last else None


def status_of(tmp_path: Path) -> dict[str, object]:
    loaded: dict[str, object] = json.loads((tmp_path / "state" / "status.json").read_text())
    return loaded


def assert_complete(tmp_path: Path, fake_database: FakeDatabase, sample: Sample = M1) -> None:
    assert tree(tmp_path / "out") == sample.expected(dump=False)
    hashes = {file["path"].rsplit("/")[-1]: file["sha256"] for file in sample.manifest["files"]}
    assert fake_database.loaded
    assert all(hashes[name] == digest for name, digest in fake_database.loaded.items())
    status = status_of(tmp_path)
    assert (status["state"], status["exit"]) == ("done", 0)
    assert (tmp_path / "state" / "baseline.json").exists()


def test_an_undisturbed_restore_fetches_each_byte_once(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)
    size = sum(part["size"] for part in M1.manifest["parts"])
    assert size <= cloud.sent <= size * 1.3
    status = status_of(tmp_path)
    assert status["parts"] == {"total": 5, "fetched": 5, "verified": 5, "unpacked": 5}
    assert status["bytes"] == {"total": size, "fetched": size}
    assert status["repairs"] == []


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
def test_every_sample_restores_from_a_path(
    restored: Restore, password_options: Options, fake_database: FakeDatabase, sample: Sample, tmp_path: Path
) -> None:
    outcome = restored(sample.first, *password_options(sample))
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database, sample)
    assert not (tmp_path / "state" / "parts" / sample.names[0]).exists()


def test_a_second_start_does_nothing_and_says_so(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    assert restored().code == 0
    asked = len(cloud.requests)
    outcome = restored()
    assert outcome.code == 0
    assert len(cloud.requests) == asked
    assert_complete(tmp_path, fake_database)


@pytest.mark.parametrize("left", [False, True], ids=["folder gone", "folder empty"])
def test_what_was_removed_after_a_restore_is_restored_once_more(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, *, left: bool
) -> None:
    assert restored().code == 0
    asked = len(cloud.requests)
    shutil.rmtree(tmp_path / "out")
    if left:
        (tmp_path / "out").mkdir()
    assert restored().code == 0
    assert len(cloud.requests) == asked
    assert status_of(tmp_path)["rows"] == 1
    assert_complete(tmp_path, fake_database)


def test_a_database_dropped_after_a_restore_is_loaded_once_more(
    restored: Restore, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    assert restored().code == 0
    fake_database.loaded.clear()
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_a_restore_whose_files_were_removed_midway_does_not_pass_the_rest_off_as_the_whole(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, kind: str
) -> None:
    cloud.rules.append(on(M1.names[4], Answer(status=404)))
    assert restored().code == 4
    cloud.rules.clear()
    tops = sorted((tmp_path / "out").iterdir())
    gone = next(path for path in tops if path.is_dir() == (kind == "folder") and path.suffix != ".restore")
    shutil.rmtree(gone) if kind == "folder" else gone.unlink()
    outcome = restored()
    assert outcome.code == 6
    assert gone.name in outcome.err
    shutil.rmtree(tmp_path / "out")
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_a_list_of_files_that_was_removed_is_made_anew(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(on(M1.names[4], Answer(status=404)))
    assert restored().code == 4
    cloud.rules.clear()
    (tmp_path / "state" / "files.jsonl").unlink()
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_a_wrong_password_stops_before_another_part_is_asked_for(
    run: Run, fake_database: FakeDatabase, tmp_path: Path, cloud: FaultyServer
) -> None:
    shutil.rmtree(cloud.folder)
    shutil.copytree(M2.folder, cloud.folder)
    wrong = tmp_path / "wrong"
    wrong.write_text("hunter2\n")
    outcome = run(
        "restore",
        cloud.url(M2.names[0]),
        *("--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"),
        *("--password-file", wrong),
    )
    assert outcome.code == 5
    assert {seen.name for seen in cloud.requests} == {M2.names[0]}
    assert "hunter2" not in outcome.err + json.dumps(status_of(tmp_path))


def flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[len(changed) // 2] ^= 4
    return bytes(changed)


@fault(
    "bit flip",
    "on the way",
    0,
    "that part alone is fetched again; complete",
    "arrived damaged … fetched again",
    "gzip checksum, ETag",
)
def test_a_part_damaged_on_the_way_is_fetched_again_alone(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    name = M1.names[2]
    data = (cloud.folder / name).read_bytes()
    etag = cloud.etag(data)
    cloud.rules.append(on(name, Answer(body=flipped(data), etag=etag), first=1, last=1))
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)
    assert [repair["part"] for repair in status_of(tmp_path)["repairs"]] == [name]  # type: ignore[attr-defined]
    assert [cloud.count(other) for other in M1.names] == [2, 2, 3, 2, 2]


def test_repairs_of_an_earlier_run_stay_in_the_status(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    name, last = M1.names[2], M1.names[4]
    data = (cloud.folder / name).read_bytes()
    cloud.rules.append(on(name, Answer(body=flipped(data), etag=cloud.etag(data)), first=1, last=1))
    away = (cloud.folder / last).rename(tmp_path / "away")
    assert restored().code == 4
    away.rename(cloud.folder / last)
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert [repair["part"] for repair in status_of(tmp_path)["repairs"]] == [name]  # type: ignore[attr-defined]
    assert "arrived damaged" not in outcome.err


@fault(
    "bit flip",
    "at the source",
    3,
    "fetched once: the ETag proves that it is the server's own damage; all else is kept",
    "is damaged at the source … our copy equals the server's ETag",
    "gzip checksum, ETag",
)
def test_a_part_damaged_at_the_source_is_not_fetched_a_third_time(
    restored: Restore, cloud: FaultyServer, tmp_path: Path, fake_database: FakeDatabase
) -> None:
    name = M1.names[3]
    good = (cloud.folder / name).read_bytes()
    (cloud.folder / name).write_bytes(flipped(good))
    outcome = restored()
    assert outcome.code == 3
    assert name in outcome.err
    assert "at the source" in outcome.err
    assert cloud.count(name) == 2
    status = status_of(tmp_path)
    assert status["parts"] == {"total": 5, "fetched": 4, "verified": 4, "unpacked": 3}
    (cloud.folder / name).write_bytes(good)
    before = {other: cloud.count(other) for other in M1.names}
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)
    # of the first one two bytes, to see that it is the same backup
    assert [cloud.count(other) - before[other] for other in M1.names] == [1, 0, 0, 2, 0]


@fault(
    "bit flip",
    "at the source",
    3,
    "without an ETag two equal fetches prove it",
    "is damaged at the source",
    "gzip checksum, SHA-256 of two fetches",
)
def test_without_an_etag_two_equal_fetches_prove_the_source_damaged(
    restored: Restore, cloud: FaultyServer
) -> None:
    name = M1.names[1]
    body = flipped((cloud.folder / name).read_bytes())
    cloud.rules.append(on(name, Answer(body=body, etag=None)))
    outcome = restored()
    assert outcome.code == 3
    assert "at the source" in outcome.err
    assert cloud.count(name) == 3


@fault(
    "bit flip",
    "on the way",
    3,
    "three fetches, each damaged elsewhere",
    "something on the network path alters data",
    "gzip checksum, ETag",
)
def test_a_line_that_alters_every_fetch_is_named_as_such(restored: Restore, cloud: FaultyServer) -> None:
    name = M1.names[1]
    data = (cloud.folder / name).read_bytes()
    etag = cloud.etag(data)

    def rule(seen: Request) -> Answer | None:
        if seen.name != name or not seen.count:
            return None
        changed = bytearray(data)
        changed[-seen.count * 100] ^= 1
        return Answer(body=bytes(changed), etag=etag)

    cloud.rules.append(rule)
    outcome = restored()
    assert outcome.code == 3
    assert "network path" in outcome.err
    assert cloud.count(name) == 4


def error_body() -> bytes:
    return b"<?xml version='1.0'?><Error><Code>SlowDown</Code></Error>"


ENDED = "the connection ended before all bytes had come"


def passing(name: str, says: str) -> pytest.MarkDecorator:
    return fault(name, "passing", 0, "asked again after a pause; complete", says)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(status=500), id="500", marks=passing("500", "the server answered 500")),
        pytest.param(
            Answer(status=503, headers={"Retry-After": "0"}),
            id="503",
            marks=passing("503", "the server answered 503"),
        ),
        pytest.param(Answer(status=429), id="429", marks=passing("429", "the server answered 429")),
        pytest.param(Answer(cut=5000), id="cut"),
        pytest.param(Answer(cut=0), id="reset", marks=passing("reset", ENDED)),
        pytest.param(Answer(ranges=False), id="range ignored"),
        pytest.param(
            Answer(headers={"Content-Length": "999999"}),
            id="wrong length",
            marks=passing("wrong Content-Length", "restored:"),
        ),
        pytest.param(Answer(status=416), id="416", marks=passing("416", "the server answered 416")),
    ],
)
@pytest.mark.parametrize("number", [0, 2])
def test_a_passing_fault_costs_nothing_but_time(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    answer: Answer,
    number: int,
) -> None:
    cloud.rules.append(on(M1.names[number], answer, last=1))
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)


@fault("Range ignored", "lasting", 0, "each part over one connection; complete", "restored:")
def test_a_server_without_ranges_and_lengths_will_do(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(lambda seen: Answer(ranges=False, etag=None))
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)


@fault(
    "ETag changed",
    "passing",
    0,
    "that part is begun anew; complete",
    "changed at the source while it was fetched; begun anew",
    "ETag, If-Range",
)
def test_an_object_that_changes_midway_is_begun_anew(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    name = M1.names[3]
    old = bytes(len((cloud.folder / name).read_bytes()))
    cloud.rules.append(on(name, Answer(body=old, etag="old"), last=0))
    outcome = restored()
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)
    assert "changed at the source" in str(status_of(tmp_path)["repairs"])


def test_bytes_of_the_old_object_that_still_come_spoil_nothing_of_the_new_one(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = max(M1.names, key=lambda one: (cloud.folder / one).stat().st_size)
    size = (cloud.folder / name).stat().st_size
    for limit in ("SMALLEST_SEGMENT", "LARGEST_SEGMENT", "_SMALLEST_TAIL"):
        monkeypatch.setattr(transfer, limit, size // 2)
    cloud.rules += [
        on(name, Answer(body=bytes(size), etag="old"), last=0),
        on(name, Answer(body=bytes(size), etag="old", rate=size / 4), first=1, last=1),
    ]
    outcome = restored(None, "--connections", 2)
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)
    assert "begun anew" in str(status_of(tmp_path)["repairs"])
    assert "arrived damaged" not in str(status_of(tmp_path)["repairs"])


@fault(
    "part missing",
    "at the source",
    4,
    "all others are fetched; when it is there the same command goes on",
    "404",
    "mark LN, list of URLs",
)
def test_a_missing_part_is_absent_and_the_others_are_kept(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    name = M1.names[2]
    data = (cloud.folder / name).read_bytes()
    (cloud.folder / name).unlink()
    outcome = restored()
    assert outcome.code == 4
    assert name in outcome.err
    assert status_of(tmp_path)["parts"] == {"total": 5, "fetched": 4, "verified": 4, "unpacked": 2}
    (cloud.folder / name).write_bytes(data)
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_damaged_wins_over_absent(restored: Restore, cloud: FaultyServer) -> None:
    (cloud.folder / M1.names[4]).unlink()
    path = cloud.folder / M1.names[3]
    path.write_bytes(flipped(path.read_bytes()))
    assert restored().code == 3


@fault(
    "403",
    "lasting",
    4,
    "a fresh link goes on, by the same command",
    "the server answered 403 … get a fresh link … next: bxbackup restore",
)
def test_an_expired_link_stops_cleanly_and_a_new_one_goes_on(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    def rule(seen: Request) -> Answer | None:
        if "key=old" in seen.query and seen.name in M1.names[2:] and seen.count:
            return Answer(status=403)
        return None if "key=" in seen.query else Answer(status=403)

    cloud.rules.append(rule)
    outcome = restored(cloud.url(M1.names[0], "key=old&secret=canary"))
    assert outcome.code == 4
    assert "fresh link" in outcome.err
    links = tmp_path / "links"
    links.write_text("\n".join(cloud.url(name, "key=new&secret=canary") for name in reversed(M1.names)))
    before = {name: cloud.count(name) for name in M1.names}
    outcome = restored(f"@{links}")
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database)
    # of the first one two bytes, to see that it is the same backup
    assert [cloud.count(name) - before[name] for name in M1.names[:2]] == [1, 0]
    assert max(seen.end for seen in cloud.requests if seen.name == M1.names[0] and "new" in seen.query) == 2
    for path in (tmp_path / "state").rglob("*"):
        if path.is_file():
            assert b"canary" not in path.read_bytes(), path
    assert "canary" not in outcome.out + outcome.err


@fault(
    "S3 error body instead of a part",
    "at the source",
    3,
    "the server's own words are shown; all else is kept",
    "it holds a storage server's error text: SlowDown",
    "form",
)
def test_an_error_text_in_place_of_a_part_is_quoted(restored: Restore, cloud: FaultyServer) -> None:
    (cloud.folder / M1.names[2]).write_bytes(error_body())
    outcome = restored()
    assert outcome.code == 3
    assert "SlowDown" in outcome.err


def test_a_redirect_is_followed(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    shutil.copytree(cloud.folder, cloud.folder / "other")
    cloud.rules.append(
        lambda seen: None if "/" in seen.name else Answer(redirect=cloud.url(f"other/{seen.name}"))
    )
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_a_source_that_cannot_be_reached_is_absent(restored: Restore) -> None:
    outcome = restored("http://127.0.0.1:9/backup.tar.gz?secret=canary", "--patience", "0.2")
    assert outcome.code == 4
    assert "canary" not in outcome.err


@pytest.mark.parametrize(
    "source",
    [
        "http://127.0.0.1:99999/a.tar.gz?canary",
        f"http://{'a' * 70}.example/a.tar.gz?canary",
        "http://:80/a.tar.gz?canary",
        "http:a.tar.gz?canary",
        "http://me:canary@[x/a.tar.gz",
        "htps://me:canary@host/a.tar.gz?canary",
    ],
)
def test_an_address_that_is_none_is_told_and_not_quoted(restored: Restore, source: str) -> None:
    outcome = restored(source)
    assert outcome.code in (2, 4)
    assert "→" in outcome.err
    assert "canary" not in outcome.err


def test_a_redirect_to_nowhere_is_told(restored: Restore, cloud: FaultyServer) -> None:
    cloud.rules.append(lambda seen: Answer(redirect="http://127.0.0.1:99999/x?canary"))
    outcome = restored(None, "--patience", "0.2")
    assert outcome.code == 4
    assert "canary" not in outcome.err


def test_json_prints_the_final_status(restored: Restore, tmp_path: Path) -> None:
    outcome = restored(None, "--json")
    assert outcome.code == 0
    assert outcome.json == status_of(tmp_path)


def test_status_tells_of_a_finished_restore(restored: Restore, run: Run, tmp_path: Path) -> None:
    assert run("status", "--state", tmp_path / "state").code == 2
    restored()
    assert run("status", "--state", tmp_path / "state", "--json").json["state"] == "done"
    assert "67 files" not in run("status", "--state", tmp_path / "state").err


@fault(
    "folder not ours",
    "restore",
    6,
    "refused before the first byte; nothing is touched",
    "is not empty, and this state folder did not fill it",
    "mark in the state folder",
)
def test_folders_that_are_not_ours_are_refused_before_the_first_byte(
    restored: Restore, cloud: FaultyServer, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("keep")
    assert restored().code == 6
    assert cloud.requests == []
    assert not (tmp_path / "state").exists()
    (tmp_path / "out" / "mine").unlink()
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "mine").write_text("keep")
    assert restored().code == 6
    assert cloud.requests == []


def test_a_state_folder_of_another_backup_is_refused(restored: Restore, tmp_path: Path) -> None:
    assert restored().code == 0
    assert restored(M2.first).code == 6


def test_another_backup_under_the_same_name_does_not_go_on_with_the_one_begun(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(on(M1.names[3], Answer(status=404)))
    assert restored().code == 4
    other = (cloud.folder / M1.names[1]).read_bytes()
    cloud.rules[:] = [on(M1.names[0], Answer(body=other))]
    outcome = restored()
    assert outcome.code == 6
    assert "the source has another" in outcome.err
    cloud.rules.clear()
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_the_same_backup_at_another_place_goes_on(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(on(M1.names[3], Answer(status=404)))
    assert restored().code == 4
    cloud.rules[:] = [lambda seen: Answer(etag="6f2b-61")]
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_a_disk_that_has_another_number_after_a_reboot_is_known_again(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(on(M1.names[3], Answer(status=404)))
    assert restored().code == 4
    cloud.rules.clear()
    mark = tmp_path / "state" / "bxbackup.json"
    noted = json.loads(mark.read_text())
    mark.write_text(json.dumps(noted | {"device": noted["device"] + 1, "inode": noted["inode"] + 1}))
    assert restored().code == 6
    mark.write_text(json.dumps(noted | {"device": noted["device"] + 1}))
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_a_state_folder_below_the_target_is_refused(
    run: Run, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    outcome = run("restore", M1.first, "--to", out, "--database", "d", "--state", out / "state")
    assert outcome.code == 6
    assert not out.exists() or not any(out.iterdir())


@pytest.mark.parametrize("sample", [M2, M3], ids=lambda sample: sample.name)
def test_encrypted_samples_restore_over_http(
    restored: Restore,
    password_options: Options,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    sample: Sample,
    tmp_path: Path,
) -> None:
    shutil.rmtree(cloud.folder)
    shutil.copytree(sample.folder, cloud.folder)
    outcome = restored(cloud.url(sample.names[0]), *password_options(sample))
    assert outcome.code == 0, outcome.err
    assert_complete(tmp_path, fake_database, sample)


@fault(
    "bit flip",
    "no gzip around it",
    3,
    "with the server's ETag: the part is named",
    "differs … since it was fetched",
    "ETag",
)
def test_what_an_etag_has_proved_verify_says_of_the_kept_parts(
    restored: Restore, run: Run, password_options: Options, cloud: FaultyServer, tmp_path: Path
) -> None:
    shutil.rmtree(cloud.folder)
    shutil.copytree(M3.folder, cloud.folder)
    assert restored(cloud.url(M3.names[0]), *password_options(M3)).code == 0
    part = tmp_path / "state" / "parts" / M3.names[0]
    outcome = run("verify", part, *password_options(M3), "--json")
    assert outcome.code == 0
    assert [found["evidence"] for found in outcome.json["parts"]] == ["etag"]
    data = bytearray(part.read_bytes())
    data[-3000] ^= 1
    part.write_bytes(data)
    outcome = run("verify", part, *password_options(M3), "--json")
    assert outcome.code == 3
    assert "since it was fetched" in outcome.json["parts"][0]["error"]


@fault("hang", "passing", 0, "the connection is cut and made anew; complete", "the server fell silent")
def test_a_silent_connection_is_cut_and_made_anew(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    cloud.rules.append(on(M1.names[3], Answer(hang=20_000), first=1, last=1))
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


@fault("503", "lasting", 4, "`Retry-After` is honoured, and not for ever", "the server answered 503")
def test_retry_after_is_honoured_and_not_for_ever(restored: Restore, cloud: FaultyServer) -> None:
    cloud.rules.append(on(M1.names[3], Answer(status=503, headers={"Retry-After": "9999"}), first=1))
    outcome = restored()
    assert outcome.code == 4
    assert M1.names[3] in outcome.err


def test_a_part_that_goes_bad_on_our_disk_is_fetched_again(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path
) -> None:
    (cloud.folder / M1.names[1]).rename(cloud.folder / "away")
    assert restored().code == 4
    (cloud.folder / "away").rename(cloud.folder / M1.names[1])
    kept = tmp_path / "state" / "parts" / M1.names[3]
    kept.write_bytes(flipped(kept.read_bytes()))
    assert restored().code == 3
    assert restored().code == 0
    assert_complete(tmp_path, fake_database)


def test_the_rate_is_capped(restored: Restore, fake_database: FakeDatabase, tmp_path: Path) -> None:
    began = time.monotonic()
    assert restored(None, "--limit", "100K").code == 0
    assert time.monotonic() - began > 1.2
    assert_complete(tmp_path, fake_database)


def test_outside_of_its_time_window_nothing_is_fetched(
    restored: Restore, fake_database: FakeDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter([datetime(2026, 11, 20, 19, 59, 59)] * 3)
    monkeypatch.setattr(transfer, "local_time", lambda: next(moments, datetime(2026, 11, 20, 20, 0)))
    waited: list[float] = []

    async def nap(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(transfer, "nap", nap)
    outcome = restored(None, "--between", "20:00-07:00")
    assert outcome.code == 0, outcome.err
    assert waited == [1.0, 1.0, 1.0]
    assert_complete(tmp_path, fake_database)


@pytest.mark.parametrize(
    "option",
    [
        *(("--limit", "fast"), ("--between", "25:00-07:00"), ("--between", "1:00")),
        *(("--connections", "0"), ("--nonsense", "1")),
    ],
)
def test_options_that_make_no_sense_are_usage(restored: Restore, option: tuple[str, str]) -> None:
    assert restored(None, *option).code == 2


def test_as_many_connections_as_asked_for(restored: Restore, cloud: FaultyServer) -> None:
    cloud.rules.append(lambda seen: Answer(rate=100_000))
    assert restored(None, "--connections", "3").code == 0
    assert 2 <= cloud.most_at_once <= 4


def test_suspect_files_may_be_allowed(run: Run, fake_database: FakeDatabase, tmp_path: Path) -> None:
    grown = entry("log.txt", b"x" * 1500, size=700)
    archive = write(tmp_path / "in", small_site(grown))
    command = [
        *("restore", archive, "--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"),
    ]
    outcome = run(*command)
    assert outcome.code == 3
    assert "log.txt" in outcome.err
    outcome = run(*command, "--allow-suspect-files")
    assert outcome.code == 0, outcome.err
    assert "log.txt" in outcome.out
    assert [
        found["path"] for found in json.loads((tmp_path / "state" / "status.json").read_text())["suspect"]
    ] == ["log.txt"]


@fault("slow drip", "passing", 0, "the connection is made anew; complete", "restored:")
def test_a_dripping_connection_is_made_anew(
    restored: Restore,
    cloud: FaultyServer,
    fake_database: FakeDatabase,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(transfer, "DRIP_SECONDS", 0.5)
    cloud.rules.append(on(M1.names[3], Answer(rate=500), first=1, last=1))
    began = time.monotonic()
    assert restored().code == 0
    assert time.monotonic() - began < 60
    assert_complete(tmp_path, fake_database)


@pytest.mark.parametrize("gzipped", [True, False])
def test_parts_without_marks_are_fetched_until_the_next_is_not_there(
    restored: Restore, cloud: FaultyServer, fake_database: FakeDatabase, tmp_path: Path, gzipped: bool
) -> None:
    write(cloud.folder, small_site(entry("big.bin", bytes(30_000))), Form(gzipped=gzipped, marks=False))
    outcome = restored(cloud.url("small.tar.gz"))
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "out" / "big.bin").stat().st_size == 30_000


@pytest.fixture
def command(fake_database: FakeDatabase, tmp_path: Path) -> list[object]:
    """The options of a restore."""
    return ["--to", tmp_path / "out", "--database", "d", "--state", tmp_path / "state"]


def test_a_backup_without_a_dump_is_no_restored_portal(
    run: Run, command: list[object], tmp_path: Path
) -> None:
    archive = write(tmp_path / "in", entry("index.php", b"x"))
    outcome = run("restore", archive, *command)
    assert outcome.code == 4
    assert "no database dump" in outcome.err


def test_what_needs_a_hand_is_said(run: Run, command: list[object], tmp_path: Path) -> None:
    more = [entry("bitrix/backup/sites/s2/index.php", b"x"), entry("a", b"1"), entry("a", b"2")]
    archive = write(tmp_path / "in", small_site(*more))
    outcome = run("restore", archive, *command)
    assert outcome.code == 0
    assert "bitrix/backup/sites" in outcome.out
    assert "more than once" in outcome.out
