"""What the lab decides from the machine that it stands on."""

from __future__ import annotations

import ipaddress
import tarfile
import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from boxlift.lab import engine, image, inventory, network, sources
from boxlift.lab.errors import LabError
from boxlift.lab.host import ROLES
from boxlift.lab.lock import locked
from boxlift.lab.place import MARK, WORK, Lab
from boxlift.lab.prerequisite import missing_packages
from boxlift.lab.topology import DEFAULT, TOPOLOGIES, Topology

ROW = "{}|http://mirror.example/{}/|{}|{}|main"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab("boxlift-test", tmp_path, tmp_path / ".lab")


def test_only_debians_own_archive_is_used() -> None:
    listing = "\n".join(
        [
            ROW.format("Debian", "debian", "bookworm", "bookworm"),
            ROW.format("Debian", "debian", "bookworm-updates", "bookworm-updates"),
            ROW.format("Debian", "debian-security", "bookworm-security", "bookworm-security"),
            ROW.format("Debian Backports", "debian", "bookworm-backports", "bookworm-backports"),
            "Node Source|https://deb.nodesource.example/node_20.x/|nodistro|nodistro|main",
            "MariaDB|https://mirror.example/repo/debian/|bookworm|bookworm|main",
        ]
    )
    assert sources.debian_sources(listing, "bookworm", "bullseye") == (
        "deb http://mirror.example/debian/ bullseye main",
        "deb http://mirror.example/debian/ bullseye-updates main",
        "deb http://mirror.example/debian-security/ bullseye-security main",
    )


def test_a_source_named_stable_counts_by_its_codename() -> None:
    listing = ROW.format("Debian", "debian", "stable", "trixie")
    assert sources.debian_sources(listing, "trixie", "bookworm") == (
        "deb http://mirror.example/debian/ bookworm main",
    )


def test_the_way_to_the_archive_is_copied() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://proxy.example:3142";\nAcquire::http "";\n'
    )
    assert sources.apt_options(dump, {"http_proxy": "http://other.example"}) == (
        'Acquire::http::Proxy "http://proxy.example:3142"',
    )
    assert sources.apt_options("", {"HTTPS_PROXY": "http://p.example"}) == (
        'Acquire::https::Proxy "http://p.example"',
    )


def test_another_system_is_refused_by_name() -> None:
    with pytest.raises(LabError, match="this is Fedora Linux 43"):
        sources.codename('ID=fedora\nPRETTY_NAME="Fedora Linux 43"\n')
    assert sources.codename("ID=debian\nVERSION_CODENAME=trixie\n") == "trixie"


def test_runc_and_limits_where_the_machine_needs_them() -> None:
    old = engine.settings(unified=False, systemd=False, raise_limits=False, hard=(4096, 100_000))
    assert 'runtime = "runc"' in old
    assert 'cgroup_manager = "cgroupfs"' in old
    assert 'default_ulimits = ["nofile=4096:4096", "nproc=30000:30000"]' in old
    new = engine.settings(unified=True, systemd=True, raise_limits=True, hard=(4096, 4096))
    assert "ulimits" not in new
    assert "cgroup_manager" not in new


def test_limits_can_be_raised_with_the_capability_alone() -> None:
    assert engine.may_raise_limits("CapBnd:\t000001ffffffffff\n")
    assert not engine.may_raise_limits("CapBnd:\t000001fffeffffff\n")


def test_the_subnet_is_steady_and_gives_way() -> None:
    first = network.choose("boxlift-a", ())
    assert network.choose("boxlift-a", ()) == first
    assert network.choose("boxlift-a", (first,)) != first
    with pytest.raises(LabError, match="every subnet"):
        network.choose("boxlift-a", (ipaddress.IPv4Network("10.0.0.0/8"),))
    assert network.routes('[{"dst":"default"},{"dst":"192.0.2.0/24"}]') == (
        ipaddress.IPv4Network("192.0.2.0/24"),
    )


