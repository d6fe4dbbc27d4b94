"""What a line of JSON says, as figures for a row of the table. Pure."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from benchmarks.figures import middle

DOCUMENTED = "documented"  # the layout that there is
TABLE = "attempt_events"
TARGET = 0.8  # of an empty table's rate
GROUPS = ("session first", "user first", "all others")  # of indexes, by their first column; the table is of the last

Measured = Mapping[str, Any]


def measured_in(lines: str, layout: str | None = None) -> list[Measured]:
    """Return what was measured, of one layout or of all."""
    points = map(json.loads, lines.splitlines())
    return [point for point in points if layout in (None, point["layout"])]


def cpu(turn: Measured) -> float:
    """Return µs a row, of the store and of PostgreSQL."""
    return float(turn["client_us"] + turn["postgres_us"])


def clock(turn: Measured) -> float:
    """Return µs a row, from before the first batch to after the last."""
    return 1e6 / float(turn["rows_per_second"])


def of_turns(point: Measured, figure: Callable[[Measured], float], side: str = "full") -> float:
    """Return the middle of the rounds."""
    return middle([figure(turn) for turn in point[side]])


def rate_by_cpu(point: Measured) -> float:
    """Return how many times the rate of an empty table is reached, if nothing but CPU time counts."""
    return _ratio(point, cpu)


def rate_by_clock(point: Measured) -> float:
    """Return how many times the rate of an empty table is reached, with all that else there is to wait for."""
    return _ratio(point, clock)


def _ratio(point: Measured, costs: Callable[[Measured], float]) -> float:
    return middle([costs(empty) / costs(full) for full, empty in zip(point["full"], point["empty"], strict=True)])


def table_bytes(point: Measured) -> float:
    """Return bytes a row."""
    return float(point["size"][TABLE] / point["rows"])


def index_bytes(point: Measured) -> float:
    """Return bytes a row, of all indexes together."""
    return float(sum(point["size"].values()) / point["rows"]) - table_bytes(point)


def pages_read(point: Measured) -> dict[str, float]:
    """Return how many pages were not in shared buffers when a thousand rows were stored, by GROUPS."""
    return {group: of_turns(point, partial(_read, group)) for group in GROUPS}


def _read(group: str, turn: Measured) -> float:
    return float(sum(pages for relation, pages in turn["blocks_read"].items() if _group_of(relation) == group))


def _group_of(relation: str) -> str:
    if relation.startswith(f"{TABLE}_session_id_"):
        return GROUPS[0]
    return GROUPS[1] if relation.startswith(f"{TABLE}_user_id_") else GROUPS[2]
