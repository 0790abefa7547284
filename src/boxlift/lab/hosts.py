"""Bringing the lab up and down."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from boxlift.errors import ExitCode
from boxlift.lab import access, inventory, material, prerequisite
from boxlift.lab.command import run
from boxlift.lab.engine import Engine
from boxlift.lab.errors import LabError
from boxlift.lab.host import Host
from boxlift.lab.image import Images
from boxlift.lab.network import Network
from boxlift.lab.place import KEPT, MARK, Lab

Say = Callable[[str], None]
_SPEC = "boxlift.lab.spec"
# What a real root can do and a container's cannot: filter packets, mount (systemd's sandboxes) and see
# other processes under ProtectProc=invisible, without which PrivateUsers= fails with status 217.
_CAPABILITIES = "NET_ADMIN,NET_RAW,SYS_ADMIN,SYS_PTRACE"


@dataclass(frozen=True)
class HostStatus:
    """A host as it is now: `state` is Podman's word, `absent` when there is no container."""

    name: str
    state: str
    address: str
    names: tuple[str, ...]
    groups: tuple[str, ...]


@dataclass(frozen=True)
class LabStatus:
    name: str
    topology: str
    folder: str
    subnet: str
    ready: bool
    hosts: tuple[HostStatus, ...]


class Hosts:
    """The hosts of one lab."""

    def __init__(self, lab: Lab, say: Say) -> None:
        self.lab = lab
        self.engine = Engine(lab)
        self.images = Images(self.engine)
        self.network = Network(self.engine)
        self._say = say

    def up(self, names: Sequence[str] = ()) -> LabStatus:
        """Bring the named hosts up (all of them by default), from whatever state they are in."""
        wanted = self._select(names)
        prerequisite.check_programs()
        prerequisite.check_root()
        self.engine.prepare()
        prerequisite.check_disk(self.engine, self.images)
        for folder in (self.lab.packages, self.lab.served):
            folder.mkdir(parents=True, exist_ok=True)
        if leftovers := self.lab.leftovers():
            run(["rm", "-rf", "--one-file-system", "--", *map(str, leftovers)], root=True)
        access.ensure_key(self.lab)
        with ThreadPoolExecutor(max_workers=1) as pool:
            given = pool.submit(material.prepare, self.lab)
            self._build_images(wanted)
            self._start_all(wanted)
            given.result()
        return self.status()

    def _start_all(self, wanted: Sequence[Host]) -> None:
        subnet = self.network.ensure()
        found = self.engine.containers()
        for host in wanted:
            self._start(host, subnet, found[host.name].state if host.name in found else "absent")
        with ThreadPoolExecutor(max_workers=len(self.lab.topology.hosts)) as pool:
            list(pool.map(lambda host: access.wait_for_systemd(self.engine, host.name), wanted))
            self._publish(subnet, pool)
            list(pool.map(self._greet, wanted))

    def down(self, *, everything: bool = False) -> None:
        """Remove hosts and network; with `everything` also its folder and its images that nobody uses."""
        prerequisite.check_programs()
        prerequisite.check_root()
        self.engine.prepare()
        for name in self.engine.containers():
            self.engine.podman("rm", "--force", "--volumes", "--time", "5", self.engine.container(name))
            self._say(f"removed {name}")
        self.network.remove()
        if everything:
            self._remove_images()
            self._remove_folder()

    def identities(self) -> dict[str, str]:
        """Host name to the id of its container: a host that was made anew has another."""
        names = sorted(self.engine.containers())
        ids = self.engine.podman("inspect", "--format", "{{.Id}}", *map(self.engine.container, names)).split()
        return dict(zip(names, ids, strict=True))

    def status(self) -> LabStatus:
        """What there is, without changing anything."""
        prerequisite.check_programs()
        # Before the first `up` there is nothing to ask Podman for, and no folder for its settings.
        made = (self.lab.folder / "containers.conf").exists()
        subnet = self.network.subnet() if made else None
        found = self.engine.containers() if made else {}
        hosts = tuple(
            HostStatus(
                host.name,
                found[host.name].state if host.name in found else "absent",
                _address(subnet, host) if subnet else "",
                host.names,
                host.groups,
            )
            for host in self.lab.topology.hosts
        )
        ready = all(host.state == "running" for host in hosts)
        return LabStatus(
            self.lab.name, self.lab.topology.name, str(self.lab.folder), str(subnet or ""), ready, hosts
        )

    def _build_images(self, wanted: Sequence[Host]) -> None:
        names = list(dict.fromkeys(host.image for host in wanted))
        lacking = [name for name in names if not self.engine.has_image(self.images.reference(name))]
        if not lacking:
            return
        self._say(f"building images from this machine's package sources: {', '.join(lacking)}")
        # What an image stands on is built first and once; the rest two at a time.
        roots = list(dict.fromkeys(map(self.images.root, lacking)))
        roots = [name for name in roots if not self.engine.has_image(self.images.reference(name))]
        with ThreadPoolExecutor(max_workers=2) as pool:
            for reference in pool.map(self._build, roots):
                self._say(f"built {reference}")
        for name in lacking:
            if name not in roots:
                self._say(f"built {self._build(name)}")

    def _build(self, name: str) -> str:
        self.images.build(name)
        return self.images.reference(name)

    def _start(self, host: Host, subnet: ipaddress.IPv4Network, state: str) -> None:
        container = self.engine.container(host.name)
        options = self._options(host, subnet)
        spec = hashlib.sha256("\0".join(options).encode()).hexdigest()[:12]
        if state == "absent":
            labels = ("--label", self.lab.label, "--label", f"{_SPEC}={spec}")
            self.engine.podman("run", "--detach", *labels, *options, timeout=180)
            self._say(f"made {host.name}")
            return
        made_from = self.engine.podman(
            "inspect", "--format", f'{{{{index .Config.Labels "{_SPEC}"}}}}', container
        )
        if made_from.strip() != spec:
            self._say(f"{host.name} was made in an older way; `boxlift lab down` and up again renews it")
        if state == "paused":
            self.engine.podman("unpause", container)
        elif state != "running":
            # A container that a crash of the machine left half stopped starts only after a clean stop.
            self.engine.podman("stop", "--ignore", "--time", "5", container)
            self.engine.podman("start", container)
            self._say(f"started {host.name} again (it was {state})")

    def _options(self, host: Host, subnet: ipaddress.IPv4Network) -> tuple[str, ...]:
        aliases = "".join(f",alias={name}" for name in (host.name, *host.names))
        options = [
            *("--name", self.engine.container(host.name), "--hostname", host.name),
            *("--network", f"{self.network.name}:ip={_address(subnet, host)}{aliases}"),
            *("--systemd=always", "--cap-add", _CAPABILITIES, "--pull=never"),
            *("--volume", f"{self.lab.packages}:/var/cache/lab-packages"),
            *self.engine.security(),
        ]
        if host.cloud:
            options += ["--volume", f"{self.lab.repository / 'lab'}:/opt/boxlift/lab:ro"]
            options += ["--volume", f"{self.lab.served}:/srv/cloud:ro"]
        return (*options, self.images.reference(host.image), "/sbin/init")

    def _publish(self, subnet: ipaddress.IPv4Network, pool: ThreadPoolExecutor) -> None:
        """Write known_hosts, the ssh configuration and the inventory for every host that runs."""
        found = self.engine.containers()
        running = [
            host
            for host in self.lab.topology.hosts
            if host.name in found and found[host.name].state == "running"
        ]
        opened = pool.map(lambda host: access.open_host(self.engine, host.name), running)
        keys = {host.name: key for host, key in zip(running, opened, strict=True)}
        addresses = {host.name: _address(subnet, host) for host in running}
        access.write_client_files(self.lab, addresses, keys)
        inventory.write(self.lab, addresses)

    def _greet(self, host: Host) -> None:
        """Prove the way in that everything else uses: SSH with the lab's key and the known host key."""
        words = ["ssh", "-F", str(self.lab.ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        run([*words, host.name, "true"], timeout=30)

    def _select(self, names: Sequence[str]) -> tuple[Host, ...]:
        known = {host.name: host for host in self.lab.topology.hosts}
        if unknown := [name for name in names if name not in known]:
            raise LabError(
                f"no such host in the lab: {', '.join(unknown)}; there are {', '.join(known)}", ExitCode.USAGE
            )
        return tuple(known[name] for name in known if not names or name in names)

    def _remove_folder(self) -> None:
        """Remove what the lab keeps in its folder, and the folder itself if nothing else is in it."""
        made = [*self.lab.leftovers(), *(path for path in self.lab.folder.iterdir() if path.name in KEPT)]
        run(["rm", "-rf", "--one-file-system", "--", *map(str, made)], root=True)
        # Last: without the mark what is left would be nobody's.
        (self.lab.folder / MARK).unlink(missing_ok=True)
        left = sorted(path.name for path in self.lab.folder.iterdir())
        if left:
            self._say(f"kept {self.lab.folder}: not the lab's own are {', '.join(left)}")
        else:
            self.lab.folder.rmdir()
            self._say(f"removed {self.lab.folder}")

    def _remove_images(self) -> None:
        if kept := self.images.remove():
            self._say(f"kept images that another lab on this machine uses: {', '.join(kept)}")


def _address(subnet: ipaddress.IPv4Network, host: Host) -> str:
    return str(subnet.network_address + host.number)
