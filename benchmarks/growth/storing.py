"""A class stored over one connection, and what that took of CPU, WAL and pages."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.store import Store
from benchmarks.export_column import spent
from benchmarks.growth import sql
from benchmarks.growth.sql import execute

GONE_WITHIN = 10.0  # seconds


@dataclass(frozen=True, slots=True)
class Turn:
    """CPU of the store and of PostgreSQL in µs, WAL in bytes, each for a row; records are decoded before it.

    `reading_us` and `writing_us` are spent in calls for pages, which the system answers from its cache or the disk;
    `blocks_read` are those of table and indexes for a thousand rows. The WAL begins with a checkpoint, after which each
    page that is changed is written whole once.
    """

    rows_per_second: float
    client_us: float
    postgres_us: float
    reading_us: float
    writing_us: float
    wal: float
    whole_pages: float
    blocks_read: dict[str, float]


@dataclass(frozen=True, slots=True)
class Counted:
    """What PostgreSQL has counted so far: blocks read by relation, ms of reading and of writing."""

    blocks_read: Mapping[str, int]
    reading: float
    writing: float


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows that were stored, in how many seconds, by how much CPU of the store and of PostgreSQL; and what WAL that is.

    The first batch, with which the store connects, is only in `all_rows`.
    """

    rows: int
    all_rows: int
    seconds: float
    client: float
    postgres: float
    wal: int
    whole_pages: int


async def store(database: str, topic: str, batches: Sequence[Batch]) -> tuple[int, Turn]:
    """Return how many rows were stored, and what that took from a checkpoint on."""
    execute(database, "CHECKPOINT")
    before = _counted(database)
    stored = await _stored(database, topic, batches)
    _wait_until_alone(database)
    return stored.all_rows, _turn(stored, before, _counted(database))


async def _stored(database: str, topic: str, batches: Sequence[Batch]) -> Stored:
    async with Store(database, topic) as it:
        first = await it.write(batches[0])
        [[process]] = execute(database, sql.CLIENTS)
        [[position]] = execute(database, sql.WAL_POSITION)
        started, client, postgres = time.perf_counter(), time.process_time(), spent(process)
        rows = sum([(await it.write(batch)).inserted for batch in batches[1:]])
        seconds, client, postgres = (
            time.perf_counter() - started,
            time.process_time() - client,
            spent(process) - postgres,
        )
    [[end]] = execute(database, sql.WAL_POSITION)
    [[records, whole_pages]] = execute(database, sql.WAL, position, end)
    return Stored(rows, first.inserted + rows, seconds, client, postgres, records + whole_pages, whole_pages)


def _turn(stored: Stored, before: Counted, after: Counted) -> Turn:
    blocks = {name: count - before.blocks_read[name] for name, count in after.blocks_read.items()}
    return Turn(
        rows_per_second=round(stored.rows / stored.seconds),
        client_us=round(1e6 * stored.client / stored.rows, 2),
        postgres_us=round(1e6 * stored.postgres / stored.rows, 2),
        reading_us=round(1e3 * (after.reading - before.reading) / stored.all_rows, 2),
        writing_us=round(1e3 * (after.writing - before.writing) / stored.all_rows, 2),
        wal=round(stored.wal / stored.rows, 1),
        whole_pages=round(stored.whole_pages / stored.rows, 1),
        blocks_read={name: round(1000 * count / stored.all_rows, 2) for name, count in blocks.items()},
    )


def _counted(database: str) -> Counted:
    [[reading, writing]] = execute(database, sql.WAITED)
    return Counted(dict(execute(database, sql.BLOCKS_READ)), reading, writing)


def _wait_until_alone(database: str) -> None:
    """Return when the store's process has ended, which tells its last figures then."""
    deadline = time.monotonic() + GONE_WITHIN
    while execute(database, sql.CLIENTS):
        if time.monotonic() > deadline:
            raise TimeoutError("somebody else is connected to the table that is measured")
        time.sleep(0.05)
