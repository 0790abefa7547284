"""What is measured: one row of the table each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.figure import Outcome
from bench.workshop import Workshop


@dataclass(frozen=True)
class Row:
    """A row of the table.

    :param id: its name on the command line.
    :param method: how it is measured, in a sentence or two, for the docs.
    :param measure: does it; raises BenchError when it cannot be done.
    """

    id: str
    what: str
    against: str
    method: str
    measure: Callable[[Workshop], Outcome]
