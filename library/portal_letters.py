"""Ansible module: one password letter for each employee who cannot log in."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.boxlift_people import People, Person
from ansible.module_utils.boxlift_php import PHP_ARGUMENTS, PhpError, run_php
from ansible.module_utils.boxlift_rules import Holder, Rule
from ansible.module_utils.boxlift_sql import PYMYSQL_ERROR, SQL_ARGUMENTS, Database, SqlError

DOCUMENTATION = r"""
module: portal_letters
short_description: Send each employee who cannot log in exactly one password letter
description:
  - Sends with C(CUser::SendPassword), one letter at a time, and keeps a ledger in the database C(boxlift).
  - A letter that was on its way when the sender was killed is looked up in the journal and the queue of the
    mail relay (Postfix). When they do not tell, nobody gets a second letter and the person is in doubt.
  - The portal says that it sent a letter even where no template makes one. With O(state=listed) RV(unfit)
    names the sites without exactly one active template; nothing must be sent while there are any.
  - A letter that the portal refused to send has failed. It is tried again in the next run, once in each.
  - The portal's captcha for password recovery is off meanwhile and put back with O(state=ended).
  - Call it until RV(finished).
options:
  root: {description: Document root of the release., type: path, required: true}
  user: {description: User that PHP runs as., type: str, default: portal}
  php: {description: The PHP command., type: str, default: php}
  release: {description: Release., type: str, required: true}
  database: {description: Database of the release., type: str, required: true}
  state:
    description: C(sent) sends, C(listed) only lists, C(ended) puts the captcha back.
    type: str
    choices: [sent, listed, ended]
    default: sent
  only: {description: Addresses that may get a letter; all when it is not given., type: list, elements: str}
  run_began:
    description:
      - When the run began that the call belongs to, RV(moment) of its first call.
      - What failed earlier is tried again.
    type: int
    default: 0
  per_minute: {description: Letters in a minute at most., type: int, default: 60}
  seconds: {description: Seconds that one call may take., type: int, default: 15}
  lock_file: {description: File that is locked while letters are sent., type: path, required: true}
  default_site: {description: Site of users that name none., type: str, default: s1}
  work_begins:
    description: When people will read their letters, as YYYY-MM-DD HH:MM. Links that end before are reported.
    type: str
  timezone: {description: Time zone of O(work_begins)., type: str, default: UTC}
  config_file: {description: Client option file., type: path, default: /etc/boxlift/database.cnf}
author: The boxlift authors
"""

EXAMPLES = r"""
- name: Look who gets one
  portal_letters:
    root: /srv/portal/current
    release: final-1
    database: portal_final_1
    state: listed
    lock_file: /run/boxlift-letters.lock
  register: listed

- name: Send the letters
  portal_letters:
    root: /srv/portal/current
    release: final-1
    database: portal_final_1
    run_began: "{{ listed.moment }}"
    lock_file: /run/boxlift-letters.lock
  register: letters
  until: letters.finished
  retries: 100000
  delay: 0
