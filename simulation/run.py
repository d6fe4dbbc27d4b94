"""One run from the first POST to the account."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

from psycopg import AsyncConnection

from attemptlog.event_store.accounts import NOTHING, Counts
from attemptlog.event_store.audit import drain, read_counts, take_audit
from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.transactions import open_transaction
from attemptlog.simulation.accounts import Account, compare, load, measure_freshness
from attemptlog.simulation.batches import Mishaps, batches_of
from attemptlog.simulation.browser import CONNECTIONS, Browsers
from attemptlog.simulation.candidate import roster_of, sittings_of
from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.recorded import RecordedLog
from attemptlog.simulation.sitting import Roster, Sitting
from attemptlog.simulation.tally import Tally
from attemptlog.simulation.tokens import TokenMint

MAX_SEATS = 1_000  # sessions in flight at the same time when paced; each is held in memory
DRAIN_TIMEOUT = timedelta(seconds=120)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the pipeline is; `database_url` is of the role that owns the tables."""

    gateway_url: str
    kafka: Cluster
    database_url: str
    topic: str


@dataclass(frozen=True, slots=True)
class Exam:
    """A class, what its candidates do, and how: `speed` times real time, or as fast as the gateway goes when None."""

    roster: Roster
    sittings: Callable[[], Iterable[Sitting]]
    mishaps: Mishaps = field(default_factory=Mishaps)
    speed: float | None = None


def class_exam(candidates: int, seed: str, mishaps: Mishaps, speed: float | None = None) -> Exam:
    """Return an exam that a made-up class sits."""
    return Exam(roster_of(candidates, seed), lambda: sittings_of(candidates, seed), mishaps, speed)


def recorded_exam(path: Path, seed: str, mishaps: Mishaps, speed: float | None) -> Exam:
    """Return an exam from a recorded log, which is read once for it; raise OperatorError for a file that is not one."""
    log = RecordedLog(path, seed)
    return Exam(log.roster(), log.sittings, mishaps, speed)


async def simulate(exam: Exam, addresses: Addresses, mint: TokenMint, tally: Tally) -> Account:
    """Enrol the class, let it sit, wait until all is stored, and return the account. `tally` grows meanwhile."""
    async with Browsers(addresses.gateway_url, mint, tally) as browsers:
        await browsers.check()
        async with open_transaction(addresses.database_url) as connection:
            await enrol(connection, exam.roster)
            before = await _ledger_total(connection, addresses.topic)
            started_at = await _now(connection)
        started = time.monotonic()
        await sit(exam, browsers, tally)
        is_drained = await drain(
            addresses.kafka, addresses.database_url, addresses.topic, DRAIN_TIMEOUT.total_seconds()
        )
        seconds = time.monotonic() - started
    async with open_transaction(addresses.database_url) as connection:
        await load(connection, tally)
        return Account(
            tally=tally,
            growth=await _ledger_total(connection, addresses.topic) - before,
            comparison=await compare(connection, started_at),
            freshness=await measure_freshness(connection, started_at),
            is_drained=is_drained,
            seconds=seconds,
            audit=await take_audit(addresses.kafka, addresses.database_url, addresses.topic),
        )


async def sit(exam: Exam, browsers: Browsers, tally: Tally) -> None:
    """Post every batch; the batches of a session go one after the other, as in one browser."""
    sittings = iter(exam.sittings())
    seats = CONNECTIONS if exam.speed is None else min(MAX_SEATS, len(exam.roster.sessions))
    async with asyncio.TaskGroup() as room:
        for _ in range(seats):
            room.create_task(_seat(exam, sittings, browsers, tally))


async def _seat(exam: Exam, sittings: Iterator[Sitting], browsers: Browsers, tally: Tally) -> None:
    for sitting in sittings:
        started, last = time.monotonic(), None
        for batch in batches_of(sitting, exam.mishaps, is_paced=exam.speed is not None):
            if exam.speed is not None:
                await asyncio.sleep(started + batch.due.total_seconds() / exam.speed - time.monotonic())
            await browsers.post(batch, is_repeat=batch is last)
            last = batch
        tally.finished_sessions += 1


async def _ledger_total(connection: AsyncConnection, topic: str) -> Counts:
    return sum((await read_counts(connection, topic)).values(), NOTHING)


async def _now(connection: AsyncConnection) -> datetime:
    row = await (await connection.execute("SELECT now()")).fetchone()
    assert row is not None  # noqa: S101  # a SELECT without FROM has one row
    return cast("datetime", row[0])
