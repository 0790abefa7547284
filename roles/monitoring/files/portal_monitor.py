#!/usr/bin/python3
"""Look at a running portal, keep a history of what was measured, and tell in one line when something changes.

Started by a systemd timer; settings come as JSON from the file that is named. Results: `status.json` with the
newest look, `history.jsonl` with all looks of the last days. Exit code 0 whatever was found, 1 where a target
could not be told or a result not be kept. Runs on Debian's Python with python3-pymysql; tables and options as
portal_runtime A6, J1 and J3 name them.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import smtplib
import socket
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pymysql

PATIENCE = 20
PAGES = 10
ROWS = 200
BLOCK = b"\0" * (4 << 20)
#: What starts the agents each minute (role portal).
AGENTS_TIMER = "portal-agents.timer"
#: Looks that a comparison with the own history needs.
ENOUGH = 20
DAY = 86400
#: What breaks a part of a look and not the look.
_BROKEN = (
    OSError,
    ValueError,
    LookupError,
    subprocess.SubprocessError,
    http.client.HTTPException,
    pymysql.MySQLError,
)


@dataclass(frozen=True)
class Check:
    """One thing looked at. `level`: ok, warn (by day), bad (now). `value` is kept for the history."""

    name: str
    level: str
    measured: str
    limit: str = ""
    value: float | None = None

    @property
    def sentence(self) -> str:
        """One line. What a server answered stands in an error with its line breaks; no subject has any."""
        text = f"{self.name}: {self.measured}" + (f" ({self.limit})" if self.limit else "")
        return " ".join(text.split())


class Monitor:
    """One look at the portal. `settings` are those of the role monitoring."""

    def __init__(self, settings: Mapping[str, Any], history: Sequence[Mapping[str, Any]]) -> None:
        self._settings = settings
        self._history = history

    def look(self) -> Iterator[Check]:
        """Every check; one that breaks is bad and keeps no other from looking."""
        parts: dict[str, Callable[[], Iterator[Check]]] = {
            "page": self._page,
            "services": self._services,
            "room": self._room,
            "push server": self._push,
            "database": self._database,
            "disk": self._disk,
        }
        for name, part in parts.items():
            try:
                yield from part()
            except _BROKEN as error:
                yield Check(name, "bad", str(error) or type(error).__name__)

    def _page(self) -> Iterator[Check]:
        """The page that everybody sees first: answer, certificate, pages a second."""
        context = ssl.create_default_context()
        if self._settings["authority"]:
            context.load_verify_locations(cadata=self._settings["authority"])
        address = (self._settings["web_address"], 443)
        domain = self._settings["domain"]
        with (
            socket.create_connection(address, timeout=PATIENCE) as plain,
            context.wrap_socket(plain, server_hostname=domain) as secure,
        ):
            ends = ssl.cert_time_to_seconds(str((secure.getpeercert() or {})["notAfter"]))
            connection = http.client.HTTPSConnection(domain, timeout=PATIENCE)
            connection.sock = secure
            took = [self._get(connection) for _ in range(PAGES)]
        days = (ends - time.time()) / DAY
        limit = self._settings["certificate_days"]
        level = "ok" if days >= limit else "bad" if days < limit / 3 else "warn"
        yield Check("certificate", level, f"good for {days:.0f} days", f"at least {limit}", round(days, 1))
        slowest, wanted = max(took), self._settings["page_seconds"]
        yield Check(
            "page", "ok" if slowest <= wanted else "bad", f"{slowest:.2f} s", f"at most {wanted} s", slowest
        )
        # The product's own check calls less than 10 pages a second very low (portal_runtime J1).
        yield self._mark("page rate", 1 / statistics.median(took), "pages/s", self._settings["page_rate"])

    def _get(self, connection: http.client.HTTPSConnection) -> float:
        began = time.monotonic()
        connection.request("GET", self._settings["page"], headers={"User-Agent": "boxlift-monitoring"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{self._settings['page']} answers {answer.status}")
        licence = answer.headers.get("X-Powered-CMS", "")
        if "DEMO" in licence or "__wizard_form" in text:
            raise ValueError(
                "the portal runs without its licence key" if "DEMO" in licence else "the wizard answers"
            )
        return time.monotonic() - began

    def _services(self) -> Iterator[Check]:
        listed = _systemctl("--failed", "--no-legend", "--plain")
        failed = [line.split()[0] for line in listed if line.strip()]
        said = f"{', '.join(failed)} failed" if failed else "none failed"
        yield Check("services", "bad" if failed else "ok", said)

    def _room(self) -> Iterator[Check]:
        limit = self._settings["free_percent"]
        for folder in self._settings["folders"]:
            found = os.statvfs(folder)
            for kind, free, total in (
                ("space", found.f_bavail, found.f_blocks),
                ("inodes", found.f_favail, found.f_files),
            ):
                if total:
                    percent = 100 * free / total
                    level = "ok" if percent >= limit else "bad" if percent < limit / 2 else "warn"
                    said, wanted = f"{percent:.0f} % free", f"at least {limit} %"
                    yield Check(f"{kind} of {folder}", level, said, wanted, round(percent, 1))

    def _push(self) -> Iterator[Check]:
        """The push server's own list of its processes (portal_runtime E5, E6)."""
        if not self._settings["push_status_url"]:
            return
        processes = json.loads(requested("GET", self._settings["push_status_url"]))
        count = len(processes) if isinstance(processes, list) else 0
        yield Check("push server", "ok" if count else "bad", f"{count} processes", "at least 1", count)

    def _database(self) -> Iterator[Check]:
        release = Path(self._settings["current"]).resolve(strict=True).name
        connection = pymysql.connect(
            read_default_file=self._settings["database_options_file"],
            database=f"portal_{release.replace('-', '_')}",
            connect_timeout=PATIENCE,
            read_timeout=PATIENCE,
            charset="utf8mb4",
        )
        try:
            with connection.cursor() as cursor:
                # Times of agents and letters are local ones of the portal; a server of somebody else's may
                # begin its sessions in another zone, and may not know zones by their names.
                zone = offset(self._settings["timezone"], datetime.now(UTC))
                cursor.execute("SET time_zone = %s", (zone,))
                yield from self._agents(cursor)
                yield from self._marks(cursor)
        finally:
            connection.close()

    def _agents(self, cursor: Any) -> Iterator[Check]:
        """Agents and mail queue of a portal that is not kept quiet (portal_runtime A6, J3)."""
        cursor.execute(
            "SELECT NAME, VALUE FROM b_option WHERE MODULE_ID='main'"
            " AND NAME IN ('check_agents', 'check_events')"
        )
        switches = dict(cursor.fetchall())
        everything = self._settings["agents_mode"] == "everything"
        # Where cron runs all agents, their own switch stands off for page views all the time.
        if switches.get("check_events" if everything else "check_agents") == "N":
            yield Check("agents", "ok", "kept quiet")
            return
        if everything:
            idle = switches.get("check_agents") == "N"
            said = "page views run none" if idle else "page views run agents besides cron"
            yield Check("agents of page views", "ok" if idle else "warn", said)
        limit = self._settings["agent_minutes"]
        minutes = _value(cursor, "SELECT TIMESTAMPDIFF(SECOND, MAX(LAST_EXEC), NOW()) / 60 FROM b_agent")
        found = float("inf") if minutes is None else float(minutes)
        said = "never ran" if minutes is None else f"last ran {found:.0f} min ago"
        # They cannot have run while the host was off, or before the portal was installed or opened.
        due = min(found, _minutes_active(AGENTS_TIMER))
        if due < found:
            said += f", due for {due:.0f} min"
        yield Check("agents", "ok" if due <= limit else "bad", said, f"at most {limit} min", _finite(found))
        stuck = int(
            _value(
                cursor,
                "SELECT COUNT(*) FROM b_agent WHERE RUNNING = 'Y' AND LAST_EXEC < NOW() - INTERVAL 1 HOUR",
            )
        )
        yield Check("stuck agents", "warn" if stuck else "ok", str(stuck), "none for an hour", stuck)
        limit = self._settings["queue_minutes"]
        oldest = _value(
            cursor,
            "SELECT TIMESTAMPDIFF(SECOND, MIN(DATE_INSERT), NOW()) / 60 FROM b_event"
            " WHERE SUCCESS_EXEC = 'N'",
        )
        waits = float(oldest or 0)
        said = f"the oldest waits {waits:.0f} min" if oldest is not None else "empty"
        yield Check("mail queue", "ok" if waits <= limit else "bad", said, f"at most {limit} min", waits)

    def _marks(self, cursor: Any) -> Iterator[Check]:
        columns = "id INT PRIMARY KEY, text VARCHAR(200)"
        cursor.execute(f"CREATE TEMPORARY TABLE boxlift_mark ({columns}) ENGINE=InnoDB")
        statements = {
            "database inserts": ("INSERT INTO boxlift_mark VALUES (%s, REPEAT('x', 200))", "/s"),
            "database reads": ("SELECT text FROM boxlift_mark WHERE id = %s", "/s"),
            "database updates": ("UPDATE boxlift_mark SET text = REPEAT('y', 200) WHERE id = %s", "/s"),
        }
        for name, (statement, unit) in statements.items():
            began = time.monotonic()
            for number in range(ROWS):
                cursor.execute(statement, (number,))
            yield self._mark(name, ROWS / (time.monotonic() - began), unit)

    def _disk(self) -> Iterator[Check]:
        path = Path(self._settings["state"]) / "mark"
        began = time.monotonic()
        try:
            with path.open("wb") as file:
                file.write(BLOCK)
                file.flush()
                os.fsync(file.fileno())
            took = time.monotonic() - began
        finally:
            path.unlink(missing_ok=True)
        yield self._mark("disk writes", len(BLOCK) / took / 1e6, "MB/s")

    def _mark(self, name: str, value: float, unit: str, least: float = 0) -> Check:
        """A figure of speed: too low by itself, or far below what this host used to reach."""
        before = [
            check["value"]
            for look in self._history
            for check in look["checks"]
            if check["name"] == name and check["value"] is not None
        ]
        share = self._settings["slower_than_usual"]
        limits = [f"at least {least:g} {unit}"] if least else []
        slow = value < least
        if len(before) >= ENOUGH:
            usual = statistics.median(before)
            limits.append(f"usual {usual:.0f} {unit}")
            slow = slow or value < share * usual
        level = "warn" if slow else "ok"
        return Check(name, level, f"{value:.0f} {unit}", ", ".join(limits), round(value, 2))


