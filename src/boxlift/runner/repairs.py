"""What a restore's own repairs cost."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from boxlift.journal import Measure


def lost(measures: Iterable[Measure]) -> dict[str, float]:
    """Part to the seconds that each of its repairs cost; empty where no part came without one.

    A part that was repaired took so much longer than the parts that came well take for as many bytes.
    """
    parts = [measure for measure in measures if measure.kind == "part" and measure.bytes > 0]
    well = [part.seconds / part.bytes for part in parts if not part.repairs]
    if not well:
        return {}
    usual = median(well)
    return {
        part.name: max(0.0, part.seconds - usual * part.bytes) / part.repairs
        for part in parts
        if part.repairs
    }
