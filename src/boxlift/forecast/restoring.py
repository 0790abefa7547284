"""How long a restore takes: transfer, unpacking and load side by side, and what is before and after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from boxlift.figures import count
from boxlift.forecast.history import Restored
from boxlift.forecast.result import Basis, Source
from boxlift.forecast.sample import (
    LINE,
    MACHINE,
    SERVER,
    Draws,
    block_ratio,
    jeffreys,
    predicted,
    predicted_log,
    spread,
)

_TABLE_SPREAD = 0.15
"""How much a table's own rate differs from one load to the next: standard deviation of the logarithm."""
_MOST_PARTS = 10_000
_LEAST_REST = 1.0
_LITTLE = 1e-9
_LEAST_SECONDS = 0.001


@dataclass(frozen=True)
class Live:
    """A restore that has begun: `arrived` bytes came in `seconds`; `unpacked`, `loaded` are shares done."""

    total: int | None
    fetched: int
    arrived: float
    seconds: float
    unpacked: float
    loaded: float
    tables: int | None

    @property
    def pace(self) -> float | None:
        """Seconds per byte; None where too little has come to say."""
        return self.seconds / self.arrived if self.arrived >= 1 and self.seconds >= _LEAST_SECONDS else None


@dataclass(frozen=True)
class LaneDraws:
    """One lane of the restore by itself."""

    seconds: Draws
    basis: Basis


@dataclass(frozen=True)
class RestoreDraws:
    """What is left of the restore; `rate` in bytes per second, None where no transfer was seen."""

    seconds: Draws
    rate: Draws | None
    lanes: dict[str, LaneDraws]
    basis: Basis


def draw_restore(
    restores: Sequence[Restored],
    size: int | None,
    live: Live | None,
    draws: int,
    random: np.random.Generator,
) -> RestoreDraws | None:
    """Draws of what is left to do; None where nothing but the plan's guess is known.

    :param restores: earlier ones, oldest first, whether or not they came to their end.
    :param size: bytes of the new backup; None if unknown, then it is as large as the last.
    """
    paced = [restored for restored in restores if restored.pace is not None]
    size = size or next((restored.total for restored in reversed(restores) if restored.total), None)
    if not paced and (live is None or live.pace is None):
        return _by_wholes(restores, size, draws, random)
    if size is None:
        return None
    # each lane has numbers of its own: one that draws more of them does not change the others
    of_pace, of_ratio, of_again, of_unpack, of_load, of_rest = random.spawn(6)
    pace, basis = _pace(paced, size, live, draws, of_pace)
    left = max(0, size - (live.fetched if live else 0))
    transfer = pace * left * _ratio(paced, pace, left, draws, of_ratio)
    transfer *= 1 + _again(paced, size, draws, of_again)
    unpack, unpack_after, unpack_basis = _unpack(restores, size, draws, of_unpack)
    load, load_after, load_basis = _load(restores, size, live, draws, of_load)
    if live is not None:
        unpack, load = unpack * (1 - live.unpacked), load * (1 - live.loaded)
        unpack_after = load_after = 0.0
    rest, rest_basis = _rest(restores, draws, of_rest)
    longest = np.maximum(transfer, np.maximum(unpack_after * transfer + unpack, load_after * transfer + load))
    return RestoreDraws(
        seconds=longest + rest,
        rate=1 / np.maximum(pace, _LITTLE * _LITTLE),
        lanes={
            "transfer": LaneDraws(transfer, basis),
            "unpack": LaneDraws(unpack, unpack_basis),
            "load": LaneDraws(load, load_basis),
            "rest": LaneDraws(rest, rest_basis),
        },
        basis=basis,
    )


def _by_wholes(
    restores: Sequence[Restored], size: int | None, draws: int, random: np.random.Generator
) -> RestoreDraws | None:
    """Where no rate was seen: the time of whole restores, in the ratio of the sizes."""
    wholes = [
        restored.whole * (size / restored.total if size and restored.total else 1.0)
        for restored in restores
        if restored.whole
    ]
    if not wholes:
        return None
    basis = Basis(
        source=Source.HISTORY, runs=len(wholes), samples=len(wholes), text=f"{count(len(wholes), 'restore')}"
    )
    return RestoreDraws(predicted(wholes, MACHINE, draws, random), None, {}, basis)


def _pace(
    paced: Sequence[Restored], size: int, live: Live | None, draws: int, random: np.random.Generator
) -> tuple[Draws, Basis]:
    """Seconds per byte of this run's line: earlier runs, and with growing weight what has come already."""
    logs = [float(np.log(restored.pace)) for restored in paced if restored.pace is not None]
    slices = sum(len(restored.seconds) for restored in paced)
    if live is None or live.pace is None:
        measured = all(restored.measured for restored in paced)
        text = f"{count(slices, 'slice')} of {count(len(paced), 'transfer')}"
        if len(paced) == 1:
            text += "; how days differ is a prior"
        basis = Basis(
            source=Source.MEASURED if measured else Source.HISTORY,
            runs=len(paced),
            samples=slices,
            text=text,
        )
        return np.exp(predicted_log(logs, LINE, draws, random)), basis
    came = min(0.999, live.fetched / size) if size else 0.0
    # what is left may differ from what came as one day does from another, the less the more has come
    doubt = spread(logs, LINE) ** 2 * (1 - came) / max(came, _LITTLE)
    here = float(np.log(live.pace))
    if logs:
        prior = spread(logs, LINE) ** 2
        weight = prior / (prior + doubt)
        centre = weight * here + (1 - weight) * sum(logs) / len(logs)
        variance = weight * doubt
    else:
        weight, centre, variance = 1.0, here, min(doubt, 1.0)
    drawn: Draws = np.exp(centre + np.sqrt(variance) * random.standard_normal(draws))
    basis = Basis(
        source=Source.LIVE,
        runs=len(paced),
        samples=slices,
        text=f"{100 * came:.0f} % has come; this line weighs {100 * weight:.0f} %",
    )
    return drawn, basis


