"""Files of a certificate change place while a service goes on: all of them and proved, or none.

What stood there before is on disk, durable, before the first change: a run that was killed is finished or
taken back by the next one. Runs on hosts down to Debian 11 with the standard library alone.
"""

from __future__ import annotations

import base64
import fcntl
import grp
import json
import os
import pwd
import stat
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ansible.module_utils.boxlift_tls import presented, wait_for

COMMAND_SECONDS = 60
LAST_LINES = 8


class ExchangeError(Exception):
    """The service does not take the new files; all is as it was before, or the text says what is not."""


@dataclass(frozen=True)
class State:
    """What is at a path: nothing, a link with its `target`, or a file with its `content`, mode and owners."""

    content: bytes | None = None
    target: str | None = None
    mode: int = 0o644
    uid: int = 0
    gid: int = 0

    @property
    def absent(self) -> bool:
        return self.content is None and self.target is None

    def to_json(self) -> dict[str, Any]:
        content = None if self.content is None else base64.b64encode(self.content).decode()
        return {
            "content": content,
            "target": self.target,
            "mode": self.mode,
            "uid": self.uid,
            "gid": self.gid,
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> State:
        content = None if raw["content"] is None else base64.b64decode(raw["content"])
        return cls(content, raw["target"], raw["mode"], raw["uid"], raw["gid"])


def state_of(path: Path) -> State:
    """What is at a path now."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return State()
    if stat.S_ISLNK(found.st_mode):
        return State(target=str(path.readlink()))
    return State(path.read_bytes(), None, stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(path: Path, state: State) -> None:
    """Bring a path into a state in one step that no reader sees half done, and that survives a power cut."""
    if state.absent:
        path.unlink(missing_ok=True)
        if path.parent.is_dir():
            sync_folder(path.parent)
        return
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.boxlift")
    fresh.unlink(missing_ok=True)
    try:
        if state.target is not None:
            fresh.symlink_to(state.target)
        else:
            _write(fresh, state)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync_folder(path.parent)


def _write(path: Path, state: State) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        os.fchown(handle, state.uid, state.gid)
        os.fchmod(handle, state.mode)
        stream.write(state.content or b"")
        stream.flush()
        os.fsync(handle)


def owners(owner: str, group: str) -> tuple[int, int]:
    """Numbers of an account and a group; ExchangeError names the one that the host does not know."""
    try:
        return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ExchangeError(f"this host knows no {owner}:{group}: {error.args[0]}") from error


def with_block(text: str, name: str, block: str) -> str:
    """A configuration file's text with our marked block, in the place that it has or at the end."""
    begin, end = f"; BEGIN {name}", f"; END {name}"
    lines = text.split("\n")
    ours = [begin, *block.strip("\n").split("\n"), end]
    if begin in lines and end in lines[lines.index(begin) :]:
        start = lines.index(begin)
        lines[start : lines.index(end, start) + 1] = ours
        return "\n".join(lines)
    return "\n".join([text.rstrip("\n"), "", *ours, "", ""])


def paired(folder: Path, fingerprint: str, certificate: bytes, key: bytes) -> dict[Path, State]:
    """Certificate and key in a folder of their own, to which one link leads: both change in the same moment.

    Services read `fullchain.pem` and `privkey.pem` of the folder.
    """
    pair = f"pairs/{fingerprint[:16]}"
    return {
        folder / pair / "fullchain.pem": State(certificate, mode=0o644),
        folder / pair / "privkey.pem": State(key, mode=0o600),
        folder / "current": State(target=pair),
        folder / "privkey.pem": State(target="current/privkey.pem"),
        folder / "fullchain.pem": State(target="current/fullchain.pem"),
    }


@dataclass(frozen=True)
class Service:
    """Who reads the files. `ports` must present the certificate in the end.

    `unit`: systemd's name for it; where it does not run, files are only laid down. `only_speaking`: a port
    that speaks no TLS before the exchange is not waited for, its settings come later.
    """

    unit: str
    server_name: str
    ports: Sequence[int] = ()
    check: Sequence[str] = ()
    reload: Sequence[str] = ()
    host: str = "127.0.0.1"
    seconds: float = 15
    only_speaking: bool = False

    def runs(self) -> bool:
        return not self.unit or _run(["systemctl", "is-active", "--quiet", self.unit]) is None

    def speaking(self) -> dict[int, str]:
        """Fingerprint that each port presents now; silent ones are left out."""
        found = {}
        for port in self.ports:
            try:
                found[port] = presented(self.host, port, self.server_name).fingerprint
            except OSError:
                continue
        return found

    def take_in(self, proof: Mapping[int, str]) -> None:
        """Let the service read its files; ExchangeError unless each port then presents what `proof` names."""
        for command in (self.check, self.reload or (["systemctl", "reload", self.unit] if self.unit else [])):
            if command and (trouble := _run(command)) is not None:
                raise ExchangeError(f"{' '.join(command)} failed: {trouble}")
        for port, fingerprint in proof.items():
            if (
                trouble := wait_for(self.host, port, self.server_name, fingerprint, self.seconds)
            ) is not None:
                raise ExchangeError(trouble)

    def revive(self) -> None:
        """Start a unit that did not survive."""
        if self.unit and not self.runs():
            _run(["systemctl", "reset-failed", self.unit])
            _run(["systemctl", "start", self.unit])


def _run(command: Sequence[str]) -> str | None:
    """None when a command succeeds, else its last words."""
    try:
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
    except OSError as error:
        return str(error)
    except subprocess.TimeoutExpired:
        return f"no answer for {COMMAND_SECONDS} s"
    if done.returncode == 0:
        return None
    words = done.stdout.decode(errors="replace").strip().splitlines()[-LAST_LINES:]
    return "; ".join(words) or f"exit code {done.returncode}"


@dataclass(frozen=True)
class Record:
    """What was there before: states of paths, and the fingerprint that each port presented."""

    states: Mapping[str, State] = field(default_factory=dict)
    served: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """The record that a killed run left, if there is one."""
        if not path.exists():
            return None
        raw = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            {name: State.from_json(state) for name, state in raw["states"].items()},
            {int(port): fingerprint for port, fingerprint in raw["served"].items()},
        )

    def write(self, path: Path) -> None:
        # It may hold a key.
        raw = {
            "states": {name: state.to_json() for name, state in self.states.items()},
            "served": self.served,
        }
        put(path, State(json.dumps(raw).encode(), mode=0o600, uid=os.getuid(), gid=os.getgid()))


