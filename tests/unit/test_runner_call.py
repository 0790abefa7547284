"""The exact command and environment of every process that boxlift starts."""

from __future__ import annotations

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import ansible_runner
import pytest

import boxlift
import bxbackup
from boxlift.errors import BoxliftError, UsageError
from boxlift.runner.environment import filtered, for_suite
from boxlift.runner.playbook import Order, prepared, remove_work_folders
from boxlift.runner.suite import SuiteOrder, command

OPERATOR = {
    "HOME": "/home/op",
    "PATH": "/usr/bin:/bin",
    "LANG": "ru_RU.UTF-8",
    "SSH_AUTH_SOCK": "/run/agent",
    "LC_TIME": "C",
    "ANSIBLE_FORKS": "3",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_LOG_PATH": "/var/log/ansible.log",
    "ANSIBLE_VAULT_PASSWORD_FILE": "/elsewhere",
    "ANSIBLE_STDOUT_CALLBACK": "json",
    "PYTHONPATH": "/somewhere",
    "AWS_SECRET_ACCESS_KEY": "canary",
    "DB_PASSWORD": "canary",
    "LD_PRELOAD": "x.so",
}
BIN = str(Path(sys.executable).parent)


def order(tmp_path: Path) -> Order:
    content = tmp_path / "content"
    (content / "playbooks").mkdir(parents=True)
    (content / "playbooks" / "provision.yml").write_text("[]")
    project = tmp_path / "my project"
    (project / "inventory").mkdir(parents=True)
    return Order(
        playbook=content / "playbooks" / "provision.yml",
        inventory=project / "inventory",
        content=content,
        project=project,
        folder=project / ".boxlift" / "runs" / "0001" / "provision",
        vault_password=Path("/vault/pass word"),
        variables={"boxlift_pass": "rehearsal", "portal_backup_password": "canary"},
    )


@pytest.mark.parametrize("trial", [False, True])
def test_argv(tmp_path: Path, trial: bool) -> None:
    config = prepared(replace(order(tmp_path), trial=trial), OPERATOR)
    project = tmp_path / "my project"
    assert config.command == [
        "ansible-playbook",
        "--vault-password-file",
        "/vault/pass word",
        *(["--check", "--diff"] if trial else []),
        "-i",
        str(project / "inventory"),
        "-e",
        f"@{project}/.boxlift/runs/0001/provision/env/extravars",
        str(tmp_path / "content" / "playbooks" / "provision.yml"),
    ]
    assert config.cwd == str(project)


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRAY_TOKEN", "canary")
    config = prepared(order(tmp_path), OPERATOR)
    content = tmp_path / "content"
    run = tmp_path / "my project" / ".boxlift" / "runs" / "0001" / "provision"
    assert config.env == {
        "HOME": "/home/op",
        "PATH": f"{BIN}:/usr/bin:/bin",
        "LANG": "ru_RU.UTF-8",
        "SSH_AUTH_SOCK": "/run/agent",
        "LC_TIME": "C",
        "ANSIBLE_FORKS": "3",
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_CONFIG": str(content / "ansible.cfg"),
        "ANSIBLE_ROLES_PATH": str(content / "roles"),
        "ANSIBLE_LIBRARY": str(content / "library"),
        "ANSIBLE_MODULE_UTILS": str(content / "module_utils"),
        "ANSIBLE_FILTER_PLUGINS": str(content / "filter_plugins"),
        "ANSIBLE_CALLBACK_PLUGINS": str(
            Path(ansible_runner.__file__).parent / "display_callback" / "callback"
        ),
        "ANSIBLE_STDOUT_CALLBACK": "awx_display",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "AWX_ISOLATED_DATA_DIR": str(run / "artifacts" / "ansible"),
        "RUNNER_OMIT_EVENTS": "False",
        "RUNNER_ONLY_FAILED_EVENTS": "False",
        "BOXLIFT_RUN": f"{run}/",
    }


