"""Fixtures for the tests of bxbackup."""

from __future__ import annotations

import shutil
import sys
import uuid
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from backup_samples import ALL, M1, Outcome, Run, Sample
from database_server import DatabaseServer
from fake_database import FakeDatabase
from faults import SEEN, saw
from faulty_server import FaultyServer
from loading import Loading

from bxbackup import cli, commands, restore, transfer


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A test that is a row of the fault matrix has seen what the row says."""
    SEEN.clear()
    result = yield
    for mark in pyfuncitem.iter_markers("fault"):
        mark.args[0].demand(SEEN)
    return result


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `bxbackup` with arguments in this process."""

    def call(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["bxbackup", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        said = capsys.readouterr()
        saw(int(stopped.value.code or 0), said.out + said.err)
        return Outcome(int(stopped.value.code or 0), said.out, said.err)

    return call


@pytest.fixture
def password_options(tmp_path: Path) -> Callable[[Sample], list[str]]:
    """The options that open a sample."""

    def options(sample: Sample) -> list[str]:
        if sample.password is None:
            return []
        path = tmp_path / f"{sample.name}.password"
        path.write_text(sample.password + "\n")
        path.chmod(0o600)
        return ["--password-file", str(path)]

    return options


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    """A running database server of the tests' own."""
    database_server = DatabaseServer(tmp_path_factory.mktemp("mariadb"))
    database_server.start()
    yield database_server
    database_server.end()


@pytest.fixture
def loading(server: DatabaseServer, tmp_path: Path) -> Iterator[Loading]:
    """A database to be loaded, which is not there yet."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    yield Loading(server, name, tmp_path / "load-state")
    server.rows(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture(scope="session")
def sample_dumps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders with the unpacked samples, by name."""
    folder = tmp_path_factory.mktemp("samples")
    for sample in ALL:
        password_file = None
        if sample.password is not None:
            password_file = folder / f"{sample.name}.password"
            password_file.write_text(sample.password)
            password_file.chmod(0o600)
        assert commands.unpack(sample.first, folder / sample.name, password_file) == 0
    return {sample.name: folder / sample.name for sample in ALL}


@pytest.fixture
def fake_database(monkeypatch: pytest.MonkeyPatch) -> FakeDatabase:
    """A database that takes every dump."""
    fake = FakeDatabase()
    monkeypatch.setattr(restore, "check_target", fake.check_target)
    monkeypatch.setattr(restore, "load_feed", fake.load_feed)
    monkeypatch.setattr(restore, "write_baseline", fake.write_baseline)
    monkeypatch.setattr(restore, "compare_uploads", fake.compare_uploads)
    return fake


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Serves a copy of sample M1; proxies of the machine are not asked."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(transfer, "pause", lambda failures: 0.01 * failures)
    monkeypatch.setattr(transfer, "SILENCE", 1.0)
    folder = tmp_path / "served"
    shutil.copytree(M1.folder, folder)
    with FaultyServer(folder) as found:
        yield found