@dataclass(frozen=True)
class Exchange:
    """The states that paths are to have, in the order in which they are written, and who reads them.

    `fingerprint`: SHA-256 of the certificate, hex. `record`: where the state of before is kept meanwhile.
    `prune`: patterns of files that nothing uses once the new ones are proved.
    """

    wanted: Mapping[Path, State]
    service: Service
    fingerprint: str
    record: Path
    prune: Sequence[str] = ()

    def needed(self) -> bool:
        """Whether anything is to be done."""
        if self.record.exists() or any(state_of(path) != state for path, state in self.wanted.items()):
            return True
        return bool(self._stale()) or (self.service.runs() and self._out_of_step(self.service.speaking()))

    def carry_out(self) -> None:
        """Lay the files down, let the service take them in, prove it; or put everything back and raise."""
        self.record.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.record.with_suffix(".lock").open("w") as lock:
            # A renewal by the host's own timer and a run from outside may meet.
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._carry_out()

    def _carry_out(self) -> None:
        left = Record.read(self.record)
        running = self.service.runs()
        before = left or Record(
            {str(path): state_of(path) for path in self.wanted}, self.service.speaking() if running else {}
        )
        before = replace(
            before, states={**{str(path): state_of(path) for path in self.wanted}, **before.states}
        )
        before.write(self.record)
        try:
            for path, state in self.wanted.items():
                if state_of(path) != state:
                    put(path, state)
            if running:
                self.service.take_in(dict.fromkeys(self._to_prove(before.served), self.fingerprint))
        except (ExchangeError, OSError) as error:
            raise ExchangeError(f"{error}; {self._take_back(before, running)}") from error
        for path in self._stale():
            path.unlink(missing_ok=True)
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        self.record.unlink()

    def _to_prove(self, served: Mapping[int, str]) -> Sequence[int]:
        return list(served) if self.service.only_speaking else self.service.ports

    def _out_of_step(self, served: Mapping[int, str]) -> bool:
        return any(served.get(port) != self.fingerprint for port in self._to_prove(served))

    def _stale(self) -> list[Path]:
        found = [Path("/").glob(pattern.lstrip("/")) for pattern in self.prune]
        return sorted({path for paths in found for path in paths} - set(self.wanted))

    def _take_back(self, before: Record, running: bool) -> str:
        """Put everything back; how that ended, as half a sentence."""
        for name, state in reversed(list(before.states.items())):
            put(Path(name), state)
        # Folders that were made for the new files alone.
        for path in self.wanted:
            if path.parent.is_dir() and not any(path.parent.iterdir()):
                path.parent.rmdir()
        trouble = None
        if running:
            self.service.revive()
            try:
                # A setting that somebody broke stays broken: what counts is what is presented.
                self.service.take_in(before.served)
            except ExchangeError as error:
                trouble = str(error)
                if not self._out_of_former(before.served):
                    trouble = None
        self.record.unlink()
        if trouble is not None:
            return f"the former files are back, but the service is not: {trouble}"
        if before.served:
            ports = ", ".join(map(str, before.served))
            return f"the former files are back and port {ports} presents the former certificate"
        return "the former files are back"

    def _out_of_former(self, served: Mapping[int, str]) -> bool:
        return self.service.speaking() != dict(served)
