"""Simulated moves: how long each step that is ahead will take, drawn many times."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from boxlift.forecast.history import History
from boxlift.forecast.path import critical, ends, latest
from boxlift.forecast.restoring import Live, RestoreDraws, draw_restore
from boxlift.forecast.result import Basis, Source
from boxlift.forecast.sample import MACHINE, PERSON, Draws, guessed, predicted, still
from boxlift.journal import Journal
from boxlift.plan.model import Kind, Urgency
from boxlift.plan.state import Position, State, StepState

_UNKNOWN = {Kind.CONFIRM: 3600.0, Kind.PLAYBOOK: 900.0, Kind.SUITE: 300.0}
"""Seconds of a step of which neither plan nor journal says anything."""
_REACTION = 600.0
"""Seconds until somebody goes on after a failure, where none was seen."""
_MOST_FAILURES = 5
_FAILURE = 0.05
"""Share of tries that fail, before anything was seen: a prior of boxlift's."""
_FAILURE_WEIGHT = 10.0
"""Tries that this prior weighs against those of all steps: the first ones must not speak for all others."""
_OWN_WEIGHT = 2.0
"""Tries that all steps' rate of failures weighs against those of the step itself."""
_FOREVER = 366 * 86400.0
"""Seconds: no step is said to take longer; calendars end."""
_LOOK_SECONDS = 45 * 86400.0


class Streams:
    """Random numbers by name: what one step draws does not change what another one gets."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def __call__(self, name: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, zlib.crc32(name.encode())])


@dataclass(frozen=True)
class Ahead:
    """A step that is not done: seconds from the moment that it can start, or what is left of them."""

    item: StepState
    seconds: Draws
    basis: Basis


@dataclass(frozen=True)
class Move:
    """What is ahead in a pass, drawn `draws` times.

    `ends` are seconds from now, `cut` the same within the cut-over alone (what comes before it left out).
    """

    draws: int
    steps: dict[str, Ahead]
    needs: dict[str, list[str]]
    ends: dict[str, Draws]
    cut: dict[str, Draws]
    restore: RestoreDraws | None

    @property
    def end(self) -> Draws | None:
        return latest(self.ends, list(self.ends)) if self.ends else None

    @property
    def cut_end(self) -> Draws | None:
        return latest(self.cut, list(self.cut)) if self.cut else None

    @property
    def cut_from_now(self) -> Draws | None:
        """When the cut-over ends if all goes on now: what comes before it included."""
        return latest(self.ends, list(self.cut)) if self.cut else None

    def critical(self) -> dict[str, float]:
        """For each step of the cut-over, the share of draws in which its end waits for it."""
        return critical(list(self.cut), self.needs, self.cut, list(self.cut)) if self.cut else {}

    def halved(self, step: str) -> Draws:
        """The cut-over's end, if one step took half as long."""
        seconds = {name: self.steps[name].seconds for name in self.cut}
        seconds[step] = seconds[step] / 2
        return latest(ends(list(self.cut), self.needs, seconds), list(self.cut))


def cut_over_steps(position: Position) -> list[StepState]:
    """Steps that people wait for: phases of high urgency; all of the pass where the plan has none."""
    high = [item for item in position.in_pass if item.phase.urgency is Urgency.HIGH]
    return high or position.in_pass


def simulate(
    position: Position,
    needs: dict[str, list[str]],
    history: History,
    *,
    size: int | None,
    live: Live | None,
    now: float,
    draws: int,
    seed: int,
) -> Move:
    """Draw what is ahead.

    :param needs: of each step in this pass.
    :param history: all runs; what the pass's own restore has left half done counts as `live`, not there.
    :param size: bytes of the new backup, if known.
    """
    streams = Streams(seed)
    steps: dict[str, Ahead] = {}
    restore: RestoreDraws | None = None
    earlier = [
        run.restored
        for run in history.runs
        if run.restored is not None and (run.pass_, run.release) != (position.pass_, position.release)
    ]
    for item in position.ahead:
        random = streams(item.step.id)
        if item.step.backup:
            restore = draw_restore(earlier, size, live, draws, random)
        found = restore if item.step.backup else None
        steps[item.step.id] = _ahead(item, found, history, live=live, now=now, draws=draws, random=random)
    order = list(steps)
    seconds = {name: step.seconds for name, step in steps.items()}
    within = {item.step.id for item in cut_over_steps(position)}
    return Move(
        draws=draws,
        steps=steps,
        needs=needs,
        ends=ends(order, needs, seconds),
        cut=ends([name for name in order if name in within], needs, seconds),
        restore=restore,
    )


