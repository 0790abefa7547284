"""Check mode on hosts that nothing was done to: a playbook says what it would do, or what comes before it.

Whatever it says, it changes nothing, stumbles over nothing that check mode left undone, and shows no secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from boxlift.verify.inventory import Inventory
from tests.scenarios.checked import Surroundings, changes, look, secrets
from tests.scenarios.fingerprint import Fingerprint
from tests.scenarios.story import REPOSITORY

PLAYBOOKS = sorted(REPOSITORY.glob("playbooks/*.yml"))
# They only look, need no host, or come first.
PASS = {"check_hosts", "provision", "request_certificate", "send_test_letter"}
FINAL = {"portal_release": "final-1", "boxlift_pass": "final"}
GIVEN: Mapping[str, Mapping[str, str]] = {
    "compare_environments": {"compare_key": "aquarium"},
    "install_portal": {"portal_release": "box"},
    "open_portal": FINAL,
    "register_portal": FINAL,
    "remove_leftovers": FINAL,
    "restore_backup": {"portal_release": "rehearsal-1", "portal_backup_source": "/srv/backup/a.tar.gz"},
    "send_password_letters": FINAL,
    "send_test_letter": {"check_letter_to": "me@acme.example", "check_letter_word": "K7Q2MX"},
    "update_modules": FINAL,
}


@pytest.fixture(scope="module")
def surroundings(inventory: Inventory) -> Surroundings:
    return Surroundings(inventory)


@pytest.fixture(scope="module")
def untouched(surroundings: Surroundings) -> dict[str, Fingerprint]:
    return surroundings.state()


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: path.stem)
def test_it_passes_or_says_what_comes_first(
    playbook: Path,
    inventory: Inventory,
    surroundings: Surroundings,
    untouched: dict[str, Fingerprint],
) -> None:
    given = GIVEN.get(playbook.stem, {"portal_release": "rehearsal-1"})
    seen = look(playbook, inventory.path, given, os.environ)
    assert seen.faults(secrets(inventory.path)) == [], seen.output
    assert changes(untouched, surroundings.state()) == []
    if playbook.stem in PASS:
        assert seen.refusal is None, seen.output
    else:
        assert seen.refusal is not None, seen.output
        assert seen.refusal.startswith("refused: ")
        assert "boxlift run " in seen.refusal
