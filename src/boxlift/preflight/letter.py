"""The test letter: sent over the portal's way of mail, and proved by the word that its reader gives back.

The journal keeps a hash of the word, so that only who has read the letter can tell it.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from boxlift.errors import StepFailedError, UsageError
from boxlift.figures import local
from boxlift.journal import Journal
from boxlift.plan import Pass
from boxlift.preflight.finding import Finding
from boxlift.preflight.playbook import running
from boxlift.project import Project
from boxlift.runner.events import Reader

SENT, READ = "test letter sent", "test letter read"
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without signs that people take for each other."""
_LENGTH = 6
_ADDRESS = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\"]+\.[^@\s,;<>\"]+")


def send_letter(project: Project, to: str) -> None:
    """Send a letter with a new word from production's portal host.

    :raises UsageError: `to` is no address.
    :raises StepFailedError: the mail server did not take it.
    """
    if not _ADDRESS.fullmatch(to):
        raise UsageError(f"`{to}` is no mail address", cure="name one: boxlift check --letter-to NAME@DOMAIN")
    word = "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH))
    reader = Reader()
    told = {"check_letter_to": to, "check_letter_word": word}
    with project.lock("test letter"), running(project, "letter", "send_test_letter.yml", told) as run:
        for event in run.events(lambda: None):
            reader.read(event)
        failure = reader.failure(run.return_code)
    if failure is not None:
        where = f" on {failure.host}" if failure.host else ""
        raise StepFailedError(f"the test letter was not taken{where}: {failure.cause}", failure.code)
    with project.journal() as journal:
        journal.incident(Pass.REHEARSAL, SENT, f"to {to}, word {_hash(word)}")


def confirm_letter(project: Project, word: str) -> None:
    """A person has read the letter.

    :raises UsageError: no letter was sent with this word.
    """
    with project.journal() as journal:
        sent = _newest(journal, SENT)
        if sent is None:
            raise UsageError("no test letter was sent", cure="boxlift check --letter-to NAME@DOMAIN")
        if not sent[1].endswith(f", word {_hash(word.strip().upper())}"):
            raise UsageError(
                "the last test letter had another word", cure="look at the newest letter, or send one more"
            )
        journal.incident(Pass.REHEARSAL, READ, sent[1].partition(", word")[0])


def check_letter(project: Project) -> Finding:
    """Whether a person has read a test letter since the last one was sent."""
    with project.journal() as journal:
        sent, read = _newest(journal, SENT), _newest(journal, READ)
    limit = "sent, and read by a person"
    if sent is None:
        return Finding(
            "test letter",
            "project",
            False,
            "never sent",
            limit,
            "boxlift check --letter-to NAME@DOMAIN",
            warning=True,
        )
    to = sent[1].partition(", word")[0]
    ok = read is not None and read[0] >= sent[0]
    measured = f"read, {to}, {local(read[0])}" if ok and read is not None else f"sent {to} {local(sent[0])}"
    cure = "read the word in its subject, look whether it lay among spam: boxlift check --letter-word WORD"
    return Finding("test letter", "project", ok, measured, limit, cure, warning=True)


def _newest(journal: Journal, kind: str) -> tuple[float, str] | None:
    found = [(incident.at, incident.text) for incident in journal.incidents() if incident.kind == kind]
    return max(found, default=None)


def _hash(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:12]
