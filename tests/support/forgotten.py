"""A pipeline with a person to be forgotten, and the search for what is left of anybody."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from attemptlog.event_store.audit import take_audit
from attemptlog.exporter.app import export_attempt_events_to_warehouse
from attemptlog.exporter.settings import ExporterSettings
from attemptlog.local_stack import LocalStack
from attemptlog.runtime.admin import Cluster
from attemptlog.schemas import encode
from tests.support.consumer import envelope, query
from tests.support.eventually import eventually
from tests.support.export import read_with_duckdb
from tests.support.http import Exam, insert_exam
from tests.support.kafka import end_offsets, until_drained
from tests.support.purge import KEY, data, purged, tables_with
from tests.support.secured import Service, service

EVENTS = 20  # of each person
LETTERS = 3  # that name the person

Records = list[tuple[int, bytes | None, bytes | None]]  # partition, key, value


@dataclass
class Pipeline:
    """Anna, who is to be forgotten, and another person, in a database and a topic of the test's own."""

    stack: LocalStack
    folder: Path
    database_url: str
    topic: str
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.anna, self.other = insert_exam(self.database_url), insert_exam(self.database_url)
        self.mark = uuid4().hex  # in every payload of hers

    @property
    def kafka(self) -> str:
        return self.stack.kafka.bootstrap_servers

    @property
    def settings(self) -> dict[str, str]:
        """What every process is told, as variables without their prefix."""
        return {
            "kafka_bootstrap_servers": self.kafka,
            "database_url": self.database_url,
            "topic": self.topic,
            "pseudonym_key": KEY,
            "log_level": "DEBUG",
        }

    @contextmanager
    def running(self, command: str, **settings: str) -> Iterator[Service]:
        """Run a service, with a log of its own."""
        log = self.folder / f"{command}-{next(self.numbers)}.log"
        with service(command, log, self.settings | {"consumer_group": self.topic} | settings) as it:
            yield it

    async def store(self, **settings: str) -> None:
        """Have a consumer store all that is in Kafka, which ends then."""
        with self.running("consume", **settings):
            await until_drained(self.kafka, self.topic, self.database_url)

    async def publish(self, exam: Exam, first_seq: int = 1, number: int = EVENTS) -> None:
        """Publish events of a person."""
        payload = b'{"note":"%s"}' % (self.mark if exam.user == self.anna.user else "nothing").encode()
        events = [envelope(exam, seq, payload_json=payload) for seq in range(first_seq, first_seq + number)]
        await self.send([(0, event.session_id.encode(), encode(event)) for event in events])

    async def publish_letters(self) -> None:
        """Publish what becomes dead letters that name her: of an unknown session, of another, and no event at all."""
        payload = b'{"note":"%s"}' % self.mark.encode()
        lost = envelope(self.anna, 1, session_id=self.lost.session, payload_json=payload)
        intruding = envelope(self.anna, 99, user_id=self.other.user, payload_json=payload)
        unreadable = b"\xff\x00" + self.anna.user.upper().encode() + self.mark.encode()
        await self.send([(0, b"key", value) for value in (encode(lost), encode(intruding), unreadable)])

    @property
    def lost(self) -> Exam:
        """A session of hers that nobody has heard of."""
        return Exam(self.anna.user, "0190aaaa-0000-4000-8000-" + self.anna.user[-12:], "", self.anna.question)

    async def begin(self) -> None:
        """Have both persons' events and the letters published and stored."""
        await self.publish(self.anna)
        await self.publish(self.other)
        await self.publish_letters()
        await self.store()
        found = [sorted(tables_with(self.database_url, each)) for each in (self.anna.user, self.mark)]
        assert found == [["attempt_events", "dead_letters", "event_sessions"], ["attempt_events", "dead_letters"]]

    async def send(self, records: Records) -> None:
        """Write records as they are."""
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        try:
            for partition, key, value in records:
                await producer.send_and_wait(self.topic, value, key=key, partition=partition)
        finally:
            await producer.stop()

    async def records(self) -> Records:
        """Return every record of the topic."""
        ends = await end_offsets(self.kafka, self.topic)
        reader = AIOKafkaConsumer(bootstrap_servers=self.kafka)
        await reader.start()
        try:
            reader.assign([TopicPartition(self.topic, partition) for partition in ends])
            await reader.seek_to_beginning()
            found: Records = []
            while len(found) < sum(ends.values()):
                record = await reader.getone()
                found.append((record.partition, record.key, record.value))
            return found
        finally:
            await reader.stop()

    async def purge(self) -> Any:
        """Purge her, and return what is said of it."""
        return await asyncio.to_thread(purged, self.database_url, "--user", self.anna.user)

    async def replay(self) -> Any:
        """Replay every dead letter."""
        return await asyncio.to_thread(data, self.database_url, "dead-letters", "replay", "--apply")

    def export(self, **options: Any) -> int:
        """Export once, into the folder that the environment names."""
        settings = {"database_url": self.database_url, "pseudonym_key": KEY}
        return export_attempt_events_to_warehouse(settings=ExporterSettings.model_validate(settings), **options)

    @property
    def exported(self) -> list[dict[str, Any]]:
        return read_with_duckdb(f"{self.folder}/events/day=*/*.parquet")

    @property
    def ids(self) -> list[str]:
        return [self.anna.user, self.anna.session, self.lost.session]

    async def is_forgotten(self, suppressed: int) -> None:
        """Nothing is left of her in tables, files and logs; the other person has everything; the books agree."""
        assert tables_with(self.database_url, *self.ids, self.mark) == []
        files = [file for file in self.folder.rglob("*") if file.is_file()]
        files += [server.log for server in (self.stack.kafka, self.stack.postgres)]
        assert [file for file in files if holds(file, [*self.ids, self.mark])] == []
        assert self.anna.user not in str(self.exported)
        assert query(self.database_url, OF_SESSION, self.other.session) == [EVENTS]
        audit = await take_audit(Cluster(self.kafka), self.database_url, self.topic)
        assert audit.problems() == []
        assert query(self.database_url, "SELECT sum(suppressed)::integer FROM partition_ledger") == [suppressed]


OF_SESSION = "SELECT count(*) FROM attempt_events WHERE session_id = %s"


def holds(file: Path, names: Sequence[str]) -> bool:
    """Say whether one of the names stands in a file, in either case, with hyphens or without."""
    content = file.read_bytes().lower().replace(b"-", b"")
    return any(name.replace("-", "").encode() in content for name in names)


async def until_rows(database_url: str, statement: str, *parameters: Any) -> None:
    """Wait until a statement returns a row."""
    await eventually(lambda: query(database_url, statement, *parameters))


@contextmanager
def in_the_way(database_url: str, statement: str, *parameters: Any) -> Iterator[None]:
    """Hold the locks of a statement that is never committed."""
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode(), parameters)
        yield
        connection.rollback()
