"""What is measured on: a stack of its own, a new database for each run, a new topic for each class."""

import asyncio
import gc
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import count
from pathlib import Path

import psycopg
from aiokafka.admin import NewTopic
from psycopg import AsyncConnection, sql

from attemptlog import migrations
from attemptlog.local_stack import LocalStack
from attemptlog.publisher import KafkaPublisher
from attemptlog.runtime.admin import Cluster, admin_client, offsets
from attemptlog.schemas import ATTEMPT_EVENTS, Envelope
from attemptlog.simulation.enrolment import enrol
from attemptlog.simulation.sitting import Roster
from benchmarks.school import School

CHUNK = 5_000  # envelopes a publish
SCHOOLS_KEPT = 6  # 100 MB each


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured; durations are seconds."""

    rounds: int
    candidates: int
    load_seconds: float
    pace_seconds: float
    fresh_seconds: float
    trickle_seconds: float
    backlog: int
    large_table: int
    large_table_rounds: int


FULL = Scale(
    rounds=5,
    candidates=2_000,
    load_seconds=2.4,
    pace_seconds=6,
    fresh_seconds=6,
    trickle_seconds=20,
    backlog=1_000_000,
    large_table=10_000_000,
    large_table_rounds=5,
)
QUICK = Scale(
    rounds=1,
    candidates=700,
    load_seconds=2,
    pace_seconds=4,
    fresh_seconds=6,
    trickle_seconds=10,
    backlog=300_000,
    large_table=1_000_000,
    large_table_rounds=1,
)


@dataclass(frozen=True, eq=False)
class Stage:
    """A running stack; `say` shows progress."""

    stack: LocalStack
    scale: Scale
    say: Callable[[str], None]
    events: Path | None = None
    _numbers: "count[int]" = field(default_factory=itertools.count)

    @property
    def bootstrap_servers(self) -> str:
        return self.stack.kafka.bootstrap_servers

    @lru_cache(SCHOOLS_KEPT)  # noqa: B019  # one stage a process
    def school(self, number: int) -> School:
        """Return a class; each number has ids of its own."""
        self.say(f"class {number} …")
        seed = f"bench-{number}"
        school = School.recorded(self.events, seed) if self.events else School.made_up(self.scale.candidates, seed)
        gc.freeze()  # or every collection looks at all of it
        return school

    @contextmanager
    def database(self, *rosters: Roster) -> Iterator[str]:
        """Make a database with our tables and these classes enrolled; yield its URL and drop it."""
        name = f"bench_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, self._template())
        url = self.stack.postgres.database_url(name)
        for roster in rosters:
            self.enrol(url, roster)
        self._execute("CHECKPOINT")  # or the first run pays for what came before it
        try:
            yield url
        finally:
            self._execute("DROP DATABASE {} WITH (FORCE)", name)

    def enrol(self, database: str, roster: Roster) -> None:
        """Store who sits the exam."""
        asyncio.run(_enrol(database, roster))

    @cache  # noqa: B019  # one stage a process
    def _template(self) -> str:
        name = "template_migrated"
        self._execute("CREATE DATABASE {}", name)
        migrations.upgrade(self.stack.postgres.database_url(name))
        return name

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.stack.postgres.url, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def topic(self) -> str:
        name = f"bench-{next(self._numbers)}"
        asyncio.run(self._create(name))
        return name

    async def _create(self, name: str) -> None:
        async with admin_client(Cluster(self.bootstrap_servers)) as client:
            await client.create_topics([NewTopic(name, ATTEMPT_EVENTS.partitions, 1)])

    def records(self, topic: str) -> int:
        """Return how many records were ever written to a topic."""
        return sum(each.end for each in asyncio.run(offsets(Cluster(self.bootstrap_servers), topic)).values())

    def publish(self, topic: str, envelopes: Iterable[Envelope]) -> int:
        """Write envelopes to a topic and return how many."""
        return asyncio.run(self._publish(topic, iter(envelopes)))

    async def _publish(self, topic: str, envelopes: Iterator[Envelope]) -> int:
        published = 0
        async with KafkaPublisher(self.bootstrap_servers, topic=topic, max_buffered_bytes=2**30) as publisher:
            while not publisher.is_ready:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            while chunk := list(itertools.islice(envelopes, CHUNK)):
                await publisher.publish(chunk)
                published += len(chunk)
        return published


async def _enrol(url: str, roster: Roster) -> None:
    async with await AsyncConnection.connect(url) as connection:
        await enrol(connection, roster)
