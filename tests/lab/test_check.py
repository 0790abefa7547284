"""`boxlift check` on the lab: everything is looked at, and nothing refuses."""

import json

from boxlift.project import Project
from tests.lab.support import boxlift


def test_a_prepared_lab_passes(project: Project) -> None:
    ended = boxlift(project.root, "check", "--json")
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
