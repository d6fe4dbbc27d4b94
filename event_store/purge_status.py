"""What was purged, lifted or retired: who, when, why and how many, and whether it is done everywhere."""

from typing import Any

from psycopg.rows import dict_row

from attemptlog.event_store.dead_letters import TableRow
from attemptlog.event_store.purge_remains import Done
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction

SELECT = """
SELECT
    id, kind, subject_kind, ended_before, keeps_exports, requested_by, database_user, reason, sessions, events,
    older_events, dead_letters, started_at, finished_at,
    EXISTS (SELECT FROM suppressions WHERE purge_id = purges.id) AS suppresses
FROM purges
WHERE %(id)s::bigint IS NULL OR id = %(id)s
ORDER BY id DESC
LIMIT %(limit)s
"""

# A target that has no such purge in its books has not done it yet.
READ_TARGETS = """
SELECT name, done_at, rows
FROM export_targets
LEFT JOIN purge_targets ON target = name AND purge_id = %(id)s
ORDER BY name
"""

Targets = dict[str, Done]


def list_purges(database_url: str, limit: int) -> list[TableRow]:
    """Return the newest of them."""
    with transaction(database_url, row_factory=dict_row) as connection:
        return connection.execute(SELECT, {"id": None, "limit": limit}).fetchall()


def read_purge(database_url: str, number: int) -> tuple[TableRow, Targets]:
    """Return one, and by target since when it is done there and how many rows went; None for what is not so.

    Raises OperatorError when there is none with this number.
    """
    with transaction(database_url, row_factory=dict_row) as connection:
        row = connection.execute(SELECT, {"id": number, "limit": 1}).fetchone()
        found = connection.execute(READ_TARGETS, {"id": number}).fetchall()
    if row is None:
        raise OperatorError(f"There is no purge {number}: `attemptlog purge list` shows them.")
    return row, {each["name"]: _done(each) for each in found}


def _done(target: dict[str, Any]) -> Done:
    return (target["done_at"], target["rows"]) if target["done_at"] else None
