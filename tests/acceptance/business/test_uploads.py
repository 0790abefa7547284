"""What users uploaded is all in the box: as long as a file is missing, the cloud holds the only copy."""

import json

from testinfra.host import Host

from boxlift.verify.release import Release


def test_no_upload_is_missing(portal: Host, active_release: Release) -> None:
    # Written where a backup only lists its uploads (backup_format 6); other backups contain them.
    report = portal.file(f"{active_release.state}/uploads-missing.json")
    missing = json.loads(report.content_string)["missing"] if report.exists else []
    assert [upload["path"] for upload in missing] == []
