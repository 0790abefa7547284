"""The register of feared defects: the package's own, and what a project's `risks.yml` adds to it.

A project's file lists risks. One whose `id` the register knows takes what it does not say from there; another
one is added at the end:

    risks:
      - id: mobile-app
        owner: contractor
      - id: warehouse-labels
        title: Labels of the warehouse print empty
        detector: manual
        owner: client
        look: Print one label of each size.
        remedy: Reinstall the printer's application.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

from boxlift.errors import UsageError
from boxlift.plan.load import nearest
from boxlift.risks.model import Risk, Strict

FILE = "risks.yml"


class _Register(Strict):
    risks: tuple[Risk, ...]


def load_register(root: Path | None) -> tuple[Risk, ...]:
    """The package's register, with what the project at `root` says. UsageError that names what is wrong."""
    text = (resources.files("boxlift.risks") / "register.yml").read_text(encoding="utf-8")
    own = _parse(text, "register.yml", {})
    path = root / FILE if root is not None else None
    if path is None or not path.exists():
        return own
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path.name} is no UTF-8 text", cure="correct it, then: boxlift risks") from error
    known = {risk.id: risk for risk in own}
    added = {risk.id: risk for risk in _parse(text, path.name, known)}
    return tuple((known | added).values())


def _parse(text: str, name: str, known: dict[str, Risk]) -> tuple[Risk, ...]:
    cure = f"correct {name}, then: boxlift risks"
    try:
        data = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{name}:{line}: {error.problem}", cure=cure) from error
    if not isinstance(data, dict) or not isinstance(data.get("risks"), list):
        raise UsageError(f"{name}: a register is a mapping with the list `risks`", cure=cure)
    data["risks"] = [_filled(item, known) for item in data["risks"]]
    ids = [item.get("id") for item in data["risks"] if isinstance(item, dict)]
    twice = sorted({str(found) for found in ids if ids.count(found) > 1})
    if twice:
        raise UsageError(f"{name}: the id `{twice[0]}` is used twice", cure=cure)
    try:
        return _Register.model_validate(data).risks
    except ValidationError as error:
        lines = [f"{name}: {_place(item['loc'], data)}: {_said(item)}" for item in error.errors()]
        raise UsageError("\n".join(lines), cure=cure) from error


def _filled(item: object, known: dict[str, Risk]) -> object:
    if not isinstance(item, dict) or item.get("id") not in known:
        return item
    return known[item["id"]].model_dump(mode="json") | item


def _place(location: tuple[int | str, ...], data: dict[str, Any]) -> str:
    names = [str(part) for part in location[2:] if isinstance(part, str)]
    if len(location) > 1 and isinstance(location[1], int):
        item = data["risks"][location[1]]
        names.insert(
            0, str(item.get("id", location[1] + 1)) if isinstance(item, dict) else str(location[1] + 1)
        )
    return ".".join(names) or "risks"


def _said(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        return f"unknown key `{key}`{nearest(key, Risk.model_fields)}"
    return str(item["msg"])
