"""Forecast against fact: what was frozen before, and what each run would have been told by the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from pydantic import ValidationError

from boxlift.forecast.history import History, Run
from boxlift.forecast.move import Streams
from boxlift.forecast.restoring import draw_restore
from boxlift.forecast.result import LEVELS, Coverage, Fact, Forecast, Quantiles
from boxlift.forecast.sample import MACHINE, PERSON, Draws, predicted
from boxlift.journal import Frozen
from boxlift.plan.model import Kind, Pass, Plan

CUT_OVER = "cut-over"
NOMINAL = 0.8
_PINBALL_LEVELS = (0.1, 0.5, 0.9)
_REPLAY_DRAWS = 1000


def quantiles(drawn: Draws) -> Quantiles:
    """Five quantiles of draws; never below nothing."""
    p10, p50, p80, p90, p95 = (max(0.0, float(value)) for value in np.quantile(drawn, LEVELS))
    return Quantiles(p10=p10, p50=p50, p80=p80, p90=p90, p95=p95)


def facts(history: History, frozen: Sequence[Frozen]) -> list[Fact]:
    """Each step that is done, and the cut-over, against the last forecast frozen before it began."""
    known = sorted(_read(frozen), key=lambda forecast: forecast.made)
    found: list[Fact] = []
    for run in history.runs:
        own = [item for item in known if (item.pass_name, item.release) == (run.pass_, run.release)]
        for step, took in run.elapsed.items():
            began = run.ended.get(step, 0.0) - took
            before = [item for item in own if item.made <= began + 1.0]
            told = before[-1].step(step) if before else None
            if told is not None and told.seconds is not None:
                found.append(_fact(run, step, before[-1].made, told.seconds, took))
        found += _cut_over(run, own)
    return found


def _read(frozen: Iterable[Frozen]) -> Iterator[Forecast]:
    """What an older boxlift has frozen may be of another form: it is left out."""
    for item in frozen:
        try:
            yield Forecast.model_validate_json(item.content)
        except ValidationError:
            continue


def _cut_over(run: Run, own: Sequence[Forecast]) -> Iterator[Fact]:
    """The last forecast before the restore began, from its moment to the end of the last step."""
    usable = [item for item in own if item.cut_over is not None and item.cut_over.last in run.ended]
    before = [item for item in usable if run.restoring is None or item.made <= run.restoring + 1.0]
    if not before or before[-1].cut_over is None:
        return
    told, cut = before[-1], before[-1].cut_over
    took = run.ended[cut.last] - told.made
    values = {name: at - told.made for name, at in cut.ends.model_dump().items()}
    if took > 0:
        yield _fact(run, CUT_OVER, told.made, Quantiles(**values), took)


def _fact(run: Run, step: str, frozen: float, told: Quantiles, took: float) -> Fact:
    return Fact(
        pass_name=Pass(run.pass_),
        release=run.release,
        step=step,
        frozen=frozen,
        seconds=told,
        took=took,
        inside=told.p10 <= took <= told.p90,
    )


def coverage(plan: Plan, history: History, found: Sequence[Fact], seed: int) -> list[Coverage]:
    """How often the interval held: in frozen forecasts, and in a replay that leaves out one run each time."""
    pairs = [(fact.seconds, fact.took) for fact in found if fact.step != CUT_OVER]
    return [_coverage("frozen", pairs), _coverage("replay", list(replay(plan, history, seed)))]


def replay(plan: Plan, history: History, seed: int) -> Iterator[tuple[Quantiles, float]]:
    """What the other runs would have said of each step of a run, and how long it took."""
    streams = Streams(seed)
    steps = {step.id: step for _, step in plan.steps()}
    for run in history.runs:
        others = history.without(run)
        for name, took in run.seconds.items():
            step, random = steps[name], streams(f"replay {run.release} {name}")
            seen = others.seconds(name)
            if step.backup and run.restored is not None:
                drawn = draw_restore(others.restores, run.restored.total, None, _REPLAY_DRAWS, random)
                if drawn is not None:
                    yield quantiles(drawn.seconds), took
            elif seen:
                between = PERSON if step.kind is Kind.CONFIRM else MACHINE
                yield quantiles(predicted(seen, between, _REPLAY_DRAWS, random)), took


def _coverage(method: str, pairs: Sequence[tuple[Quantiles, float]]) -> Coverage:
    inside = sum(told.p10 <= took <= told.p90 for told, took in pairs)
    losses = [
        max(level * (took - value), (level - 1) * (took - value))
        for told, took in pairs
        for level, value in zip(_PINBALL_LEVELS, (told.p10, told.p50, told.p90), strict=True)
    ]
    return Coverage.model_validate(
        {
            "method": method,
            "nominal": NOMINAL,
            "inside": inside,
            "of": len(pairs),
            "pinball": sum(losses) / len(losses) if losses else None,
        }
    )
