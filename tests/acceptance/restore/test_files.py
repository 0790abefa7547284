"""Every file of the backup stands in the release, byte for byte."""

import json
from typing import Any

from testinfra.host import Host

from boxlift.verify.release import Release

# Names under which a restore keeps files that would be live in a document root (backup_format 6).
SIDE_NAMES = {
    "bitrix/.settings.php": "bitrix/.settings.restore.php",
    "local/.settings.php": "local/.settings.restore.php",
    "bitrix/php_interface/dbconn.php": "bitrix/php_interface/dbconn.restore.php",
    ".htaccess": ".htaccess.restore",
    ".htsecure": ".htsecure.restore",
}
DUMPS = "bitrix/backup/"

LISTING = """
import hashlib, json, os, sys
found = {}
for root in sys.argv[1:]:
    base = os.fsencode(root)
    for folder, folders, files in os.walk(base):
        for name in folders:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, base).hex()] = ["dir", 0, None]
        for name in files:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            found[os.path.relpath(path, base).hex()] = ["file", os.path.getsize(path), digest]
json.dump(found, sys.stdout)
"""


def listing(portal: Host, folder: str) -> dict[bytes, tuple[str, int, str | None]]:
    found = json.loads(portal.check_output("python3 -c %s %s", LISTING, folder))
    return {bytes.fromhex(name): (kind, size, digest) for name, (kind, size, digest) in found.items()}


def expected_files(manifest: dict[str, Any]) -> dict[bytes, dict[str, Any]]:
    return {
        bytes.fromhex(entry["path_hex"]) if "path_hex" in entry else entry["path"].encode(): entry
        for entry in manifest["files"]
        if not entry["path"].startswith(DUMPS) and entry["path"] != "restore.php" and not entry.get("used_up")
    }


def test_every_file_is_there_and_equal(
    portal: Host, restored_release: Release, manifest: dict[str, Any]
) -> None:
    found = listing(portal, restored_release.root)
    wrong = []
    for path, entry in expected_files(manifest).items():
        side = SIDE_NAMES.get(path.decode("utf-8", "replace"))
        actual = found.get(side.encode() if side else path)
        if actual is None or actual[0] != entry["type"]:
            wrong.append((path, "missing" if actual is None else f"a {actual[0]}"))
        elif entry["type"] == "file" and actual[1:] != (entry["size"], entry["sha256"]):
            wrong.append((path, f"{actual[1]} bytes, expected {entry['size']}"))
    assert wrong == []


def test_dumps_and_parts_stay_outside_the_document_root(portal: Host, restored_release: Release) -> None:
    stray = portal.check_output(
        "find %s -name '*.sql' -path '*/bitrix/backup/*' -o -name '*.tar.gz*' -maxdepth 1"
        " -o -name '*.enc.gz*' -maxdepth 1 -o -name restore.php -maxdepth 1",
        restored_release.root,
    )
    assert stray == ""


def test_files_belong_to_the_portal_user(portal: Host, restored_release: Release) -> None:
    strangers = portal.check_output(
        "find %s -not -user portal -print -quit -o -perm /o=w -not -type l -print -quit",
        restored_release.root,
    )
    assert strangers == ""


def test_state_is_closed_to_others(portal: Host, restored_release: Release) -> None:
    assert not portal.file(restored_release.state).mode & 0o007
    assert portal.file(f"{restored_release.state}/status.json").mode == 0o640
