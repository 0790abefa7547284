"""The journal: every attempt, task, word of a person and incident of a move, with its time."""

from boxlift.journal.records import Attempt, Incident, Result, Segment, Verdict
from boxlift.journal.store import Journal, JournalError, JournalFullError

__all__ = [
    "Attempt",
    "Incident",
    "Journal",
    "JournalError",
    "JournalFullError",
    "Result",
    "Segment",
    "Verdict",
]
