"""What a query returns as Arrow record batches, streamed out of PostgreSQL's binary COPY."""

from collections.abc import Iterator
from contextlib import closing

import adbc_driver_postgresql.dbapi as adbc
from adbc_driver_manager import Error
from adbc_driver_postgresql import StatementOptions

from attemptlog.event_store.database import OPERATORS, TRANSIENT, refusal
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.exporter.rows import Chunk
from attemptlog.runtime.logs import first_line

CHUNK_BYTES = 4 * 1024 * 1024  # about 10,000 rows; memory stays small, and larger ones are no faster


def stream(conninfo: str, pin: str, query: str) -> Iterator[Chunk]:
    """Yield what a query returns, about CHUNK_BYTES at a time, in a transaction that begins with the statement `pin`.

    Raises StoreUnavailable or CannotRun.
    """
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
        return refusal(state, why)
    if state is None or state.startswith(TRANSIENT):
        return StoreUnavailable(why)
    return error
