"""Which events are exported next: whole transactions, or what is older in the order of ids.

A transaction whose id is below `pg_snapshot_xmin(pg_current_snapshot())` has ended, and no later one will get such an
id: the rows of a window that ends there are the same for ever after. docs/export.md has the proof.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from psycopg import Connection, sql
from psycopg.rows import tuple_row

# The row that fills a batch ends it, and its whole transaction goes with it.
NEXT_WINDOW = """
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric, count(*), max(export_xid)::text::numeric
FROM (
    SELECT export_xid
    FROM attempt_events
    WHERE export_xid >= %(lower)s::text::xid8 AND export_xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY export_xid
    LIMIT %(rows)s
) AS next
"""

COUNT = "SELECT count(*) FROM attempt_events WHERE {which}"

# What is committed and not among the batches yet, the oldest first; nothing is, where there is no row.
OLDEST_PENDING = """
SELECT created_at
FROM attempt_events
WHERE export_xid >= %(upper)s::text::xid8
ORDER BY export_xid
LIMIT 1
"""

NEXT_KEYS = """
SELECT id, number
FROM (
    SELECT id, row_number() OVER (ORDER BY id) AS number
    FROM attempt_events
    WHERE {which}
    ORDER BY id
    LIMIT {rows}
) AS next
ORDER BY number DESC
LIMIT 1
"""

HAS_OLDER = "SELECT EXISTS (SELECT FROM attempt_events WHERE export_xid IS NULL)"

# Every transaction that has written holds a lock on its own id, which everybody may see.
HOLDER = """
SELECT
    locks.pid,
    prepared.gid,
    activity.datname::text,
    activity.usename::text,
    activity.application_name,
    extract(epoch FROM clock_timestamp() - coalesce(prepared.prepared, activity.xact_start))::float8
FROM pg_locks locks
LEFT JOIN pg_stat_activity activity ON activity.pid = locks.pid
LEFT JOIN pg_prepared_xacts prepared ON prepared.transaction = locks.transactionid
WHERE locks.locktype = 'transactionid'
    AND locks.mode = 'ExclusiveLock'
    AND locks.granted
    AND locks.transactionid = pg_snapshot_xmin(pg_current_snapshot())::xid
    AND locks.pid IS DISTINCT FROM pg_backend_pid()
"""


@dataclass(frozen=True, slots=True)
class Window:
    """The rows of the transactions from `lower` up to and without `upper`."""

    lower: int
    upper: int

    @property
    def condition(self) -> sql.Composable:
        """The rows, as SQL."""
        pattern = "export_xid >= {}::xid8 AND export_xid < {}::xid8"
        return sql.SQL(pattern).format(str(self.lower), str(self.upper))


@dataclass(frozen=True, slots=True)
class Keys:
    """The rows after one id up to `last`, of transactions below `below` or from before these were kept."""

    below: int
    after: UUID | None = None
    last: UUID | None = None
    since: datetime | None = None

    @property
    def condition(self) -> sql.Composable:
        """The rows, as SQL."""
        parts = [sql.SQL("(export_xid IS NULL OR export_xid < {}::xid8)").format(str(self.below))]
        for pattern, bound in (("id > {}", self.after), ("id <= {}", self.last), ("event_ts >= {}", self.since)):
            if bound is not None:
                parts.append(sql.SQL(pattern).format(bound))
        return sql.SQL(" AND ").join(parts)


Selection = Window | Keys


class Holder(NamedTuple):
    """Whose transaction is the oldest that writes: nothing that was stored after it began is exported before it ends.

    `pid` is None for a prepared transaction, which `gid` names; age is in seconds, None for who may not see it.
    """

    pid: int | None
    gid: str | None
    database: str | None
    user: str | None
    application: str | None
    age: float | None


def next_window(connection: Connection[Any], lower: int, rows: int) -> tuple[Window, int]:
    """Return the transactions from `lower` on that have about so many rows, as far as all have ended; and the rows."""
    [(ended, found, last)] = connection.execute(NEXT_WINDOW, {"lower": str(lower), "rows": rows}).fetchall()
    if found < rows:
        return Window(lower, max(lower, int(ended))), found
    window = Window(lower, int(last) + 1)
    return window, count(connection, window)


def next_keys(connection: Connection[Any], keys: Keys, rows: int) -> tuple[Keys, int] | None:
    """Return the first so many rows of `keys`, and how many they are; None when there are none."""
    statement = sql.SQL(NEXT_KEYS).format(which=keys.condition, rows=rows)
    for last, number in connection.execute(statement).fetchall():
        return Keys(keys.below, keys.after, last, keys.since), int(number)
    return None


def count(connection: Connection[Any], selection: Selection) -> int:
    """Count the rows."""
    [(rows,)] = connection.execute(sql.SQL(COUNT).format(which=selection.condition)).fetchall()
    return int(rows)


def has_older(connection: Connection[Any]) -> bool:
    """Say whether there are rows from before transactions were kept."""
    return connection.execute(HAS_OLDER).fetchall() == [(True,)]


def oldest_pending(connection: Connection[Any], upper: int) -> datetime | None:
    """Return when the first transaction from `upper` on that has committed rows began; None when none has."""
    for (began,) in connection.execute(OLDEST_PENDING, {"upper": str(upper)}).fetchall():
        return began if isinstance(began, datetime) else None
    return None


def holder(connection: Connection[Any]) -> Holder | None:
    """Return who holds the horizon back; None when nobody does."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        for row in cursor.execute(HOLDER).fetchall():
            return Holder(*row)
    return None
