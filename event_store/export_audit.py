"""What a target ought to hold, by day: counts and sums of row hashes, and the rows of a day."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg import sql

from attemptlog.event_store.export_rows import ROW_HASH
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction

READ_POSITION = """
SELECT now(), horizon::text, backfill_done_at IS NOT NULL
FROM export_targets
WHERE name = %(target)s
"""


SELECT_DAYS = """
SELECT (event_ts AT TIME ZONE 'UTC')::date, count(*), sum({row_hash})::numeric
FROM attempt_events
WHERE export_xid IS NULL OR export_xid < {horizon}::text::xid8
GROUP BY 1
"""

# Of all rows of the day, because the exporter may have gone on meanwhile.
SELECT_ROWS = """
SELECT
    id::text AS id,
    {row_hash} AS row_hash,
    coalesce(export_xid < {horizon}::text::xid8, true) AS is_exported
FROM attempt_events
WHERE event_ts >= {day}::date::timestamp AT TIME ZONE 'UTC'
    AND event_ts < ({day}::date + 1)::timestamp AT TIME ZONE 'UTC'
"""

COUNT_ROWS = """
SELECT count(*)
FROM attempt_events
WHERE event_ts >= %(day)s::date::timestamp AT TIME ZONE 'UTC'
    AND event_ts < (%(day)s::date + 1)::timestamp AT TIME ZONE 'UTC'
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the target is to hold: rows and the sum of their hashes by day, of transactions below `horizon`.

    `began` is when that was asked, by PostgreSQL's clock.
    """

    began: datetime
    horizon: str
    days: Mapping[date, tuple[int, int]]


def read_expected(database_url: str, target: str) -> Expected:
    """Return what the target is to hold; raise OperatorError where that cannot be told yet."""
    with transaction(database_url) as connection:
        found = connection.execute(READ_POSITION, {"target": target}).fetchall()
        if not found:
            raise OperatorError(f"Nothing was exported to {target} yet: run `attemptlog export run --target {target}`.")
        [(began, horizon, is_backfilled)] = found
        if not is_backfilled:
            raise OperatorError(
                f"The events from before are still being exported to {target}: audit when that is done."
            )
        statement = sql.SQL(SELECT_DAYS).format(row_hash=sql.SQL(ROW_HASH), horizon=horizon)
        days = {day: (rows, int(total)) for day, rows, total in connection.execute(statement).fetchall()}
    return Expected(began, horizon, days)


def select_day(horizon: str, day: date) -> str:
    """Return the query for id, row_hash and is_exported of every event of a day."""
    return sql.SQL(SELECT_ROWS).format(row_hash=sql.SQL(ROW_HASH), horizon=horizon, day=str(day)).as_string()


def count_day(database_url: str, day: date) -> int:
    """Return how many rows that query finds, about."""
    with transaction(database_url) as connection:
        [(rows,)] = connection.execute(COUNT_ROWS, {"day": day}).fetchall()
    return int(rows)
