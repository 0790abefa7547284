"""Files of a certificate change place as a whole and proved, or stay as they were."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from module_utils.boxlift_exchange import (
    Exchange,
    ExchangeError,
    Record,
    Service,
    State,
    paired,
    put,
    state_of,
    with_block,
)
from module_utils.boxlift_tls import presented, wait_for
from tests.certificates import key_file, make, pem

OLD, NEW = b"old certificate", b"new certificate"


class KilledError(BaseException):
    """Stands for kill -9: nothing of the program runs after it."""


def fingerprint(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Web:
    """A web server: takes in what lies in its folder when it is told to, if it likes it."""

    folder: Path
    serves: str | None = None
    refuses: bytes | None = None
    killed: bool = False

    def reload(self) -> None:
        if self.killed:
            raise KilledError
        path = self.folder / "fullchain.pem"
        if not path.exists():
            self.serves = None
            return
        content = path.read_bytes()
        if content == self.refuses:
            raise ExchangeError("nginx -t failed: key values mismatch")
        self.serves = fingerprint(content)


@dataclass(frozen=True)
class FakeService(Service):
    web: Web | None = None

    def runs(self) -> bool:
        return True

    def revive(self) -> None:
        return

    def speaking(self) -> dict[int, str]:
        assert self.web is not None
        return {} if self.web.serves is None else dict.fromkeys(self.ports, self.web.serves)

    def take_in(self, proof: Mapping[int, str]) -> None:
        assert self.web is not None
        self.web.reload()
        for expected in proof.values():
            if self.web.serves != expected:
                raise ExchangeError("443 presents another certificate")


@pytest.fixture
def web(tmp_path: Path) -> Web:
    return Web(tmp_path / "ssl")


def mine(state: State) -> State:
    """The state with the owner that a test can give."""
    return State(state.content, state.target, state.mode, os.getuid(), os.getgid())


def exchange(web: Web, content: bytes, *, only_speaking: bool = True) -> Exchange:
    layout = paired(web.folder, fingerprint(content), content, b"key of " + content)
    return Exchange(
        {path: state if state.target else mine(state) for path, state in layout.items()},
        FakeService("nginx", "portal.example.com", (443,), only_speaking=only_speaking, web=web),
        fingerprint(content),
        web.folder.parent / "record" / "nginx.json",
        (f"{web.folder}/pairs/*/*.pem",),
    )


def tree(folder: Path) -> dict[str, State]:
    return {
        str(path.relative_to(folder)): state_of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def test_the_first_certificate_comes_before_its_settings(web: Web) -> None:
    job = exchange(web, OLD)
    assert job.needed()
    job.carry_out()
    assert (web.folder / "fullchain.pem").read_bytes() == OLD
    assert (web.folder / "privkey.pem").stat().st_mode & 0o777 == 0o600
    web.serves = None
    assert not exchange(web, OLD).needed()


def test_a_silent_port_is_waited_for_where_its_settings_come_along(web: Web) -> None:
    exchange(web, OLD).carry_out()
    web.serves = None
    assert exchange(web, OLD, only_speaking=False).needed()


def test_the_next_one_takes_its_place_and_nothing_of_the_former_is_left(web: Web) -> None:
    exchange(web, OLD).carry_out()
    job = exchange(web, NEW)
    assert job.needed()
    job.carry_out()
    assert web.serves == fingerprint(NEW)
    assert len(list((web.folder / "pairs").iterdir())) == 1
    assert not job.record.exists()
    assert not exchange(web, NEW).needed()


def test_a_refused_one_changes_nothing(web: Web) -> None:
    exchange(web, OLD).carry_out()
    before = tree(web.folder)
    web.refuses = NEW
    job = exchange(web, NEW)
    with pytest.raises(ExchangeError) as caught:
        job.carry_out()
    assert "key values mismatch" in str(caught.value)
    assert "the former files are back and port 443 presents the former certificate" in str(caught.value)
    assert tree(web.folder) == before
    assert web.serves == fingerprint(OLD)
    assert not job.record.exists()


def test_a_refused_first_one_leaves_nothing(web: Web) -> None:
    web.refuses = OLD
    with pytest.raises(ExchangeError):
        exchange(web, OLD).carry_out()
    assert tree(web.folder) == {}


@pytest.mark.parametrize("refuses", [None, NEW])
def test_killed_before_the_proof_and_run_again(web: Web, refuses: bytes | None) -> None:
    exchange(web, OLD).carry_out()
    before = tree(web.folder)
    web.killed = True
    with pytest.raises(KilledError):
        exchange(web, NEW).carry_out()
    web.killed, web.refuses = False, refuses
    job = exchange(web, NEW)
    assert job.needed()
    if refuses is None:
        job.carry_out()
        assert web.serves == fingerprint(NEW)
    else:
        with pytest.raises(ExchangeError):
            job.carry_out()
        assert tree(web.folder) == before
        assert web.serves == fingerprint(OLD)
    assert not job.record.exists()


def test_a_reload_that_never_came_is_made_up_for(web: Web) -> None:
    exchange(web, OLD).carry_out()
    web.serves = fingerprint(b"what was before")
    assert exchange(web, OLD).needed()
    exchange(web, OLD).carry_out()
    assert web.serves == fingerprint(OLD)


def test_changed_rights_are_repaired(web: Web) -> None:
    exchange(web, OLD).carry_out()
    (web.folder / "current" / "privkey.pem").chmod(0o644)
    job = exchange(web, OLD)
    assert job.needed()
    job.carry_out()
    assert (web.folder / "privkey.pem").stat().st_mode & 0o777 == 0o600


def test_the_record_is_for_root_alone(tmp_path: Path) -> None:
    path = tmp_path / "nginx.json"
    record = Record(
        {"/etc/key": State(b"\x00key", mode=0o600), "/etc/link": State(target="there")}, {443: "ab"}
    )
    record.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Record.read(path) == record
    assert json.loads(path.read_text())["served"] == {"443": "ab"}


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "fullchain.pem"
    put(path, mine(State(OLD)))
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        put(path, mine(State(NEW)))
    assert path.read_bytes() == OLD
    assert [each.name for each in tmp_path.iterdir()] == ["fullchain.pem"]


def test_a_block_is_added_once_and_replaced_in_its_place() -> None:
    text = "[general]\nenabled=yes\n"
    first = with_block(text, "boxlift", "tlsenable=yes\n")
    assert first == text + "\n; BEGIN boxlift\ntlsenable=yes\n; END boxlift\n\n"
    moved = first + "[other]\r\n"
    assert with_block(moved, "boxlift", "tlsenable=yes") == moved
    assert with_block(moved, "boxlift", "tlsenable=no") == moved.replace("=yes\n; END", "=no\n; END")


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[tuple[int, str, int]]:
    """A TLS server: its port, the certificate's SHA-256 and end."""
    holder = make("portal.example.com", names=["portal.example.com"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem(tmp_path / "served.pem", holder), key_file(tmp_path, holder.key))
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            try:
                with context.wrap_socket(plain, server_side=True) as connection:
                    connection.recv(1)
            except OSError:
                continue

    thread = threading.Thread(target=serve)
    thread.start()
    der = holder.certificate.public_bytes(Encoding.DER)
    yield listener.getsockname()[1], fingerprint(der), int(holder.certificate.not_valid_after_utc.timestamp())
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def test_what_a_port_presents(tls_port: tuple[int, str, int]) -> None:
    port, expected, ends = tls_port
    found = presented("127.0.0.1", port, "portal.example.com")
    assert (found.fingerprint, found.not_after()) == (expected, ends)
    assert wait_for("127.0.0.1", port, "portal.example.com", expected, 5) is None
    other = wait_for("127.0.0.1", port, "portal.example.com", "00", 0)
    assert other is not None
    assert "presents another certificate" in other


def test_nobody_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    trouble = wait_for("127.0.0.1", port, "portal.example.com", "00", 0)
    assert trouble is not None
    assert "no TLS connection" in trouble
