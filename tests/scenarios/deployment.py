"""A seller of certificates, good and broken, and the playbook that is to deploy what it sells."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from tests.certificates import Holder, key_file, make, pem, sign

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

    def sign(self, request: Path, into: Path) -> x509.Certificate:
        """Do what a seller does with a signing request: names and key are those of the request."""
        asked = x509.load_pem_x509_csr(request.read_bytes())
        signed = sign(asked.subject, asked.public_key(), self.middle, alternative_names(asked))
        into.write_bytes(
            b"".join(each.public_bytes(Encoding.PEM) for each in (signed, self.middle.certificate))
        )
        return signed


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


def alternative_names(request: x509.CertificateSigningRequest) -> list[str]:
    """DNS names that a signing request asks for."""
    found = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


@dataclass(frozen=True)
class Deployment:
    """Runs the playbooks as an operator does, with files of their own where the inventory names its own."""

    inventory: Path
    folder: Path
    roots: Path

    @property
    def certificate(self) -> Path:
        return self.folder / "production.pem"

    @property
    def key(self) -> Path:
        return self.folder / "privkey.pem"

    @property
    def next_key(self) -> Path:
        return self.folder / "privkey.pem.next"

    @property
    def request(self) -> Path:
        return self.folder / "production.csr"

    def run(self, chain: Sequence[Holder], key: Holder | None = None) -> Outcome:
        """Put these files where the inventory says, and deploy."""
        self.lay_down(chain, key)
        return self.play("deploy_certificate")

    def lay_down(self, chain: Sequence[Holder], key: Holder | None = None) -> None:
        """Put these files where the inventory says."""
        pem(self.certificate, *chain)
        key_file(self.folder, (key or chain[0]).key)

    def play(self, playbook: str, **more: object) -> Outcome:
        """Run a playbook."""
        return self._run(["ansible-playbook", *self._words(more), str(_playbook(playbook))])

    def kill(self, playbook: str, task: str) -> Outcome:
        """Run a playbook and kill it in the midst of a task."""
        return self._run(
            [
                *(sys.executable, "-m", "tests.scenarios.interrupt"),
                *(task, str(_playbook(playbook)), *self._words({})),
            ]
        )

    def _words(self, more: Mapping[str, object]) -> list[str]:
        given = {
            "certificate_source": "files",
            "certificate_store": str(self.folder),
            "certificate_file": str(self.certificate),
            "certificate_key_file": str(self.key),
            "certificate_request_file": str(self.request),
            "certificate_roots_file": str(self.roots),
            "certificate_trust_roots": False,
            "telephony_certificate_roots_file": str(self.roots),
            **more,
        }
        variables = self.folder / "given.json"
        variables.write_text(json.dumps(given), encoding="utf-8")
        return [f"--inventory={self.inventory}", f"--extra-vars=@{variables}"]

    def _run(self, words: Sequence[str]) -> Outcome:
        done = subprocess.run(
            words,
            env={
                **os.environ,
                "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
                # Molecule wants colours, and its wish would win.
                "ANSIBLE_FORCE_COLOR": "false",
            },
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        # A message is folded over lines where it is long.
        return Outcome(done.returncode, " ".join(done.stdout.split()) if done.returncode else done.stdout)


def _playbook(name: str) -> Path:
    return ROOT / "playbooks" / f"{name}.yml"
