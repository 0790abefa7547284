"""`boxlift check` on the lab: everything is looked at, and nothing refuses."""

import json
import subprocess
import sys
from pathlib import Path

from boxlift.project import Project

BOXLIFT = Path(sys.executable).parent / "boxlift"


def test_a_prepared_lab_passes(project: Project) -> None:
    ended = subprocess.run(
        [str(BOXLIFT), "--project", str(project.root), "check", "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    checks = json.loads(ended.stdout)["checks"]
    refusing = [check for check in checks if not (check["ok"] or check["warning"])]
    assert (ended.returncode, refusing) == (0, []), ended.stderr
    fine = {(check["subject"], check["check"]) for check in checks if check["ok"]}
    assert fine >= {
        ("portal.acme.example", "dns"),
        ("acme.example", "spf"),
        ("acme.example", "dmarc"),
        ("acme.example", "dkim"),
        ("portal-1", "mail server"),
        ("final's backup", "fetch"),
        ("project", "packages"),
        ("control node", "wheels"),
    }