@pytest.mark.parametrize("text", ["10.1.2", "10.1.2.0/28"])
def test_a_bad_subnet_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("BOXLIFT_LAB_SUBNET", text)
    with pytest.raises(LabError, match="BOXLIFT_LAB_SUBNET"):
        network.wanted()


def test_missing_programs_are_named_as_packages() -> None:
    lacking = missing_packages(lambda _: None, lambda _: None)
    assert set(lacking) == {
        *("podman", "mmdebstrap", "iptables", "iproute2", "openssh-client"),
        *("netavark", "aardvark-dns", "runc"),
    }
    assert missing_packages(lambda name: name, Path) == ()


def test_the_inventory_holds_what_is_up(lab: Lab) -> None:
    addresses = {"portal-1": "10.213.1.11", "cloud-1": "10.213.1.21"}
    tree = YAML(typ="safe").load(inventory.render(lab, addresses))["all"]
    assert set(tree["hosts"]) == set(addresses)
    assert tree["hosts"]["portal-1"]["ansible_host"] == "10.213.1.11"
    assert "StrictHostKeyChecking=yes" in tree["vars"]["ansible_ssh_common_args"]
    assert list(tree["children"]["production"]["hosts"]) == ["portal-1"]
    assert list(tree["children"]["outside"]["hosts"]) == ["cloud-1"]


def test_one_command_at_a_time(lab: Lab) -> None:
    with locked(lab, "up"):
        with pytest.raises(LabError, match="`boxlift lab up`") as caught, locked(lab, "down"):
            pass
        assert caught.value.code == 3
    with locked(lab, "down"):
        pass


def test_images_are_described_and_their_files_are_roots() -> None:
    folder = Path(__file__).parents[3] / "lab" / "images"
    for name in {host.image for topology in TOPOLOGIES.values() for host in topology.hosts}:
        found = image.load(folder, name)
        assert found.rootfs.is_dir()
        with tarfile.open(fileobj=BytesIO(image.overlay(found.rootfs))) as archive:
            assert {(member.uid, member.gid) for member in archive} == {(0, 0)}
    assert image.overlay(found.rootfs) == image.overlay(found.rootfs)