def test_variables_are_a_private_file_and_never_argv(tmp_path: Path) -> None:
    config = prepared(order(tmp_path), OPERATOR)
    path = Path(config.private_data_dir) / "env" / "extravars"
    assert json.loads(path.read_text())["portal_backup_password"] == "canary"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not any("canary" in word for word in config.command)
    assert not any("canary" in value for value in config.env.values())


def test_a_folder_is_never_used_twice(tmp_path: Path) -> None:
    first = order(tmp_path)
    prepared(first, OPERATOR)
    with pytest.raises(FileExistsError):
        prepared(first, OPERATOR)


def test_nothing_but_the_log_stays(tmp_path: Path) -> None:
    first = order(tmp_path)
    prepared(first, OPERATOR)
    run = first.folder.parent
    (run / "provision-production.log").write_text("log")
    remove_work_folders(run)
    assert [path.name for path in run.iterdir()] == ["provision-production.log"]


def test_a_missing_playbook_is_told(tmp_path: Path) -> None:
    with pytest.raises(BoxliftError, match=r"nothing\.yml is missing"):
        prepared(replace(order(tmp_path), playbook=Path("/nothing.yml")), OPERATOR)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [({}, "C.UTF-8"), ({"LANG": "C"}, "C.UTF-8"), ({"LC_ALL": "de_DE.utf-8"}, "de_DE.utf-8")],
)
def test_ansible_gets_a_utf8_locale(locale: dict[str, str], expected: str) -> None:
    assert filtered({"PATH": "/bin"} | locale, Path("/c"), Path("/r"))["LC_ALL"] == expected


def test_without_a_path_the_systems_default_is_used() -> None:
    assert filtered({}, Path("/c"), Path("/r"))["PATH"] == f"{BIN}{os.pathsep}{os.defpath}"


def test_the_operators_own_settings_win(tmp_path: Path) -> None:
    own = {"ANSIBLE_CONFIG": "/own.cfg", "ANSIBLE_ROLES_PATH": "/own/roles"}
    environment = filtered(own, tmp_path, tmp_path)
    assert environment["ANSIBLE_CONFIG"] == "/own.cfg"
    assert environment["ANSIBLE_ROLES_PATH"] == "/own/roles"


def suite_order(tmp_path: Path, release: str = "rehearsal-1", suite: str = "restore") -> SuiteOrder:
    folder = tmp_path / "tests" / "acceptance" / "restore"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "test_files.py").touch()
    return SuiteOrder(
        suite=suite,
        target="production",
        pass_="rehearsal",
        release=release,
        inventory=Path("/p/inventory"),
        content=tmp_path,
        project=Path("/p"),
        folder=Path("/p/.boxlift/runs/0002"),
        vault_password=Path("/vault"),
    )


def test_argv_of_a_suite(tmp_path: Path) -> None:
    acceptance = tmp_path / "tests" / "acceptance"
    assert command(suite_order(tmp_path)) == [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        f"{acceptance}/pytest.ini",
        f"--rootdir={acceptance}",
        "-vv",
        "-p",
        "boxlift.runner.tally",
        "--ansible-inventory=/p/inventory",
        "--target=production",
        "--release=rehearsal-1",
        f"{acceptance}/restore",
    ]
    assert not any("--release" in word for word in command(suite_order(tmp_path, "box")))


def test_an_unknown_suite_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean `restore`"):
        command(suite_order(tmp_path, suite="restor"))


def test_environment_of_a_suite(tmp_path: Path) -> None:
    told = {"BOXLIFT_PASS": "rehearsal"}
    environment = for_suite(OPERATOR, tmp_path, Path("/r"), Path("/vault"), told)
    assert environment["ANSIBLE_VAULT_PASSWORD_FILE"] == "/vault"
    own = {str(Path(str(package.__file__)).resolve().parents[1]) for package in (boxlift, bxbackup)}
    assert set(environment["PYTHONPATH"].split(os.pathsep)) == own
    assert environment["BOXLIFT_PASS"] == "rehearsal"
    assert "canary" not in "".join(environment.values())
