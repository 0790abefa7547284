"""The sample backups beside these tests: synthetic content, written by the product's own archiver."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
SIDE_NAMES = {
    ".htaccess": ".htaccess.restore",
    "bitrix/.settings.php": "bitrix/.settings.restore.php",
    "bitrix/php_interface/dbconn.php": "bitrix/php_interface/dbconn.restore.php",
}


@dataclass(frozen=True)
class Sample:
    """One sample: its folder and what its manifest says."""

    name: str
    password: str | None

    @property
    def folder(self) -> Path:
        return DATA / self.name

    @property
    def manifest(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.folder / "manifest.json").read_text())
        return loaded

    @property
    def names(self) -> list[str]:
        return [part["name"] for part in self.manifest["parts"]]

    @property
    def first(self) -> Path:
        return self.folder / self.names[0]

    def expected(self, *, dump: bool) -> dict[str, tuple[str, str | None]]:
        """Kind and SHA-256 of every path that an unpacked sample has; the dump's files only if asked for."""
        dumps = {*self.manifest["dump"]["files"], self.manifest["dump"]["after_connect"]}
        return {
            SIDE_NAMES.get(file["path"], file["path"]): (file["type"], file["sha256"])
            for file in self.manifest["files"]
            if dump or file["path"] not in dumps
        }


M1 = Sample("M1", None)
M2 = Sample("M2", "Кедр mini 26")
M3 = Sample("M3", "старый кедр")
ALL = [M1, M2, M3]


def tree(folder: Path) -> dict[str, tuple[str, str | None]]:
    """Kind and SHA-256 of everything below a folder."""
    found: dict[str, tuple[str, str | None]] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_dir():
            found[name] = ("dir", None)
        else:
            found[name] = ("file", hashlib.sha256(path.read_bytes()).hexdigest())
    return found


@dataclass(frozen=True)
class Outcome:
    """What a run of the command gave."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


Run = Callable[..., Outcome]
