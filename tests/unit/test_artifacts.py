"""Archives of the stand-ins: equal content gives equal bytes, and they hold what a role unpacks."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import artifacts

BUILDERS = [artifacts.build_portal, artifacts.build_push_server]
Build = Callable[[Path], Path]


def names(path: Path) -> set[str]:
    with tarfile.open(path) as archive:
        return {entry.name for entry in archive if entry.isfile()}


@pytest.mark.parametrize("build", BUILDERS)
def test_bytes_are_reproducible(build: Build, tmp_path: Path) -> None:
    digests = {hashlib.sha256(build(tmp_path / name / "x.tar.gz").read_bytes()).digest() for name in "ab"}
    assert len(digests) == 1


@pytest.mark.parametrize("build", BUILDERS)
def test_same_content_is_not_built_twice(build: Build, tmp_path: Path) -> None:
    target = build(tmp_path / "x.tar.gz")
    before = target.stat().st_mtime_ns
    assert build(target).stat().st_mtime_ns == before


def test_changed_content_is_built_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "push"
    source.mkdir()
    (source / "server.js").write_text("one")
    monkeypatch.setattr(artifacts, "PUSH_ROOT", source)
    target = artifacts.build_push_server(tmp_path / "x.tar.gz")
    first = target.read_bytes()
    (source / "server.js").write_text("two")
    assert artifacts.build_push_server(target).read_bytes() != first


def test_portal_starts_at_the_document_root(tmp_path: Path) -> None:
    found = names(artifacts.build_portal(tmp_path / "x.tar.gz"))
    assert {"index.php", "bitrix/urlrewrite.php", "bitrix/modules/main/include/prolog_before.php"} <= found
    assert not [name for name in found if name.endswith("README.md")]


def test_portal_brings_no_settings(tmp_path: Path) -> None:
    found = names(artifacts.build_portal(tmp_path / "x.tar.gz"))
    assert not [name for name in found if "settings" in Path(name).name and name.count("/") == 1]
    assert not [name for name in found if name.startswith("bitrix/php_interface/")]


def test_push_server_is_one_folder(tmp_path: Path) -> None:
    found = names(artifacts.build_push_server(tmp_path / "x.tar.gz"))
    assert "push-server/server.js" in found
    assert {name.partition("/")[0] for name in found} == {"push-server"}
