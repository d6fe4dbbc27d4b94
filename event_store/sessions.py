"""What the tables hold of a session and of its streams, and which of them lack something."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.multirange import Multirange

from attemptlog.event_store.dead_letters import TableRow
from attemptlog.event_store.timeline import Entry, gaps, timeline
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction

SELECT_SESSION = "SELECT user_id::text, exam_id::text FROM test_sessions WHERE id = %(session)s"

SELECT_COMPLETENESS = """
SELECT first_seq, last_seq, events_stored, missing_seq, is_submitted
FROM session_completeness
WHERE session_id = %(session)s
"""

SELECT_STREAMS = """
SELECT
    stream_id::text, first_seq, last_seq, events_stored, missing_seq, first_event_ts, last_event_ts, dropped
FROM stream_completeness
WHERE session_id = %(session)s
ORDER BY first_event_ts, stream_id
"""

SELECT_EVENTS = """
SELECT at, late_by, origin, seq, event_type, event_ts, client_ts, question_id::text, stream_id::text, sent_at
FROM session_timeline
WHERE session_id = %(session)s
ORDER BY at, stream_id, seq, id
LIMIT %(limit)s
"""

SELECT_LETTERS = """
SELECT id, reason, replay_outcome, first_seen_at, value
FROM dead_letters
WHERE session_id = %(session)s
ORDER BY id
LIMIT %(limit)s
"""

# The events since then by an index on event_ts, then one session after the other until there are enough; OFFSET 0
# keeps the planner from working out the whole view for a join.
SELECT_STREAMS_WITH_GAPS = """
SELECT
    found.session_id::text, stream_id::text, found.last_event_ts, last_seq, events_stored, missing_seq, is_submitted
FROM (
    SELECT session_id, max(event_ts) AS last_event_ts
    FROM attempt_events
    WHERE event_ts >= %(since)s
    GROUP BY session_id
    ORDER BY last_event_ts DESC
) AS found
CROSS JOIN LATERAL (
    SELECT
        stream_id, last_seq, events_stored, missing_seq, first_event_ts,
        bool_or(has_submission) OVER () AS is_submitted
    FROM stream_completeness
    WHERE stream_completeness.session_id = found.session_id
    OFFSET 0
) AS completeness
WHERE NOT isempty(missing_seq)
ORDER BY found.last_event_ts DESC, first_event_ts
LIMIT %(limit)s
"""

NO_EVENTS: TableRow = {
    "first_seq": None,
    "last_seq": None,
    "events_stored": 0,
    "missing_seq": Multirange[int](),
    "is_submitted": False,
}


@dataclass(frozen=True, slots=True)
class Session:
    """All that is known of a session; `owner` is its row in test_sessions, None when there is none.

    `completeness` is that of the session, `streams` that of each stream; a stream_id of None stands for the events
    that were sent without one.
    """

    session_id: str
    owner: TableRow | None
    completeness: TableRow
    streams: list[TableRow]
    entries: list[Entry]
    left_out: int

    @property
    def has_streams(self) -> bool:
        return any(row["stream_id"] for row in self.streams)

    @property
    def dropped(self) -> Counter[str]:
        """How many events its pages say they gave up, by reason."""
        told: Counter[str] = Counter()
        for row in self.streams:
            told.update(row["dropped"] or {})
        return told

    def as_data(self) -> dict[str, Any]:
        """Return all of it for JSON."""
        owner = self.owner or {"user_id": None, "exam_id": None}
        found = {
            "is_known": self.owner is not None,
            "missing_seq": gaps(self.completeness["missing_seq"]),
            "dropped": self.dropped,
            "streams": [with_gaps(row) for row in self.streams],
            "left_out": self.left_out,
        }
        entries = [_without_nulls(entry) for entry in self.entries]
        return {"session_id": self.session_id} | owner | self.completeness | found | {"timeline": entries}


def with_gaps(row: TableRow) -> TableRow:
    """Return a row with what is missing as the first and the last number of every gap."""
    return row | {"missing_seq": gaps(row["missing_seq"])}


def _without_nulls(entry: Entry) -> TableRow:
    return {name: value for name, value in asdict(entry).items() if value is not None}


def read_session(database_url: str, session_id: UUID, limit: int) -> Session:
    """Return a session with at most `limit` entries; raise OperatorError when nothing is known of it."""
    which = {"session": session_id, "limit": limit + 1}
    with transaction(database_url, row_factory=dict_row) as connection:
        owner = connection.execute(SELECT_SESSION, which).fetchone()
        completeness = connection.execute(SELECT_COMPLETENESS, which).fetchone() or NO_EVENTS
        streams = connection.execute(SELECT_STREAMS, which).fetchall()
        events = connection.execute(SELECT_EVENTS, which).fetchall()
        letters = connection.execute(SELECT_LETTERS, which).fetchall()
    if not (owner or events or letters):
        raise OperatorError(f"There is no session {session_id}, and no event or dead letter of it: check the id.")
    entries = timeline(events, streams, letters)
    left_out = completeness["events_stored"] - len(events) + max(0, len(entries) - limit)
    return Session(str(session_id), owner, completeness, streams, entries[:limit], left_out)


def read_streams_with_gaps(database_url: str, since: datetime, limit: int) -> list[TableRow]:
    """Return the streams that lack numbers, of sessions with an event since then; the last active session first."""
    with transaction(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(SELECT_STREAMS_WITH_GAPS, {"since": since, "limit": limit}).fetchall()
    return [with_gaps(row) for row in rows]
