"""What a restore is started with: uploads are taken over from the active release, if there is one."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.templates.renderer import Renderer

ACTIVE = {"stat": {"exists": True, "islnk": True, "lnk_source": "/srv/portal/releases/rehearsal-1"}}
FOLDER = {"stat": {"exists": True, "isdir": True}}
NONE = {"stat": {"exists": False}}


def options(lab: Renderer, active: dict[str, Any], uploads: dict[str, Any], **given: Any) -> str:
    text = lab.text(
        "backup_restore",
        "restore.env.j2",
        portal_release="final-1",
        backup_restore_release="final-1",
        __backup_restore_active=active,
        __backup_restore_uploads=uploads,
        **given,
    )
    (line,) = [line for line in text.splitlines() if line.startswith("OPTIONS=")]
    return line


def test_uploads_come_from_the_active_release(lab: Renderer) -> None:
    assert "--reuse-from=/srv/portal/releases/rehearsal-1" in options(lab, ACTIVE, FOLDER)


@pytest.mark.parametrize(
    ("active", "uploads", "given"),
    [(NONE, NONE, {}), (ACTIVE, NONE, {}), (ACTIVE, FOLDER, {"backup_restore_reuse": False})],
    ids=["no release is active", "it has no uploads", "not wanted"],
)
def test_without_such_a_release_nothing_is_reused(
    lab: Renderer, active: dict[str, Any], uploads: dict[str, Any], given: dict[str, Any]
) -> None:
    assert "--reuse-from" not in options(lab, active, uploads, **given)


def test_what_a_person_accepts_is_passed_on(lab: Renderer) -> None:
    assert "--allow" not in options(lab, NONE, NONE)
    accepted = options(
        lab, NONE, NONE, backup_restore_allow_missing_uploads=True, backup_restore_allow_suspect_files=True
    )
    assert accepted == "OPTIONS=--allow-missing-uploads --allow-suspect-files"


@pytest.mark.parametrize(
    ("given", "reached"),
    [
        ({}, "socket=/run/mysqld/mysqld.sock\n"),
        (
            {
                "database_client_host": "192.0.2.20",
                "database_client_user": "boxlift",
                "database_client_password": "canary",
            },
            "host=192.0.2.20\nport=3306\nssl-ca=/etc/boxlift/database-ca.pem\nssl-verify-server-cert=1\n",
        ),
    ],
    ids=["of the same host", "of another host"],
)
def test_a_restore_goes_to_the_hosts_own_server_under_an_account_of_its_own(
    lab: Renderer, given: dict[str, str], reached: str
) -> None:
    own = lab.text("database_client", "database.cnf.j2", **given)
    content = lab.value(
        "backup_restore",
        "__backup_restore_options_file",
        portal_release="final-1",
        __backup_restore_reached={"content": base64.b64encode(own.encode()).decode()},
    )
    assert content.split("[client]\n")[1] == f'{reached}user=bxbackup\npassword="database-restore-secret"\n'
