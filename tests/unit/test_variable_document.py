"""docs/variables.md says what the roles' argument_specs say."""

from __future__ import annotations

from tests.unit.variable_document import DOCUMENT, ROLES, document


def test_it_is_current() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "make variables writes it anew"


def test_every_role_is_in_it_and_every_variable_is_explained() -> None:
    text = document()
    assert [role.name for role in ROLES if f"\n## {role.name}\n" not in text] == []
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.rstrip("| ").endswith(("-", "*computed*", "*required*", "`"))] == []
    assert len(rows) > 200
