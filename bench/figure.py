"""What a row measures: samples of a run, the value they give, and the value to reach."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Sense = Literal["at most", "at least"]
Fold = Literal["median", "max", "min"]
_FOLDS: dict[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    "max": max,
    "min": min,
}
_SIGN = {"at most": "≤", "at least": "≥"}


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """Quotients pair by pair: each pair was measured one after the other, so a drift of the machine cancels.

    :raises ValueError: the series differ in length.
    """
    return [a / b for a, b in zip(above, below, strict=True)]


@dataclass(frozen=True)
class Figure:
    """One number of a row.

    :param samples: one a repeat, in the order of measuring.
    :param fold: what makes one value of them.
    :param unit: follows the number: `×`, ` %`, ` MiB`, ` s`, or nothing.
    :param digits: decimals that are shown.
    """

    name: str
    samples: tuple[float, ...]
    sense: Sense
    limit: float
    unit: str = ""
    fold: Fold = "median"
    digits: int = 2

    @property
    def value(self) -> float:
        """The one number that the samples give."""
        return _FOLDS[self.fold](self.samples)

    @property
    def reached(self) -> bool:
        """Whether the value is on the right side of the limit."""
        return self.value <= self.limit if self.sense == "at most" else self.value >= self.limit

    def shown(self, value: float) -> str:
        """A value with its unit."""
        return f"{value:.{self.digits}f}{self.unit}"

    @property
    def reach(self) -> str:
        """The limit as text."""
        return f"{_SIGN[self.sense]} {self.limit:g}{self.unit}"

    @property
    def measured(self) -> str:
        """The value as text, with the span of the samples."""
        if len(self.samples) == 1:
            return self.shown(self.value)
        low, high = min(self.samples), max(self.samples)
        return f"{self.shown(self.value)} ({low:.{self.digits}f} to {high:.{self.digits}f})"

    def as_json(self) -> dict[str, Any]:
        """The form in the results file; value and verdict are for readers, the rest says it all."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "reached": self.reached,
            "sense": self.sense,
            "limit": self.limit,
            "unit": self.unit,
            "fold": self.fold,
            "digits": self.digits,
            "samples": [round(sample, 4) for sample in self.samples],
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Figure:
        """Read what `as_json` wrote."""
        names = ("name", "sense", "limit", "unit", "fold", "digits")
        return cls(samples=tuple(found["samples"]), **{name: found[name] for name in names})


@dataclass(frozen=True)
class Outcome:
    """What came of a row.

    :param row: its id.
    :param seconds: that measuring it took, set-up included.
    :param details: further numbers, by name: medians of seconds, sizes, rates.
    :param trouble: why there are no figures.
    """

    row: str
    figures: tuple[Figure, ...] = ()
    details: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    trouble: str | None = None

    @property
    def reached(self) -> bool:
        """Whether all figures were measured and reached."""
        return bool(self.figures) and all(figure.reached for figure in self.figures)

    def as_json(self) -> dict[str, Any]:
        """The form in the results file."""
        return {
            "row": self.row,
            "reached": self.reached,
            "seconds": round(self.seconds, 1),
            "figures": [figure.as_json() for figure in self.figures],
            "details": {name: round(value, 3) for name, value in self.details.items()},
            "trouble": self.trouble,
        }

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> Outcome:
        """Read what `as_json` wrote."""
        return cls(
            row=found["row"],
            figures=tuple(Figure.from_json(figure) for figure in found["figures"]),
            details=found["details"],
            seconds=found["seconds"],
            trouble=found["trouble"],
        )
