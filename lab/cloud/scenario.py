"""What the backup server does wrong, and how fast it is: a small YAML or JSON file.

    rate: {connection: 2M, total: 20M}   # bytes a second; absent: as fast as it goes
    etag: md5                            # md5 | multipart | none
    part_size: 8M                        # of the uploads behind a multipart ETag
    faults:
      - {kind: cut, match: "*.tar.gz.7", count: 2}
      - {kind: status, code: 503, retry_after: 1, match: "*.3", from: 2, to: 4}

A fault strikes requests for objects whose path matches the glob `match` (default: every object), by `method`
(GET by default; HEAD, any). `count` strikes the first so many of them, `from` and `to` (counted from 1, both
included) others; without either it strikes always. Requests are counted for each fault and object on its own.
Of several faults that would strike, the first one listed does.

kind     fields                what happens
cut      at                    the connection ends in an orderly way before the body does
reset    at                    the connection is reset (RST)
hang     at, seconds           silence from there on, for so long (default 3600)
flip     at, bit               one bit of the body is wrong
status   code, retry_after     403, 429, 503 or any other error; retry_after in seconds sets the header
length   by                    Content-Length, and with -N the body too, is off by so many bytes
no_range                       Range is ignored: 200 and the whole object
changed                        from this request on the object has other bytes of the same size, another ETag
                               and another Last-Modified
slow     rate                  this request gets so many bytes a second

`at` is an offset in the object (65536, 64K, 50%): only requests that cover it are struck and counted.
Without it the middle of what was asked for is meant.
"""

from __future__ import annotations

import fnmatch
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab.cloud.quantity import amount, place

KINDS: dict[str, frozenset[str]] = {
    "cut": frozenset({"at"}),
    "reset": frozenset({"at"}),
    "hang": frozenset({"at", "seconds"}),
    "flip": frozenset({"at", "bit"}),
    "status": frozenset({"code", "retry_after"}),
    "length": frozenset({"by"}),
    "no_range": frozenset(),
    "changed": frozenset(),
    "slow": frozenset({"rate"}),
}
ETAGS = ("md5", "multipart", "none")
METHODS = ("GET", "HEAD", "any")
_COMMON = frozenset({"kind", "match", "method", "count", "from", "to"})
_NEEDED = {"status": "code", "length": "by", "slow": "rate"}
_DEFAULT_PART = 8 << 20
_LOWEST_ERROR, _HIGHEST_ERROR = 400, 599
_HIGHEST_BIT = 7


class ScenarioError(ValueError):
    """A scenario that cannot be played: says where, what and what would be right."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; see the module for what each field does."""

    kind: str
    match: str = "*"
    method: str = "GET"
    first: int = 1
    last: int | None = None
    at: str | None = None
    code: int = 503
    retry_after: int | None = None
    by: int = 0
    bit: int = 0
    seconds: float = 3600.0
    rate: int = 0

    def position(self, start: int, stop: int, size: int) -> int:
        """Where in the object the fault strikes a request for bytes start..stop (stop excluded)."""
        return (start + stop) // 2 if self.at is None else place(self.at, size)

    def covers(self, start: int, stop: int, size: int) -> bool:
        return self.at is None or start <= place(self.at, size) < stop


@dataclass
class Scenario:
    """Rates, kind of ETag and faults; counts the requests that each fault has seen."""

    connection_rate: int = 0
    total_rate: int = 0
    etag: str = "md5"
    part_size: int = _DEFAULT_PART
    faults: tuple[Fault, ...] = ()
    _seen: Counter[tuple[int, str]] = field(default_factory=Counter)

    def strike(self, path: str, method: str, start: int, stop: int, size: int) -> Fault | None:
        """The fault that this request for bytes start..stop of `path` meets."""
        struck: Fault | None = None
        for number, fault in enumerate(self.faults):
            if fault.kind == "changed" or not self._concerns(fault, path, method):
                continue
            if not fault.covers(start, stop, size):
                continue
            self._seen[number, path] += 1
            seen = self._seen[number, path]
            if struck is None and fault.first <= seen and (fault.last is None or seen <= fault.last):
                struck = fault
        return struck

    def changed(self, path: str, method: str) -> bool:
        """Whether the object is another one by now."""
        found = False
        for number, fault in enumerate(self.faults):
            if fault.kind == "changed" and self._concerns(fault, path, method):
                self._seen[number, path] += 1
                found = found or self._seen[number, path] >= fault.first
        return found

    def _concerns(self, fault: Fault, path: str, method: str) -> bool:
        name = path.rsplit("/", 1)[-1]
        wanted = fnmatch.fnmatchcase(path, fault.match) or fnmatch.fnmatchcase(name, fault.match)
        return wanted and fault.method in (method, "any")


