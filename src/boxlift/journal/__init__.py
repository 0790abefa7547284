"""The journal: every attempt, task, word of a person and incident of a move, with its time."""

from boxlift.journal.records import Attempt, Frozen, Incident, Measure, Result, Segment, Verdict
from boxlift.journal.store import Journal, JournalError, JournalFullError

__all__ = [
    "Attempt",
    "Frozen",
    "Incident",
    "Journal",
    "JournalError",
    "JournalFullError",
    "Measure",
    "Result",
    "Segment",
    "Verdict",
]
