"""Every file that the portal names lies on its host: what does not, only the cloud has."""

import json
import os
from pathlib import Path

import pytest
from testinfra.host import Host

from boxlift.uploads import GIVEN_UP, MISSING, given_up, keep_missing, shown
from boxlift.verify.release import Release

PROGRAM = "/opt/bxbackup/bin/bxbackup"
NAMED = 3

# Compares b_file with the folder as it is now (backup_format 7.6), and looks again for what the list of a
# backup without uploads named and no mirror had (backup_format 6).
LOOK = """
import csv, json, os, subprocess, sys, tempfile
program, root, state, database, options = sys.argv[1:]
found = {}
with tempfile.TemporaryDirectory() as folder:
    command = [program, "compare", root, "--database", database, "--defaults-file", options]
    ended = subprocess.run(
        [*command, "--by", "sizes", "--state", folder, "--json"], capture_output=True, text=True
    )
    if ended.returncode not in (0, 3, 4):
        sys.exit(ended.stderr)
    report = os.path.join(folder, "uploads-compared.csv")
    with open(report, newline="", encoding="utf-8", errors="surrogateescape") as rows:
        for row in csv.DictReader(rows):
            if row["kind"] in ("in bucket", "missing"):
                found[row["path"]] = row["kind"]
listed = os.path.join(state, "uploads-missing.json")
if os.path.exists(listed):
    with open(listed, encoding="utf-8") as report:
        for upload in json.load(report)["missing"]:
            if not os.path.lexists(os.path.join(root, "upload", upload["path"])):
                found.setdefault(upload["path"], "at no mirror")
json.dump(found, sys.stdout)
"""


def missing(portal: Host, release: Release, program: str = PROGRAM) -> dict[str, str]:
    """What is not on the host: path below the upload folder, as it is shown, to what is known of it."""
    database = release.database
    if database.value("SELECT COUNT(*) FROM b_file") == "0":
        return {}
    told = json.loads(
        portal.check_output(
            "python3 -c %s %s %s %s %s %s",
            LOOK,
            program,
            release.root,
            release.state,
            database.name,
            database.options_file,
        )
    )
    return {shown(path): kind for path, kind in told.items()}


def judge(found: dict[str, str], project: Path | None, release: str) -> None:
    """Fail where anything is missing that nobody has given up; the project's evidence gets the whole list."""
    if project is not None:
        forgone = given_up(project, release)
        found = {path: kind for path, kind in found.items() if path not in forgone}
        keep_missing(project, release, found)
    if not found:
        return
    kinds = sorted(set(found.values()))
    counts = ", ".join(f"{sum(each == kind for each in found.values())} {kind}" for kind in kinds)
    examples = ", ".join(sorted(found)[:NAMED])
    pytest.fail(
        f"{len(found)} uploaded files are not on the host ({counts}), for example {examples}\n"
        f"all of them: evidence/{release}/{MISSING}; fetch them while the cloud portal lives,\n"
        f"and write into evidence/{release}/{GIVEN_UP} what nobody has or needs any more"
    )


def test_no_upload_lies_in_the_cloud_alone(portal: Host, active_release: Release) -> None:
    project = os.environ.get("BOXLIFT_PROJECT")
    judge(missing(portal, active_release), Path(project) if project else None, active_release.name)