@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=list(TOPOLOGIES))
def test_addresses_and_names_are_unique(topology: Topology) -> None:
    assert len({host.number for host in topology.hosts}) == len(topology.hosts)
    names = [name for host in topology.hosts for name in (host.name, *host.names)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("topology", TOPOLOGIES.values(), ids=list(TOPOLOGIES))
def test_each_role_of_a_portal_has_one_host_of_its_environment(topology: Topology) -> None:
    groups = topology.groups()
    for environment in {"production", "preproduction"} & set(groups):
        for role in ROLES:
            hosts = set(groups[environment]) & set(groups.get(role, ()))
            none = topology.name == "foreign_database" and role == "database"
            assert len(hosts) == (0 if none else 1), (environment, role)


def test_the_inventory_of_another_topology_has_its_groups(tmp_path: Path) -> None:
    lab = Lab("boxlift-test", tmp_path, tmp_path / ".lab", TOPOLOGIES["three_tiers"])
    addresses = {host.name: f"10.213.1.{host.number}" for host in lab.topology.hosts}
    children = YAML(typ="safe").load(inventory.render(lab, addresses))["all"]["children"]
    assert {group: list(found["hosts"]) for group, found in children.items()} == {
        "production": ["portal-1", "database-1", "cache-1"],
        "portal": ["portal-1"],
        "search": ["portal-1"],
        "database": ["database-1"],
        "cache": ["cache-1"],
        "push": ["cache-1"],
    }


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a lab that is to be made."""
    for name in ("BOXLIFT_LAB", "BOXLIFT_LAB_TOPOLOGY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BOXLIFT_LAB_DIR", str(tmp_path / "lab"))
    return tmp_path / "lab"


@pytest.mark.parametrize(
    ("option", "variable", "taken"),
    [(None, None, DEFAULT), (None, "single", "single"), ("trixie", "single", "trixie")],
)
def test_a_topology_is_chosen_once_and_remembered(
    monkeypatch: pytest.MonkeyPatch, place: Path, option: str | None, variable: str | None, taken: str
) -> None:
    if variable:
        monkeypatch.setenv("BOXLIFT_LAB_TOPOLOGY", variable)
    lab = Lab.here(option)
    assert lab.topology.name == taken
    lab.claim()
    monkeypatch.delenv("BOXLIFT_LAB_TOPOLOGY", raising=False)
    assert Lab.here() == lab
    Lab.here().claim()
    assert (place / MARK).read_text().split() == [lab.name, *([] if taken == DEFAULT else [taken])]


@pytest.mark.parametrize("kept", ["single", DEFAULT])
def test_a_folder_with_another_topology_is_refused(
    monkeypatch: pytest.MonkeyPatch, place: Path, kept: str
) -> None:
    rival = Lab.here("clone")
    Lab.here(kept).claim()
    before = (place / MARK).read_text()
    monkeypatch.setenv("BOXLIFT_LAB_TOPOLOGY", "clone")
    for act in (Lab.here, rival.claim):
        with pytest.raises(LabError, match=f"of the topology {kept}, not of clone") as caught:
            act()
        assert caught.value.code == 6
    assert (place / MARK).read_text() == before


def test_a_lab_of_an_earlier_version_is_the_demos(lab: Lab) -> None:
    (lab.folder / "wheels").mkdir(parents=True)
    with pytest.raises(LabError, match="of the topology demo, not of single"):
        replace(lab, topology=TOPOLOGIES["single"]).claim()
    assert not (lab.folder / MARK).exists()


def test_an_unknown_topology_is_refused_with_those_there_are(place: Path) -> None:
    with pytest.raises(LabError, match="no such topology of the lab: twin; there are demo, single") as caught:
        Lab.here("twin")
    assert caught.value.code == 2
    assert not place.exists()


def test_a_bad_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOXLIFT_LAB", "Bad_Name")
    with pytest.raises(LabError) as caught:
        Lab.here()
    assert caught.value.code == 2


OURS = ("image-x1_45678", ".wheels-abcdefgh", ".known_hosts.77", ".ssh_config.1", ".demo.json.4711")
THEIRS = (
    "image-x1",
    "image-of-cat.png",
    ".wheels-mine",
    ".ssh",
    ".backup",
    ".project",
    ".wheels",
    "mine.txt",
)


def test_leftovers_are_the_labs_own_and_nothing_else(lab: Lab) -> None:
    assert lab.leftovers() == []
    for name in (*OURS, *THEIRS, "wheels"):
        (lab.folder / name).mkdir(parents=True)
    assert sorted(path.name for path in lab.leftovers()) == sorted(OURS)


def test_what_a_command_works_in_counts_as_left_over(lab: Lab) -> None:
    lab.folder.mkdir()
    for prefix in (WORK, ".wheels-"):
        tempfile.mkdtemp(dir=lab.folder, prefix=prefix)
    assert len(lab.leftovers()) == 2


def test_a_folder_of_others_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    with (
        pytest.raises(LabError, match="no mark of a lab") as caught,
        locked(Lab("a-lab", tmp_path, home), "up"),
    ):
        pass
    assert caught.value.code == 6
    assert [path.name for path in home.iterdir()] == [".ssh"]


def test_a_new_folder_is_marked_and_kept_from_other_labs(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "folder"
    for _ in range(2):
        with locked(Lab("a-lab", tmp_path, folder), "up"):
            (folder / "wheels").mkdir(exist_ok=True)
    assert (folder / MARK).read_text() == "a-lab\n"
    with pytest.raises(LabError, match="belongs to the lab a-lab, not to b-lab") as caught:
        Lab("b-lab", tmp_path, folder).claim()
    assert caught.value.code == 6
    assert (folder / MARK).read_text() == "a-lab\n"


def test_the_clones_own_folder_of_an_earlier_version_is_taken(lab: Lab) -> None:
    (lab.folder / "wheels").mkdir(parents=True)
    lab.claim()
    assert (lab.folder / MARK).read_text() == "boxlift-test\n"
