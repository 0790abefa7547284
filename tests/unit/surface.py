"""Finds the product's names in our own files: tables, columns, options, calls, files, constants, events.

The extraction is by pattern, not by parsing every language: it sees what is written literally. Names put
together at run time escape it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SURFACE = REPOSITORY / "docs" / "vendor_surface.yml"
PORTAL = REPOSITORY / "lab" / "portal" / "root"

# Where the product's names are used by us; the stand-ins must stay within the same list.
USERS = (
    "roles",
    "playbooks",
    "library",
    "module_utils",
    "filter_plugins",
    "bxbackup/src",
    "inventories",
    "src/boxlift/verify",
    "tests/acceptance",
)
STAND_INS = ("lab/portal/root", "lab/push")
KINDS = {".py", ".yml", ".j2", ".php", ".js", ".sql", ".sh", ".conf"}
# The stand-in's own helpers; the product has nothing like them.
OWN_CODE = "bitrix/modules/main/lib/standin/"

_TABLE = re.compile(r"\bb_[a-z][a-z0-9_]*[a-z0-9]\b")
_OPTION_CALL = re.compile(
    r"(?:Option::(?:get|set|getRealValue|GetOptionString|SetOptionString))\(\s*'([\w.]+)',\s*'([~\w]+)'"
)
_OPTION_DELETE = re.compile(r"Option::delete\(\s*'(\w+)',\s*\['name' => '([~\w]+)'\]")
_OPTION_PAIR = re.compile(
    r"['\"]?module['\"]?\s*:\s*(?!str\b)['\"]?(\w+)['\"]?,\s*['\"]?name['\"]?\s*:\s*['\"]?([~\w]+)"
)
_OPTION_ROW = re.compile(r"^\s*\('([\w.]+)', '([~\w]+)', '", re.M)
_PULL_OPTION = re.compile(r"PullSettings::(?:value|url)\('(\w+)'\)")
_CALL = re.compile(r"\\?\b((?:Bitrix(?:\\{1,2}\w+)+|C[A-Z]\w+))::(\w+)(?=\()")
_METHOD = re.compile(r"->(\w+)\(")
_GLOBAL_CALL = re.compile(r"(?<!new )(?<![\w:>$\\])\\([A-Z]\w+)\(")
_CONSTANT = re.compile(r"\bdefined?\(\s*['\"](?!BOXLIFT_)(\w+)['\"]")
_PATH = re.compile(r"(?<![\w.-])(?<!usr/)((?:bitrix|local|upload)/[\w.*-][\w./*-]*)")
_BESIDE = re.compile(r"(?<=\w)\*$")
"""What somebody saved beside a file: `dbconn.php*`."""
_ADDRESS = re.compile(r"(?:browser|signed_in|stranger)\.(?:get|post|subscribe)\(\s*f?[\"']/([^\"'?{]+)")
"""What a suite asks the portal's web server for."""
_SECTION = re.compile(r"Configuration::getValue\('(\w+)'\)")
_EVENT = re.compile(r"(?:SendImmediate|CEvent::Send|self::letter|Webhooks::add)\('([A-Z_]+)'")
_BACKTICKED = re.compile(r"`([A-Z][A-Z0-9_]+)`")
_WORD = re.compile(r"\b[A-Z][A-Z0-9_]+\b(?!\()")
_TEXT = re.compile(r"'(?:[^']|'')*'")
_CREATE = re.compile(r"CREATE TABLE IF NOT EXISTS `(b_\w+)` \((.*?)\n\)", re.S)
_COLUMN = re.compile(r"^  `(\w+)`", re.M)
_ROW = re.compile(r"Db::insert\('(b_\w+)', (?:\$\w+ \+ )?\[")
_KEY = re.compile(r"'([A-Z][A-Z0-9_]+)'\s*=>")
_CLASS = re.compile(r"^(?:final )?class (\w+)", re.M)
_NAMESPACE = re.compile(r"^namespace ([\w\\]+);", re.M)
_PUBLIC = re.compile(r"^    public (?:static )?function (\w+)", re.M)
_FUNCTION = re.compile(r"^function (\w+)", re.M)
_WIZARD = re.compile(r"\b(__wiz_\w+|CurrentStepID|NextStepID|StepNext|__wizard_form)\b")
_PUSH_KEY = re.compile(r"'(\w+)':")
# Columns after the name of their table belong to that one, which a rule may not be about.
_FOREIGN = re.compile(r"\bb_\w+\.\w+")

