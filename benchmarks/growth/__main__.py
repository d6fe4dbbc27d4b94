"""Fills a table, and measures it at each size. Each is a line of JSON at once, so that a run may be stopped."""

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from attemptlog.event_store.sessions import SELECT_EVENTS
from attemptlog.local_stack import LocalStack
from benchmarks.export_column import batches_of
from benchmarks.growth import fill, sql
from benchmarks.growth.reading import Reading, read
from benchmarks.growth.sql import execute
from benchmarks.growth.storing import Turn, store
from benchmarks.stage import FULL, Stage

MILLION = 1_000_000

Indexes = Literal["documented", "lean"]

console = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class Point:
    """What was measured with so many rows in the table; `size` in bytes, of the table and of each index."""

    rows: int
    indexes: Indexes
    size: dict[str, int]
    timeline: Reading
    session: Reading
    full: list[Turn]
    empty: list[Turn]


@app.command()
def main(
    out: Annotated[Path, typer.Argument(help="Lines of JSON, added to.", dir_okay=False)],
    rows: Annotated[str, typer.Option(help="Millions of rows, in ascending order.")] = "1,10,50",
    rounds: Annotated[int, typer.Option(help="Classes stored at each size, in turns.", min=1)] = 3,
    candidates: Annotated[int, typer.Option(help="Of a class, with 165 events each.", min=1)] = FULL.candidates,
    lean: Annotated[bool, typer.Option("--lean", help="Measure the last size with fewer indexes, too.")] = False,
) -> None:
    """Store, read and weigh at each size; 50 million rows take about 40 minutes, and 35 GB where temporary files go."""
    with _stage(candidates) as stage, stage.database() as database:
        _grow(stage, database, [float(each) * MILLION for each in rows.split(",")], rounds, out, lean=lean)


@contextmanager
def _stage(candidates: int) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory() as directory:
        stack = LocalStack(Path(directory))
        stack.postgres.start()  # Kafka is not needed
        try:
            yield Stage(stack, replace(FULL, candidates=candidates), _say)
        finally:
            stack.postgres.stop("immediate")


def _grow(stage: Stage, database: str, sizes: Sequence[float], rounds: int, out: Path, *, lean: bool) -> None:
    for statement in (sql.INSPECT_WAL, sql.TIME_IO):
        execute(database, statement)
    school = stage.school(0)
    stage.enrol(database, school.roster)
    of_class = fill.begin(database, list(batches_of(school.envelopes(), fill.BATCH)))
    classes = 1
    for size in sizes:
        missing = max(0, round(size / of_class) - classes)
        _say(f"{missing} classes of {of_class:,} rows …")
        fill.add_classes(database, range(classes, classes + missing), of_class)
        classes += missing
        _write(out, _point(stage, database, range(classes, classes + rounds), "documented"))
        classes += rounds
    if lean:
        execute(database, sql.LEAN)
        _write(out, _point(stage, database, range(classes, classes + rounds), "lean"))


def _point(stage: Stage, database: str, schools: Sequence[int], indexes: Indexes) -> Point:
    [[rows]] = execute(database, sql.COUNT)
    size = dict(execute(database, sql.SIZES))
    _say(f"{rows:,} rows, {sum(size.values()) / 1e9:.1f} GB, {indexes} indexes")
    rounds = [_round(stage, database, number, indexes) for number in schools]
    full, empty = ([each[name] for each in rounds] for name in ("full", "empty"))
    return Point(rows, indexes, size, read(database, SELECT_EVENTS), read(database, sql.READ_SESSION), full, empty)


def _round(stage: Stage, full: str, number: int, indexes: Indexes) -> dict[str, Turn]:
    """Have a class stored in the full table and in an empty one; they take turns in being first."""
    school, turns = stage.school(number), dict[str, Turn]()
    batches = list(batches_of(school.envelopes(), fill.BATCH))
    gc.freeze()  # or every collection looks at all of it
    stage.enrol(full, school.roster)
    with stage.database(school.roster) as empty:
        for statement in (sql.INSPECT_WAL, *([sql.LEAN] if indexes == "lean" else [])):
            execute(empty, statement)
        for name, database in sorted({"full": full, "empty": empty}.items(), reverse=bool(number % 2)):
            stored, turns[name] = asyncio.run(store(database, f"growth-{number}", batches))
            if stored != school.size:
                raise RuntimeError(f"{stored:,} rows were stored instead of {school.size:,}")
            _say(f"  {name}: {turns[name]}")
    return turns


def _write(out: Path, point: Point) -> None:
    with out.open("a") as lines:
        lines.write(json.dumps(asdict(point)) + "\n")


def _say(what: str) -> None:
    console.print(f"{time.strftime('%H:%M:%S')}  {what}")


if __name__ == "__main__":
    app()
