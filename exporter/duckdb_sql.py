"""What is said to a DuckDB file."""

from pathlib import Path
from typing import Any

import pyarrow as pa

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import SCHEMA, TIME

# JSON stays text, which DuckDB's JSON functions read as well: what PostgreSQL has kept can always be stored.
TYPES = {
    pa.string(): "VARCHAR",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    TIME: "TIMESTAMPTZ",
}


def column(field: Any) -> str:
    """Return the definition of an Arrow field's column; raises DataError for one of a type that no event has."""
    if field.type not in TYPES:
        raise DataError(f"the column {field.name} is of the type {field.type}, which is not exported to DuckDB")
    return f'"{field.name}" {TYPES[field.type]}{"" if field.nullable else " NOT NULL"}'


CREATE = f"""
CREATE SCHEMA IF NOT EXISTS attemptlog;

CREATE TABLE IF NOT EXISTS attempt_events ({", ".join(map(column, SCHEMA))}, export_batch UUID NOT NULL);

CREATE TABLE IF NOT EXISTS attemptlog.export_batches (
    number BIGINT PRIMARY KEY,
    id UUID UNIQUE NOT NULL,
    attempt INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL DEFAULT current_timestamp
);

CREATE TABLE IF NOT EXISTS attemptlog.traces (since TIMESTAMPTZ NOT NULL);

CREATE TABLE IF NOT EXISTS attemptlog.fence AS SELECT 0::BIGINT AS number, 0::BIGINT AS uses;
"""

IS_CLAIMED = "FROM duckdb_tables() WHERE schema_name = 'attemptlog' AND table_name = 'fence'"

# Of two that change a row's column at the same time, DuckDB refuses one; to write what is there already is no change.
CLAIM = "UPDATE attemptlog.fence SET number = $fence, uses = uses + 1 WHERE number <= $fence RETURNING number"
HOLD = "UPDATE attemptlog.fence SET uses = uses + 1 WHERE number = $fence RETURNING number"

FIND = "SELECT rows, checksum, bytes FROM attemptlog.export_batches WHERE id = ?"
LATEST = "SELECT id FROM attemptlog.export_batches ORDER BY number DESC LIMIT 1"
COMMIT = """
INSERT INTO attemptlog.export_batches (number, id, attempt, fence, rows, checksum, bytes)
SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?
FROM attemptlog.export_batches
"""

INSERT = "INSERT INTO attempt_events BY NAME SELECT *, $batch::UUID AS export_batch FROM loaded"
INSERT_NEW = """
INSERT INTO attempt_events BY NAME
SELECT *, $batch::UUID AS export_batch
FROM loaded
WHERE id NOT IN (SELECT id FROM attempt_events WHERE id BETWEEN $low AND $high)
"""
COUNT_OF_CHUNK = """
SELECT count(*), sum(row_hash)
FROM attempt_events
WHERE id BETWEEN $low AND $high AND id IN (SELECT id FROM loaded)
"""
COUNT_OF_BATCH = "SELECT count(*), sum(row_hash) FROM attempt_events WHERE export_batch = ?"
DAYS = "SELECT event_ts::DATE, count(*), sum(row_hash) FROM attempt_events GROUP BY ALL"
ROWS_OF_DAY = """
SELECT id, row_hash, session_id, user_id
FROM attempt_events
WHERE event_ts >= ? AND event_ts < ?::DATE + 1
"""

PAIRS = "SELECT user_id, session_id, count(*) AS rows FROM attempt_events GROUP BY user_id, session_id"
DELETE = """
DELETE FROM attempt_events
USING chosen
WHERE attempt_events.user_id = chosen.user_id AND attempt_events.session_id = chosen.session_id
"""
NOTE_TRACES = "INSERT INTO attemptlog.traces VALUES (current_timestamp)"
FIND_TRACES = "SELECT since FROM attemptlog.traces LIMIT 1"

FRESH = "attemptlog_fresh"
FORGET_TRACES = f"DELETE FROM {FRESH}.attemptlog.traces"  # noqa: S608 (a name of ours)
DETACH = f"DETACH {FRESH}"


def attach(file: Path) -> str:
    """Return the statement that makes a file and opens it as FRESH."""
    place = str(file).replace("'", "''")
    return f"ATTACH '{place}' AS {FRESH}"


def copy_from(database: str) -> str:
    """Return the statement that copies all there is in a database into FRESH."""
    name = database.replace('"', '""')
    return f'COPY FROM DATABASE "{name}" TO {FRESH}'
