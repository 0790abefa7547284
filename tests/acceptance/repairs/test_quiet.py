"""Until it is opened, a restored portal does nothing by itself: its twin still serves in the cloud."""

import json

import pytest
from testinfra.host import Host

from boxlift.verify.release import Release

# What would act on the outside world, per table; tables that a portal lacks do not count.
ACTIVE_ROWS = {
    "b_event": "SUCCESS_EXEC = 'N'",
    "b_mail_mailbox": "ACTIVE = 'Y'",
    "b_rest_event": "EVENT_HANDLER <> ''",
    "b_voximplant_sip": "1 = 1",
    "b_imconnectors_status": "ACTIVE = 'Y'",
    "b_imopenlines_config": "ACTIVE = 'Y'",
    "b_sale_pay_system_action": "ACTIVE = 'Y'",
    "b_sale_cashbox": "ACTIVE = 'Y'",
    "b_messageservice_message": "SUCCESS_EXEC = 'N'",
}


@pytest.fixture(autouse=True)
def quiet_portal(is_open: bool) -> None:
    if is_open:
        pytest.skip("the portal is open")


@pytest.mark.parametrize("name", ["check_agents", "check_events"])
def test_agents_and_mail_queue_stand_still(active_release: Release, name: str) -> None:
    value = active_release.database.value(
        f"SELECT VALUE FROM b_option WHERE MODULE_ID = 'main' AND NAME = '{name}'"
    )
    assert value == "N"


@pytest.mark.parametrize(("table", "condition"), ACTIVE_ROWS.items())
def test_nothing_is_ready_to_act(active_release: Release, table: str, condition: str) -> None:
    if table in active_release.database.tables():
        assert active_release.database.value(f"SELECT COUNT(*) FROM `{table}` WHERE {condition}") == "0"


def test_nothing_left_the_host_as_the_portal(portal: Host) -> None:
    rules = json.loads(portal.check_output("nft --json list counters"))
    counters = {
        entry["counter"]["name"]: entry["counter"]["packets"]
        for entry in rules["nftables"]
        if "counter" in entry
    }
    portal_counters = {name: packets for name, packets in counters.items() if "portal" in name}
    assert portal_counters
    assert set(portal_counters.values()) == {0}
