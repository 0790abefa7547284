"""What speaks against a release's kernel, by the role's own table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import yaml
from ansible.module_utils.boxlift_sql import Database

from library.portal_kernel import Findings, Kernel, check, versions
from library.portal_modules import absent

ROLE = Path(__file__).parents[2] / "roles" / "portal_kernel"


@pytest.fixture(scope="module")
def rules() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROLE / "vars" / "main.yml").read_text(encoding="utf-8"))
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text(encoding="utf-8"))
    found: dict[str, Any] = content["__portal_kernel_rules"]
    assert found["modules_most"] == "{{ portal_kernel_most_modules }}"
    found["modules_most"] = str(defaults["portal_kernel_most_modules"])
    return found


@pytest.fixture
def box(rules: dict[str, Any]) -> Kernel:
    tables = {table: {"ID", "NAME"} for table in [*rules["tables_needed"], "b_crm_lead"]}
    return Kernel({"main": "26.250.100", "crm": ""}, frozenset({"main", "crm"}), tables)


def test_the_same_kernel_is_welcome(box: Kernel, rules: dict[str, Any]) -> None:
    assert check(box, box, "8.2.36", rules) == Findings()


@pytest.mark.parametrize(
    ("main", "refused", "warned"),
    [
        ("26.300.0", "", "newer than the distribution's 26.250.100"),
        ("26.250.9", "", "older than the distribution's"),
        ("25.800.0", "", "older than the distribution's"),
        ("25.750.400", "older than 25.800.0: its core cannot give Redis a password", "older than"),
        ("9.0.0", "older than 25.800.0", "older than"),
        ("", "its kernel is not whole", ""),
    ],
)
def test_versions(box: Kernel, rules: dict[str, Any], main: str, refused: str, warned: str) -> None:
    found = check(replace(box, versions={"main": main, "crm": ""}), box, "8.4.1", rules)
    assert len(found.refused) == bool(refused)
    assert refused in "".join(found.refused)
    assert warned in "".join(found.warned)


@pytest.mark.parametrize(
    ("php", "refused", "warned"),
    [("8.0.30", 1, 0), ("8.1.2", 0, 1), ("8.2.0", 0, 0), ("8.4.1-1~deb13", 0, 0)],
)
def test_php(box: Kernel, rules: dict[str, Any], php: str, refused: int, warned: int) -> None:
    found = check(box, box, php, rules)
    assert (len(found.refused), len(found.warned)) == (refused, warned)


def test_modules_without_a_folder(box: Kernel, rules: dict[str, Any]) -> None:
    some = replace(box, registered=box.registered | {"sale", "ldap"})
    assert check(some, box, "8.2.0", rules).warned == [
        "modules without a folder, which repair-portal unregisters: ldap, sale"
    ]
    many = replace(box, registered=box.registered | {f"module{number:02}" for number in range(20)})
    (refused,) = check(many, box, "8.2.0", rules).refused
    assert refused.startswith("20 modules have no folder")
    assert refused.endswith("and 8 more")
    headless = Kernel({"crm": ""}, box.registered, box.tables)
    assert any("main" in text for text in check(headless, box, "8.2.0", rules).refused)


def test_tables_and_columns(box: Kernel, rules: dict[str, Any]) -> None:
    lost = {name: columns for name, columns in box.tables.items() if name not in {"b_user", "b_crm_lead"}}
    found = check(replace(box, tables=lost), box, "8.2.0", rules)
    assert found.refused == ["tables that no portal works without are missing: b_user"]
    assert found.warned == ["1 tables of the distribution are missing: b_crm_lead"]
    narrow = {
        name: {"ID"} if name in {"b_file", "b_crm_lead"} else known for name, known in box.tables.items()
    }
    found = check(replace(box, tables=narrow), box, "8.2.0", rules)
    assert found.refused == ["1 columns of the distribution are missing: b_file.NAME"]
    assert found.warned == ["1 columns of the distribution are missing: b_crm_lead.NAME"]


@pytest.mark.parametrize("main", ["26.100.0", "26.300.0"])
def test_columns_of_another_version_are_no_reason_to_refuse(
    box: Kernel, rules: dict[str, Any], main: str
) -> None:
    narrow = {name: {"ID"} if name == "b_file" else known for name, known in box.tables.items()}
    other = replace(box, tables=narrow, versions={"main": main, "crm": ""})
    found = check(other, box, "8.2.0", rules)
    assert found.refused == []
    assert "1 columns of the distribution are missing: b_file.NAME" in found.warned


def test_without_a_distribution_nothing_is_compared(box: Kernel, rules: dict[str, Any]) -> None:
    assert check(box, Kernel(), "8.2.0", rules) == Findings()


def test_versions_are_read_from_files(tmp_path: Path) -> None:
    modules = tmp_path / "bitrix/modules"
    for path, text in {
        "main/classes/general/version.php": '<?php define("SM_VERSION", "25.1150.100");',
        "main/install/version.php": "<?php $v = ['VERSION' => '1.0'];",
        "crm/install/version.php": '<?php $arModuleVersion = ["VERSION" => "25.900.0"];',
        "im/include.php": "",
        "../../local/modules/acme.shop/install/version.php": '<?php $v = ["VERSION" => "1.2.3"];',
    }.items():
        (modules / path).parent.mkdir(parents=True, exist_ok=True)
        (modules / path).write_text(text)
    assert versions(tmp_path) == {
        "main": "25.1150.100",
        "crm": "25.900.0",
        "im": "",
        "acme.shop": "1.2.3",
    }
    assert versions(tmp_path / "nowhere") == {}


def test_modules_of_the_portals_owner_have_a_folder_too(tmp_path: Path) -> None:
    for name in ("bitrix/modules/crm", "local/modules/acme.shop"):
        (tmp_path / name).mkdir(parents=True)

    class Rows:
        def tables(self, _: str) -> set[str]:
            return {"b_module"}

        def rows(self, _: str) -> list[tuple[str]]:
            return [("acme.shop",), ("crm",), ("gone",)]

    assert absent(cast(Database, Rows()), "portal_final_1", tmp_path) == ["gone"]
