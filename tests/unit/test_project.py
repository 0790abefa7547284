"""The project folder: what init makes, what it refuses, where secrets are."""

from __future__ import annotations

import fcntl
import os
import re
import stat
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from ansible.parsing.vault import VaultLib, VaultSecret
from programs import needs

from boxlift.content import content_root
from boxlift.errors import PreflightError, RefusedError, UsageError
from boxlift.plan import Pass
from boxlift.project import Answers, Project, complete, create, find, keep_private, load
from boxlift.project.lock import RunnerLock, is_held
from boxlift.project.vault import encrypt, vault_source
from boxlift.runner.secrets import best_redactor

ANSWERS = Answers(
    portal_domain="portal.acme.example",
    staging_domain="staging.acme.example",
    telephony_domain="pbx.acme.example",
    timezone="Europe/Moscow",
    addresses={"portal-1": "10.0.0.1", "staging-1": "10.0.0.2", "pbx-1": "10.0.0.3"},
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return create(tmp_path / "acme", answers=ANSWERS)


def vault(project: Project, environment: str) -> dict[str, str]:
    content = (project.inventory / "group_vars" / environment / "vault.yml").read_bytes()
    assert content.startswith(b"$ANSIBLE_VAULT;1.1;AES256")
    opened = VaultLib([("default", VaultSecret(project.vault({}).read()))]).decrypt(content)
    values = yaml.safe_load(opened)
    assert isinstance(values, dict)
    return values


def test_secrets_are_fresh_for_each_environment_and_of_the_right_form(project: Project) -> None:
    production, preproduction = vault(project, "production"), vault(project, "preproduction")
    assert production.keys() == preproduction.keys()
    assert not set(production.values()) & set(preproduction.values())
    forms = {"vault_push_signature_key": r"[0-9a-f]{128}", "vault_portal_crypto_key": r"[0-9a-f]{32}"}
    for name, value in production.items():
        assert re.fullmatch(forms.get(name, r"[A-Za-z0-9]{32}"), value), name
    assert set(production) == {
        "vault_database_portal_password",
        "vault_database_admin_password",
        "vault_database_restore_password",
        "vault_cache_password",
        "vault_push_signature_key",
        "vault_portal_admin_password",
        "vault_portal_crypto_key",
        "vault_web_basic_auth_password",
    }


def test_a_vault_of_an_earlier_version_is_completed(project: Project) -> None:
    file = project.inventory / "group_vars" / "preproduction" / "vault.yml"
    source = project.vault({})
    earlier = vault(project, "preproduction")
    del earlier["vault_web_basic_auth_password"]
    file.write_bytes(encrypt({**earlier, "vault_of_the_project": "stays"}, source))
    assert complete(file, source) == ["vault_web_basic_auth_password"]
    assert complete(file, source) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    now = vault(project, "preproduction")
    assert now.items() >= {**earlier, "vault_of_the_project": "stays"}.items()


def test_completing_adds_what_is_named_and_keeps_remarks(project: Project) -> None:
    file = project.inventory / "group_vars" / "production" / "vault.yml"
    source = project.vault({})
    secret = VaultSecret(source.read())
    own = b"# changed by Anna\nvault_cache_password: 'hers'   # as in Redis\n"
    file.write_bytes(VaultLib([("default", secret)]).encrypt(own, secret=secret))
    assert complete(file, source, ["vault_cache_password", "vault_push_signature_key"]) == [
        "vault_push_signature_key"
    ]
    opened = VaultLib([("default", secret)]).decrypt(file.read_bytes())
    assert opened.startswith(own)
    assert vault(project, "production").keys() == {"vault_cache_password", "vault_push_signature_key"}
    file.unlink()
    assert len(complete(file, source)) == 8
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.write_bytes(VaultLib([("default", secret)]).encrypt(b"- a\n- list\n", secret=secret))
    with pytest.raises(UsageError, match="no variables"):
        complete(file, source)
    file.write_bytes(VaultLib([("default", secret)]).encrypt(b"{vault_cache_password: hers}", secret=secret))
    assert len(complete(file, source)) == 7
    assert vault(project, "production")["vault_cache_password"] == "hers"


@pytest.mark.slow
@needs("git", package="git")
def test_version_control_is_kept_from_keys_links_and_letters(project: Project, tmp_path: Path) -> None:
    private = [
        *("backup/final.txt", "certificates/production.key", "certificates/production.key.next", "tell.txt"),
        *("certificates/production.pfx", "packages/portal.tar.gz", "evidence/arrivals.json", "report.html"),
        ".boxlift/journal.db",
    ]
    shared = ["boxlift.yml", "inventory/hosts.yml", "letters/notice.en.txt", "risks.yml", "plan.yml"]
    subprocess.run(["git", "init", "--quiet", str(project.root)], check=True)
    seen = subprocess.run(
        ["git", "-C", str(project.root), "check-ignore", *private, *shared],
        capture_output=True,
        text=True,
        check=False,
    )
    assert seen.stdout.split() == private


def test_a_repository_of_before_keeps_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    root = tmp_path / "acme"
    root.mkdir()
    (root / ".gitignore").write_bytes(b"*.swp\n/backup/\n/\xff")
    create(root, answers=ANSWERS)
    lines = (root / ".gitignore").read_bytes().split(b"\n")
    assert lines[:3] == [b"*.swp", b"/backup/", b"/\xff"]
    assert lines.count(b"/backup/") == 1
    assert {b"/certificates/", b"/tell.txt", b"/packages/", b"/.boxlift/"} <= set(lines)
    assert keep_private(root) == []


def test_files_with_secrets_are_private(project: Project, tmp_path: Path) -> None:
    password = project.vault({}).path
    assert password.is_relative_to(tmp_path / "config" / "boxlift")
    private = [password, *project.inventory.rglob("vault.yml")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
    assert stat.S_IMODE(project.root.stat().st_mode) == 0o700
    plain = [path for path in project.root.rglob("*") if path.is_file() and path not in private]
    secrets = [password.read_text().strip(), *vault(project, "production").values()]
    assert not [path for path in plain for secret in secrets if secret in path.read_text()]


def test_answers_stand_in_the_inventory_and_remarks_stay(project: Project) -> None:
    hosts = yaml.safe_load((project.inventory / "hosts.yml").read_text())
    assert hosts["all"]["children"]["production"]["hosts"]["portal-1"]["ansible_host"] == "10.0.0.1"
    text = (project.inventory / "group_vars" / "all" / "project.yml").read_text()
    values = yaml.safe_load(text)
    assert values["portal_domain"] == "portal.acme.example"
    assert values["portal_timezone"] == "Europe/Moscow"
    assert re.fullmatch(r"acme-[a-z0-9]{8}", values["portal_id"])
    assert "# Name under which users reach the portal." in text
    staging = yaml.safe_load((project.inventory / "group_vars/preproduction/environment.yml").read_text())
    assert staging == {
        "portal_environment": "preproduction",
        "portal_id": f"{values['portal_id']}-staging",
        "portal_domain": "staging.acme.example",
    }


def test_the_example_has_no_time_zone() -> None:
    example = content_root() / "inventories" / "example" / "group_vars" / "all" / "project.yml"
    assert "portal_timezone" not in yaml.safe_load(example.read_text())


def test_a_project_is_never_made_twice(project: Project) -> None:
    before = (project.root / "boxlift.yml").read_text()
    with pytest.raises(UsageError, match="is a boxlift project already"):
        create(project.root, answers=ANSWERS)
    assert (project.root / "boxlift.yml").read_text() == before


def test_a_file_is_no_folder_for_a_project(tmp_path: Path) -> None:
    (tmp_path / "acme").touch()
    with pytest.raises(UsageError, match="is no folder"):
        create(tmp_path / "acme", vault_password_file=tmp_path / "password")


def test_a_folder_of_any_name_makes_a_project(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    for folder, name in (("имя", "portal"), ("a" * 39 + "-b", "a" * 39), ("2026", "portal-2026")):
        made = create(tmp_path / folder, template=template, vault_password_file=tmp_path / "password")
        assert made.settings.name == name


def test_a_foreign_inventory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "acme" / "inventory").mkdir(parents=True)
    with pytest.raises(UsageError, match="is not boxlift's"):
        create(tmp_path / "acme", vault_password_file=tmp_path / "password")


def test_what_a_broken_off_init_left_is_taken_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("boxlift.project.folder.encrypt", fail)
        with pytest.raises(OSError, match="No space"):
            create(tmp_path / "acme", vault_password_file=tmp_path / "password")
    with pytest.raises(UsageError, match="no boxlift project"):
        find(tmp_path / "acme")
    assert create(tmp_path / "acme", vault_password_file=tmp_path / "password").settings.name == "acme"


def test_a_project_is_found_from_within(project: Project) -> None:
    assert find(project.inventory / "group_vars").root == project.root


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: acme\ncolour: red\n", "colour: Extra inputs"),
        ("name: Acme!\n", "name: String should match"),
        ("name: [\n", "is no YAML"),
        ("version: 2\nname: a\n", "version: Input should be less"),
    ],
)
def test_mistakes_in_boxlift_yml_are_told(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "boxlift.yml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(message)):
        load(tmp_path)


def test_a_project_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "boxlift.yml").write_bytes(b"name: \xff\n")
    with pytest.raises(UsageError, match=r"boxlift\.yml is no UTF-8 text"):
        load(tmp_path)


