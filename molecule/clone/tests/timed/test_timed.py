"""A timer rebuilt staging with nobody there, and the one who is to know was told in a line."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from testinfra.host import Host

from boxlift.verify.inventory import Inventory
from boxlift.verify.release import Release


def test_staging_serves_the_newest_copy(staging_host: Host, copy: Release) -> None:
    names = [
        name for name in staging_host.check_output("ls /var/lib/boxlift/clones").split() if "clone-" in name
    ]
    assert len(names) > 1
    assert copy.name == max(names)


def test_a_line_of_result_arrived(inventory: Inventory) -> None:
    address = f"http://{inventory.address('cloud-1')}:8025/messages?to=ops@acme.example"
    with urllib.request.urlopen(address, timeout=10) as answer:
        letters: list[dict[str, Any]] = json.load(answer)
    (letter,) = letters
    assert letter["subject"].startswith("boxlift clone of lab done in ")
    assert letter["body"].strip() == letter["subject"]
