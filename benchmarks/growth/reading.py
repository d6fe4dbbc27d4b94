"""Sessions read by one query, each for the first time."""

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from benchmarks.figures import middle, percentile
from benchmarks.growth import sql

SESSIONS = 200
MAX_ROWS = 10_000  # of a session


@dataclass(frozen=True, slots=True)
class Reading:
    """Milliseconds to plan, execute and write out; the middle session's blocks, of which `read` were not cached.

    `waited_ms` of the time went into reading those, from the system's cache or from the disk.
    """

    median_ms: float
    p95_ms: float
    blocks: float
    read: float
    waited_ms: float


def read(database: str, query: LiteralString) -> Reading:
    """Return what the query takes for SESSIONS that are chosen by chance among all there are."""
    with psycopg.connect(database, autocommit=True, cursor_factory=psycopg.ClientCursor) as connection:
        sessions = connection.execute(sql.SOME_SESSIONS, [SESSIONS]).fetchall()
        plans = [_explained(connection, query, session) for (session,) in sessions]
    times = [plan["Planning Time"] + plan["Execution Time"] for plan in plans]
    tops = [plan["Plan"] for plan in plans]
    return Reading(
        median_ms=round(middle(times), 2),
        p95_ms=round(percentile(times, 0.95), 2),
        blocks=middle([top["Shared Hit Blocks"] + top["Shared Read Blocks"] for top in tops]),
        read=middle([top["Shared Read Blocks"] for top in tops]),
        waited_ms=round(middle([top["Shared I/O Read Time"] for top in tops]), 2),
    )


def _explained(connection: psycopg.Connection[Any], query: LiteralString, session: object) -> dict[str, Any]:
    [[plans]] = connection.execute(sql.EXPLAIN + query, {"session": session, "limit": MAX_ROWS}).fetchall()
    return dict(plans[0])
