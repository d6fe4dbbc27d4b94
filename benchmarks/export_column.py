"""What the export costs the consumer: the same batches into a table with export_xid and its index, and without them."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import LiteralString

import psycopg

from attemptlog.event_store.decoding import Batch, decode_batch
from attemptlog.event_store.store import Store
from attemptlog.schemas import Envelope, encode
from benchmarks.figures import Figure, Reference, at_most, middle
from benchmarks.stage import Stage

BATCH = 2_000  # records; small ones, so that each finds a moment in which nothing else disturbs it
BATCHES = 30
REPEATS = 3  # times the rounds of the other subjects
LIMIT = 1.03
TOPIC = "bench"
WITHOUT = "ALTER TABLE attempt_events DROP COLUMN export_xid"  # the index goes with it
BACKEND = """
SELECT pid
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
COUNT = "SELECT count(*) FROM attempt_events"


@dataclass(frozen=True, slots=True)
class Record:
    """What is read of a record."""

    offset: int
    value: bytes
    partition: int = 0
    key: bytes | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """A consumer's store, and the PostgreSQL process that works for it."""

    store: Store
    backend: int

    async def write(self, batch: Batch) -> float:
        """Return the seconds of CPU that a batch took, here and in PostgreSQL."""
        before = spent(self.backend) + time.process_time()
        await self.store.write(batch)
        return spent(self.backend) + time.process_time() - before


def measure(stage: Stage) -> list[Figure]:
    """Return the row of the column: what each batch took in the best of many rounds, with it and without."""
    school, rounds = stage.school(0), REPEATS * stage.scale.rounds
    batches = list(islice(batches_of(school.envelopes()), BATCHES))
    stage.say(f"what the export's column costs the consumer, {rounds} rounds of {len(batches)} batches …")
    found, wrong = [], list[str]()
    for _ in range(rounds):
        with stage.database(school.roster) as with_it, stage.database(school.roster) as without:
            _execute(without, WITHOUT)
            found.append(asyncio.run(_round([with_it, without], batches)))
            counts = [_execute(url, COUNT) for url in (with_it, without)]
        if counts[0] != counts[1]:
            wrong.append(f"the export's column: {counts[0]} rows with it, {counts[1]} without")
    ratios = sorted(sum(ours for ours, _ in each) / sum(bare for _, bare in each) for each in found)
    stage.say(f"  rounds: {ratios[0]:.3f} to {ratios[-1]:.3f}, median {middle(ratios):.3f}")
    ours, bare = (
        1e6 * sum(each) / (len(batches) - 1) / BATCH for each in zip(*map(least, zip(*found, strict=True)), strict=True)
    )
    reference = Reference("without it", bare)
    return [
        Figure(
            "consumer and its PostgreSQL, with the export's column",
            ours,
            "µs/ev",
            at_most(LIMIT),
            reference,
            tuple(wrong),
        )
    ]


def least(of_a_batch: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the least of either side."""
    ours, bare = zip(*of_a_batch, strict=True)
    return min(ours), min(bare)


def spent(pid: int) -> float:
    """Return the CPU seconds of a process, to the nanosecond, which Linux tells nowhere else."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def batches_of(envelopes: Iterable[Envelope], size: int = BATCH) -> Iterator[Batch]:
    """Yield the envelopes as a consumer takes them, so many at a time."""
    records = (Record(offset, encode(envelope)) for offset, envelope in enumerate(envelopes))
    while some := list(islice(records, size)):
        yield decode_batch(some)


async def _round(databases: Sequence[str], batches: Sequence[Batch]) -> list[tuple[float, float]]:
    """Return the CPU seconds of each batch but the first, for either database; they take turns in being first."""
    taken = []
    async with AsyncExitStack() as exits:
        sides = [await _side(exits, database, batches[0]) for database in databases]
        for number, batch in enumerate(batches[1:]):
            ours, bare = sides if number % 2 else reversed(sides)
            seconds = await ours.write(batch), await bare.write(batch)
            taken.append(seconds if number % 2 else seconds[::-1])
    return taken


async def _side(exits: AsyncExitStack, database: str, first: Batch) -> Side:
    """Return a side that has stored a batch already, because it connects for that."""
    store = await exits.enter_async_context(Store(database, TOPIC))
    await store.write(first)
    return Side(store, _execute(database, BACKEND))


def _execute(database: str, statement: LiteralString) -> int:
    """Run a statement; return the number that it yields, if any."""
    with psycopg.connect(database, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return int(cursor.fetchall()[0][0]) if cursor.description else 0
