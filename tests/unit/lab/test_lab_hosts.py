"""A host is brought up from whatever state it is found in, and Podman is asked for no more than that."""

from __future__ import annotations

import ipaddress
import json
import subprocess
from pathlib import Path

import pytest

from boxlift.lab import command, prerequisite
from boxlift.lab.engine import Engine
from boxlift.lab.errors import LabError
from boxlift.lab.hosts import Hosts
from boxlift.lab.image import Images
from boxlift.lab.place import Lab
from boxlift.lab.topology import DEFAULT, TOPOLOGIES

SUBNET = ipaddress.IPv4Network("10.213.7.0/24")
PORTAL, *_, CLOUD = TOPOLOGIES[DEFAULT].hosts


class Podman:
    """Stands for Podman: answers by its first word, notes what it is told to do."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.answers = {"inspect": ""}

    def __call__(self, *arguments: str, **__: object) -> str:
        self.calls.append(arguments)
        return self.answers.get(arguments[0], "")

    @property
    def verbs(self) -> list[str]:
        return [call[0] for call in self.calls if call[0] != "inspect"]


@pytest.fixture
def podman(monkeypatch: pytest.MonkeyPatch) -> Podman:
    stand_in = Podman()
    monkeypatch.setattr(Engine, "podman", stand_in)
    monkeypatch.setattr(Images, "reference", lambda _, name: f"localhost/boxlift-lab/{name}:1")
    return stand_in


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def hosts(tmp_path: Path, said: list[str]) -> Hosts:
    return Hosts(Lab("boxlift-test", tmp_path, tmp_path / ".lab"), said.append)


def test_a_new_host_has_an_address_names_and_label(podman: Podman, hosts: Hosts) -> None:
    hosts._start(PORTAL, SUBNET, "absent")
    (call,) = podman.calls
    text = " ".join(call)
    assert call[:2] == ("run", "--detach")
    assert "--label boxlift.lab=boxlift-test" in text
    assert "--name boxlift-test-portal-1 --hostname portal-1" in text
    assert "boxlift-test:ip=10.213.7.11,alias=portal-1,alias=portal.acme.example" in text
    assert "--pull=never" in call
    assert call[-2:] == ("localhost/boxlift-lab/debian12:1", "/sbin/init")


def test_only_the_outside_sees_the_served_folder(podman: Podman, hosts: Hosts) -> None:
    hosts._start(CLOUD, SUBNET, "absent")
    hosts._start(PORTAL, SUBNET, "absent")
    cloud, portal = (" ".join(call) for call in podman.calls)
    assert ":/srv/cloud:ro" in cloud
    assert ":/srv/cloud" not in portal


@pytest.mark.parametrize(
    ("state", "verbs"),
    [
        ("running", []),
        ("exited", ["stop", "start"]),
        ("created", ["stop", "start"]),
        ("stopping", ["stop", "start"]),
        ("paused", ["unpause"]),
    ],
)
def test_an_existing_host_is_started_and_never_made_anew(
    podman: Podman, hosts: Hosts, state: str, verbs: list[str]
) -> None:
    hosts._start(PORTAL, SUBNET, state)
    assert podman.verbs == verbs


def test_a_host_made_in_an_older_way_is_told(podman: Podman, hosts: Hosts, said: list[str]) -> None:
    podman.answers["inspect"] = "another\n"
    hosts._start(PORTAL, SUBNET, "running")
    assert said == ["portal-1 was made in an older way; `boxlift lab down` and up again renews it"]


def test_containers_of_this_lab_are_told_by_host(podman: Podman, hosts: Hosts) -> None:
    podman.answers["ps"] = json.dumps(
        [{"Names": ["boxlift-test-portal-1"], "State": "exited", "Image": "localhost/x:1"}]
    )
    found = hosts.engine.containers()
    assert found["portal-1"].state == "exited"
    assert podman.calls[0][2:4] == ("--filter", "label=boxlift.lab=boxlift-test")


def test_unknown_hosts_are_refused(hosts: Hosts) -> None:
    with pytest.raises(LabError, match="no such host in the lab: portal-9; there are portal-1") as caught:
        hosts.up(["portal-9"])
    assert caught.value.code == 2


def test_a_lab_has_the_hosts_of_its_topology(tmp_path: Path) -> None:
    lab = Lab("boxlift-test", tmp_path, tmp_path / ".lab", TOPOLOGIES["certificate"])
    known = "portal-1, pbx-1, cloud-1"
    with pytest.raises(LabError, match=f"no such host in the lab: staging-1; there are {known}"):
        Hosts(lab, print).up(["staging-1"])


def _network(name: str, subnet: str, labels: dict[str, str] | None) -> dict[str, object]:
    return {"name": name, "subnets": [{"subnet": "fd00::/64"}, {"subnet": subnet}], "labels": labels}


def test_the_labs_own_network_is_used_and_removed(podman: Podman, hosts: Hosts) -> None:
    own = _network("boxlift-test", "10.213.7.0/24", {"boxlift.lab": "boxlift-test"})
    podman.answers["network"] = json.dumps([_network("podman", "10.88.0.0/16", None), own])
    assert hosts.network.subnet() == hosts.network.ensure() == SUBNET
    hosts.network.remove()
    assert podman.calls[-1] == ("network", "rm", "boxlift-test")


@pytest.mark.parametrize("labels", [None, {}, {"boxlift.lab": "boxlift-other"}])
def test_a_network_of_the_name_that_others_made_is_left_alone(
    podman: Podman, hosts: Hosts, labels: dict[str, str] | None
) -> None:
    podman.answers["network"] = json.dumps([_network("boxlift-test", "10.213.7.0/24", labels)])
    for act in (hosts.network.subnet, hosts.network.ensure, hosts.network.remove):
        with pytest.raises(LabError, match="is not this lab's") as caught:
            act()
        assert caught.value.code == 6
    assert {call[:2] for call in podman.calls} == {("network", "ls")}


# Of another clone with a definition of its own: on the same base as this lab's cloud.
OTHER = ("ot", "localhost/boxlift-lab/cloud:9", ["base", "other"])
OWN = (
    ("de", "localhost/boxlift-lab/debian12:1", ["base"]),
    ("cl", "localhost/boxlift-lab/cloud:1", ["base", "cloud"]),
    ("as", "localhost/boxlift-lab/debian11-asterisk:1", ["asterisk"]),
)


@pytest.mark.parametrize(
    ("others", "running", "removed"),
    [
        ((), "", {"cloud", "debian11-asterisk", "debian12"}),
        ((), "as", {"cloud", "debian12"}),
        ((), "cl", {"debian11-asterisk"}),
        ((OTHER,), "", {"cloud", "debian11-asterisk"}),
    ],
)
def test_only_own_images_that_nobody_uses_are_removed(
    podman: Podman,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    others: tuple[tuple[str, str, list[str]], ...],
    running: str,
    removed: set[str],
) -> None:
    gone: list[tuple[str, ...]] = []

    def rmi(_: Engine, *words: str) -> bool:
        gone.append(words)
        return True

    monkeypatch.setattr(Engine, "succeeds", rmi)
    stored = (*OWN, *others)
    podman.answers["ps"] = f"{running}\nelse\n"
    podman.answers["images"] = "\n".join(identity for identity, _, _ in stored)
    podman.answers["image"] = json.dumps(
        [{"Id": one, "RepoTags": [name], "RootFS": {"Layers": layers}} for one, name, layers in stored]
    )
    said: list[str] = []
    Hosts(Lab("boxlift-test", Path(__file__).parents[3], tmp_path), said.append)._remove_images()
    assert set(gone) == {("rmi", f"localhost/boxlift-lab/{name}:1") for name in removed}
    kept = {name for _, name, _ in OWN} - {name for _, name in gone}
    assert all(name in said[0] for name in kept)
    assert bool(said) == bool(kept)


@pytest.mark.parametrize("others", [(), ("mine.txt",)])
def test_the_folder_goes_with_everything_unless_others_use_it(
    monkeypatch: pytest.MonkeyPatch, hosts: Hosts, others: tuple[str, ...]
) -> None:
    monkeypatch.setattr(command, "become_root", lambda: ())
    folder = hosts.lab.folder
    hosts.lab.claim()
    for name in ("wheels", ".known_hosts.7", "lock", *others):
        (folder / name).touch()
    hosts._remove_folder()
    assert folder.exists() == bool(others)
    assert [path.name for path in folder.glob("*")] == list(others)


def test_a_failing_command_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess(["podman"], 125, "", "WARN noise\nError: no such image x\n")
    assert command.reason(done) == "Error: no such image x"
    with pytest.raises(LabError, match="nothing-here is not installed"):
        command.run(["nothing-here"])
    with pytest.raises(LabError, match="gave no answer within 0 s"):
        command.run(["sleep", "5"], timeout=0.1)
    monkeypatch.setattr(command, "become_root", lambda: ("sudo",))
    seen: list[list[str]] = []

    def fake(words: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        seen.append(words)
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(subprocess, "run", fake)
    command.run(["podman", "ps"], root=True, variables={"CONTAINERS_CONF": "/x"})
    assert seen == [["sudo", "env", "CONTAINERS_CONF=/x", "podman", "ps"]]


def test_looking_at_a_lab_that_was_never_up_changes_nothing(
    podman: Podman, hosts: Hosts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prerequisite, "check_programs", lambda: None)
    found = hosts.status()
    assert not found.ready
    assert {host.state for host in found.hosts} == {"absent"}
    assert not podman.calls
    assert not list(tmp_path.iterdir())
