"""What a suite must have proved before a person may confirm a step, and whether it has."""

from __future__ import annotations

from boxlift.journal import Journal
from boxlift.plan.model import Step
from boxlift.plan.state import Position

_RAN = frozenset({"ok", "failed"})


def unproved(journal: Journal, where: Position, step: Step) -> str | None:
    """Why the step's proof does not stand; None where it does, or where the step asks for none.

    Only the last run of the suite counts, and only one that began after all that the step needs was done.
    """
    if step.proof is None:
        return None
    since = max((where.of(need).ended or 0.0 for need in step.needs), default=0.0)
    for attempt in reversed(journal.attempts()):
        if attempt.trial or attempt.release != where.release or attempt.started < since:
            continue
        ran = [
            result
            for result in journal.results(attempt.id)
            if result.play == step.proof and result.outcome in _RAN
        ]
        if not ran:
            continue
        failed = [result for result in ran if result.outcome == "failed"]
        if failed:
            return (failed[0].cause or failed[0].task).partition("\n")[0]
        if attempt.outcome == "done":
            return None
        break
    return f"suite `{step.proof}` has not passed since {' and '.join(step.needs) or 'the restore'}"
