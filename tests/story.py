"""The yardstick's migration as a project with a journal: a rehearsal of ten hours, a final move of fourteen.

Deterministic: the same journal in every run. Times are those of a week in November 2026, Moscow.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from boxlift.forecast.arrivals import FILE, HOURS, ArrivalPattern, KindName, Pattern, Taken, Week
from boxlift.forecast.inquiry import ask
from boxlift.journal import Journal, Measure, Result, Segment
from boxlift.plan import Kind, Pass, default_plan
from boxlift.project import Project
from boxlift.project.folder import load

ZONE = ZoneInfo("Europe/Moscow")
SIZE = 30_000_000_000
"""Bytes of the backup: about 30 GB."""
PORTAL, STAGING = "portal-1", "staging-1"
_PARTS = 22
_PART = SIZE // _PARTS
_LARGE = {"b_crm_event": 2_100_000_000, "b_im_message": 1_700_000_000, "b_tasks": 900_000_000}
_TABLES = 812
_TESTS = {
    "environment": ("test_clock.py::test_clocks_agree", "test_marker.py::test_every_host_carries_the_marker"),
    "portal": (
        "test_web.py::test_start_page_is_a_portal_and_no_wizard",
        "test_web.py::test_administrator_signs_in",
    ),
    "restore": (
        *(
            f"test_tables.py::test_every_table_equals_the_manifest[b_table_{number}]"
            for number in range(_TABLES)
        ),
        "test_files.py::test_every_file_is_there_and_equal",
        "test_tables.py::test_one_collation",
    ),
    "repairs": (
        "test_domain.py::test_links_in_notifications_carry_the_domain",
        "test_domain.py::test_every_site_names_the_portal",
        "test_push.py::test_messenger_offers_attachments",
        "test_push.py::test_message_reaches_the_messenger_page",
        "test_quiet.py::test_agents_and_mail_queue_stand_still[cron]",
        "test_search.py::test_search_finds_the_newest_lead",
    ),
    "business": (
        "test_crm.py::test_task_shows_every_comment",
        "test_crm.py::test_lead_list_shows_every_lead",
    ),
    "staging": ("test_fence.py::test_strangers_are_kept_out",),
}
_ROLES = {
    "activate-release": (("portal_quiet", 41),),
    "repair-portal": (("portal_domain", 3), ("portal_push", 7), ("portal_users", 0), ("portal_search", 1)),
}
_SECONDS = {
    "provision-production": 1130,
    "check-environment": 96,
    "install-portal": 640,
    "deploy-certificate": 74,
    "check-portal": 131,
    "build-staging": 1420,
    "activate-release": 48,
    "repair-portal": 1260,
    "delete-test-data": 210,
    "backup-production": 4100,
    "open-portal": 140,
    "send-password-letters": 900,
    "watch-portal": 300,
    "refresh-staging": 2300,
    "backup-production-again": 4000,
    "remove-leftovers": 120,
}
_PERSONS = {
    "buy-certificate": ("project lead", 26 * 3600, "wildcard, one year"),
    "request-backup": ("project lead", 18 * 3600, "ordered for Thursday evening, link came on Friday noon"),
    "inform-users": ("project lead", 1800, "all branches by mail, sales by phone"),
    "configure-telephony-server": ("telephony engineer", 2400, None),
    "connect-telephony": ("contractor", 3000, None),
    "check-telephony": ("telephony engineer", 4200, "40 calls, each with its lead and record"),
    "check-business": (
        "project lead",
        5 * 3600,
        "all five branches, two defects in reports are known from the cloud",
    ),
    "go-no-go": ("board", 900, "go"),
    "stop-cloud-sales": ("project lead", 1200, None),
    "transfer-delta": ("contractor", 6800, "151 leads, 38 contacts, 22 deals; counts agree"),
    "declare-healthy": ("project lead", 600, None),
    "switch-names": ("contractor", 3300, None),
    "start-box-sales": ("project lead", 900, "every branch has logged in"),
    "soak": ("project lead", 52 * 3600, None),
    "approve": ("board", 3600, None),
    "release-cloud": ("project lead", 3600, None),
}


@dataclass
class Clock:
    """Goes on as the story does."""

    now: float

    def __call__(self) -> float:
        return self.now


@dataclass
class Story:
    """Tells a journal step by step."""

    journal: Journal
    clock: Clock
    run: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(20261120))

    def machine(
        self, step: str, pass_: Pass, release: str, *, seconds: float, outcome: str = "done", **facts: object
    ) -> int:
        """An attempt with its tasks and tests; time stands at its end."""
        plan_step, phase = default_plan().step(step), _phase(step)
        self.run += 1
        attempt = self.journal.begin(
            run=self.run,
            pass_=pass_,
            phase=phase,
            step=step,
            kind=str(plan_step.kind),
            release=release,
            trial=False,
            log=f".boxlift/runs/{self.run:04}/{step}.log",
        )
        started = self.clock.now
        if plan_step.backup:
            self._restore(attempt, seconds, pass_)
        self.clock.now = started + seconds
        results = list(self._tasks(step, started))
        if outcome == "done":
            results += [one for suite in plan_step.suites for one in self._suite(suite)]
        self.journal.add(attempt, results)
        if outcome != "running":
            self.journal.end(
                attempt,
                outcome,
                0 if outcome == "done" else 4,
                changes=sum(r.outcome == "changed" for r in results),
                moved=SIZE if plan_step.backup else None,
            )
        return attempt

    def person(self, step: str, pass_: Pass, release: str) -> None:
        by, seconds, note = _PERSONS[step]
        self.clock.now += seconds
        self.journal.verdict(pass_, step, release, verdict="confirm", by=by, note=note)

    def _tasks(self, step: str, started: float) -> Iterator[Result]:
        for role, changes in _ROLES.get(step, ()):
            for number in range(max(1, changes)):
                outcome = "changed" if changes else "ok"
                yield Result(step, role, f"{role} task {number}", PORTAL, started, started + 2, 2.0, outcome)

    def _suite(self, suite: str) -> Iterator[Result]:
        for test in _TESTS[suite]:
            yield Result(suite, "", f"{suite}/{test}", "", self.clock.now, self.clock.now + 0.4, 0.4, "ok")

    def _restore(self, attempt: int, seconds: float, pass_: Pass) -> None:
        """Looks every two minutes; the line drifts, fails for a while, and two parts arrive damaged."""
        looks = int(seconds * 0.96 // 120)
        level, rates = 1.0, []
        for look in range(looks):
            level = 1 + 0.93 * (level - 1) + self.chance.gauss(0, 0.045)
            broken = pass_ is Pass.FINAL and 200 <= look < 217
            rates.append(0.0 if broken else max(0.25, level))
        unit, fetched, segments = SIZE / (sum(rates) * 120), 0.0, []
        for number, rate in enumerate([*rates, 0.0]):
            segments.append(_look(self.clock.now + number * 120, fetched, rate * unit, number / looks))
            fetched += rate * unit * 120
        last = _look(self.clock.now + seconds, SIZE, 0.0, 1.0, state="done")
        arrived = [round(rate * unit * 120) for rate in rates]
        self.journal.add(attempt, [], [*segments, last], _measures(self.clock.now, seconds, arrived))
        for share, part in ((0.31, 7), (0.68, 15)) if pass_ is Pass.REHEARSAL else ((0.52, 12),):
            self.journal.incident(
                pass_,
                "repair",
                f"part fetched again: CRC mismatch acme_20261105.tar.gz.{part}",
                step="restore-backup",
                attempt=attempt,
                host=PORTAL,
                cost=_PART / unit,
                at=self.clock.now + share * seconds,
            )
        if pass_ is Pass.FINAL:
            self.journal.incident(
                pass_,
                "note",
                "the provider's line was down, he called back",
                step="restore-backup",
                cost=17 * 120,
                at=self.clock.now + 216 * 120,
            )


def _measures(start: float, seconds: float, arrived: Sequence[int]) -> list[Measure]:
    """What bxbackup hands over at the end: the line, each part, its unpacking, the larger tables."""
    lines = [
        Measure(PORTAL, "line", "", start + 120 * number, 120.0, amount)
        for number, amount in enumerate(arrived)
    ]
    step = 120 * len(arrived) / _PARTS
    parts = [
        Measure(PORTAL, kind, f"acme.tar.gz.{number}", start + number * step, took, amount)
        for number in range(_PARTS)
        for kind, took, amount in (("part", step, _PART), ("unpack", 95.0, 3 * _PART))
    ]
    tables = [
        Measure(PORTAL, "table", name, start + seconds * 0.9, amount / 6e6, amount, rows=amount // 300)
        for name, amount in _LARGE.items()
    ]
    return [*lines, *parts, *tables]


def _look(at: float, fetched: float, rate: float, share: float, *, state: str = "running") -> Segment:
    share = min(1.0, share)
    return Segment(
        host=PORTAL,
        at=at,
        state=state,
        bytes=round(fetched),
        bytes_total=SIZE,
        rate=rate,
        parts=int(22 * share),
        parts_total=22,
        files=int(410_000 * share),
        tables=int(_TABLES * share),
        tables_total=_TABLES,
        rows=int(38_000_000 * share),
    )


def _phase(step: str) -> str:
    return next(phase.id for phase, one in default_plan().steps() if one.id == step)


def moment(day: int, hour: int, minute: int = 0) -> float:
    """Of November 2026, Moscow."""
    return (datetime(2026, 11, 1, hour, minute, tzinfo=ZONE) + timedelta(days=day - 1)).timestamp()


def empty(root: Path) -> Project:
    """A project in which nothing has happened."""
    values = root / "inventory" / "group_vars" / "all"
    values.mkdir(parents=True)
    (values / "project.yml").write_text("portal_timezone: Europe/Moscow\n", encoding="utf-8")
    (root / "boxlift.yml").write_text("version: 1\nname: acme\n", encoding="utf-8")
    return load(root)


def quick(journal: Journal) -> None:
    """Don't wait for the disk: nobody cuts the power of a test."""
    journal._db.execute("PRAGMA synchronous = OFF")


