"""The least a consumer can do: COPY into a temporary table, then INSERT, from rows that are already in memory."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import psutil
import psycopg

from attemptlog.schemas import Envelope

BATCH = 5_000  # rows
COLUMNS = ", ".join(Envelope.__slots__)
STAGE = f"""
    CREATE TEMP TABLE floor_stage ON COMMIT DELETE ROWS AS
    SELECT {COLUMNS} FROM attempt_events WITH NO DATA
"""  # noqa: S608  # the names of our own columns
INSERT = f"""
    INSERT INTO attempt_events ({COLUMNS})
    SELECT {COLUMNS} FROM floor_stage ORDER BY session_id, stream_id, seq
    ON CONFLICT DO NOTHING
"""  # noqa: S608  # the names of our own columns
FIELDS = attrgetter(*Envelope.__slots__)
# As a table has them without migration 0006: PostgreSQL looks each row's session, user and question up.
ORDINARY_KEYS = """
    DROP TRIGGER attempt_events_parents_of_new ON attempt_events;
    DROP TRIGGER attempt_events_parents_of_changed ON attempt_events;
    ALTER TABLE attempt_events ALTER CONSTRAINT attempt_events_session_id_fkey ENFORCED;
    ALTER TABLE attempt_events ALTER CONSTRAINT attempt_events_user_id_fkey ENFORCED;
    ALTER TABLE attempt_events ALTER CONSTRAINT attempt_events_question_id_fkey ENFORCED;
"""

FloorRow = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Floor:
    """What it took: rows that went in, seconds, and CPU seconds of the PostgreSQL process."""

    stored: int
    seconds: float
    cpu_seconds: float


def rows_of(envelopes: Iterable[Envelope]) -> list[FloorRow]:
    """Return the rows as COPY takes them."""
    return [tuple(it.decode() if isinstance(it, bytes) else it for it in FIELDS(each)) for each in envelopes]


def store(database_url: str, rows: Sequence[FloorRow]) -> Floor:
    """Store rows in batches of BATCH over one connection to a PostgreSQL on this machine, with ORDINARY_KEYS."""
    with psycopg.connect(database_url) as connection:
        connection.execute(ORDINARY_KEYS)
        connection.execute(STAGE)
        connection.commit()
        backend = psutil.Process(connection.info.backend_pid)
        cpu, started = sum(backend.cpu_times()[:2]), time.perf_counter()
        stored = sum(_store(connection, rows[start : start + BATCH]) for start in range(0, len(rows), BATCH))
        return Floor(stored, time.perf_counter() - started, sum(backend.cpu_times()[:2]) - cpu)


def _store(connection: psycopg.Connection, rows: Sequence[FloorRow]) -> int:
    with connection.cursor() as cursor, connection.transaction():
        with cursor.copy(f"COPY floor_stage ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return cursor.execute(INSERT).rowcount
