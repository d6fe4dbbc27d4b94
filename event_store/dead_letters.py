"""Dead letters as the tables have them: which there are, and all about one."""

import base64
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from psycopg import sql
from psycopg.rows import dict_row

from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.transactions import transaction
from attemptlog.schemas import Envelope, Undecodable, decode
from attemptlog.schemas.dead_letters import DeadLetterReason

READABLE_BYTES = 2_000

# What two versions of an event have in common when they are the same event; the consumer compares these.
CONTENT = (
    "event_type",
    "client_ts",
    "session_id",
    "stream_id",
    "seq",
    "user_id",
    "question_id",
    "source",
    "payload_json",
)
FIELDS = ("id", "event_version", "event_type", "event_ts", *CONTENT[1:], "sent_at", "dropped")

MATCHES = sql.SQL("""
    (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
    AND (%(reason)s::text IS NULL OR reason = %(reason)s)
    AND (%(session)s::uuid IS NULL OR session_id = %(session)s)
    AND (%(user)s::uuid IS NULL OR user_id = %(user)s)
    AND (%(since)s::timestamptz IS NULL OR first_seen_at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR first_seen_at < %(until)s)
""")

IS_OPEN = sql.SQL("coalesce(replay_outcome, reason) NOT IN ('inserted', 'duplicate')")

COUNT = sql.SQL("""
SELECT reason, count(*) FILTER (WHERE {is_open}) AS open, count(*) FILTER (WHERE NOT {is_open}) AS settled
FROM dead_letters
WHERE {matches}
GROUP BY reason
ORDER BY reason
""").format(matches=MATCHES, is_open=IS_OPEN)

LIST = sql.SQL("""
SELECT
    id, first_seen_at, reason, detail, session_id::text, user_id::text, topic, partition, kafka_offset, replayed_at,
    replay_outcome
FROM dead_letters
WHERE {matches} AND (%(settled)s OR {is_open})
ORDER BY id DESC
LIMIT %(limit)s
""").format(matches=MATCHES, is_open=IS_OPEN)

SELECT_OPEN = sql.SQL("""
SELECT topic, array_agg(id ORDER BY partition, kafka_offset)
FROM dead_letters
WHERE {matches} AND {is_open}
GROUP BY topic
ORDER BY topic
""").format(matches=MATCHES, is_open=IS_OPEN)

READ = """
SELECT
    id, first_seen_at, reason, detail, session_id::text, user_id::text, topic, partition, kafka_offset, replayed_at,
    replay_outcome, key, value
FROM dead_letters
WHERE id = %(id)s
"""

READ_REPLAYS = """
SELECT replay_id, replayed_by, database_user, replayed_at, outcome, detail
FROM dead_letter_replay_outcomes
JOIN dead_letter_replays ON dead_letter_replays.id = replay_id
WHERE dead_letter_id = %(id)s
ORDER BY replay_id
"""

# At most two: one with the same id, and one with the same number in the stream.
READ_STORED = """
SELECT
    id::text, event_version, event_type, event_ts, client_ts, session_id::text, stream_id::text, seq, user_id::text,
    question_id::text, source, payload_json, sent_at, dropped
FROM attempt_events
WHERE id = %(id)s
    OR (session_id = %(session_id)s AND stream_id = %(stream_id)s AND seq = %(seq)s)
    OR (session_id = %(session_id)s AND stream_id IS NULL AND %(stream_id)s::uuid IS NULL AND seq = %(seq)s)
ORDER BY id <> %(id)s
"""

TableRow = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters are meant: those that fit everything that is given."""

    ids: list[int] | None = None
    reason: DeadLetterReason | None = None
    session: UUID | None = None
    user: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def parameters(self) -> TableRow:
        return {name: getattr(self, name) for name in self.__slots__} | {"ids": self.ids or None}

    def as_data(self) -> TableRow:
        """Return what is given, for JSON."""
        given = {name: value for name, value in self.parameters.items() if value is not None}
        return {name: value if name == "ids" else str(value) for name, value in given.items()}


@dataclass(frozen=True, slots=True)
class LetterInFull:
    """One dead letter: its row, the event in it if there is one, what is stored in its place, and its replays."""

    row: TableRow
    event: TableRow | None
    stored: list[TableRow]
    replays: list[TableRow]

    @property
    def differences(self) -> list[str]:
        """The fields in which the event and what is stored differ in content."""
        event = self.event or {}
        return [name for name in CONTENT if any(stored[name] != event.get(name) for stored in self.stored)]

    def as_data(self) -> TableRow:
        """Return all of it for JSON; the value as text that shows every byte, and as base64."""
        key, value = self.row["key"], self.row["value"]
        encoded = None if value is None else base64.b64encode(value).decode()
        raw = {"key": readable(key), "value": readable(value), "value_base64": encoded}
        found = {"event": self.event, "stored": self.stored, "differences": self.differences, "replays": self.replays}
        return self.row | raw | found


def count_and_list(
    database_url: str, selection: Selection, *, settled: bool, limit: int
) -> tuple[list[TableRow], list[TableRow]]:
    """Return the counts by reason, and the newest letters; those that are stored by now only if `settled`."""
    which = selection.parameters | {"settled": settled, "limit": limit}
    with transaction(database_url, row_factory=dict_row) as connection:
        return connection.execute(COUNT, which).fetchall(), connection.execute(LIST, which).fetchall()


def select_open(database_url: str, selection: Selection) -> dict[str, list[int]]:
    """Return the ids of those that are dead letters still, by topic, in the order in which Kafka had them."""
    with transaction(database_url) as connection:
        return dict(connection.execute(SELECT_OPEN, selection.parameters).fetchall())


def read_letter(database_url: str, letter_id: int) -> LetterInFull:
    """Return a letter; raise OperatorError when there is none with this id."""
    with transaction(database_url, row_factory=dict_row) as connection:
        row = connection.execute(READ, {"id": letter_id}).fetchone()
        if row is None:
            raise OperatorError(f"There is no dead letter {letter_id}: `attemptlog dead-letters list` shows them.")
        event = event_in(row["value"])
        stored = connection.execute(READ_STORED, event).fetchall() if event else []
        return LetterInFull(row, event, stored, connection.execute(READ_REPLAYS, {"id": letter_id}).fetchall())


def event_in(value: bytes | None) -> TableRow | None:
    """Return the event that a value holds, its payload as an object; None when it holds none."""
    try:
        return _as_row(decode(value))
    except Undecodable:
        return None


def _as_row(envelope: Envelope) -> TableRow:
    return {name: getattr(envelope, name) for name in FIELDS} | {"payload_json": orjson.loads(envelope.payload_json)}


def readable(value: bytes | None) -> str | None:
    """Return the first READABLE_BYTES as text in which whatever is not plain text stands as an escape."""
    if value is None:
        return None
    rest = len(value) - READABLE_BYTES
    return visible(value[:READABLE_BYTES].decode("utf-8", "backslashreplace")) + (f" … {rest} bytes more" * (rest > 0))


def visible(text: str) -> str:
    """Return text on which no terminal acts: a control character, or one that hides, stands as an escape."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
