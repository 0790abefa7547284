"""A staging whose fence did not load comes up without anything that serves or sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testinfra.host import Host

pytestmark = pytest.mark.long

RULES = "/etc/nftables.conf"
KEPT = "/root/nftables.conf.kept"
LIST = "systemctl list-units --plain --no-legend --all --type=service"


@pytest.fixture(scope="module")
def bound(staging: Host) -> list[str]:
    """Units of staging that serve or send, as systemd knows them."""
    names = [line.split()[0] for line in staging.check_output(LIST).splitlines() if line.strip()]
    found = [name for name in names if name.startswith(("nginx.", "push-server@")) or "-fpm." in name]
    assert len(found) > 2
    return found


@pytest.fixture
def mended(staging: Host, bound: list[str]) -> Iterator[None]:
    """The fence as it was, afterwards, and everything behind it."""
    staging.check_output(f"cp --archive {RULES} {KEPT}")
    try:
        yield
    finally:
        staging.check_output(f"mv {KEPT} {RULES}")
        # Each unit that was refused had tried the rules once more.
        staging.check_output("systemctl reset-failed")
        staging.check_output(f"systemctl restart nftables.service && systemctl restart {' '.join(bound)}")


def active(host: Host, units: list[str]) -> list[str]:
    return [unit for unit in units if host.run("systemctl is-active %s", unit).stdout.strip() == "active"]


@pytest.mark.usefixtures("mended")
def test_rules_that_do_not_load_leave_nothing_that_serves(staging: Host, bound: list[str]) -> None:
    assert active(staging, bound) == bound
    staging.check_output(f"echo 'table inet boxlift {{ nonsense' > {RULES}")
    # What happens at boot: the rules first, then everything else.
    assert staging.run("systemctl restart nftables.service").rc != 0
    for unit in bound:
        assert staging.run("systemctl start %s", unit).rc != 0, unit
    assert active(staging, bound) == []
    asked = staging.run("curl --insecure --silent --max-time 5 https://localhost/")
    assert (asked.rc, asked.stdout) == (7, "")


@pytest.mark.usefixtures("mended")
def test_rules_that_somebody_took_away_are_missed_at_the_next_start(staging: Host, bound: list[str]) -> None:
    staging.check_output("nft delete table inet boxlift")
    for unit in [*bound, "portal-agents.service"]:
        staging.check_output("systemctl stop %s", unit)
        assert staging.run("systemctl start %s", unit).rc != 0, unit
    assert active(staging, bound) == []
    said = staging.check_output("journalctl --unit=boxlift-fence.service --lines=5 --output=cat --no-pager")
    assert "no fence holds back what this host sends" in said


def test_production_waits_for_no_fence(production: Host) -> None:
    shown = production.check_output("systemctl show --property=Requires --value nginx.service")
    assert "boxlift-fence.service" not in shown
    assert production.run("systemctl cat boxlift-fence.service").rc != 0