def _systemctl(*arguments: str) -> list[str]:
    """The lines that systemctl answers. OSError and SubprocessError where it does not."""
    command = ["systemctl", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=PATIENCE
    ).stdout.splitlines()


def _minutes_active(unit: str) -> float:
    """How long a unit has been active; without end where it is not, or does not exist."""
    shown = _systemctl("show", "--property=ActiveState,ActiveEnterTimestampMonotonic", unit)
    found = dict(line.split("=", 1) for line in shown)
    if found["ActiveState"] != "active":
        return float("inf")
    return time.monotonic() / 60 - int(found["ActiveEnterTimestampMonotonic"]) / 60e6


def _value(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    row = cursor.fetchone()
    return row[0] if row else None


def offset(timezone: str, moment: datetime) -> str:
    """A zone's distance from UTC at a moment, as databases take it (+03:00); an empty zone is the host's.

    LookupError where the host knows no such zone.
    """
    local = moment.astimezone(ZoneInfo(timezone) if timezone else None)
    return local.isoformat()[-len("+00:00") :]


def _finite(value: float) -> float | None:
    return None if value == float("inf") else round(value, 2)


def news(before: Mapping[str, Any] | None, checks: Sequence[Check], domain: str) -> str | None:
    """The line that is told: only where something became bad, got well, or is another thing than before."""
    now = {check.name: check for check in checks if check.level != "ok"}
    earlier = before["checks"] if before else []
    was = {check["name"]: check["level"] for check in earlier if check["level"] != "ok"}
    if {name: check.level for name, check in now.items()} == was:
        return None
    if not now:
        return f"{domain}: all is well again"
    ordered = sorted(now.values(), key=lambda check: check.level != "bad")
    return f"{domain}: " + "; ".join(check.sentence for check in ordered)


def tell(
    line: str | None, waiting: dict[str, str], targets: Sequence[str], relay: str, sender: str
) -> list[str]:
    """Tell every target, an address of mail or a webhook; return what went wrong, webhooks by their host.

    :param waiting: by target, what it could not be told yet; brought up to date. One target that is away is
        told later and keeps no other from being told once.
    """
    problems = []
    names = {target: hashlib.sha256(target.encode()).hexdigest()[:16] for target in targets}
    for name in waiting.keys() - set(names.values()):
        del waiting[name]
    for target, name in names.items():
        text = line or waiting.get(name)
        if text is None:
            continue
        try:
            if target.startswith(("https://", "http://")):
                requested("POST", target, json.dumps({"text": text}).encode())
            else:
                letter = EmailMessage()
                letter["From"], letter["To"] = sender, target
                letter["Subject"] = text[:200]
                letter["Auto-Submitted"] = "auto-generated"
                letter.set_content(f"{text}\n")
                with smtplib.SMTP(relay, timeout=PATIENCE) as server:
                    server.send_message(letter)
        except (OSError, ValueError, http.client.HTTPException, smtplib.SMTPException) as error:
            problems.append(f"could not tell {urlsplit(target).hostname or target}: {error}")
            waiting[name] = text
        else:
            waiting.pop(name, None)
    return problems


def requested(method: str, url: str, content: bytes | None = None) -> bytes:
    """The answer of a web server. ValueError where it refuses."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=PATIENCE)
    try:
        headers = {"Content-Type": "application/json"} if content else {}
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        connection.request(method, path, content, headers)
        answer = connection.getresponse()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise ValueError(f"{parts.hostname} answers {answer.status}")
        return answer.read()
    finally:
        connection.close()


def recent(path: Path, days: int, now: float) -> list[dict[str, Any]]:
    """Looks of the last days; a line that a crash has torn is left out."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            look = json.loads(line)
            age = now - datetime.fromisoformat(look["at"]).timestamp()
        except (ValueError, LookupError, TypeError):
            continue
        if age <= days * DAY:
            kept.append(look)
    return kept


def write(path: Path, text: str) -> None:
    """Replace a file whole."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.chmod(0o640)
    fresh.replace(path)


def main() -> int:
    """Look once."""
    settings = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    state = Path(settings["state"])
    status, past = state / "status.json", state / "history.jsonl"
    history = recent(past, settings["history_days"], time.time())
    checks = list(Monitor(settings, history).look())
    try:
        before = json.loads(status.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    line = news(before, checks, settings["domain"])
    at = datetime.now(UTC).isoformat(timespec="seconds")
    look = {"at": at, "checks": [asdict(check) for check in checks]}
    waiting = dict((before or {}).get("waiting", {}))
    # Before anything is written: a full disk is what most needs to be told.
    problems = tell(line, waiting, settings["tell"], settings["relay"], settings["sender"])
    try:
        write(status, json.dumps({**look, "waiting": waiting}, indent=1) + "\n")
        write(past, "".join(f"{json.dumps(item)}\n" for item in [*history, look]))
    except OSError as error:
        problems.append(f"what was seen could not be kept: {error}")
    for check in checks:
        if check.level != "ok":
            sys.stdout.write(f"{check.level} {check.sentence}\n")
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