"""

RETURN = r"""
finished: {description: Whether no letter is left to send., returned: always, type: bool}
sent: {description: Letters that this call sent., returned: always, type: int}
left: {description: Letters still to send., returned: always, type: int}
moment: {description: When the call began, in microseconds by the host's clock., returned: always, type: int}
people: {description: "Everybody concerned: id, login, email, letter, note.", returned: always, type: list}
accounts: {description: "Accounts of the portal by kind: kind, active, count.", returned: always, type: list}
refused:
  description: Those whom the portal gave no account of its own, as RV(people).
  returned: always
  type: list
unfit:
  description:
    - Sites of those who are still to get a letter that have not exactly one active template of it.
    - "Each with site, templates."
  returned: always
  type: list
expiring: {description: Logins whose links would end before work begins., returned: always, type: list}
"""

SCRIPT = r"""
$answer = \CUser::SendPassword($input['login'], '', $input['site']);
$result = [
    'sent' => is_array($answer) && ($answer['TYPE'] ?? '') === 'OK',
    'message' => trim(strip_tags(is_array($answer) ? (string)($answer['MESSAGE'] ?? '') : '')),
];
"""

PURGE = r"""
\Bitrix\Main\Application::getInstance()->getManagedCache()->cleanAll();
$result = true;
"""

#: With it, dbconn.php of a portal that is not open yet lets this one script's mail out.
MAIL_ALLOWED = "BOXLIFT_MAIL_ALLOWED"

CAPTCHA = Rule.parse(
    {
        "id": "letters-captcha",
        "option": {"module": "main", "name": "captcha_restoring_password"},
        "value": "N",
        "reason": "the portal asks for it from the command line too (portal_runtime G)",
        "opening": "restore",
    }
)


def relay_evidence(module: Any, started_us: int) -> list[str] | None:
    """Return what the mail relay knows as JSON lines: its journal since a moment, and its queue.

    None when either cannot be read. ``started_us`` is in microseconds since 1970.
    """
    evidence: list[str] = []
    for command in (
        ["journalctl", "--output=json", f"--since=@{started_us // 1_000_000}", "--unit=postfix*"],
        ["postqueue", "-j"],
    ):
        try:
            code, output, _ = module.run_command(command, check_rc=False, handle_exceptions=False)
        except OSError:
            return None
        if code != 0:
            return None
        evidence += output.splitlines()
    return evidence


def handed_over(evidence: list[str], started_us: int, address: str) -> bool:
    """Tell whether the relay took a letter to an address since a moment."""
    wanted = address.casefold()
    for line in evidence:
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if "queue_id" in entry:
            since = int(entry.get("arrival_time", 0) + 1) * 1_000_000
            addresses = [str(item.get("address", "")) for item in entry.get("recipients", [])]
        else:
            since = int(entry.get("__REALTIME_TIMESTAMP", 0))
            addresses = re.findall(r"\bto=<([^>]*)>", str(entry.get("MESSAGE", "")))
        if since >= started_us and wanted in (found.casefold() for found in addresses):
            return True
    return False


class Sender:
    """Sends what the ledger does not have yet."""

    def __init__(self, module: Any, database: Database) -> None:
        """Use the caller's module and connection."""
        self._module = module
        self._db = database
        given = module.params
        self._people = People(database, given["release"], given["database"])
        self._holder = Holder(database, given["release"], given["database"])
        self._default_site = str(given["default_site"])
        self._run_began = int(given["run_began"])
        self._only = None if given["only"] is None else {address.casefold() for address in given["only"]}

    def wanted(self) -> list[Person]:
        """Everybody who may get a letter."""
        return [
            person
            for person in self._people.without_password()
            if self._only is None or person.email.casefold() in self._only
        ]

    def report(self) -> list[dict[str, Any]]:
        """Return everybody concerned with the state of the letter, for the help desk."""
        letters = self._people.letters()
        return [
            {
                "id": person.id,
                "login": person.login,
                "email": person.email,
                "letter": letters.get(person.id, ("none", "", 0))[0],
                "note": letters.get(person.id, ("", "", 0))[1] if person.email else "has no address",
            }
            for person in self.wanted()
        ]

    def refused(self) -> list[dict[str, Any]]:
        """Return those who still have an account of the vendor's network: no letter can help them."""
        letters = self._people.letters()
        return [
            {
                "id": person.id,
                "login": person.login,
                "email": person.email,
                "letter": "no account",
                "note": letters.get(person.id, ("", "", 0))[1]
                or "was not given an account of the portal's own",
            }
            for person in self._people.network()
        ]

    def unfit(self) -> list[dict[str, Any]]:
        """Sites of those who are still to get a letter that have not exactly one active template of it."""
        templates = self._people.letter_templates()
        return [
            {"site": site, "templates": templates.get(site, [])}
            for site in sorted({self._site(person) for person in self.left()})
            if len(templates.get(site, [])) != 1
        ]

    def _site(self, person: Person) -> str:
        return person.site or self._default_site

    def expiring(self, work_begins: datetime, now: datetime) -> list[str]:
        """Those who are still to get a letter whose link would end before work begins."""
        due = self.left()
        minutes = self._people.link_minutes(due)
        return [person.login for person in due if now + timedelta(minutes=minutes[person.id]) < work_begins]

    def accounts(self) -> list[dict[str, Any]]:
        """Accounts of the portal by kind."""
        found: list[dict[str, Any]] = self._people.accounts()
        return found

    def left(self) -> list[Person]:
        """Everybody whose letter is still to be sent, or failed before this run began."""
        due = []
        letters = self._people.letters()
        for person in self.wanted():
            state, _, moment_us = letters.get(person.id, ("none", "", 0))
            is_due = state == "none" or (state == "failed" and moment_us < self._run_began)
            if person.email and is_due:
                due.append(person)
        return due

    def settle(self) -> None:
        """Decide about letters that were on their way when an earlier sender died."""
        letters = self._people.letters()
        for person in self.wanted():
            state, _, started_us = letters.get(person.id, ("none", "", 0))
            if state != "sending":
                continue
            evidence = relay_evidence(self._module, started_us)
            if evidence is None:
                self._people.note_letter(person.id, "doubt", "interrupted; the mail relay does not tell")
            else:
                seen = handed_over(evidence, started_us, person.email)
                self._people.note_letter(person.id, "sent" if seen else "none")
        self._db.commit()

    @staticmethod
    def progress(people: list[dict[str, Any]], per_minute: int) -> dict[str, Any]:
        """How far the letters are, for the runner's display."""
        done = sum(person["letter"] in ("sent", "doubt") for person in people)
        return {"what": "letters", "done": done, "total": len(people), "rate": per_minute / 60}

    def open_captcha(self) -> None:
        """Switch the captcha off."""
        if self._holder.hold([CAPTCHA])[0].rows:
            self._db.commit()
            run_php(self._module, PURGE, None)

    def close_captcha(self, *, dry: bool) -> bool:
        """Put the captcha back; tell whether that was needed."""
        changed = bool(self._holder.give_back([CAPTCHA], dry=dry)[0].rows)
        if changed and not dry:
            self._db.commit()
            run_php(self._module, PURGE, None)
        return changed

    def send(self, lock: int) -> int:
        """Send letters for some seconds; return how many."""
        given = self._module.params
        pause = 60.0 / max(1, given["per_minute"])
        deadline = time.monotonic() + given["seconds"]
        sent = 0
        self._people.prepare()
        self.settle()
        for person in self.left():
            started = time.monotonic()
            self._people.enter(person)
            self._people.note_letter(person.id, "sending", started_us=time.time_ns() // 1000)
            self._db.commit()
            answer = run_php(
                self._module,
                SCRIPT,
                {"login": person.login, "site": self._site(person)},
                constants=[MAIL_ALLOWED],
                pass_fds=[lock],
            )
            if answer["sent"]:
                self._people.note_letter(person.id, "sent")
            else:
                # Not before the run's begin even if the clock was set back: one try in a run.
                tried_us = max(time.time_ns() // 1000, self._run_began)
                self._people.note_letter(person.id, "failed", answer["message"] or "refused", tried_us)
            self._db.commit()
            sent += answer["sent"]
            if time.monotonic() + pause >= deadline:
                time.sleep(max(0.0, pause - (time.monotonic() - started)))
                break
            time.sleep(max(0.0, pause - (time.monotonic() - started)))
        return sent


def moment_of(text: str, zone: str) -> datetime:
    """A moment from its text and its zone.

    Raises:
        ValueError: one of them is none.
    """
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=ZoneInfo(zone))
    except ZoneInfoNotFoundError as error:
        raise ValueError(f"there is no time zone {zone}") from error


def take_lock(path: Path) -> int | None:
    """Lock a file that PHP and the mail program inherit; None while an earlier sender still lives."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **PHP_ARGUMENTS,
            **SQL_ARGUMENTS,
            "release": {"type": "str", "required": True},
            "database": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["sent", "listed", "ended"], "default": "sent"},
            "only": {"type": "list", "elements": "str"},
            "run_began": {"type": "int", "default": 0},
            "per_minute": {"type": "int", "default": 60},
            "seconds": {"type": "int", "default": 15},
            "lock_file": {"type": "path", "required": True},
            "default_site": {"type": "str", "default": "s1"},
            "work_begins": {"type": "str"},
            "timezone": {"type": "str", "default": "UTC"},
        },
        supports_check_mode=True,
    )
    if PYMYSQL_ERROR:
        module.fail_json(msg="this host lacks python3-pymysql", exception=PYMYSQL_ERROR)
    moment = time.time_ns() // 1000
    changed, sent, busy = False, 0, False
    expiring: list[str] = []
    try:
        work_begins = module.params["work_begins"]
        begins = moment_of(work_begins, module.params["timezone"]) if work_begins else None
    except ValueError as error:
        module.fail_json(msg=f"when work begins: {error}; write it as 2026-11-23 09:00")
    try:
        sender = Sender(module, Database(module.params))
        if begins is not None:
            expiring = sender.expiring(begins, datetime.now(tz=begins.tzinfo))
        if module.params["state"] == "ended":
            changed = sender.close_captcha(dry=module.check_mode)
        elif module.params["state"] == "sent" and sender.left() and module.check_mode:
            changed = True
        elif module.params["state"] == "sent":
            lock = take_lock(Path(module.params["lock_file"]))
            busy = lock is None
            if lock is None:
                time.sleep(1)
            else:
                sender.settle()
                if sender.left():
                    sender.open_captcha()
                    sent = sender.send(lock)
            changed = sent > 0
        left = len(sender.left())
        people = sender.report()
        accounts = sender.accounts()
        refused, unfit = sender.refused(), sender.unfit()
    except (SqlError, PhpError) as error:
        module.fail_json(msg=f"password letters of {module.params['release']}: {error}")
    finished = module.check_mode or module.params["state"] != "sent" or (left == 0 and not busy)
    module.exit_json(
        changed=changed,
        finished=finished,
        sent=sent,
        left=left,
        moment=moment,
        people=people,
        accounts=accounts,
        refused=refused,
        unfit=unfit,
        expiring=expiring,
        boxlift_progress=Sender.progress(people, module.params["per_minute"]) if not finished else {},
    )


if __name__ == "__main__":
    main()
