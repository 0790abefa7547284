"""How long a step takes, from what the journal knows of it, else from the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from boxlift.figures import duration
from boxlift.journal import Attempt
from boxlift.plan.model import Step


@dataclass(frozen=True)
class Estimate:
    """Seconds that a step will take; None where nobody said.

    `low` and `high` are the least and most of `samples` earlier times, `bytes` what the last of them moved.
    """

    seconds: float | None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    bytes: int | None = None

    @property
    def confidence(self) -> str:
        """What stands behind the figure. With k runs the next one is within their worst with k/(k+1)."""
        if self.seconds is None:
            return "nothing is known of its time"
        if not self.samples:
            return "as the plan guesses"
        share = f"{round(100 * self.samples / (self.samples + 1))} %"
        if self.samples == 1:
            return f"measured once, the next is below that with {share}"
        span = f"{duration(self.low)} to {duration(self.high)}"
        return f"{span} in {self.samples} runs, the next is below the worst with {share}"


UNKNOWN = Estimate(None)


def estimate(step: Step, attempts: Sequence[Attempt], release: str) -> Estimate:
    """From the times that other releases took it, the newest first; `attempts` are without check mode.

    An attempt that failed or was ended is part of the time that the step took.
    """
    spent: dict[tuple[str, str], float] = {}
    done: dict[tuple[str, str], Attempt] = {}
    for attempt in attempts:
        key = attempt.pass_, attempt.release
        if attempt.step != step.id or attempt.release == release or key in done:
            continue
        spent[key] = spent.get(key, 0.0) + (attempt.seconds or 0.0)
        if attempt.outcome == "done":
            done[key] = attempt
    if not done:
        return Estimate(step.estimate)
    times = [spent[key] for key in done]
    last = list(done.values())[-1]
    return Estimate(times[-1], min(times), max(times), len(times), last.bytes)