def _ratio(
    paced: Sequence[Restored], pace: Draws, left: float, draws: int, random: np.random.Generator
) -> Draws:
    """Moving-block bootstrap over the slices of all runs, each against its own run's mean rate."""
    if not paced:
        return np.ones(draws)
    seconds = np.concatenate([restored.seconds for restored in paced])
    expected = np.concatenate([restored.bytes * (restored.pace or 0.0) for restored in paced])
    return block_ratio(seconds, expected, float(np.median(pace)) * left, draws, random)


def _again(paced: Sequence[Restored], size: int, draws: int, random: np.random.Generator) -> Draws:
    """Share of the bytes that are fetched twice, as parts that arrive damaged are."""
    known = [restored for restored in paced if restored.parts]
    if not known:
        return np.zeros(draws)
    parts = sum(restored.parts for restored in known)
    chance = jeffreys(min(sum(restored.repairs for restored in known), parts), parts, draws, random)
    last = known[-1]
    new = max(1, min(_MOST_PARTS, round(last.parts * (size / last.total if last.total else 1.0))))
    again: Draws = random.binomial(new, chance) / new
    return again


def _scale(restored: Restored, size: int) -> float:
    return size / restored.total if restored.total else 1.0


def _unpack(
    restores: Sequence[Restored], size: int, draws: int, random: np.random.Generator
) -> tuple[Draws, float, Basis]:
    known = [restored for restored in restores if restored.unpack > 0 and restored.whole is not None]
    parts = sum(restored.parts for restored in known)
    basis = _measured(len(known), parts, "part")
    if not known:
        return np.zeros(draws), 0.0, basis
    seconds = [restored.unpack * _scale(restored, size) for restored in known]
    return predicted(seconds, SERVER, draws, random), known[-1].unpack_after, basis


def _load(
    restores: Sequence[Restored], size: int, live: Live | None, draws: int, random: np.random.Generator
) -> tuple[Draws, float, Basis]:
    """Each table at its own rate and the new size; tables that are new at a rate from all of them."""
    known = [restored for restored in restores if restored.tables and restored.whole is not None]
    basis = _measured(len(known), sum(len(restored.tables) for restored in known), "table")
    if not known:
        return np.zeros(draws), 0.0, basis
    last = known[-1]
    scale = _scale(last, size)
    paces: dict[str, list[float]] = {}
    for restored in known:
        for table in restored.tables:
            if table.bytes > 0 and table.seconds > 0:
                paces.setdefault(table.name, []).append(float(np.log(table.seconds / table.bytes)))
    heavy = [table for table in last.tables if table.name in paces]
    meant = np.array(
        [table.bytes * scale * np.exp(sum(paces[table.name]) / len(paces[table.name])) for table in heavy]
    )
    own = np.exp(_TABLE_SPREAD * random.standard_normal((draws, len(heavy))))
    work = own @ meant if heavy else np.zeros(draws)
    new = max(0, (live.tables or 0) - len(last.tables)) if live else 0
    if new and paces:
        pooled = np.exp(np.array([sum(logs) / len(logs) for logs in paces.values()]))
        sizes = np.array([table.bytes * scale for table in heavy])
        picked = random.integers(0, len(pooled), (draws, 1))
        work = work + new * np.median(sizes) * pooled[picked[:, 0]]
    logs = [
        float(np.log(max(restored.load, _LEAST_REST) / max(_work(restored), _LEAST_REST)))
        for restored in known
    ]
    # sessions work side by side, and a host is not equally fast every day
    side_by_side = np.exp(predicted_log(logs, SERVER, draws, random))
    return work * side_by_side, last.load_after, basis


def _work(restored: Restored) -> float:
    return sum(table.seconds for table in restored.tables)


def _rest(restores: Sequence[Restored], draws: int, random: np.random.Generator) -> tuple[Draws, Basis]:
    rests = [max(_LEAST_REST, restored.rest) for restored in restores if restored.rest is not None]
    basis = _measured(len(rests), len(rests))
    if not rests:
        return np.zeros(draws), basis
    return predicted(rests, MACHINE, draws, random), basis


def _measured(runs: int, samples: int, noun: str = "") -> Basis:
    if not runs:
        return Basis(source=Source.ESTIMATE, runs=0, samples=0, text="not measured, taken for nothing")
    whole = count(runs, "restore")
    text = f"{count(samples, noun)} in {whole}" if noun else whole
    return Basis(source=Source.MEASURED, runs=runs, samples=samples, text=text)
