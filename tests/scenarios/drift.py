"""What somebody does to a host between two runs: `molecule/<story>/vars/drifts*.yml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from testinfra.host import Host

STORIES = Path(__file__).parents[2] / "molecule"
FILES = "drifts*.yml"


@dataclass(frozen=True)
class Drift:
    """Shell commands: `cause` does it, `probe` prints `healthy` where it is not there.

    `name` begins with the role whose work it spoils, and a colon.
    """

    name: str
    cause: str
    probe: str
    healthy: str
    host: str = "portal-1"

    def __str__(self) -> str:
        return self.name

    @property
    def role(self) -> str:
        return self.name.partition(":")[0]

    def seen(self, host: Host) -> str:
        """What the probe prints on the host."""
        return str(host.run(self.probe).stdout).strip()


def drifts(story: str, moment: str = "") -> list[Drift]:
    """A story's: those of `drifts.yml`, or of `drifts_<moment>.yml`."""
    return read(STORIES / story / "vars" / ("_".join(filter(None, ("drifts", moment))) + ".yml"))


def read(file: Path) -> list[Drift]:
    """Those of one file."""
    return [Drift(**told) for told in yaml.safe_load(file.read_text(encoding="utf-8"))["drifts"]]
