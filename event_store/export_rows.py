"""The columns of an event that is exported, as SQL."""

from typing import LiteralString

from psycopg import sql

from attemptlog.event_store.export_windows import Selection

# Of what says which event it is and what it says; the other columns would cost as much again.
# PostgreSQL's own hash of a record, by which tables are parted, too: hence it stays what it is from version to version.
ROW_HASH: LiteralString = "hash_record_extended(ROW(id, event_type, event_ts, session_id, seq, payload_json), 0)"

COLUMNS: dict[LiteralString, LiteralString] = {
    "id": "id::text",
    "event_version": "event_version",
    "event_type": "event_type",
    "event_ts": "event_ts",
    "client_ts": "client_ts",
    "session_id": "session_id::text",
    "stream_id": "stream_id::text",
    "seq": "seq",
    "user_id": "user_id::text",
    "question_id": "question_id::text",
    "source": "source",
    "payload": "payload_json::text",
    "sent_at": "sent_at",
    "dropped": "dropped::text",
    "stored_at": "created_at",
    "row_hash": ROW_HASH,
}

# The exam is the platform's to know; what it says is no part of a row, and of no hash.
WITH_EXAM: dict[LiteralString, LiteralString] = {
    **COLUMNS,
    "exam_id": "(SELECT exam_id::text FROM test_sessions WHERE test_sessions.id = attempt_events.session_id)",
}

SELECT_ROWS = sql.SQL("SELECT {columns} FROM attempt_events WHERE {which}")


def select_rows(selection: Selection, *, with_exam: bool = False) -> str:
    """Return the query for the rows of a selection, with the columns of COLUMNS.

    With the exam, its id is one more, null where the platform does not say it.
    """
    chosen = WITH_EXAM if with_exam else COLUMNS
    columns = sql.SQL(", ").join(sql.SQL(f"{it} AS {name}") for name, it in chosen.items())
    return SELECT_ROWS.format(columns=columns, which=selection.condition).as_string()
