"""The fault matrix: what the tests say that happens in each fault, as docs/faults.md shows it.

A test says with `@fault(…)` which fault it is about and how that ends. What the program really did is seen by
the fixtures (`saw`), and the test fails where it is not what the mark says: the table cannot say more than
was seen. Run this file to write the document anew.
"""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "docs" / "faults.md"

LINE = ("passing", "lasting")
DISKS = ("parts", "state and dump", "target", "database")
FAULTS: dict[str, tuple[str, ...]] = {
    "bit flip": ("parts on disk", "on the way", "at the source", "no gzip around it"),
    "truncation at 38 %": ("parts on disk", "at the source"),
    "truncation on a member boundary": ("parts on disk", "at the source"),
    "part replaced by another of equal size": ("where entries begin", "inside of one file"),
    "S3 error body instead of a part": ("parts on disk", "at the source"),
    "part missing": ("parts on disk", "at the source"),
    "part duplicated": ("where entries begin", "at the source"),
    "part empty": ("parts on disk", "at the source"),
    "wrong LN": ("too many", "too few", "too many, at the source"),
    "dump cut before its last line": ("verify", "load", "restore"),
    "entry that leaves the folder, is absolute or a link": ("unpack and verify", "restore"),
    "reset": LINE,
    "hang": LINE,
    "slow drip": ("passing",),
    "wrong Content-Length": LINE,
    "Range ignored": LINE,
    "ETag changed": LINE,
    "403": LINE,
    "404": LINE,
    "416": LINE,
    "429": LINE,
    "500": LINE,
    "503": LINE,
    "disk full": DISKS,
    "database stopped": ("load",),
    "database killed": ("load",),
    "database restarted": ("load",),
    "database not ours": ("restore",),
    "folder not ours": ("restore",),
    "our process killed": ("restore", "unpack", "load"),
    "clock jumps": ("restore",),
}
"""The faults of the contract, in the order of the table, and the places in which each must have a test."""


@dataclass(frozen=True)
class Row:
    """What happens in a fault.

    :param name: one of `FAULTS`; `place`: where it strikes.
    :param code: exit code of the command that meets it.
    :param ends: what happens then, for people.
    :param says: what the command says; `…` stands for anything.
    :param evidence: what shows the damage, or what `verify` has for the bytes.
    """

    name: str
    place: str
    code: int
    ends: str
    says: str = ""
    evidence: str = ""

    def demand(self, seen: Iterable[Seen]) -> None:
        """Fail unless something that was seen is what this row says."""
        pattern = ".*".join(re.escape(text.strip()) for text in self.says.split("…"))
        ends = [found for found in seen if found.code == self.code]
        told = [found for found in ends if re.search(pattern, found.text, re.DOTALL)]
        assert told, f"no end with {self.code} and {self.says!r} was seen, but {list(seen)}"
        if self.code in CAN_BE_ACTED_ON:
            steps = ("→", "✗", '"problems"')
            assert any(step in found.text for found in ends for step in steps), "nothing is told"


CAN_BE_ACTED_ON = frozenset({3, 4, 5, 6, 7})


@dataclass(frozen=True)
class Seen:
    """How a command, or what stands for it, ended.

    :param text: all that it said, for people or as JSON.
    """

    code: int
    text: str


SEEN: list[Seen] = []
"""What the running test has seen."""


def saw(code: int, text: str = "") -> None:
    """Note how something ended."""
    SEEN.append(Seen(code, text))


def fault(
    name: str, place: str, code: int, ends: str, says: str = "", evidence: str = ""
) -> pytest.MarkDecorator:
    """Mark a test, or a parameter of one, as the proof of a row of the matrix."""
    return pytest.mark.fault(Row(name, place, code, ends, says, evidence))


@dataclass(frozen=True)
class Proof:
    """A row, and the test that it stands on."""

    row: Row
    module: str
    test: str


def proofs() -> list[Proof]:
    """All rows of all tests, in the table's order."""
    names = sorted(path.stem for path in HERE.glob("test_*.py"))
    found = dict.fromkeys(
        Proof(row, name, test)
        for name in names
        for test, function in _tests(importlib.import_module(name))
        for row in _rows(function)
    )
    order = list(FAULTS)
    places = {name: list(places) for name, places in FAULTS.items()}

    def key(proof: Proof) -> tuple[int, int]:
        name, place = proof.row.name, proof.row.place
        known = places[name]
        return order.index(name), known.index(place) if place in known else len(known)

    return sorted(found, key=key)


def _tests(module: ModuleType) -> Iterator[tuple[str, Callable[..., object]]]:
    for name, value in vars(module).items():
        if name.startswith("test_") and callable(value) and value.__module__ == module.__name__:
            yield name, value


def _rows(function: Callable[..., object]) -> Iterator[Row]:
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "fault":
            yield mark.args[0]
        if mark.name == "parametrize":
            for value in mark.args[1]:
                for inner in getattr(value, "marks", ()):
                    if inner.name == "fault":
                        yield inner.args[0]


HEAD = """# What happens when something goes wrong

Each row of this table is a test of bxbackup; the table is written from the tests (`make
docs/faults.md`), and a test fails when it does not say what they say. In each of these cases the end is
one of two: a restore that is complete and equal to the backup, or an exit code that says what is the
matter, with the place, the cause and the next step. What to do then is in [bxbackup.md](bxbackup.md).

Exit codes: 0 done · 3 damaged bytes · 4 bytes absent, source away or disk full: the same command goes on
later · 5 password · 6 refused, nothing was touched · 7 database. In what is said, … stands for names and
figures.
"""


def document() -> str:
    """docs/faults.md as the tests have it."""
    lines = [
        HEAD,
        "| fault | where | what happens | exit | what is said | evidence | test |",
        "|---|---|---|---|---|---|---|",
    ]
    before = ""
    for proof in proofs():
        row = proof.row
        test = proof.test.removeprefix("test_").replace("_", " ")
        cells = (
            f"**{row.name}**" if row.name != before else "",
            row.place,
            row.ends,
            str(row.code),
            f"`{row.says.strip('…').strip()}`" if row.says else "",
            row.evidence,
            f"[{test}](../bxbackup/tests/{proof.module}.py)",
        )
        before = row.name
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join([*lines, "", TAIL])


TAIL = """## What the format cannot show

Two whole parts of equal size that changed places inside of one large file, and a flipped bit in a file's
data where nothing is compressed (`.tar`, `.enc`): no header, mark or checksum speaks of these bytes.
`verify` calls such a backup sound and says by how much: `evidence: crc+bx`, or `evidence: structure`.
With the server's ETag it is `etag`, and both are found. After a restore,
[`compare`](bxbackup.md#which-uploads-are-missing-or-wrong) finds them in every upload that has an MD5 in
the portal's own database; what the evidence is worth stands in [How strong is the
evidence?](bxbackup.md#how-strong-is-the-evidence)

## Parsers and bytes of any kind

Whatever a parser is fed, it gives what was written, or an error of the kinds above: nothing else, in
bounded time and memory. The gzip volume, the tar stream, the SQL splitter, rows, definitions, names and
lists of parts, the list of uploads, status, measures, settings and option files each have a fuzz target:
some inputs in `make test`, thousands, and others each time, in `make test-all`.
"""


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    DOCUMENT.write_text(importlib.import_module("faults").document(), encoding="utf-8")