def tell(project: Project, *, until: str = "soak") -> None:
    """The story up to, and without, the final pass's step `until`; `rehearsal`: without the final pass."""
    clock = Clock(moment(2, 10))
    with Journal(project.state / "journal.db", clock=clock) as journal:
        quick(journal)
        story = Story(journal, clock)
        _prepare(story)
        _move(story, Pass.REHEARSAL, moment(5, 18, 30), hours=10)
        if until == "rehearsal":
            _count_arrivals(project)
            return
        _count_arrivals(project)
        _find_sources(project, "final-1")
        journal.choose(Pass.FINAL)
        told = ask(project, journal, Pass.FINAL, now=moment(11, 12), detail=False)
        journal.freeze(Pass.FINAL, told.release, told.made, told.model_dump_json(by_alias=True))
        _move(story, Pass.FINAL, moment(12, 18, 20), hours=14, until=until)
        journal.verdict(
            Pass.FINAL,
            "lead:mailbox-2",
            "final-1",
            verdict="confirm",
            by="project lead",
            note="test letter came",
        )


def _count_arrivals(project: Project) -> None:
    """Over 100 leads a working day, few at night and on Sundays, in half a year."""
    weeks, week = 26, []
    for hour in range(HOURS):
        day, slot = divmod(hour, 24)
        busy = (1.0, 1.1, 1.05, 1.0, 0.8, 0.25, 0.08)[day]
        week.append(round(weeks * busy * max(0.15, 13.0 - 0.38 * (slot - 13.5) ** 2)))
    shares: dict[KindName, int] = {"leads": 1, "deals": 4, "contacts": 3}
    kinds = {
        kind: Pattern(
            hours=tuple(count // share for count in week),
            weeks=weeks,
            first="2026-05-07 08:00:12",
            last="2026-11-05 18:02:51",
            weekly=tuple(
                Week(week=f"2026-{number}", count=sum(week) // share // weeks) for number in range(19, 45)
            ),
        )
        for kind, share in shares.items()
    }
    pattern = ArrivalPattern(
        release="rehearsal-1",
        timezone="Europe/Moscow",
        backup=Taken(began="2026-11-05 18:05:00", ended="2026-11-05 18:40:00", zone="Europe/Moscow"),
        kinds=kinds,
    )
    path = project.root / FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(pattern.model_dump_json(by_alias=True), encoding="utf-8")


def _find_sources(project: Project, release: str) -> None:
    """Lead sources as the playbooks lay them into the project."""
    told = (
        ("web-form-1", "web-form", "Offer for a flat", "https://acme.bitrix24.example/~form1", True),
        ("web-form-4", "web-form", "Summer campaign", "https://acme.bitrix24.example/~form4", False),
        ("mailbox-2", "mailbox", "sales@acme.example", "sales@acme.example", True),
        ("number-1", "number", "Office, Asterisk", "+7 495 000-00-00", True),
    )
    sources = [
        {"id": name, "kind": kind, "title": title, "address": address, "active": active, "owner": "sales"}
        for name, kind, title, address, active in told
    ]
    path = project.root / "evidence" / release / "leads.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "schema": 1,
        "release": release,
        "collected": "2026-11-14T00:10:00Z",
        "domain": "portal.acme.example",
        "sources": sources,
    }
    path.write_text(json.dumps(content), encoding="utf-8")


def _steps(phases: Sequence[str], pass_: Pass) -> Iterator[tuple[str, Kind]]:
    for phase, step in default_plan().steps():
        if phase.id in phases and pass_ in step.passes:
            yield step.id, step.kind


def _prepare(story: Story) -> None:
    for step, kind in _steps(["prepare"], Pass.REHEARSAL):
        if kind is Kind.CONFIRM:
            story.person(step, Pass.REHEARSAL, "rehearsal-1")
        else:
            story.clock.now += 240
            story.machine(step, Pass.REHEARSAL, "rehearsal-1", seconds=_SECONDS[step])


def _move(story: Story, pass_: Pass, start: float, *, hours: float, until: str | None = None) -> None:
    release = f"{pass_}-1"
    story.clock.now = start
    for step, kind in _steps(["move", "settle"], pass_):
        if step == until:
            return
        if kind is Kind.CONFIRM:
            story.person(step, pass_, release)
            continue
        story.clock.now += 180
        if step == "restore-backup":
            if pass_ is Pass.REHEARSAL:
                _failed_start(story, release)
            story.machine(step, pass_, release, seconds=hours * 3600)
        else:
            story.machine(step, pass_, release, seconds=_SECONDS[step])


def _failed_start(story: Story, release: str) -> None:
    """The first try finds too little space."""
    cause = "refused: /srv needs 74.2 GB and has 51.0 GB free\nenlarge the disk, then run again"
    began = story.clock.now
    story.run += 1
    number = story.journal.begin(
        run=story.run,
        pass_=Pass.REHEARSAL,
        phase="move",
        step="restore-backup",
        kind="playbook",
        release=release,
        trial=False,
        log=f".boxlift/runs/{story.run:04}/restore-backup.log",
    )
    story.clock.now += 40
    story.journal.end(number, "failed", 6, cause=cause)
    story.journal.incident(
        Pass.REHEARSAL,
        "failure",
        f"backup_restore | Space for the backup: {cause.splitlines()[0]}",
        step="restore-backup",
        attempt=number,
        host=PORTAL,
        cost=story.clock.now - began,
    )
    story.clock.now += 1500
    story.journal.incident(
        Pass.REHEARSAL, "note", "disk enlarged to 200 GB", step="restore-backup", cost=1500
    )