def _ahead(
    item: StepState,
    restore: RestoreDraws | None,
    history: History,
    *,
    live: Live | None,
    now: float,
    draws: int,
    random: np.random.Generator,
) -> Ahead:
    of_work, of_rest, of_failure = random.spawn(3)
    seen = history.seconds(item.step.id)
    if restore is not None:
        work, basis = restore.seconds, restore.basis
    elif seen:
        between = PERSON if item.step.kind is Kind.CONFIRM else MACHINE
        work = predicted(seen, between, draws, of_work)
        basis = Basis(source=Source.HISTORY, runs=len(seen), samples=len(seen), text=_times(len(seen)))
    else:
        median = item.step.estimate if item.step.estimate is not None else _UNKNOWN[item.step.kind]
        work = guessed(float(median), draws, of_work)
        text = "the plan's guess" if item.step.estimate is not None else "nobody has said"
        basis = Basis(source=Source.ESTIMATE, runs=0, samples=0, text=text)
    began = item.started if item.state in {State.RUNNING, State.WAITING} else None
    if began is not None and not (restore is not None and live is not None):
        work = still(work, now - began, of_rest)
    if item.step.kind is not Kind.CONFIRM:
        work = work + _failures(item, work, history, draws=draws, random=of_failure)
    return Ahead(item, np.minimum(work, _FOREVER), basis)


def _times(times: int) -> str:
    chance = 100 * times // (times + 1)
    return f"{'once' if times == 1 else f'{times} times'}; the next is below the worst with {chance} %"


def _failures(
    item: StepState, work: Draws, history: History, *, draws: int, random: np.random.Generator
) -> Draws:
    """Seconds that failures cost: a restore goes on where it stood, other steps begin anew.

    The chance of a failure is a draw for all steps, of their failures and tries and a prior of 0.05 that
    weighs as much as ten tries; then one for the step, of its own failures and tries, where the chance of all
    steps weighs as much as two. Before the first try nothing is said to fail.
    """
    failures, tries = history.tried()
    if not tries:
        return np.zeros(draws)
    of_all, of_own, of_number, of_share, of_reaction = random.spawn(5)
    shared = of_all.beta(
        failures + _FAILURE_WEIGHT * _FAILURE,
        tries - failures + _FAILURE_WEIGHT * (1 - _FAILURE),
        draws,
    )
    own_failures, own_tries = history.tried(item.step.id)
    chance = of_own.beta(
        own_failures + _OWN_WEIGHT * shared + 0.01,
        own_tries - own_failures + _OWN_WEIGHT * (1 - shared) + 0.01,
    )
    number = np.minimum(of_number.geometric(np.clip(1 - chance, 0.05, 1.0)) - 1, _MOST_FAILURES)
    reactions = history.reactions
    reaction = (
        predicted(reactions, PERSON, draws, of_reaction)
        if reactions
        else guessed(_REACTION, draws, of_reaction)
    )
    lost = 0.0 if item.step.backup else of_share.random(draws) * work
    pending = 1.0 if item.state is State.FAILED else 0.0
    cost: Draws = number * (reaction + lost) + pending * reaction
    return cost


def live_restore(journal: Journal, position: Position) -> Live | None:
    """How far the pass's own restore is, from the looks at it; None where it has not begun or is done."""
    item = next((item for item in position.ahead if item.step.backup), None)
    if item is None:
        return None
    looks = [
        look
        for attempt in journal.attempts()
        if attempt.step == item.step.id and attempt.release == position.release and not attempt.trial
        for look in journal.segments(attempt.id)
    ]
    known = [look for look in looks if look.bytes is not None]
    if not known:
        return None
    arrived = seconds = 0.0
    last = known[-1]
    for before, after in pairwise(known):
        gained, took = (after.bytes or 0) - (before.bytes or 0), after.at - before.at
        fetching = before.state == "running" and before.bytes != last.bytes_total
        # a pause between two attempts is no slow line, and a clock can be set back
        if fetching and gained >= 0 and 0 < took < _LOOK_SECONDS:
            arrived, seconds = arrived + gained, seconds + took
    return Live(
        total=last.bytes_total,
        fetched=last.bytes or 0,
        arrived=arrived,
        seconds=seconds,
        unpacked=_share(last.parts, last.parts_total),
        loaded=_share(last.tables, last.tables_total),
        tables=last.tables_total,
    )


def _share(done: int | None, total: int | None) -> float:
    return min(1.0, done / total) if done and total else 0.0
