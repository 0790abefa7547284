"""A project may extend the register; what is wrong in its file is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from boxlift.errors import UsageError
from boxlift.risks import Detector, load_register

OWN = """
risks:
  - id: mobile-app
    owner: contractor
  - id: labels
    title: Labels print empty
    detector: manual
    owner: client
    look: Print one of each size.
    remedy: Reinstall the application.
"""


def test_a_project_changes_and_adds(tmp_path: Path) -> None:
    (tmp_path / "risks.yml").write_text(OWN)
    found = {risk.id: risk for risk in load_register(tmp_path)}
    assert len(found) == 11
    assert list(found)[-1] == "labels"
    assert found["mobile-app"].owner == "contractor"
    assert found["mobile-app"].detector is Detector.ASSISTED
    assert found["mobile-app"].evidence


def test_without_a_file_it_is_the_packages(tmp_path: Path) -> None:
    assert load_register(tmp_path) == load_register(None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("risks: [", "risks.yml:1:"),
        ("[]", "a mapping with the list `risks`"),
        ("", "a mapping with the list `risks`"),
        ("risks: [{id: labels}]", "labels.title: Field required"),
        ("risks: [7]", "risks.yml: 1:"),
        ("risks: [{id: mobile-app, remedi: x}]", "unknown key `remedi`; did you mean `remedy`?"),
        ("risks: [{id: mobile-app}, {id: mobile-app}]", "`mobile-app` is used twice"),
        ("risks: [{id: mobile-app, look: ''}]", "has to know what to `look` at"),
        ("risks: [{id: search-index, evidence: []}]", "needs `evidence` that decides"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "risks.yml").write_text(text)
    with pytest.raises(UsageError) as raised:
        load_register(tmp_path)
    assert said in raised.value.message
