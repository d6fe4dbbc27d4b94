"""What operators look at, of nobody's events in particular: the ledger, dead letters, what is stored as it comes.

Each function takes a connection with rows as dicts, on whose transaction a viewer looks who is operator or auditor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from attemptlog.event_store.dead_letters import readable

Connection = AsyncConnection[DictRow]

READ_LEDGER = """
SELECT partition, next_offset, inserted
FROM readable_ledger
WHERE topic = %(topic)s
"""

COUNT_LETTERS = """
SELECT count(*) FILTER (WHERE NOT is_settled) AS open, count(*) FILTER (WHERE is_settled) AS settled
FROM readable_letters
"""

COUNT_BY_REASON = """
SELECT reason, count(*) AS letters
FROM readable_letters
WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(settled)s::boolean IS NULL OR is_settled = %(settled)s)
GROUP BY reason
ORDER BY letters DESC, reason
"""

# First which, then what is in them: a record is parsed for what is shown of it.
LIST_LETTERS = """
SELECT id
FROM readable_letters
WHERE (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(settled)s::boolean IS NULL OR is_settled = %(settled)s)
    AND (%(after)s::bigint IS NULL OR id < %(after)s)
ORDER BY id DESC
LIMIT %(limit)s
"""

READ_LETTERS = """
SELECT id, reason, detail, topic, partition, kafka_offset, first_seen_at, event_type, replay_outcome, replayed_at
FROM readable_letters
WHERE id = ANY (%(ids)s)
ORDER BY id DESC
"""

READ_LETTER = """
SELECT
    id, reason, detail, topic, partition, kafka_offset, first_seen_at, event_type, replay_outcome, replayed_at, shape,
    value
FROM readable_letters
WHERE id = %(id)s
"""

# What an operator may read of details that a replay has found.
SHOW_DETAILS = """
SELECT attemptlog_letter_detail(reason, detail) AS detail
FROM unnest(%(reasons)s::text[], %(details)s::text[]) WITH ORDINALITY AS found (reason, detail, place)
ORDER BY place
"""

STORED_EVENTS = """
SELECT
    id::text, event_type, source, exam_id::text, event_ts, stored_at, fitting, looked, horizon::text, oldest_hidden_at,
    clock_timestamp() AS now
FROM stored_events(
    %(since)s::text::xid8, %(event_type)s, %(source)s, %(exam)s::uuid, %(most)s, %(looked_at)s
)
"""

LAST_STORED = "SELECT stored_at FROM stored_events('0', NULL, NULL, NULL, 1, 1)"


@dataclass(frozen=True, slots=True)
class StoredSight:
    """What is stored of a topic: the ledger's next offsets by partition, how many events it says were inserted, when
    the last of all events was stored, and how many dead letters are open and settled.
    """

    next_offsets: Mapping[int, int]
    inserted: int
    last_stored_at: datetime | None
    open_letters: int
    settled_letters: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stored events: those of transactions from `since` on, a cursor; of a type, a source, an exam, if given."""

    since: str | None = None
    event_type: str | None = None
    source: str | None = None
    exam: str | None = None

    @property
    def parameters(self) -> dict[str, str | None]:
        return {"since": self.since or "0", "event_type": self.event_type, "source": self.source, "exam": self.exam}


@dataclass(frozen=True, slots=True)
class StoredEvents:
    """Events that fit, oldest first; how many more fit of those that were looked at, and whether there were others
    before. `cursor` is where to go on. `late_by_s` is how long the oldest that is stored but hidden behind a
    transaction has waited, in seconds; None where none is.
    """

    cursor: str
    events: list[DictRow]
    skipped: int
    is_more_skipped: bool
    late_by_s: float | None


async def read_stored(connection: Connection, topic: str) -> StoredSight:
    """Return what is stored of a topic."""
    ledger = await _rows(connection, READ_LEDGER, {"topic": topic})
    [letters] = await _rows(connection, COUNT_LETTERS)
    [last] = await _rows(connection, LAST_STORED)
    return StoredSight(
        {row["partition"]: row["next_offset"] for row in ledger},
        sum(row["inserted"] for row in ledger),
        last["stored_at"],
        letters["open"],
        letters["settled"],
    )


async def list_letters(
    connection: Connection, reason: str | None, settled: bool | None, after: int | None, limit: int
) -> tuple[dict[str, int], list[DictRow]]:
    """Return how many fit by reason, and the newest of them below the id `after`."""
    which = {"reason": reason, "settled": settled, "after": after, "limit": limit}
    counts = await _rows(connection, COUNT_BY_REASON, which)
    ids = [row["id"] for row in await _rows(connection, LIST_LETTERS, which)]
    letters = await _rows(connection, READ_LETTERS, {"ids": ids})
    return {row["reason"]: row["letters"] for row in counts}, letters


async def read_letter(connection: Connection, letter_id: int) -> DictRow | None:
    """Return one, its value as text that shows every byte; None when there is none, or none that the viewer may see."""
    for row in await _rows(connection, READ_LETTER, {"id": letter_id}):
        return row | {"value": readable(row["value"])}
    return None


async def shown_details(
    connection: Connection, reasons: Sequence[str], details: Sequence[str | None]
) -> list[str | None]:
    """Return details as whoever may see no person may read them."""
    rows = await _rows(connection, SHOW_DETAILS, {"reasons": list(reasons), "details": list(details)})
    return [row["detail"] for row in rows]


async def read_stored_events(connection: Connection, wanted: Wanted, *, most: int, looked_at: int) -> StoredEvents:
    """Return at most `most` of what is wanted, of the newest `looked_at` events from the cursor on.

    Without a cursor nothing is skipped: it begins there.
    """
    rows = await _rows(connection, STORED_EVENTS, {**wanted.parameters, "most": most, "looked_at": looked_at})
    [first, *_] = rows
    events = [row for row in reversed(rows) if row["id"] is not None]
    hidden = first["oldest_hidden_at"]
    return StoredEvents(
        first["horizon"],
        events,
        first["fitting"] - len(events) if wanted.since else 0,
        wanted.since is not None and first["looked"] == looked_at,
        (first["now"] - hidden).total_seconds() if hidden else None,
    )


async def _rows(connection: Connection, statement: str, parameters: Mapping[str, Any] | None = None) -> list[DictRow]:
    return await (await connection.execute(statement.encode(), parameters)).fetchall()
