"""What somebody does to a host between two runs: `molecule/<scenario>/vars/drifts.yml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml
from testinfra.host import Host

_STORIES = Path(__file__).parents[2] / "molecule"


@dataclass(frozen=True)
class Drift:
    """Shell commands: `cause` does it, `probe` prints `healthy` where it is not there."""

    name: str
    cause: str
    probe: str
    healthy: str

    def __str__(self) -> str:
        return self.name

    def seen(self, host: Host) -> str:
        """What the probe prints on the host."""
        return str(host.run(self.probe).stdout).strip()


def drifts(scenario: str) -> list[Drift]:
    """All of a scenario's."""
    path = _STORIES / scenario / "vars" / "drifts.yml"
    return [Drift(**told) for told in yaml.safe_load(path.read_text(encoding="utf-8"))["drifts"]]
