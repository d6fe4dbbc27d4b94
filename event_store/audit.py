"""Kafka, the ledger and the tables, read together: has every record of a topic its place in PostgreSQL?"""

import asyncio
import time
from dataclasses import replace

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import scalar_row

from attemptlog.event_store.accounts import NOTHING, Audit, Counts, Gone, PartitionAccount
from attemptlog.event_store.comparison import compare_logs
from attemptlog.runtime.admin import Cluster, no_such_topic, offsets
from attemptlog.runtime.transactions import open_transaction

POLL_SECONDS = 0.1

# One snapshot for all of them, or a batch that commits in between would look like a fault.
ONE_SNAPSHOT = IsolationLevel.REPEATABLE_READ

SELECT_COUNTS = """
SELECT
    partition,
    next_offset,
    records,
    inserted,
    duplicates,
    dead_lettered,
    suppressed,
    (
        SELECT count(*)
        FROM dead_letters
        WHERE dead_letters.topic = partition_ledger.topic
            AND dead_letters.log = partition_ledger.log
            AND dead_letters.partition = partition_ledger.partition
    ) AS dead_letter_rows,
    first_offset,
    (
        SELECT coalesce(sum(letters), 0)::bigint
        FROM purged_letters
        WHERE purged_letters.topic = partition_ledger.topic
            AND purged_letters.log = partition_ledger.log
            AND purged_letters.partition = partition_ledger.partition
    ) AS purged_letters
FROM partition_ledger
WHERE topic = %(topic)s
"""

SELECT_INSERTED_IN_ALL = """
SELECT coalesce(sum(inserted), 0)::bigint
FROM (SELECT inserted FROM partition_ledger UNION ALL SELECT inserted FROM closed_ledgers) AS every_log
"""

SELECT_CLOSED_LOGS = """
SELECT
    count(DISTINCT log),
    coalesce(sum(next_offset), 0)::bigint,
    coalesce(sum(records), 0)::bigint,
    coalesce(sum(inserted), 0)::bigint,
    coalesce(sum(duplicates), 0)::bigint,
    coalesce(sum(dead_lettered), 0)::bigint,
    coalesce(sum(suppressed), 0)::bigint,
    coalesce(sum((
        SELECT count(*)
        FROM dead_letters
        WHERE dead_letters.topic = closed_ledgers.topic
            AND dead_letters.log = closed_ledgers.log
            AND dead_letters.partition = closed_ledgers.partition
    )), 0)::bigint,
    coalesce(sum(first_offset), 0)::bigint,
    coalesce(sum((
        SELECT sum(letters)
        FROM purged_letters
        WHERE purged_letters.topic = closed_ledgers.topic
            AND purged_letters.log = closed_ledgers.log
            AND purged_letters.partition = closed_ledgers.partition
    )), 0)::bigint
FROM closed_ledgers
WHERE topic = %(topic)s
"""

# Version 0 are rows from before attemptlog: no ledger counts them.
SELECT_EVENTS = """
SELECT count(*)
FROM attempt_events
WHERE event_version >= 1
"""

# What a replay stored is counted as a dead letter in the ledger, which is about the record and stays as it is.
SELECT_REPLAYED = """
SELECT
    (SELECT count(*) FROM dead_letters WHERE replay_outcome = 'inserted')
    + (SELECT coalesce(sum(replayed), 0) FROM purged_letters)::bigint
"""

SELECT_GONE = """
SELECT
    coalesce(sum(events) FILTER (WHERE kind <> 'retention'), 0)::bigint,
    coalesce(sum(events) FILTER (WHERE kind = 'retention'), 0)::bigint,
    (SELECT coalesce(sum(letters), 0) FROM purged_letters)::bigint
FROM purges
"""

SELECT_NEXT_OFFSETS = """
SELECT partition, next_offset
FROM partition_ledger
WHERE topic = %(topic)s
"""


async def settled_audit(kafka: Cluster, database_url: str, topic: str, wait: float) -> Audit:
    """Audit until nothing is pending, for at most `wait` seconds, and return the last audit.

    Nobody stores what another log holds: that is not waited for.
    """
    deadline = time.monotonic() + wait
    while True:
        found = await take_audit(kafka, database_url, topic)
        if not found.pending or found.objections or time.monotonic() >= deadline:
            return found
        await drain(kafka, database_url, topic, deadline - time.monotonic())


async def take_audit(kafka: Cluster, database_url: str, topic: str) -> Audit:
    """Audit now; raise OperatorError for a topic that neither Kafka nor the ledger knows.

    PostgreSQL is read first, so that a live topic shows pending records and never a ledger ahead.
    """
    counts, found = await _read_database(database_url, topic)
    in_kafka = await offsets(kafka, topic)
    if not in_kafka and not counts:
        raise no_such_topic(topic)
    objections = (await compare_logs(kafka, database_url, topic)).objections if in_kafka else []
    partitions = sorted(counts.keys() | in_kafka.keys())
    accounts = [PartitionAccount(each, in_kafka.get(each), counts.get(each, NOTHING)) for each in partitions]
    return replace(found, partitions=accounts, objections=objections)


async def drain(kafka: Cluster, database_url: str, topic: str, wait: float) -> bool:
    """Wait until what Kafka holds now is in the ledger; return False when it is not within `wait` seconds."""
    goals = {partition: found.end for partition, found in (await offsets(kafka, topic)).items()}
    deadline = time.monotonic() + wait
    async with open_transaction(database_url) as connection:  # each statement sees what is committed by then
        while True:
            cursor = await connection.execute(SELECT_NEXT_OFFSETS, {"topic": topic})
            reached: dict[int, int] = dict(await cursor.fetchall())
            if all(reached.get(partition, 0) >= goal for partition, goal in goals.items()):
                return True
            if time.monotonic() >= deadline:
                return False
            await asyncio.sleep(POLL_SECONDS)


async def read_counts(connection: psycopg.AsyncConnection, topic: str) -> dict[int, Counts]:
    """Return the ledger of a topic by partition."""
    cursor = await connection.execute(SELECT_COUNTS, {"topic": topic})
    return {partition: Counts(*rest) for partition, *rest in await cursor.fetchall()}


async def _read_database(database_url: str, topic: str) -> tuple[dict[int, Counts], Audit]:
    """Return the ledger by partition, and an audit of all that is not about one."""
    async with open_transaction(database_url, ONE_SNAPSHOT, read_only=True) as connection:
        counts = await read_counts(connection, topic)
        logs, closed = await _read_closed(connection, topic)
        statements = (SELECT_INSERTED_IN_ALL, SELECT_EVENTS, SELECT_REPLAYED)
        inserted, events, replayed = [await _number(connection, statement) for statement in statements]
        gone = Gone(*(await (await connection.execute(SELECT_GONE)).fetchall())[0])
        return counts, Audit(topic, [], inserted, events, replayed, closed_logs=logs, closed=closed, gone=gone)


async def _read_closed(connection: psycopg.AsyncConnection, topic: str) -> tuple[int, Counts]:
    cursor = await connection.execute(SELECT_CLOSED_LOGS, {"topic": topic})
    [(logs, *sums)] = await cursor.fetchall()
    return logs, Counts(*sums)


async def _number(connection: psycopg.AsyncConnection, statement: str) -> int:
    async with connection.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(statement)
        return int(await cursor.fetchone() or 0)
