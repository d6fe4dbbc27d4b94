"""Fills a table and measures it at each size."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from attemptlog import migrations
from attemptlog.event_store.sessions import SELECT_EVENTS
from benchmarks.growth import fill, sql
from benchmarks.growth.fill import BATCH
from benchmarks.growth.reading import Reading, read
from benchmarks.growth.series import DOCUMENTED
from benchmarks.growth.sitting import Sitting, sitting
from benchmarks.growth.sql import execute
from benchmarks.growth.storing import Turn, store
from benchmarks.stage import Stage


def _use_lean(database: str) -> None:
    migrations.use_indexes(database, "lean")


def _drop_user(database: str) -> None:
    execute(database, sql.NO_USER)


@dataclass(frozen=True, slots=True)
class Variant:
    """What is otherwise: how many records are stored at a time, and what is changed in the table before."""

    name: str
    batch: int = BATCH
    change: Callable[[str], None] | None = None


VARIANTS = (  # each with the changes of those before it
    Variant("batches of 20,000", batch=20_000),
    Variant("lean", change=_use_lean),
    Variant("lean, no user", change=_drop_user),
)


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many rows in the table; `size` in bytes, of the table and of each index.

    `layout` is the name of a Variant, or DOCUMENTED.
    """

    rows: int
    layout: str
    size: dict[str, int]
    timeline: Reading
    session: Reading
    full: list[Turn]
    empty: list[Turn]


@dataclass
class Growth:
    """A table that grows, into which `rounds` classes are stored at each size, in turns with an empty one."""

    stage: Stage
    database: str
    rounds: int
    in_order: bool
    say: Callable[[str], None]
    classes: int = 0  # that were made
    of_class: int = 0  # rows
    changes: list[Callable[[str], None]] = field(default_factory=list)  # that were made to the table

    def points(self, sizes: Sequence[float], variants: Sequence[Variant] = ()) -> Iterator[Point]:
        """Yield what each size is like, and then what the last one is like otherwise."""
        for statement in (sql.INSPECT_WAL, sql.TIME_IO):
            execute(self.database, statement)
        first = self._next(BATCH)
        self.stage.enrol(self.database, first.roster)
        self.of_class = fill.begin(self.database, first.batches)
        for size in sizes:
            self._fill(size)
            yield self._point(Variant(DOCUMENTED))
        for variant in variants:
            self._change(variant)
            yield self._point(variant)

    def _change(self, variant: Variant) -> None:
        if variant.change:
            variant.change(self.database)
            self.changes.append(variant.change)

    def _fill(self, size: float) -> None:
        missing = max(0, round(size / self.of_class) - self.classes)
        self.say(f"{missing} classes of {self.of_class:,} rows …")
        days = range(self.classes, self.classes + missing)
        fill.add_classes(self.database, days, self.of_class, in_order=self.in_order)
        self.classes += missing

    def _next(self, batch: int) -> Sitting:
        self.classes += 1
        return sitting(self.stage.scale.candidates, self.classes, batch, in_order=self.in_order)

    def _point(self, variant: Variant) -> Point:
        layout = f"{variant.name}, ids in order" if self.in_order else variant.name
        [[rows]] = execute(self.database, sql.COUNT)
        size = dict(execute(self.database, sql.SIZES))
        self.say(f"{rows:,} rows, {sum(size.values()) / 1e9:.1f} GB, {layout} …")
        rounds = [self._round(variant.batch) for _ in range(self.rounds)]
        full, empty = ([each[name] for each in rounds] for name in ("full", "empty"))
        timeline, session = (read(self.database, query) for query in (SELECT_EVENTS, sql.READ_SESSION))
        return Point(rows, layout, size, timeline, session, full, empty)

    def _round(self, batch: int) -> dict[str, Turn]:
        """Have a class stored in the full table and in an empty one; they take turns in being first."""
        it = self._next(batch)
        self.stage.enrol(self.database, it.roster)
        with self.stage.database(it.roster) as empty:
            execute(empty, sql.INSPECT_WAL)
            for change in self.changes:
                change(empty)
            turns = {"full": self.database, "empty": empty}
            return {name: self._turn(name, turns[name], it) for name in sorted(turns, reverse=bool(self.classes % 2))}

    def _turn(self, name: str, database: str, it: Sitting) -> Turn:
        started = time.monotonic()
        stored, turn = asyncio.run(store(database, f"growth-{self.classes}", it.batches))
        if stored != it.size:
            raise RuntimeError(f"{stored:,} rows were stored instead of {it.size:,}")
        self.say(f"  {name}, {time.monotonic() - started:.0f} s: {turn}")
        return turn
