"""The least a consumer can do: COPY into a temporary table, then INSERT, from rows that are already in memory."""

import time
from collections.abc import Sequence

import psycopg

from schemas import Envelope

BATCH = 5_000  # rows
COLUMNS = ", ".join(Envelope.__slots__)
STAGE = f"""
    CREATE TEMP TABLE floor_stage ON COMMIT DELETE ROWS AS
    SELECT {COLUMNS} FROM attempt_events WITH NO DATA
"""  # noqa: S608  # the names of our own columns
INSERT = f"""
    INSERT INTO attempt_events ({COLUMNS})
    SELECT {COLUMNS} FROM floor_stage ORDER BY session_id, seq
    ON CONFLICT DO NOTHING
"""  # noqa: S608  # the names of our own columns


def seconds_to_store(database_url: str, rows: Sequence[tuple[object, ...]]) -> float:
    """Store rows in the order of Envelope's fields in batches of BATCH; return the seconds it took."""
    with psycopg.connect(database_url) as connection:
        connection.execute(STAGE)
        connection.commit()
        started = time.perf_counter()
        for start in range(0, len(rows), BATCH):
            _store(connection, rows[start : start + BATCH])
        return time.perf_counter() - started


def _store(connection: psycopg.Connection, rows: Sequence[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, connection.transaction():
        with cursor.copy(f"COPY floor_stage ({COLUMNS}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(INSERT)
