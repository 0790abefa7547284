"""A role's meta/argument_specs.yml and its defaults say the same."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = sorted(path for path in (Path(__file__).parents[2] / "roles").iterdir() if path.is_dir())
pytestmark = pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)


def load(path: Path) -> dict[str, Any]:
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return content or {}


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """Options of all entry points of a role; the same name stands for the same thing in each."""
    entries = load(role / "meta" / "argument_specs.yml")["argument_specs"]
    options: dict[str, dict[str, Any]] = {}
    for entry in entries.values():
        for name, option in (entry.get("options") or {}).items():
            assert options.setdefault(name, option) == option, f"{name} differs between entry points"
    return options


def is_computed(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def test_every_default_is_an_option_and_the_other_way_round(role: Path) -> None:
    options = options_of(role)
    required = {name for name, option in options.items() if option.get("required")}
    # An option that may be left out altogether has no default and is not required.
    optional = {name for name, option in options.items() if "default" not in option} - required
    defaults = load(role / "defaults" / "main.yml").keys()
    assert defaults - options.keys() == set()
    assert options.keys() - defaults - required - optional == set()
    assert required & defaults == set()


def test_defaults_have_the_values_that_the_options_name(role: Path) -> None:
    defaults = load(role / "defaults" / "main.yml")
    for name, option in options_of(role).items():
        if name not in defaults:
            continue
        if is_computed(defaults[name]):
            # Options are evaluated before the role's variables are complete.
            assert "default" not in option, name
        else:
            assert "default" in option, f"{name} names no default"
            assert option["default"] == defaults[name], name
            assert type(option["default"]) is type(defaults[name]), name


def test_every_option_has_a_type_and_a_description(role: Path) -> None:
    for name, option in options_of(role).items():
        assert option.get("type"), name
        assert option.get("description"), name


def test_names_begin_with_the_role(role: Path) -> None:
    internal = load(role / "vars" / "main.yml")
    assert [name for name in internal if not name.startswith(f"__{role.name}_")] == []
    shared = {"portal_environment", "portal_domain", "portal_release", "portal_id", "telephony_domain"}
    assert [
        name for name in options_of(role) if not name.startswith(f"{role.name}_") and name not in shared
    ] == []


def test_secrets_are_marked(role: Path) -> None:
    words = ("password", "secret", "signature_key", "crypto_key", "license_key")
    for name, option in options_of(role).items():
        if name.endswith(words) and not name.endswith("_file") and option.get("type") == "str":
            assert option.get("no_log"), f"{name} is shown in messages"


def test_a_role_says_what_it_is(role: Path) -> None:
    assert (role / "README.md").is_file()
    assert load(role / "meta" / "main.yml")["galaxy_info"]["description"]
