"""The copy equals production, but for what keeps it quiet and makes it its own."""

from __future__ import annotations

import json
import re
from pathlib import Path

from testinfra.host import Host

from boxlift.verify.release import Release

ROLES = Path(__file__).parents[4] / "roles"
# Settings of the copy, and what either of the two writes for itself.
OWN_FILES = (
    "bitrix/.settings",
    "bitrix/php_interface/dbconn.php",
    "bitrix/php_interface/after_connect_d7.php",
    "bitrix/license_key.php",
    "bitrix/cache/",
    "bitrix/managed_cache/",
    "bitrix/stack_cache/",
    "bitrix/tmp/",
    "bitrix/backup/",
)


def neutralised() -> set[str]:
    """Tables that the rules of those roles name which make a copy quiet and its own."""
    return {"b_option"}.union(
        *(
            re.findall(r"\bb_[a-z_]+\b", path.read_text(encoding="utf-8"))
            for role in ("portal_quiet", "portal_domain", "portal_push")
            for path in (ROLES / role / "vars").glob("*.yml")
        )
    )


def sums(release: Release) -> dict[str, str]:
    tables = ", ".join(f"`{name}`" for name in sorted(release.database.tables()))
    rows = release.database.rows(f"CHECKSUM TABLE {tables}")
    return {name.partition(".")[2]: checksum for name, checksum in rows}


def files(host: Host, release: Release) -> dict[str, str]:
    listed = host.check_output(f"cd {release.root} && find . -type f -print0 | sort -z | xargs -0 sha256sum")
    found = dict(reversed(line.split("  ./", 1)) for line in listed.splitlines())
    return {name: digest for name, digest in found.items() if not name.startswith(OWN_FILES)}


def test_tables(source: Release, copy: Release) -> None:
    there, here = sums(source), sums(copy)
    assert here.keys() == there.keys()
    different = {name for name in there if there[name] != here[name]}
    assert different - neutralised() == set()
    assert "b_file" not in different


def test_files(production_host: Host, staging_host: Host, source: Release, copy: Release) -> None:
    there, here = files(production_host, source), files(staging_host, copy)
    assert here == there
    assert any(name.startswith("upload/") for name in here)


def test_every_row_has_its_file(staging_host: Host, copy: Release) -> None:
    report = json.loads(staging_host.check_output(f"cat /var/lib/boxlift/clones/{copy.name}/report.json"))
    assert report["rows_with_file"] >= 20
    assert (report["deleted"]["files"], report["lost"]["files"]) == (0, 0)


def test_nothing_is_left_of_the_way_in(production_host: Host, staging_host: Host) -> None:
    assert production_host.run("grep boxlift-reader /root/.ssh/authorized_keys").rc != 0
    assert "boxlift-portal-reader" not in production_host.check_output("ls /usr/local/sbin")
    assert not staging_host.file("/var/lib/boxlift/reader").exists


def test_unchanged_uploads_are_shared_with_the_copy_before(staging_host: Host, copy: Release) -> None:
    copies = staging_host.check_output("ls /srv/portal/releases").split()
    if sum(name.startswith("clone-") for name in copies) > 1:
        report = json.loads(staging_host.check_output(f"cat /var/lib/boxlift/clones/{copy.name}/report.json"))
        assert report["files"]["bytes"] < report["files"]["size"] / 2


def test_it_answers(staging_host: Host) -> None:
    ask = "curl --insecure --silent --output /dev/null --write-out %{http_code} https://localhost/auth/"
    assert staging_host.check_output(ask) in {"200", "401"}
