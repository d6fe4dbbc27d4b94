"""What was measured, what it is compared with, and whether that is good enough. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median
from typing import Any, Literal

from rich.table import Table

OK, MISS, LEFT_OUT = "ok", "MISS", "left out"
TIMES = "\N{MULTIPLICATION SIGN}"
MANY = 100  # from here on, digits behind the point say nothing


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on the ratio of figure and reference, or else on the figure."""

    bound: Literal["≥", "≤"]
    limit: float
    is_ratio: bool = False

    def is_met(self, value: float) -> bool:
        """Return whether a value is within the bound; NaN, which is no value, is not."""
        return value >= self.limit if self.bound == "≥" else value <= self.limit


def at_least(ratio: float) -> Target:
    """Return the target of a figure that is to be so many times the reference."""
    return Target("≥", ratio, is_ratio=True)


def at_most(ratio: float) -> Target:
    """Return the target of a figure that is to be no more than so many times the reference."""
    return Target("≤", ratio, is_ratio=True)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a figure is compared with, in the same unit."""

    name: str
    figure: float


@dataclass(frozen=True, slots=True)
class Figure:
    """A line of the table; `wrong` says what was counted wrongly: then no figure is good enough.

    `left_out` says why there is none where that is nobody's fault. `rounds` are what the target is about, the ratio or
    else the figure, in each round.
    """

    name: str
    figure: float
    unit: str
    target: Target
    reference: Reference | None = None
    wrong: tuple[str, ...] = ()
    left_out: str = ""
    rounds: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """The median of the rounds' ratios, or else figure over reference; None without a reference."""
        if self.reference is None:
            return None
        if self.rounds and self.target.is_ratio:
            return middle(self.rounds)
        return _over(self.figure, self.reference.figure)

    @property
    def value(self) -> float | None:
        """What the target is about."""
        return self.ratio if self.target.is_ratio else self.figure

    @property
    def verdict(self) -> str:
        """OK, MISS or LEFT_OUT."""
        if self.left_out and not self.wrong:
            return LEFT_OUT
        return OK if self.value is not None and self.target.is_met(self.value) and not self.wrong else MISS

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said under the table."""
        return (*self.wrong, self.left_out) if self.left_out else self.wrong

    def as_data(self) -> dict[str, Any]:
        """Return the row for --json."""
        return {
            "row": self.name,
            "figure": _or_none(self.figure),
            "unit": self.unit,
            "against": self.reference and self.reference.name,
            "reference": self.reference and _or_none(self.reference.figure),
            "ratio": _or_none(self.ratio),
            "target": _target(self),
            "value": _or_none(self.value),
            "bound": self.target.bound,
            "limit": self.target.limit,
            "rounds": [*map(_or_none, self.rounds)],
            "verdict": self.verdict,
            "wrong": list(self.wrong),
            "left_out": self.left_out,
        }


def in_rounds(
    name: str,
    ours: Sequence[float],
    unit: str,
    target: Target,
    *,
    against: tuple[str, Sequence[float]] | None = None,
    wrong: tuple[str, ...] = (),
) -> Figure:
    """Return the row of what each round measured, of ours and of the reference: each is compared with its neighbour.

    Medians are shown; the ratio is the median of the rounds' own, because the machine's speed changes between them.
    """
    if against is None:
        return Figure(name, middle(ours), unit, target, None, wrong, rounds=tuple(ours))
    which, theirs = against
    rounds = tuple(_over(one, other) for one, other in zip(ours, theirs, strict=True)) if theirs else ()
    return Figure(name, middle(ours), unit, target, Reference(which, middle(theirs)), wrong, rounds=rounds)


def failed(name: str, why: str) -> Figure:
    """Return the row of what could not be measured at all."""
    return Figure(name, math.nan, "", Target("≥", 0), wrong=(why,))


def middle(values: Sequence[float]) -> float:
    """Return the median; NaN of nothing."""
    return median(values) if values else math.nan


def percentile(values: Sequence[float], share: float) -> float:
    """Return the least value that `share` of all are not above (the nearest rank); NaN of nothing."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else math.nan


def rate_of(commits: Sequence[tuple[datetime, int]]) -> float:
    """Return rows per second from the first commit to the last; `commits` are times and the rows of each."""
    times = [at for at, _ in commits]
    if len(set(times)) < 2:  # noqa: PLR2004
        return math.nan
    first, last = min(times), max(times)
    return sum(rows for at, rows in commits if at > first) / (last - first).total_seconds()


def table_of(rows: Sequence[Figure], title: str) -> Table:
    """Return the rows for a terminal."""
    table = Table("row", title=title)
    for column in ("figure", "reference"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("which is")
    for column in ("ratio", "rounds", "target"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("verdict")
    for row in rows:
        verdict = f"[red]{MISS}[/red]" if row.verdict == MISS else row.verdict
        figure, ratio = _with_unit(row.figure, row.unit), _with_unit(row.ratio, TIMES)
        reference = _with_unit(row.reference.figure, row.unit) if row.reference else ""
        against = row.reference.name if row.reference else ""
        table.add_row(row.name, figure, reference, against, ratio, _rounds(row), _target(row), verdict)
    return table


def _over(figure: float, reference: float) -> float:
    return figure / reference if reference else math.nan


def _rounds(row: Figure) -> str:
    if len(row.rounds) < 2:  # noqa: PLR2004
        return ""
    return f"{len(row.rounds)}: {_with_unit(min(row.rounds), '')} to {_with_unit(max(row.rounds), '')}"


def _target(row: Figure) -> str:
    return f"{row.target.bound} {_with_unit(row.target.limit, TIMES if row.target.is_ratio else row.unit)}"


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if math.isnan(value):
        return "n/a"
    number = f"{value:,.0f}" if abs(value) >= MANY else f"{value:.3g}"
    return f"{number} {unit}".strip()


def _or_none(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
