"""Writes docs/variables.md from the roles' argument_specs and the example inventory; run it for that."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "variables.md"
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())

HEAD = """# Variables

Written by `make variables` from the roles' `meta/argument_specs.yml` and from `inventories/example`; CI fails
where it is not current. Set them in `inventory/group_vars/` of the project: `all/` for both environments,
`production/` and `preproduction/` for one, secrets in the `vault.yml` beside. A name that is none of these
and begins like one is refused before anything is changed (role [variables](../roles/variables/README.md)).

**Default** `-` is none: the role may be used without. *required* stands where the role cannot choose for you.
*computed* defaults depend on the host or on other variables. *secret* values are never shown.
"""
PROJECT = """## Of a project

What roles share, set once in `group_vars` and handed to them there (roles know nothing of each other), and
what boxlift or the command line gives a playbook.

| variable | as shipped | what it is |
|---|---|---|"""
TABLE = """| variable | type | default | what it is |
|---|---|---|---|"""


def load(path: Path) -> dict[str, Any]:
    """A YAML file; empty where there is none."""
    found = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return found or {}


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    """Options of all entry points of a role."""
    options: dict[str, dict[str, Any]] = {}
    for entry in load(role / "meta" / "argument_specs.yml")["argument_specs"].values():
        options |= entry.get("options") or {}
    return options


def document() -> str:
    """docs/variables.md as the specifications have it."""
    known = {name for role in ROLES for name in options_of(role)}
    lines = [HEAD, PROJECT]
    lines += [
        f"| `{name}` | {example} | {text} |" for name, (example, text) in sorted(_project(known).items())
    ]
    for role in ROLES:
        entries = load(role / "meta" / "argument_specs.yml")["argument_specs"]
        short = str(entries["main" if "main" in entries else next(iter(entries))]["short_description"])
        lines += ["", f"## {role.name}", "", f"{short}. [README](../roles/{role.name}/README.md)", ""]
        rows = list(_rows(options_of(role), load(role / "defaults" / "main.yml")))
        lines += [TABLE, *rows] if rows else ["It takes none."]
    return "\n".join(lines) + "\n"


def _project(known: set[str]) -> dict[str, tuple[str, str]]:
    """What a project sets besides the options of roles: an example, and the comment that stands above it."""
    found = {
        name: ("-", _cell(text))
        for name, text in load(ROOT / "roles/variables/files/variables.yml")["project"].items()
    }
    for file in sorted((ROOT / "inventories" / "example" / "group_vars").rglob("*.yml")):
        values = load(file)
        for name, comment in _comments(file.read_text(encoding="utf-8")).items():
            if name in known or name.startswith("infrastructure_"):
                continue
            text = found[name][1] if name in found else _cell(comment)
            if name not in found or found[name][0] == "-":
                found[name] = (_value(values[name]), text)
    return found


def _comments(text: str) -> dict[str, str]:
    """Top-level names of a file, each with the comment above it or above the lines that it follows."""
    found: dict[str, str] = {}
    comment: list[str] = []
    used = False
    for line in text.splitlines():
        if line.startswith("#"):
            comment = [*([] if used else comment), line.lstrip("# ").rstrip()]
            used = False
        elif (name := re.match(r"([a-z]\w*):", line)) is not None:
            found[name[1]] = " ".join(
                part for part in comment if not part.startswith("---") and not part.endswith("---")
            )
            used = True
        elif not line.strip():
            comment = []
    return found


def _rows(
    options: Mapping[str, Mapping[str, Any]], defaults: Mapping[str, Any], inside: str = ""
) -> Iterator[str]:
    for name, option in options.items():
        kind = str(option["type"])
        if option.get("elements"):
            kind += f" of {option['elements']}"
        if option.get("choices"):
            kind += ": " + ", ".join(f"`{choice}`" for choice in option["choices"])
        if option.get("no_log"):
            kind += ", *secret*"
        if option.get("required"):
            default = "*required*"
        elif "default" in option:
            default = _value(option["default"])
        else:
            default = "*computed*" if name in defaults else "-"
        yield f"| `{inside}{name}` | {kind} | {default} | {_cell(_description(option))} |"
        part = f"{inside}{name}[]." if option.get("elements") == "dict" else f"{inside}{name}."
        yield from _rows(option.get("options") or {}, {}, part)


def _description(option: Mapping[str, Any]) -> str:
    text = option["description"]
    return " ".join(text) if isinstance(text, list) else str(text)


def _value(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) or not value else value
    short = " ".join(text.split())
    if short.startswith("{{"):
        return "*computed*"
    return f"`{_cell(short)}`" if "`" not in short else _cell(short)


def _cell(text: str) -> str:
    """Text that a cell of a table can hold; Ansible's C(...) is a code."""
    return re.sub(r"C\(([^)]*)\)", r"`\1`", " ".join(text.split())).replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")
