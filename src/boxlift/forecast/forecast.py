"""One forecast: everything that is known of a pass, put together."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from boxlift.figures import count
from boxlift.forecast.arrivals import ArrivalPattern
from boxlift.forecast.decision import all_rates, decision, finish, gap, starts, window
from boxlift.forecast.fact import coverage, facts, quantiles
from boxlift.forecast.history import History, backup_step, read_history
from boxlift.forecast.move import Move, Streams, cut_over_steps, live_restore, simulate
from boxlift.forecast.restoring import Live
from boxlift.forecast.result import (
    Basis,
    Bound,
    CutOver,
    Forecast,
    Lane,
    Restore,
    Source,
    StepForecast,
)
from boxlift.forecast.sample import Draws
from boxlift.journal import Journal
from boxlift.plan.model import Kind, Pass, Plan
from boxlift.plan.state import Position, State, position

DRAWS = 2000
SEED = 1
_MOST_NAMES = 4
_AROUND_P80 = np.linspace(0.7, 0.9, 21)


@dataclass(frozen=True)
class Question:
    """What is asked. `size`: bytes of the new backup; `deadline`: seconds since 1970; None: what is known.

    `detail`: with the hours to start at, the facts and the coverage, which take longer.
    """

    pass_: Pass
    size: int | None = None
    size_from: str = "as you said"
    deadline: float | None = None
    now: float | None = None
    draws: int = DRAWS
    seed: int = SEED
    detail: bool = True


def forecast(
    plan: Plan,
    journal: Journal,
    question: Question,
    arrivals: ArrivalPattern | None = None,
    *,
    runner_alive: bool = False,
) -> Forecast:
    """Forecast a pass from the journal. The same journal, question and `now` give the same answer."""
    now = time.time() if question.now is None else question.now
    where = position(plan, journal, question.pass_, runner_alive=runner_alive)
    history = read_history(plan, journal)
    needs = {item.step.id: plan.needs(item.step.id, question.pass_) for item in where.in_pass}
    live = live_restore(journal, where)
    size, size_from = _size(question, history, live)
    move = simulate(
        where, needs, history, size=size, live=live, now=now, draws=question.draws, seed=question.seed
    )
    streams = Streams(question.seed)
    opened = window(where, move, arrivals, now)
    rated = all_rates(arrivals)
    the_facts = facts(history, journal.forecasts()) if question.detail else []
    end = move.end
    return Forecast(
        pass_name=question.pass_,
        release=where.release,
        made=now,
        seed=question.seed,
        draws=question.draws,
        complete=not where.ahead,
        steps=_steps(where, move, now),
        restore=_restore(move, size, size_from, history),
        cut_over=_cut_over(plan, where, move, history, now=now, size=size),
        finish=None if end is None else finish(now, quantiles(end)),
        gap=gap(opened, rated, arrivals, streams) if opened else None,
        starts=starts(opened, move, rated, arrivals, now=now, deadline=question.deadline, streams=streams)
        if opened and question.detail
        else None,
        decision=decision(where, move, now=now, deadline=question.deadline)
        if question.deadline is not None
        else None,
        facts=tuple(the_facts),
        coverage=tuple(coverage(plan, history, the_facts, question.seed)) if question.detail else (),
        notes=tuple(_notes(where, move, history, opened is not None, arrivals)),
    )


def _size(question: Question, history: History, live: Live | None) -> tuple[int | None, str]:
    if question.size is not None:
        return question.size, question.size_from
    if live is not None and live.total:
        return live.total, "the restore that has begun"
    last = next((item.total for item in reversed(history.restores) if item.total), None)
    return last, "the last backup that was restored" if last else "not known"


def _steps(where: Position, move: Move, now: float) -> tuple[StepForecast, ...]:
    shares = move.critical()
    cut_end = move.cut_end
    found = []
    for item in where.in_pass:
        ahead = move.steps.get(item.step.id)
        share = shares.get(item.step.id, 0.0)
        halving = 0.0
        if share > 0 and cut_end is not None:
            halving = _gain(cut_end, move.halved(item.step.id))
        found.append(
            StepForecast(
                id=item.step.id,
                title=item.step.title,
                phase=item.phase.id,
                owner=item.step.owner,
                kind=item.step.kind,
                state=item.state,
                seconds=quantiles(ahead.seconds) if ahead else None,
                took=None if ahead else item.seconds,
                ends=finish(now, quantiles(move.ends[item.step.id])) if ahead else None,
                critical=min(1.0, share),
                halving=halving,
                basis=ahead.basis
                if ahead
                else Basis(source=Source.FACT, runs=item.attempts, samples=item.attempts, text="done"),
            )
        )
    return tuple(found)


def _restore(move: Move, size: int | None, size_from: str, history: History) -> Restore:
    earlier = next((item.total for item in reversed(history.restores) if item.total), None)
    drawn = move.restore
    return Restore(
        bytes=size,
        bytes_from=size_from,
        earlier=earlier,
        rate=quantiles(drawn.rate) if drawn is not None and drawn.rate is not None else None,
        lanes=tuple(
            Lane.model_validate({"id": name, "seconds": quantiles(lane.seconds), "basis": lane.basis})
            for name, lane in drawn.lanes.items()
        )
        if drawn is not None
        else (),
    )


def _cut_over(
    plan: Plan, where: Position, move: Move, history: History, *, now: float, size: int | None
) -> CutOver | None:
    end, from_now = move.cut_end, move.cut_from_now
    if end is None or from_now is None:
        return None
    steps = cut_over_steps(where)
    last = list(move.cut)[int(np.bincount(_last_of(move)).argmax())]
    gains = {name: _gain(end, move.halved(name)) for name in move.cut}
    dominant = max(gains, key=lambda name: gains[name])
    return CutOver(
        first=steps[0].step.id,
        last=last,
        begun=any(item.state in {State.DONE, State.RUNNING} for item in steps),
        seconds=quantiles(end),
        ends=finish(now, quantiles(from_now)),
        dominant=dominant if gains[dominant] > 0 else None,
        bound=_bound(plan, where, history, size),
    )


def _gain(end: Draws, sooner: Draws) -> float:
    """By how much the P80 comes nearer; from the levels around it, for one level of draws is unsteady."""
    return max(0.0, float(np.mean(np.quantile(end, _AROUND_P80) - np.quantile(sooner, _AROUND_P80))))


def _last_of(move: Move) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """For each draw the number of the step that ends last."""
    drawn: np.ndarray[tuple[int], np.dtype[np.intp]] = np.argmax(np.stack(list(move.cut.values())), axis=0)
    return drawn


def _bound(plan: Plan, where: Position, history: History, size: int | None) -> Bound | None:
    """The longest restore so far, brought to the new size."""
    step = backup_step(plan, where.pass_)
    wholes = [
        item.whole * (size / item.total if size and item.total else 1.0)
        for item in history.restores
        if item.whole is not None
    ]
    if step is None or not wholes:
        return None
    runs = len(wholes)
    return Bound(step=step.id, runs=runs, worst=max(wholes), chance=runs / (runs + 1))


def _notes(
    where: Position,
    move: Move,
    history: History,
    has_gap: bool,
    arrivals: ArrivalPattern | None,
) -> list[str]:
    """What the reader must know to trust the figures rightly."""
    notes = []
    runs = sum(restored.whole is not None for restored in history.restores)
    ahead = [item for item in where.ahead if item.step.backup]
    if ahead and not runs and move.restore is None:
        notes.append("no restore has been measured yet: that step is the plan's guess")
    elif ahead and not runs:
        notes.append(
            "no restore has come to its end yet: what it does beside the transfer counts for nothing"
        )
    elif ahead and runs == 1:
        notes.append(
            "one restore was measured: how much the next differs is a prior of boxlift's, not an observation"
        )
    guessed = [name for name, step in move.steps.items() if step.basis.source is Source.ESTIMATE]
    if guessed:
        shown = ", ".join(guessed[:_MOST_NAMES]) + (", ..." if len(guessed) > _MOST_NAMES else "")
        rest = "rests" if len(guessed) == 1 else "rest"
        notes.append(f"{count(len(guessed), 'step')} {rest} on the plan's guess alone: {shown}")
    if any(item.step.kind is Kind.CONFIRM for item in where.ahead):
        notes.append("persons' steps are counted around the clock, nights included, as they were measured")
    if has_gap and arrivals is None:
        notes.append("nobody has counted yet when leads come: boxlift run restore-backup does")
    return notes