def password_file(path: Path, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("pw\n")
    path.chmod(mode)
    return path


def test_one_source_of_the_vault_password(tmp_path: Path) -> None:
    root, one, two = tmp_path / "p", password_file(tmp_path / "one"), password_file(tmp_path / "two")
    assert vault_source(root, one, None, {}).path == one
    assert vault_source(root, None, None, {"ANSIBLE_VAULT_PASSWORD_FILE": str(one)}).path == one
    assert vault_source(root, None, None, {"ANSIBLE_VAULT_IDENTITY_LIST": f"x@{one}"}).path == one
    assert vault_source(root, one, None, {"ANSIBLE_VAULT_PASSWORD_FILE": str(one)}).path == one
    for sources in [(one, two, {}), (one, None, {"ANSIBLE_VAULT_PASSWORD_FILE": str(two)})]:
        with pytest.raises(UsageError, match="more than one source"):
            vault_source(root, *sources)
    with pytest.raises(UsageError, match="has no source"):
        vault_source(root, None, None, {})


def test_unsafe_sources_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "p"
    with pytest.raises(UsageError, match="lies inside the project"):
        vault_source(root, password_file(root / "password"), None, {})
    with pytest.raises(UsageError, match="can be read by others"):
        vault_source(root, password_file(tmp_path / "open", 0o640), None, {})
    with pytest.raises(UsageError, match="cannot be read"):
        vault_source(root, tmp_path / "absent", None, {})


def test_a_client_script_may_give_the_password(tmp_path: Path) -> None:
    script = password_file(tmp_path / "ask-client", 0o755)
    script.write_text("#!/bin/sh\necho from-$2\n")
    assert vault_source(tmp_path / "p", None, script, {}).read() == b"from-default"


def test_where_the_backup_is(project: Project) -> None:
    with pytest.raises(PreflightError, match="nobody has said yet"):
        project.backup(Pass.REHEARSAL)
    link = "https://s3.example/a.tar.gz?X-Amz-Signature=canary"
    project.set_backup(Pass.REHEARSAL, [link], "secret password")
    backup = project.backup(Pass.REHEARSAL)
    assert backup.variables() == {"portal_backup_source": link, "portal_backup_password": "secret password"}
    assert backup.secrets() == ["secret password", link, "X-Amz-Signature=canary", "canary"]
    assert "canary" not in repr(backup)
    assert "secret" not in repr(backup)
    path = project.root / "backup" / "rehearsal.txt"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("# of Friday\n\nhttps://a/1\nhttps://a/2\n")
    assert project.backup(Pass.REHEARSAL).variables()["portal_backup_source"] == [
        "https://a/1",
        "https://a/2",
    ]
    path.chmod(0o644)
    with pytest.raises(PreflightError, match="can be read by others"):
        project.backup(Pass.REHEARSAL)


@pytest.mark.parametrize("name", ["rehearsal.txt", "rehearsal.password"])
def test_what_is_no_text_is_told(project: Project, name: str) -> None:
    project.set_backup(Pass.REHEARSAL, ["https://a/1"], "secret password")
    (project.root / "backup" / name).write_bytes(b"\xff\xfe")
    with pytest.raises(PreflightError, match=rf"{name} is no UTF-8 text"):
        project.backup(Pass.REHEARSAL)
    assert best_redactor(project)("secret") == "secret"


def test_what_is_no_link_is_told_by_its_number(project: Project) -> None:
    project.set_backup(Pass.REHEARSAL, ["https://a/1", "https://[b/2?sig=canary"])
    with pytest.raises(PreflightError, match=r"rehearsal\.txt: link 2 is none") as caught:
        project.backup(Pass.REHEARSAL)
    assert "canary" not in f"{caught.value}{caught.value.cure}"


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_held(path)
    with RunnerLock(path, "run"):
        assert is_held(path)
        with pytest.raises(RefusedError, match=r"another runner works on this project: process \d+ \(run\)"):
            RunnerLock(path, "check").__enter__()
    assert not is_held(path)
    with RunnerLock(path, "run"):
        pass


def test_a_look_at_the_lock_does_not_turn_a_runner_away(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    descriptor = os.open(path, os.O_RDWR)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    looked = threading.Timer(0.1, os.close, [descriptor])
    looked.start()
    with RunnerLock(path, "run"):
        assert is_held(path)
    looked.join()
