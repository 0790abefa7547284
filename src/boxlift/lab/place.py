"""Where a lab lives: its name, the repository it belongs to and the folder of its state."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from boxlift.errors import ExitCode
from boxlift.lab import topology as topologies
from boxlift.lab.errors import LabError
from boxlift.lab.topology import Topology

# What a lab keeps in its folder; clearing it away touches nothing else.
KEPT = frozenset(
    {
        *("artifacts", "backup", "cloud", "containers.conf", "demo.json", "known_hosts", "lock", "packages"),
        *("project", "ssh", "ssh_config", "vault-password", "wheels"),
    }
)
# Names the lab that a folder belongs to, and its topology unless it is the default: what is in another
# folder is never taken for a lab's.
MARK = ".boxlift-lab"
WORK = "image-"
# What a command works in: tempfile's folders for an image and for wheels, and the files of access.replace().
_LEFTOVER = re.compile(
    rf"(?:{WORK}|\.wheels-)[a-z0-9_]{{8}}|\.(?:known_hosts|ssh_config|demo\.json)\.[1-9][0-9]*"
)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,40}")


@dataclass(frozen=True)
class Lab:
    """One lab. Every resource outside `folder` begins with `name` and carries the label boxlift.lab=name."""

    name: str
    repository: Path
    folder: Path
    topology: Topology = topologies.TOPOLOGIES[topologies.DEFAULT]

    @classmethod
    def here(cls, topology: str | None = None) -> Lab:
        """The lab of the clone that this code runs from, as set by BOXLIFT_LAB, _LAB_DIR and _LAB_TOPOLOGY.

        `topology` wins over the variable; without both it is that of the folder. Another than the folder's is
        refused.
        """
        repository = _repository()
        digest = hashlib.sha256(str(repository).encode()).hexdigest()
        name = os.environ.get("BOXLIFT_LAB") or f"boxlift-{digest[:6]}"
        if not _NAME.fullmatch(name):
            raise LabError(
                f"BOXLIFT_LAB={name} is no lab name: use 2 to 41 small letters, digits and hyphens",
                ExitCode.USAGE,
            )
        folder = Path(os.environ.get("BOXLIFT_LAB_DIR") or repository / ".lab").absolute()
        lab = cls(name, repository, folder)
        kept = lab._remembered()
        asked = topology or os.environ.get("BOXLIFT_LAB_TOPOLOGY") or kept or topologies.DEFAULT
        lab = replace(lab, topology=topologies.named(asked))
        lab._refuse_another(kept)
        return lab

    @property
    def label(self) -> str:
        return f"boxlift.lab={self.name}"

    def claim(self) -> None:
        """Mark the folder as this lab's; refuse one that has another lab's mark, or things but no mark.

        The clone's own .lab is taken as it is: labs of earlier versions have no mark.
        """
        mark = self.folder / MARK
        said = " ".join(self._words)
        if not mark.exists() and self.folder != self.repository / ".lab" and self._occupied():
            raise LabError(
                f"{self.folder} holds things and no mark of a lab, which removes things in its folder: let "
                f"BOXLIFT_LAB_DIR name a new one (or, if this is the lab's, run `echo {said} > {mark}`)",
                ExitCode.REFUSED,
            )
        if not mark.exists():
            self._refuse_another(self._remembered())
        self.folder.mkdir(parents=True, exist_ok=True)
        with mark.open("a+", encoding="utf-8") as file:
            # Of two commands on a new folder the second reads what the first has written.
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            words = file.read().split()
            if not words:
                file.write(f"{said}\n")
        if words and words[0] != self.name:
            raise LabError(
                f"{self.folder} belongs to the lab {words[0]}, not to {self.name}: name that one as "
                f"BOXLIFT_LAB={words[0]}, or let BOXLIFT_LAB_DIR name a new folder",
                ExitCode.REFUSED,
            )
        self._refuse_another(self._remembered())

    @property
    def _words(self) -> tuple[str, ...]:
        """What the mark says: the lab's name, and the topology unless it is the default."""
        default = self.topology.name == topologies.DEFAULT
        return (self.name,) if default else (self.name, self.topology.name)

    def _remembered(self) -> str | None:
        """The topology of the lab whose folder this is, None for a new folder."""
        mark = self.folder / MARK
        words = mark.read_text(encoding="utf-8").split() if mark.exists() else []
        if not words and not self._occupied():
            return None
        return words[1] if len(words) > 1 else topologies.DEFAULT

    def _refuse_another(self, kept: str | None) -> None:
        if kept not in (None, self.topology.name):
            raise LabError(
                f"{self.folder} holds a lab of the topology {kept}, not of {self.topology.name}: let "
                "BOXLIFT_LAB_DIR name another folder, and BOXLIFT_LAB another lab, or remove this one with "
                "`boxlift lab down --everything`",
                ExitCode.REFUSED,
            )

    def _occupied(self) -> bool:
        return self.folder.exists() and any(path.name != MARK for path in self.folder.iterdir())

    def leftovers(self) -> list[Path]:
        """Work that a killed command left in the folder; none while a command holds the lab's lock."""
        return [
            path
            for path in (self.folder.iterdir() if self.folder.exists() else ())
            if _LEFTOVER.fullmatch(path.name)
        ]

    @property
    def images(self) -> Path:
        return self.repository / "lab" / "images"

    @property
    def key(self) -> Path:
        return self.folder / "ssh" / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def packages(self) -> Path:
        """Debian packages fetched by any host of the lab, kept for all of them."""
        return self.folder / "packages"

    @property
    def served(self) -> Path:
        """The folder that the backup server and the CDN serve."""
        return self.folder / "cloud"

    @property
    def wheels(self) -> Path:
        return self.folder / "wheels"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def project(self) -> Path:
        return self.folder / "project"


def _repository() -> Path:
    for folder in Path(__file__).resolve().parents:
        if (folder / "lab" / "images").is_dir():
            return folder
    raise LabError("the lab belongs to a clone of the boxlift repository: clone it and run `make demo` there")
