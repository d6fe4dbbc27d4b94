"""A table that has grown: one class of the simulator's after the other, with all indexes and triggers in place.

Made by COPY and indexed afterwards, it would have full pages in a perfect order, and would be smaller and quicker to
read than any that has been stored into.
"""

import asyncio
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import LiteralString

import psycopg

from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.store import Store
from benchmarks.growth.sql import execute

BUILDERS = 2  # classes that sit at the same time, a core each
BATCH = 5_000  # rows a transaction, as many as a connection of a worker takes at a time

# What would survive a crash is not needed: a table that is lost is made again.
NOT_DURABLE: Sequence[LiteralString] = ("fsync", "full_page_writes")
NO_AUTOVACUUM = "ALTER SYSTEM SET autovacuum = off"  # or it comes while something is measured
SETTINGS = "SET synchronous_commit = off"
VACUUM = "VACUUM ANALYZE attempt_events, event_sessions, test_sessions"

# The first class came through the consumer's store; the others do what it did, under other ids, a day later each.
TEMPLATE = """
CREATE TABLE fill_template AS
SELECT
    row_number() OVER (ORDER BY id) - 1 AS place, event_version, event_type, event_ts, client_ts, seq, session_id,
    question_id, source, payload_json, stream_id, sent_at, dropped
FROM attempt_events;

CREATE INDEX ON fill_template (place);

CREATE TABLE fill_sittings AS
SELECT DISTINCT session_id AS like_session, exam_id
FROM attempt_events
JOIN test_sessions ON test_sessions.id = session_id;

ANALYZE fill_template, fill_sittings;
"""
COUNT = "SELECT count(*) FROM fill_template"

CLASS: Sequence[LiteralString] = (
    """
    CREATE TEMP TABLE sittings AS
    SELECT
        like_session,
        exam_id,
        CASE WHEN %(in_order)s THEN uuidv7() ELSE gen_random_uuid() END AS session_id,
        gen_random_uuid() AS user_id
    FROM fill_sittings
    """,
    "ANALYZE sittings",
    "INSERT INTO users (id) SELECT user_id FROM sittings",
    "INSERT INTO test_sessions (id, user_id, exam_id) SELECT session_id, user_id, exam_id FROM sittings",
)

ROWS = """
INSERT INTO attempt_events (
    id, event_version, event_type, event_ts, client_ts, seq, session_id, user_id, question_id, source, payload_json,
    stream_id, sent_at, dropped
)
SELECT
    uuidv7(), event_version, event_type, event_ts + %(later)s, client_ts + %(later)s, seq, s.session_id, user_id,
    question_id, source, payload_json, md5(s.session_id::text || stream_id::text)::uuid, sent_at + %(later)s, dropped
FROM fill_template
JOIN sittings s ON like_session = fill_template.session_id
WHERE place >= %(first)s AND place < %(end)s
ORDER BY s.session_id, stream_id, seq
"""


def begin(database: str, batches: Sequence[Batch]) -> int:
    """Store the first class, of which the others are copies; return its rows."""
    execute(database, NO_AUTOVACUUM)
    asyncio.run(_store(database, batches))
    execute(database, TEMPLATE)
    [[rows]] = execute(database, COUNT)
    return int(rows)


async def _store(database: str, batches: Sequence[Batch]) -> None:
    async with Store(database, "fill") as store:
        for batch in batches:
            await store.write(batch)


def add_classes(database: str, days: Sequence[int], rows: int, *, in_order: bool) -> None:
    """Add a class of so many rows for each day, then vacuum, as autovacuum does, and have all of it on the disk.

    The ids of sessions are random, or in the order in which these were made.
    """
    with _not_durable(database), ThreadPoolExecutor(BUILDERS) as pool:
        list(pool.map(partial(_add_class, database, rows, in_order=in_order), days))
    execute(database, VACUUM)
    execute(database, "CHECKPOINT")
    os.sync()  # or the system writes what was left to it while others are measured


@contextmanager
def _not_durable(database: str) -> Iterator[None]:
    for name in NOT_DURABLE:
        execute(database, "ALTER SYSTEM SET " + name + " = off")
    execute(database, "SELECT pg_reload_conf()")
    yield
    for name in NOT_DURABLE:
        execute(database, "ALTER SYSTEM RESET " + name)
    execute(database, "SELECT pg_reload_conf()")


def _add_class(database: str, rows: int, day: int, *, in_order: bool) -> None:
    with psycopg.connect(database, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        for statement in (SETTINGS, *CLASS):
            cursor.execute(statement, {"in_order": in_order})
        for first in range(0, rows, BATCH):
            cursor.execute(ROWS, {"first": first, "end": first + BATCH, "later": f"{day} days"})