def load(path: Path) -> Scenario:
    """Read a scenario file; ScenarioError names the file and the place in it."""
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ScenarioError(f"{path}: {error}") from error
    try:
        return parse(data)
    except ScenarioError as error:
        raise ScenarioError(f"{path}: {error}") from error


def parse(data: object) -> Scenario:
    """A scenario from its parsed file; every mistake is refused, none is guessed at."""
    if data is None:
        return Scenario()
    fields = _mapping(data, "the scenario", frozenset({"rate", "etag", "part_size", "faults"}))
    rate = _mapping(fields.get("rate") or {}, "rate", frozenset({"connection", "total"}))
    etag = fields.get("etag", "md5")
    if etag not in ETAGS:
        raise ScenarioError(f"etag: {etag!r} is none of {', '.join(ETAGS)}")
    listed = fields.get("faults") or []
    if not isinstance(listed, list):
        raise ScenarioError("faults: must be a list")
    return Scenario(
        connection_rate=_amount(rate.get("connection", 0), "rate.connection"),
        total_rate=_amount(rate.get("total", 0), "rate.total"),
        etag=str(etag),
        part_size=_amount(fields.get("part_size", _DEFAULT_PART), "part_size"),
        faults=tuple(_fault(item, f"faults[{number}]") for number, item in enumerate(listed)),
    )


def _fault(data: object, where: str) -> Fault:
    if not isinstance(data, dict) or "kind" not in data:
        raise ScenarioError(f"{where}: must be a mapping with a kind")
    kind = data["kind"]
    if kind not in KINDS:
        raise ScenarioError(f"{where}: {kind!r} is no kind of fault; there are {', '.join(KINDS)}")
    fields = _mapping(data, f"{where} ({kind})", _COMMON | KINDS[kind])
    if (needed := _NEEDED.get(kind)) and needed not in fields:
        raise ScenarioError(f"{where} ({kind}): needs {needed}")
    if "count" in fields and ("from" in fields or "to" in fields):
        raise ScenarioError(f"{where} ({kind}): has count and from or to; use one way")
    method = fields.get("method", "GET")
    if method not in METHODS:
        raise ScenarioError(f"{where} ({kind}): method {method!r} is none of {', '.join(METHODS)}")
    first = _whole(fields.get("from", 1), f"{where}.from", 1)
    last = fields.get("count", fields.get("to"))
    if last is not None:
        last = _whole(last, f"{where}.{'count' if 'count' in fields else 'to'}", first)
    if "at" in fields:
        try:
            place(fields["at"], 1)
        except ValueError as error:
            raise ScenarioError(f"{where}.at: {error}") from error
    code = _whole(fields.get("code", _LOWEST_ERROR), f"{where}.code", _LOWEST_ERROR, _HIGHEST_ERROR)
    wait = fields.get("retry_after")
    return Fault(
        kind=str(kind),
        match=str(fields.get("match", "*")),
        method=str(method),
        first=first,
        last=last,
        at=None if "at" not in fields else str(fields["at"]),
        code=code,
        retry_after=None if wait is None else _whole(wait, f"{where}.retry_after", 0),
        by=_whole(fields.get("by", 0), f"{where}.by", None),
        bit=_whole(fields.get("bit", 0), f"{where}.bit", 0, _HIGHEST_BIT),
        seconds=float(_whole(fields.get("seconds", 3600), f"{where}.seconds", 0)),
        rate=_amount(fields.get("rate", 0), f"{where}.rate"),
    )


def _mapping(data: object, where: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise ScenarioError(f"{where}: must be a mapping")
    if unknown := sorted(str(name) for name in set(data) - known):
        raise ScenarioError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    return data


def _whole(value: object, where: str, lowest: int | None, highest: int | None = None) -> int:
    fits = isinstance(value, int) and not isinstance(value, bool)
    if not fits or not isinstance(value, int):
        raise ScenarioError(f"{where}: {value!r} is no whole number")
    if (lowest is not None and value < lowest) or (highest is not None and value > highest):
        limits = f"at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise ScenarioError(f"{where}: {value} must be {limits}")
    return value


def _amount(value: object, where: str) -> int:
    try:
        return amount(value)
    except ValueError as error:
        raise ScenarioError(f"{where}: {error}") from error
