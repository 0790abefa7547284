"""A seller of certificates, good and broken, and the playbook that is to deploy what it sells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.certificates import Holder, key_file, make, pem

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Seller:
    """A root, an intermediate, and what they sell."""

    folder: Path
    root: Holder
    middle: Holder

    @classmethod
    def found(cls, folder: Path) -> Seller:
        root = make("Seller Root", days=3650)
        seller = cls(folder, root, make("Seller Intermediate", root, days=1800))
        pem(folder / "roots.pem", root)
        return seller

    def sell(self, names: Sequence[str], *, begin: int = -1, days: int = 90) -> Holder:
        return make(names[0], self.middle, names=names, begin=begin, days=days)


@dataclass(frozen=True)
class Outcome:
    """How a run of the playbook ended."""

    code: int
    output: str

    @property
    def changed(self) -> list[str]:
        """Hosts on which something changed."""
        recap = self.output.partition("PLAY RECAP")[2]
        return [
            line.split()[0] for line in recap.splitlines() if "changed=" in line and "changed=0" not in line
        ]


@dataclass(frozen=True)
class Deployment:
    """Runs the playbook as an operator does, with a certificate of the seller's."""

    inventory: Path
    folder: Path
    roots: Path

    def run(self, chain: Sequence[Holder], key: Holder | None = None) -> Outcome:
        """Put these files where the inventory says, and deploy."""
        certificate = pem(self.folder / "production.pem", *chain)
        private = key_file(self.folder, (key or chain[0]).key)
        given = {
            "certificate_source": "files",
            "certificate_file": str(certificate),
            "certificate_key_file": str(private),
            "certificate_roots_file": str(self.roots),
            "certificate_trust_roots": False,
            "telephony_certificate_roots_file": str(self.roots),
        }
        variables = self.folder / "given.json"
        variables.write_text(json.dumps(given), encoding="utf-8")
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("ansible-playbook")),
                f"--inventory={self.inventory}",
                f"--extra-vars=@{variables}",
                str(ROOT / "playbooks" / "deploy_certificate.yml"),
            ],
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        # A message is folded over lines where it is long.
        return Outcome(done.returncode, " ".join(done.stdout.split()) if done.returncode else done.stdout)
