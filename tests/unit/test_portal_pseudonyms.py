"""Pseudonyms of values: form, sameness, and no way back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from filter_plugins.pseudonyms import pseudonym_pools
from library.portal_pseudonyms import Pseudonyms

POOLS = pseudonym_pools("ru_RU")
GIVEN = Pseudonyms("a key", POOLS)


def test_the_same_person_has_the_same_name_everywhere() -> None:
    assert GIVEN.of("first_name", "Анна") == GIVEN.of("first_name", " анна ")
    first, last = GIVEN.of("first_name", "Анна"), GIVEN.of("last_name", "Громова")
    assert GIVEN.of("full_name", "Анна  Громова") == f"{first} {last}"


def test_another_key_gives_other_names() -> None:
    other = Pseudonyms("another key", POOLS)
    names = [f"Name {number}" for number in range(20)]
    assert [GIVEN.of("last_name", name) for name in names] != [other.of("last_name", name) for name in names]


def test_mail_goes_to_a_domain_that_cannot_exist() -> None:
    assert re.fullmatch(r"p[0-9a-f]{12}@pseudonym\.invalid", GIVEN.of("email", "anna@acme.example"))
    assert GIVEN.of("login", "Anna@acme.example") == GIVEN.of("email", "anna@acme.example")
    assert re.fullmatch(r"p[0-9a-f]{12}", GIVEN.of("login", "anna"))


@pytest.mark.parametrize(
    ("number", "form"),
    [("+7 (912) 345-67-89", r"\+7 \(000\) \d{3}-\d\d-\d\d"), ("89123456789", r"8000\d{7}"), ("204", "204")],
)
def test_a_number_keeps_its_form_and_is_nobodys(number: str, form: str) -> None:
    assert re.fullmatch(form, GIVEN.of("phone", number))


def test_two_spellings_of_a_number_stay_one_number() -> None:
    plain, spelt = GIVEN.of("phone", "+79123456789"), GIVEN.of("phone", "8 (912) 345-67-89")
    assert re.sub(r"\D", "", plain)[1:] == re.sub(r"\D", "", spelt)[1:]


def test_a_file_keeps_its_extension() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}\.pdf", GIVEN.of("file_name", "Паспорт Громовой.pdf"))
    assert re.fullmatch(r"[0-9a-f]{16}", GIVEN.of("file_name", "README"))


@pytest.mark.parametrize("kind", ["first_name", "email", "phone", "login", "company", "file_name"])
def test_what_is_empty_stays_so(kind: str) -> None:
    assert GIVEN.of(kind, "") == ""
    assert GIVEN.of(kind, "  ") == "  "


@given(
    st.text(max_size=80), st.sampled_from(["full_name", "phone", "email", "address", "file_name", "login"])
)
def test_any_text_has_a_pseudonym(value: str, kind: str) -> None:
    assert GIVEN.of(kind, value) == GIVEN.of(kind, value)


def test_an_unknown_locale_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="xx_XX"):
        pseudonym_pools("xx_XX")


def test_every_address_and_telephone_of_a_person_that_we_know_of_has_a_rule() -> None:
    root = Path(__file__).parents[2]

    def data(path: str) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load((root / path).read_text(encoding="utf-8"))
        return found

    rules = data("roles/portal_pseudonyms/vars/main.yml")["__portal_pseudonyms_rules"]
    ruled = {(rule["table"], column) for rule in rules for column in rule.get("columns", [])}
    known = {
        (table, column)
        for table, entry in data("docs/vendor_surface.yml")["tables"].items()
        for group in entry["columns"]
        for column in group["names"]
        if re.search(r"(?<!HAS)(?:_|^)(?:E?MAIL|PHONE|FAX|IP)$", column)
    }
    # Of the site itself; and of a table that portal_quiet empties in every copy.
    assert known - ruled == {("b_lang", "EMAIL"), ("b_main_mail_sender", "EMAIL")}