SQL_WORDS = frozenset(
    {
        "AND",
        "OR",
        "NOT",
        "NULL",
        "IS",
        "IN",
        "LIKE",
        "TRUE",
        "FALSE",
        "SELECT",
        "FROM",
        "WHERE",
        "INTERVAL",
        "DAY",
        "MONTH",
    }
)
# Methods of PHP's own classes.
PHP_METHODS = frozenset({"getCode", "getFile", "getLine", "getMessage"})


@dataclass
class Names:
    """Names of the product, each with one place where it stands."""

    tables: dict[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    calls: dict[str, str] = field(default_factory=dict)
    methods: dict[str, str] = field(default_factory=dict)
    functions: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    paths: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)
    events: dict[str, str] = field(default_factory=dict)
    push: dict[str, str] = field(default_factory=dict)
    wizard: dict[str, str] = field(default_factory=dict)

    def read(self, text: str, place: str) -> None:
        """Add what stands in one file; ``place`` is its path."""
        for name in _TABLE.findall(text):
            self.tables.setdefault(name, place)
        for pattern in (_OPTION_CALL, _OPTION_DELETE, _OPTION_PAIR):
            for module, name in pattern.findall(text):
                self.options.setdefault(f"{module}/{name}", place)
        for name in _PULL_OPTION.findall(text):
            self.options.setdefault(f"pull/{name}", place)
        for owner, name in _CALL.findall(text):
            plain = owner.replace("\\\\", "\\")
            self.calls.setdefault(f"{plain}::{name}", place)
        for pattern, names in (
            (_CONSTANT, self.constants),
            (_PATH, self.paths),
            (_ADDRESS, self.paths),
            (_SECTION, self.sections),
            (_EVENT, self.events),
            (_WIZARD, self.wizard),
        ):
            for name in pattern.findall(text):
                names.setdefault(_BESIDE.sub("", name.rstrip("/.")), place)

    def read_script(self, text: str, place: str) -> None:
        """Add calls on objects, global functions and quoted columns of code that is not the stand-in's."""
        for name in set(_METHOD.findall(text)) - PHP_METHODS:
            self.methods.setdefault(name, place)
        for name in _GLOBAL_CALL.findall(text):
            self.functions.setdefault(name, place)
        for name in set(_BACKTICKED.findall(text)) - SQL_WORDS:
            self.columns.setdefault(f"*.{name}", place)

    def read_rules(self, content: object, place: str) -> None:
        """Add options and columns of rules in YAML: module with name, table with set and where."""
        for node in _mappings(content):
            module, name = node.get("module"), node.get("name")
            if isinstance(module, str) and isinstance(name, str) and re.fullmatch(r"[~\w]+", name):
                self.options.setdefault(f"{module}/{name}", place)
            table = node.get("table")
            if isinstance(table, str) and _TABLE.fullmatch(table):
                where = _FOREIGN.sub("", _TEXT.sub("", str(node.get("where", ""))))
                named = {*_WORD.findall(where)} - SQL_WORDS
                given = node.get("set")
                named |= set(given) if isinstance(given, dict) else set()
                for column in named:
                    self.columns.setdefault(f"{table}.{column}", place)

    def read_schema(self, text: str, place: str) -> None:
        """Add columns of CREATE TABLE statements and options of rows for b_option."""
        for table, body in _CREATE.findall(text):
            for column in _COLUMN.findall(body):
                self.columns.setdefault(f"{table}.{column}", place)
        for statement in text.split(";\n"):
            if "INTO b_option" in statement:
                for module, name in _OPTION_ROW.findall(statement):
                    self.options.setdefault(f"{module}/{name}", place)

    def read_php(self, text: str, place: str) -> None:
        """Add classes, public methods and functions that a stand-in offers, and columns that it writes."""
        for found in _ROW.finditer(text):
            for column in _KEY.findall(_bracket(text, found.end() - 1)):
                self.columns.setdefault(f"{found.group(1)}.{column}", place)
        if OWN_CODE in place:
            return
        space = _NAMESPACE.search(text)
        prefix = f"{space.group(1)}\\" if space else ""
        for name in _CLASS.findall(text):
            for method in _PUBLIC.findall(text):
                if not method.startswith("__"):
                    self.calls.setdefault(f"{prefix}{name}::{method}", place)
        for name in _FUNCTION.findall(text):
            self.functions.setdefault(name, place)


