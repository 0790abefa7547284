"""What a machine must have before the lab starts anything: each lack is one sentence with its cure.

`python -m boxlift.lab.prerequisite` prints the missing Debian packages, for `make`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from boxlift.lab import sources
from boxlift.lab.command import become_root
from boxlift.lab.engine import Engine, free_bytes, helper
from boxlift.lab.errors import LabError
from boxlift.lab.image import Images

GIB = 1 << 30
# Measured: the three images take 1.1 GiB, a provisioned portal host 0.9 GiB, the demo's backup, its parts,
# dumps and releases on two portals 2.2 GiB; with a margin the 6 GiB that the whole lab may take.
FRESH_BYTES = 6 * GIB
BUILT_BYTES = GIB

_PROGRAMS = {
    "podman": "podman",
    "mmdebstrap": "mmdebstrap",
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
_HELPERS = {"netavark": "netavark", "aardvark-dns": "aardvark-dns"}


def program(name: str) -> str | None:
    """Where a program is; Debian's users have root's folders on no PATH, and sudo adds them."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


def missing_packages(
    find: Callable[[str], str | None] = program, assist: Callable[[str], Path | None] = helper
) -> tuple[str, ...]:
    """Debian packages that the lab needs and this machine lacks."""
    lacking = [package for program, package in _PROGRAMS.items() if find(program) is None]
    lacking += [package for program, package in _HELPERS.items() if assist(program) is None]
    # What netavark writes its rules with: iptables in Debian 12, nftables from Debian 13 on.
    firewall = "iptables" if sources.codename() == "bookworm" else "nft"
    if find(firewall) is None:
        lacking.append(firewall.replace("nft", "nftables"))
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    if find("runc") is None and not (unified and find("crun")):
        lacking.append("runc")
    return tuple(dict.fromkeys(lacking))


def check_programs() -> None:
    lacking = missing_packages()
    if lacking:
        sudo = "" if os.geteuid() == 0 else "sudo "
        raise LabError(
            f"the lab needs {', '.join(lacking)}: run `{sudo}apt-get install --yes "
            f"--no-install-recommends {' '.join(lacking)}` (or `make lab-packages`)"
        )


def check_root() -> None:
    """Refuse before anything starts when root cannot be had; sudo may ask for a password here, once."""
    words = become_root()
    if words and subprocess.run([*words, "-v"], check=False).returncode != 0:
        raise LabError("the lab's hosts need root and sudo refuses it: run the same command as root")


def check_disk(engine: Engine, images: Images) -> None:
    """Refuse with figures when the disk cannot hold what is still to come."""
    fresh = not all(engine.has_image(images.reference(host.image)) for host in engine.lab.topology.hosts)
    needed = FRESH_BYTES if fresh or not engine.containers() else BUILT_BYTES
    for folder, what in ((engine.storage(), "Podman's storage"), (engine.lab.folder, "the lab's folder")):
        free = free_bytes(folder)
        if free < needed:
            raise LabError(
                f"{what} {folder} has {free / GIB:.1f} GiB free and the lab needs {needed / GIB:.0f} GiB: "
                "make room and run the same command again"
            )


if __name__ == "__main__":
    sys.stdout.write(" ".join(missing_packages()) + "\n")
