"""`boxlift check` looks at each host for what it serves."""

from __future__ import annotations

import json

from boxlift.verify.inventory import Inventory
from tests.lab.support import boxlift

OF_HOSTS = ("reachable", "system", "rights", "clock", "marker", "memory", "disk", "in the way")


def test_every_host_is_found_fit_for_its_part(inventory: Inventory) -> None:
    told = boxlift(inventory.path.parent, "check", "--json")
    findings = json.loads(told.stdout)["checks"]
    hosts = inventory.names("production")
    seen = {(one["check"], one["subject"]): one for one in findings if one["subject"] in hosts}
    serving = {*inventory.names("portal"), *inventory.names("database")}
    for host in hosts:
        # What only has caches needs no room for a portal or its database.
        wanted = [check for check in OF_HOSTS if check != "disk" or host in serving]
        assert [check for check in wanted if not seen[check, host]["ok"]] == [], seen