def used() -> Names:
    """Names in roles, modules and bxbackup."""
    names = Names()
    for path, text in _files(USERS):
        place = str(path.relative_to(REPOSITORY))
        names.read(text, place)
        if not place.startswith("bxbackup"):
            names.read_script(text, place)
        if path.suffix == ".yml":
            for document in _documents(text):
                names.read_rules(document, place)
        if path.name == "instance.json.j2":
            for key in _PUSH_KEY.findall(text):
                names.push.setdefault(key, place)
    return names


def offered() -> Names:
    """Names in the stand-ins."""
    names = Names()
    for path, text in _files(STAND_INS):
        place = str(path.relative_to(REPOSITORY))
        names.read(text, place)
        names.read_schema(text, place)
        if path.suffix == ".php":
            names.read_php(text, place)
    for path in PORTAL.rglob("*"):
        place = path.relative_to(PORTAL).as_posix()
        if path.is_file() and not place.startswith(OWN_CODE):
            names.paths.setdefault(place, place)
    return names


@dataclass(frozen=True)
class Surface:
    """The list in docs/vendor_surface.yml."""

    content: dict[str, Any]

    def lacks(self, names: Names) -> list[str]:
        """What is not listed, as ``kind name (place)``."""
        tables = self.content["tables"]
        columns = {f"{table}.{column}" for table, entry in tables.items() for column in listed_columns(entry)}
        columns |= {f"*.{name.partition('.')[2]}" for name in columns}
        calls = {call.casefold() for call in self.content["calls"]}
        methods = {call.rpartition("::")[2] for call in calls}
        missing = [
            *_unlisted("table", names.tables, set(tables)),
            *_unlisted("column", names.columns, columns),
            *_unlisted("option", names.options, set(self.content["options"])),
            *_unlisted("function", names.functions, set(self.content["functions"])),
            *_unlisted("constant", names.constants, set(self.content["constants"])),
            *_unlisted("settings section", names.sections, set(self.content["settings"])),
            *_unlisted("event", names.events, set(self.content["events"])),
            *_unlisted("push setting", names.push, set(self.content["push_settings"])),
            *_unlisted("wizard field", names.wizard, set(self.content["wizard"])),
        ]
        missing += [f"call {name} ({at})" for name, at in names.calls.items() if name.casefold() not in calls]
        missing += [
            f"method {name} ({at})" for name, at in names.methods.items() if name.casefold() not in methods
        ]
        patterns = [*self.content["files"], *self.content["addresses"], *self.content["own"]]
        missing += [
            f"path {name} ({at})"
            for name, at in names.paths.items()
            if not any(fnmatchcase(name, pattern) for pattern in patterns)
        ]
        return missing


def listed_columns(entry: dict[str, Any]) -> list[str]:
    """Columns of one table's entry."""
    return [column for group in entry["columns"] for column in group["names"]]


def _unlisted(kind: str, found: dict[str, str], listed: set[str]) -> list[str]:
    return [f"{kind} {name} ({place})" for name, place in found.items() if name not in listed]


def _files(folders: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    for folder in folders:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            if path.suffix in KINDS and path.is_file():
                yield path, path.read_text(encoding="utf-8")


class _Loader(yaml.SafeLoader):
    """Reads Ansible's tags as nothing."""


_Loader.add_multi_constructor("!", lambda *_: None)


def _documents(text: str) -> list[object]:
    return list(yaml.load_all(text, Loader=_Loader))


def _mappings(node: object) -> Iterator[dict[Any, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _mappings(value)
    elif isinstance(node, list):
        for value in node:
            yield from _mappings(value)


def _bracket(text: str, start: int) -> str:
    depth = 0
    for place in range(start, len(text)):
        depth += {"[": 1, "]": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place]
    return text[start:]
