"""Files of the database have come, and are the copy's own server."""

from __future__ import annotations

import json

from testinfra.host import Host

from boxlift.verify.release import Release


def test_files_came(staging_host: Host, copy: Release) -> None:
    report = json.loads(staging_host.check_output(f"cat /var/lib/boxlift/clones/{copy.name}/report.json"))
    assert report["method"] == "physical"


def test_nobody_of_production_has_an_account(copy: Release) -> None:
    accounts = {tuple(row) for row in copy.database.rows("SELECT User, Host FROM mysql.user")}
    assert {name for name, _ in accounts} == {"root", "mariadb.sys", "portal", "bxbackup"}
    assert {host for _, host in accounts} == {"localhost"}
    assert copy.database.value("SELECT @@skip_networking") == "1"
