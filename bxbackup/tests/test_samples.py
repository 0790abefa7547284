"""Every sample, written by the product's own archiver, is read to the last byte."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from backup_samples import ALL, M1, M2, M3, Run, Sample, tree
from faults import fault

Options = Callable[[Sample], list[str]]


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
def test_verify_finds_a_sample_sound(run: Run, password_options: Options, sample: Sample) -> None:
    outcome = run("verify", sample.first, *password_options(sample), "--json")
    assert outcome.code == 0, outcome.err
    verdict = outcome.json
    manifest = sample.manifest
    assert verdict["sound"] is True
    assert verdict["problems"] == []
    assert verdict["encrypted"] is (sample.password is not None)
    assert [
        (part["name"], part["bytes"], part["uncompressed"], part["status"]) for part in verdict["parts"]
    ] == [(part["name"], part["size"], part["uncompressed"], "ok") for part in manifest["parts"]]
    evidence = "crc+bx" if manifest["gzip"] else "structure"
    assert {part["evidence"] for part in verdict["parts"]} == {evidence}
    assert verdict["files"] == sum(file["type"] == "file" for file in manifest["files"])
    assert verdict["dump"]["complete"] is True
    assert verdict["dump"]["tables"] == len(manifest["tables"])


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
def test_unpack_gives_every_file_of_the_manifest(
    run: Run, password_options: Options, sample: Sample, tmp_path: Path
) -> None:
    outcome = run("unpack", sample.first, "--to", tmp_path / "out", *password_options(sample))
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == sample.expected(dump=True)


@pytest.mark.parametrize("sample", ALL, ids=lambda sample: sample.name)
def test_inspect_needs_no_password(run: Run, sample: Sample) -> None:
    outcome = run("inspect", sample.first, "--json")
    assert outcome.code == 0
    manifest = sample.manifest
    assert outcome.json["encrypted"] is (sample.password is not None)
    assert outcome.json["encryption_version"] == manifest["enc_version"]
    assert outcome.json["uncompressed"] == sum(part["uncompressed"] for part in manifest["parts"])
    assert outcome.json["expected_parts"] == (len(manifest["parts"]) if manifest["gzip"] else None)


@pytest.mark.parametrize("sample", [M2, M3], ids=lambda sample: sample.name)
@pytest.mark.parametrize("command", ["verify", "unpack"])
def test_password_is_asked_for_and_checked(run: Run, sample: Sample, command: str, tmp_path: Path) -> None:
    where = ["--to", str(tmp_path / "out")] if command == "unpack" else []
    assert run(command, sample.first, *where).code == 5
    wrong = tmp_path / "wrong"
    wrong.write_text("not this\n")
    outcome = run(command, sample.first, *where, "--password-file", wrong)
    assert outcome.code == 5
    assert "not this" not in outcome.out + outcome.err
    assert not (tmp_path / "out").exists()


def test_a_missing_middle_part_is_named(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    shutil.copytree(M1.folder, folder)
    (folder / M1.names[2]).unlink()
    outcome = run("verify", folder / M1.names[0], "--json")
    assert outcome.code == 4
    assert [part["status"] for part in outcome.json["parts"]] == ["ok", "ok", "missing", "ok", "ok"]
    outcome = run("unpack", folder / M1.names[0], "--to", tmp_path / "out")
    assert outcome.code == 4
    assert M1.names[2] in outcome.err
    assert not (tmp_path / "out").exists()


@fault(
    "bit flip",
    "parts on disk",
    3,
    "part, gzip member and byte are named; with a sound part the same command goes on",
    "damaged … from byte …",
    "gzip checksum",
)
def test_a_flipped_bit_is_found_and_placed(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    shutil.copytree(M1.folder, folder)
    part = folder / M1.names[1]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    outcome = run("verify", folder / M1.names[0], "--json")
    assert outcome.code == 3
    assert [part["status"] for part in outcome.json["parts"]] == ["ok", "damaged", "ok", "ok", "ok"]
    outcome = run("unpack", folder / M1.names[0], "--to", tmp_path / "out")
    assert outcome.code == 3
    assert M1.names[1] in outcome.err
    shutil.copy(M1.folder / M1.names[1], part)
    outcome = run("unpack", folder / M1.names[0], "--to", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert tree(tmp_path / "out") == M1.expected(dump=True)


def test_a_folder_that_was_removed_is_unpacked_once_more(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out"
    assert run("unpack", M1.first, "--to", target).code == 0
    shutil.rmtree(target)
    assert run("unpack", M1.first, "--to", target).code == 0
    assert tree(target) == M1.expected(dump=True)


def test_unpack_touches_nothing_that_is_not_its_own(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "mine").write_text("keep")
    outcome = run("unpack", M1.first, "--to", target)
    assert outcome.code == 6
    assert [path.name for path in target.iterdir()] == ["mine"]
