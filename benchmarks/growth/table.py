"""Tells what was measured as a table in Markdown: `python -m benchmarks.growth.table LINES`. Pure."""

import sys
from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

from benchmarks.figures import MANY
from benchmarks.growth.series import (
    GROUPS,
    Measured,
    cpu,
    index_bytes,
    measured_in,
    of_turns,
    pages_read,
    rate_by_clock,
    rate_by_cpu,
    table_bytes,
)


def _of_turns(side: str, figure: Callable[[Measured], float]) -> Callable[[Measured], float]:
    return lambda point: of_turns(point, figure, side)


def _reading(query: str, figure: str) -> Callable[[Measured], float]:
    return lambda point: float(point[query][figure])


def _pages_read(group: str) -> Callable[[Measured], float]:
    return lambda point: pages_read(point)[group]


ROWS: Sequence[tuple[str, Callable[[Measured], float]]] = (
    ("rate of storing by CPU, an empty table's being 1", rate_by_cpu),
    ("… by the clock", rate_by_clock),
    ("CPU of store and PostgreSQL, µs a row", _of_turns("full", cpu)),
    ("… into an empty table", _of_turns("empty", cpu)),
    ("waiting for pages that are read, µs a row", _of_turns("full", itemgetter("reading_us"))),
    *((f"pages read for 1,000 rows, {group}", _pages_read(group)) for group in GROUPS),
    ("WAL after a checkpoint, bytes a row", _of_turns("full", itemgetter("wal"))),
    ("… of these whole pages", _of_turns("full", itemgetter("whole_pages"))),
    ("table, bytes a row", table_bytes),
    ("indexes, bytes a row", index_bytes),
    ("timeline of a session, median, ms", _reading("timeline", "median_ms")),
    ("… p95", _reading("timeline", "p95_ms")),
    ("rows of a session, median, ms", _reading("session", "median_ms")),
    ("… p95", _reading("session", "p95_ms")),
    ("… pages", _reading("session", "blocks")),
    ("… of these not in shared buffers", _reading("session", "read")),
)


def table_of(points: Sequence[Measured]) -> str:
    """Return a column for each size and a row for each figure."""
    heads = [f"{point['rows'] / 1e6:.3g} million, {point['layout']}" for point in points]
    lines = [["Rows in the table", *heads], ["---", *["---:"] * len(points)]]
    lines += [[name, *(_shown(figure(point)) for point in points)] for name, figure in ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= MANY else f"{value:.3g}"


if __name__ == "__main__":
    print(table_of(measured_in(Path(sys.argv[1]).read_text())))
