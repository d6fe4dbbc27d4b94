"""What is said to Snowflake. Names are those of the session's database and schema."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from attemptlog.exporter.errors import DataError
from attemptlog.exporter.rows import SCHEMA, TIME

EVENTS = "attempt_events"
LOAD = "attemptlog_export_load"  # rows as they come out of the file; empty between two batches
STAGE = "attemptlog_export"

JSON = ("payload", "dropped")
TYPES = {
    pa.string(): "VARCHAR",
    pa.int16(): "NUMBER(5, 0)",
    pa.int32(): "NUMBER(10, 0)",
    pa.int64(): "NUMBER(19, 0)",
    TIME: "TIMESTAMP_TZ(6)",
}


def column(field: Any, table: str) -> str:
    """Return the definition of an Arrow field's column; raises DataError for one of a type that no event has."""
    if field.type not in TYPES:
        raise DataError(f"the column {field.name} is of the type {field.type}, which is not exported to Snowflake")
    if table == LOAD:
        return f"{field.name} {TYPES[field.type]}"
    type_name = "VARIANT" if field.name in JSON else TYPES[field.type]
    return f"{field.name} {type_name}{'' if field.nullable else ' NOT NULL'}"


def columns(table: str) -> str:
    """Return the definitions of all columns that every event has."""
    return ", ".join(column(field, table) for field in SCHEMA)


# The fence's row is there as soon as its table is: two exporters that come first at the same time find one.
CREATE = [
    f"CREATE TABLE IF NOT EXISTS {EVENTS} ({columns(EVENTS)}, export_batch VARCHAR(36) NOT NULL)",
    f"CREATE TRANSIENT TABLE IF NOT EXISTS {LOAD} ({columns(LOAD)}) DATA_RETENTION_TIME_IN_DAYS = 0",
    """
    CREATE TABLE IF NOT EXISTS attemptlog_export_batches (
        batch_number NUMBER(19, 0) NOT NULL,
        batch_id VARCHAR(36) NOT NULL,
        attempt NUMBER(10, 0) NOT NULL,
        fence NUMBER(19, 0) NOT NULL,
        row_count NUMBER(19, 0) NOT NULL,
        checksum NUMBER(19, 0) NOT NULL,
        bytes NUMBER(19, 0) NOT NULL,
        committed_at TIMESTAMP_TZ(6) NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS attemptlog_export_fence AS
    SELECT CAST(0 AS NUMBER(19, 0)) AS fence, CAST(0 AS NUMBER(19, 0)) AS uses
    """,
    f"CREATE STAGE IF NOT EXISTS {STAGE}",
]

IS_CLAIMED = """
SELECT table_name
FROM information_schema.tables
WHERE table_schema = CURRENT_SCHEMA() AND table_name = 'ATTEMPTLOG_EXPORT_FENCE'
"""

# Who has changed this row keeps others from changing it until the transaction has ended.
CLAIM = "UPDATE attemptlog_export_fence SET fence = ?, uses = uses + 1 WHERE fence <= ?"
HOLD = "UPDATE attemptlog_export_fence SET uses = uses + 1 WHERE fence = ?"
IS_HELD = "SELECT fence FROM attemptlog_export_fence WHERE fence = ?"

FIND = "SELECT row_count, checksum, bytes FROM attemptlog_export_batches WHERE batch_id = ?"
LATEST = "SELECT batch_id FROM attemptlog_export_batches ORDER BY batch_number DESC LIMIT 1"
ENTER = """
INSERT INTO attemptlog_export_batches
    (batch_number, batch_id, attempt, fence, row_count, checksum, bytes, committed_at)
SELECT COALESCE(MAX(batch_number), 0) + 1, ?, ?, ?, ?, ?, ?, CURRENT_TIMESTAMP()
FROM attemptlog_export_batches
"""

PUT_OPTIONS = "SOURCE_COMPRESSION = NONE AUTO_COMPRESS = FALSE OVERWRITE = FALSE"

# DELETE and not TRUNCATE, which would commit.
CLEAR = "DELETE FROM attemptlog_export_load"

COUNT_LOADED = """
SELECT COUNT(*) AS row_count, SUM(CAST(row_hash AS NUMBER(38, 0))) AS hash_sum
FROM attemptlog_export_load
"""
COUNT_STORED = """
SELECT COUNT(*) AS row_count, SUM(CAST(row_hash AS NUMBER(38, 0))) AS hash_sum
FROM attempt_events
WHERE id IN (SELECT id FROM attemptlog_export_load)
"""
UNREADABLE = """
SELECT id
FROM attemptlog_export_load
WHERE (payload IS NOT NULL AND TRY_PARSE_JSON(payload) IS NULL)
    OR (dropped IS NOT NULL AND TRY_PARSE_JSON(dropped) IS NULL)
LIMIT 1
"""

DAYS = """
SELECT
    TO_DATE(CONVERT_TIMEZONE('UTC', event_ts)) AS day,
    COUNT(*) AS row_count,
    SUM(CAST(row_hash AS NUMBER(38, 0))) AS hash_sum
FROM attempt_events
GROUP BY 1
"""
ROWS_OF_DAY = """
SELECT id, row_hash, session_id, user_id
FROM attempt_events
WHERE TO_DATE(CONVERT_TIMEZONE('UTC', event_ts)) = ?
"""

PAIRS = "SELECT user_id, session_id, COUNT(*) AS row_count FROM attempt_events GROUP BY user_id, session_id"


def delete(pairs: int) -> str:
    """Return the statement that deletes the rows of so many pairs; its parameters are a person's id and a session's."""
    return f"DELETE FROM attempt_events WHERE (user_id, session_id) IN ({', '.join(['(?, ?)'] * pairs)})"  # noqa: S608 (marks)


def copy(place: str) -> str:
    """Return the statement that loads one file by its name. Times are read as what they are, and not as numbers."""
    return f"""
    COPY INTO attemptlog_export_load
    FROM {place}
    FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE)
    MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE
    ON_ERROR = ABORT_STATEMENT
    """


def insert(names: Sequence[str]) -> str:
    """Return the statement that moves what was loaded, except what is there; its parameter is the batch's id."""
    values = ", ".join(f"PARSE_JSON({name})" if name in JSON else name for name in names)
    return f"""
    INSERT INTO attempt_events ({", ".join(names)}, export_batch)
    SELECT {values}, ?
    FROM attemptlog_export_load AS loaded
    WHERE NOT EXISTS (SELECT 1 FROM attempt_events WHERE attempt_events.id = loaded.id)
    """  # noqa: S608 (the names are those of an Arrow schema of ours)
