"""Rows per second of one consumer process, from Kafka into the table, and of a COPY of rows in memory, in turns."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from statistics import median

import psutil
import psycopg

from benchmarks.load import School
from benchmarks.references.copy_floor import seconds_to_store
from local_stack.ports import free_port
from publisher import KafkaPublisher
from schemas import Envelope

START_DEADLINE = 60.0  # seconds
ROW = attrgetter(*Envelope.__slots__)
PROGRESS = "SELECT coalesce(sum(records), 0) FROM partition_ledger WHERE topic = %s"


@dataclass(frozen=True, slots=True)
class ConsumerFigure:
    """Medians over the rounds: rows per second, and the worker's own CPU in µs per event."""

    ours: float
    copy_floor: float
    cpu_microseconds: float


@dataclass(frozen=True, slots=True)
class Round:
    """What one round takes: a school of its own, so that no round finds the rows of another."""

    bootstrap_servers: str
    database_url: str
    topic: str
    events: int

    def floor(self) -> float:
        """Return rows per second of the reference."""
        school = School.make()
        school.insert(self.database_url)
        rows = [_row(envelope) for envelope in school.envelopes(self.events)]
        return self.events / seconds_to_store(self.database_url, rows)

    def ours(self) -> tuple[float, float]:
        """Return rows per second, from the first batch stored to the last, and CPU µs per event of the process."""
        school = School.make()
        school.insert(self.database_url)
        asyncio.run(self._publish(school))
        return self._consume()

    async def _publish(self, school: School) -> None:
        async with KafkaPublisher(self.bootstrap_servers, topic=self.topic) as publisher:
            while not publisher.is_ready:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            envelopes = list(school.envelopes(self.events))
            for start in range(0, self.events, 5_000):
                await publisher.publish(envelopes[start : start + 5_000])

    def _consume(self) -> tuple[float, float]:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            before = stored(connection, self.topic)
            with worker(self) as process:
                first, started = _wait_for(connection, self.topic, before + 1)
                last, ended = _wait_for(connection, self.topic, before + self.events)
                cpu = psutil.Process(process.pid).cpu_times()
        return (last - first) / (ended - started), 1e6 * (cpu.user + cpu.system) / self.events


@contextmanager
def worker(it: Round) -> "Iterator[subprocess.Popen[bytes]]":
    """Run one consumer."""
    environment = {
        **os.environ,
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": it.bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": it.database_url,
        "ATTEMPTLOG_TOPIC": it.topic,
        "ATTEMPTLOG_CONSUMER_PORT": str(free_port()),
        "ATTEMPTLOG_CONSUMER_HOST": "127.0.0.1",
        "ATTEMPTLOG_LOG_LEVEL": "WARNING",
    }
    process = subprocess.Popen([sys.executable, "-m", "consumer"], env=environment)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(15)


def measure(it: Round, rounds: int) -> ConsumerFigure:
    """Let the reference and one consumer store `it.events` rows each, `rounds` times in turns."""
    floors, ours = [], []
    for _ in range(rounds):
        floors.append(it.floor())
        ours.append(it.ours())
    return ConsumerFigure(median(r for r, _ in ours), median(floors), median(c for _, c in ours))


def _row(envelope: Envelope) -> tuple[object, ...]:
    *fields, payload = ROW(envelope)
    return (*fields, payload.decode())


def stored(connection: psycopg.Connection, topic: str) -> int:
    """Return how many records of a topic are accounted for."""
    row = connection.execute(PROGRESS, [topic]).fetchone()
    return int(row[0]) if row else 0


def _wait_for(connection: psycopg.Connection, topic: str, count: int) -> tuple[int, float]:
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if (done := stored(connection, topic)) >= count:
            return done, time.perf_counter()
        time.sleep(0.02)
    raise RuntimeError(f"the consumer stored {done} of {count} records")
