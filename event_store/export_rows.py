"""Events as Arrow record batches, streamed out of PostgreSQL's binary COPY."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any, LiteralString

import adbc_driver_postgresql.dbapi as adbc
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions
from psycopg import sql

from attemptlog.event_store.database import OPERATORS, TRANSIENT
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.export_windows import Selection
from attemptlog.runtime.logs import first_line

CHUNK_BYTES = 4 * 1024 * 1024  # about 10,000 rows; memory stays small, and larger ones are no faster

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

SELECT_ROWS = sql.SQL("SELECT {columns} FROM attempt_events WHERE {which}")


def read(conninfo: str, pin: str, selection: Selection) -> Iterator[Any]:
    """Yield the rows of a selection with the columns of COLUMNS as pyarrow.RecordBatch, of about CHUNK_BYTES each.

    `pin` is the statement that the transaction begins with. Raises StoreUnavailable or CannotRun.
    """
    columns = sql.SQL(", ").join(sql.SQL(f"{it} AS {name}") for name, it in COLUMNS.items())
    return stream(conninfo, pin, SELECT_ROWS.format(columns=columns, which=selection.condition).as_string())


def stream(conninfo: str, pin: str, query: str) -> Iterator[Any]:
    """Yield what a query returns; see `read`."""
    try:
        with closing(adbc.connect(conninfo)) as connection, connection.cursor() as cursor:
            cursor.execute(pin)
            cursor.fetchall()
            cursor.adbc_statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: str(CHUNK_BYTES)})
            cursor.execute(query)
            with cursor.fetch_record_batch() as reader:
                yield from reader
    except Error as error:
        raise _told(error) from error
    except OSError as error:  # as which Arrow tells whatever ends a COPY half way
        raise StoreUnavailable(first_line(error)) from error


def _told(error: Error) -> Exception:
    state = error.sqlstate
    why = f"{state or type(error).__name__}: {first_line(error)}"
    if state is not None and state.startswith(OPERATORS):
        return CannotRun(f"PostgreSQL refuses: {why}; `attemptlog doctor` looks why")
    if state is None or state.startswith(TRANSIENT):
        return StoreUnavailable(why)
    return error
