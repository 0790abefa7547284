"""A generated backup against independent readers: gzip, tar, openssl, MariaDB; then against bxbackup."""

from __future__ import annotations

import gzip
import hashlib
import json
import struct
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bxbackup import cli
from lab.generator.__main__ import main
from lab.generator.views import SOURCE_DATABASE
from lab.writer import damage
from lab.writer.archive import ArchiveWriter
from lab.writer.tar import FILE, Entry
from lab.writer.volume import VolumeWriter

PASSWORD = "Тест generator 26"
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Backup:
    """A written backup and its manifest."""

    folder: Path
    manifest: dict[str, Any]

    @property
    def first(self) -> Path:
        return self.folder / str(self.manifest["parts"][0]["name"])


def generate(folder: Path, *options: str, size: str = "6M") -> Backup:
    assert main(["--size", size, "--out", str(folder), "--quiet", *options]) == 0
    return Backup(folder, json.loads((folder / "manifest.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def password_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("secret") / "password"
    path.write_text(PASSWORD + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Backup:
    return generate(
        tmp_path_factory.mktemp("plain") / "b", "--part-limit", "512K", "--collation", "utf8mb4_unicode_ci"
    )


@pytest.fixture(scope="module")
def unpacked(plain: Backup, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backup unpacked by gzip and GNU tar alone."""
    target = tmp_path_factory.mktemp("unpacked")
    with subprocess.Popen(["tar", "-xf", "-", "-C", str(target)], stdin=subprocess.PIPE) as tar:
        assert tar.stdin
        for part in damage.volumes(plain.folder):
            subprocess.run(["gzip", "-t"], stdin=part.open("rb"), check=True)
            tar.stdin.write(
                subprocess.run(["gzip", "-dc"], stdin=part.open("rb"), check=True, capture_output=True).stdout
            )
        tar.stdin.close()
        assert tar.wait() == 0
    return target


def test_parts_carry_the_marks(plain: Backup) -> None:
    parts = plain.manifest["parts"]
    assert len(parts) > 9
    for number, part in enumerate(parts):
        data = (plain.folder / part["name"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == part["sha256"]
        total = len(gzip.decompress(data))
        assert data[12:16] == (b"LN" + struct.pack("<H", len(parts) - 1) if number == 0 else bytes(4))
        assert data[16:22] == b"BX" + struct.pack("<I", total)
        assert part["uncompressed"] == total
        assert total == MEGABYTE // 2 or number == len(parts) - 1
    assert sum(part["gzip_members"] for part in parts) == 2 * len(parts) + plain.manifest["hits"] - 1


def test_files_equal_the_manifest(plain: Backup, unpacked: Path) -> None:
    for fact in plain.manifest["files"]:
        path = unpacked / fact["path"]
        if fact["type"] == "dir":
            assert path.is_dir()
            continue
        data = path.read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (fact["size"], fact["sha256"]), fact["path"]
    listed = {fact["path"] for fact in plain.manifest["files"]}
    found = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*")}
    assert found - listed == {"bitrix/backup"}


def client(socket: Path, *arguments: str, statements: bytes = b"") -> bytes:
    command = [
        "mariadb",
        "--no-defaults",
        f"--socket={socket}",
        "--default-character-set=utf8mb4",
        *arguments,
    ]
    return subprocess.run(command, input=statements, check=True, capture_output=True).stdout


def differing_tables(socket: Path, database: str, manifest: dict[str, Any]) -> list[str]:
    wrong = []
    for name, table in manifest["tables"].items():
        after = table["after_import"]
        query = f"SET time_zone='+00:00'; SELECT * FROM `{name}` ORDER BY {after['order_by']}"
        output = client(socket, "-N", "-B", "-e", query, database)
        if hashlib.md5(output, usedforsecurity=False).hexdigest() != after["tsv_md5"]:
            wrong.append(name)
    return wrong


def test_tables_equal_the_manifest(plain: Backup, unpacked: Path, mariadb_socket: Path) -> None:
    dumps = [(unpacked / name).read_bytes() for name in plain.manifest["dump"]["files"]]
    assert len(dumps) == 2
    session = b"SET sql_mode='', FOREIGN_KEY_CHECKS=0, time_zone='+00:00';\n"
    dump = (session + b"".join(dumps)).replace(b"`bx_cloud`@`%`", b"CURRENT_USER")
    client(mariadb_socket, "-e", f"CREATE OR REPLACE DATABASE {SOURCE_DATABASE} CHARACTER SET utf8mb4")
    client(mariadb_socket, "--binary-mode", SOURCE_DATABASE, statements=dump)
    assert differing_tables(mariadb_socket, SOURCE_DATABASE, plain.manifest) == []
    facts = plain.manifest["facts"]
    lead = facts["search"]
    title = client(
        mariadb_socket,
        "-N",
        "-e",
        f"SELECT TITLE FROM b_crm_lead WHERE ID = {lead['lead_id']}",
        SOURCE_DATABASE,
    )
    assert title.decode().strip() == lead["title"]
    comments = client(
        mariadb_socket,
        *("-N", "-B", "-e"),
        f"SELECT POST_MESSAGE FROM b_forum_message WHERE TOPIC_ID = {facts['task']['forum_topic_id']}"
        " AND NEW_TOPIC = 'N' ORDER BY ID",
        SOURCE_DATABASE,
    )
    assert comments.decode().splitlines() == facts["task"]["comments"]


def test_the_same_seed_gives_the_same_bytes(plain: Backup, tmp_path: Path) -> None:
    again = generate(tmp_path / "b", "--part-limit", "512K", "--collation", "utf8mb4_unicode_ci")
    assert again.manifest == plain.manifest
    other = generate(tmp_path / "c", "--seed", "2", size="3M")
    assert other.manifest["parts"] != plain.manifest["parts"]


def test_openssl_opens_what_we_encrypt(password_file: Path, tmp_path: Path) -> None:
    options = ("--encrypt", "--password-file", str(password_file), "--no-gzip")
    backup = generate(tmp_path / "b", *options, "--part-limit", "2M", size="3M")
    stream = b"".join(part.read_bytes() for part in damage.volumes(backup.folder))
    key = hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest().encode().hex()
    command = ["openssl", "aes-256-ecb", "-d", "-nosalt", "-nopad", "-K", key]
    tar = subprocess.run(command, input=stream[512:], check=True, capture_output=True).stdout
    (tmp_path / "plain.tar").write_bytes(tar)
    with tarfile.open(tmp_path / "plain.tar") as archive:
        assert len(archive.getmembers()) == backup.manifest["tar"]["entries"]


def bxbackup(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["bxbackup", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    return int(stopped.value.code or 0)


@pytest.mark.parametrize("form", ["plain", "aes", "blowfish", "raw"])
def test_bxbackup_finds_it_sound(
    form: str, password_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = ["--encrypt", "--password-file", str(password_file)]
    options = {
        "plain": [],
        "aes": secret,
        "blowfish": [*secret, "--cipher", "blowfish", "--no-gzip"],
        "raw": ["--no-gzip"],
    }[form]
    backup = generate(tmp_path / "b", *options, "--part-limit", "1M", size="4M")
    opening = ["--password-file", password_file] if "--encrypt" in options else []
    assert bxbackup(monkeypatch, "verify", backup.first, *opening) == 0
    target = tmp_path / "target"
    assert bxbackup(monkeypatch, "unpack", backup.first, "--to", target, *opening) == 0
    for fact in backup.manifest["files"]:
        if (
            fact["path"].startswith("upload/")
            and fact["type"] == "file"
            and fact["path"] != "upload/.htaccess"
        ):
            assert hashlib.sha256((target / fact["path"]).read_bytes()).hexdigest() == fact["sha256"]


@pytest.mark.parametrize("kind", ["flip_bit", "cut", "cut_on_member_boundary", "error_body", "empty"])
def test_bxbackup_sees_damage(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = generate(tmp_path / "b", "--part-limit", "512K", size="3M")
    part = damage.volumes(backup.folder)[1]
    getattr(damage, kind)(part)
    assert bxbackup(monkeypatch, "verify", backup.first) == 3


def test_log_tables_without_rows(tmp_path: Path) -> None:
    backup = generate(tmp_path / "b", "--skip-logs", "--no-gzip", size="3M")
    with tarfile.open(backup.first) as archive:
        streams = [archive.extractfile(name) for name in backup.manifest["dump"]["files"]]
        dump = b"".join(stream.read() for stream in streams if stream)
    assert b"CREATE TABLE IF NOT EXISTS `b_event_log` (\n" in dump
    assert b"DROP TABLE IF EXISTS `b_event_log`" not in dump
    assert b"INSERT INTO `b_event_log`" not in dump
    assert backup.manifest["tables"]["b_event_log"]["after_import"]["rows"] == 0


def test_uploads_of_the_cdn(tmp_path: Path) -> None:
    backup = generate(tmp_path / "b", "--uploads", "cdn", size="3M")
    with tarfile.open(backup.first) as archive:
        names = set(archive.getnames())
        stream = archive.extractfile("bitrix/restore_cloud.txt")
        assert stream
        lines = stream.read().decode().splitlines()
    outside = {fact["path"]: fact for fact in backup.manifest["files"] if fact.get("source") == "cdn"}
    assert len(lines) == len(outside) == backup.manifest["uploads"]["files"] > 0
    assert not names & set(outside)
    for line in lines:
        _, _, size, key = line.split(maxsplit=3)
        path = f"upload/{key.split('/', 1)[1]}"
        data = (backup.folder / "cdn" / key).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (int(size), outside[path]["sha256"])


def test_kernel_goes_into_the_archive(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    for name in ("bitrix/modules/main/lib/x.php", "bitrix/cache/y.php", "index.php", "bitrix/.settings.php"):
        (kernel / name).parent.mkdir(parents=True, exist_ok=True)
        (kernel / name).write_text(f"<?php // {name}\n")
    backup = generate(tmp_path / "b", "--kernel", str(kernel), size="3M")
    facts = {fact["path"]: fact for fact in backup.manifest["files"]}
    text = b"<?php // index.php\n"
    assert facts["index.php"]["sha256"] == hashlib.sha256(text).hexdigest()
    assert facts["bitrix/.settings.php"]["size"] > 1000
    assert "bitrix/modules/main/lib/x.php" in facts
    assert "bitrix/cache/y.php" not in facts


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [("--password-file", "\n", "is empty"), ("--kernel", "no tar", "neither a folder")],
)
def test_useless_input_is_one_sentence(
    option: str, text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = tmp_path / "given"
    given.write_text(text)
    more = ("--encrypt",) if option == "--password-file" else ()
    assert main(["--size", "3M", "--out", str(tmp_path / "b"), "--quiet", option, str(given), *more]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine").write_text("x")
    assert main(["--size", "3M", "--out", str(tmp_path), "--quiet"]) == 1
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(("said", "has"), [(2000, 1000), (1000, 2000)])
def test_bxbackup_sees_a_file_that_changed_while_archived(
    said: int, has: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "a_20261120_220000_full_0123456789abcdef.tar.gz"
    writer = ArchiveWriter(VolumeWriter(tmp_path, name, MEGABYTE), MEGABYTE)
    moment = 1_700_000_000
    for path in (b"before.txt", b"changed.txt", b"after.txt", b"last.txt"):
        if path == b"changed.txt":
            writer.add_changed(Entry(path, FILE, said, 0o644, moment), [b"c" * has])
        else:
            writer.add(Entry(path, FILE, 700, 0o644, moment), [b"x" * 700])
    writer.close()
    assert bxbackup(monkeypatch, "verify", tmp_path / name) == 3
