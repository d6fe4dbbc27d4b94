"""The event logger over a real Kafka: nothing is lost while it is away, and nothing is stored twice."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.store import Store
from attemptlog.local_stack import LocalStack
from attemptlog.publisher import EventLogger, KafkaPublisher, KafkaUnavailable
from attemptlog.schemas import Envelope
from tests.integration.test_publisher import read_topic
from tests.support.consumer import Partition, stored_ids
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.services import create_topic

DEADLINE = timedelta(seconds=30)  # a slow machine's


class LosingAcknowledgements(KafkaPublisher):
    """Publishes each batch, and says of the first time that it did not."""

    has_lost = False

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await super().publish(envelopes)
        if not self.has_lost:
            self.has_lost = True
            raise KafkaUnavailable("the acknowledgement is lost")


def log(events: EventLogger, count: int, exam: Exam) -> None:
    for seq in range(count):
        events.log_event("PAUSE_BLUR", session_id=exam.session, user_id=exam.user, seq=seq, payload={"state": "blur"})


async def read(bootstrap_servers: str, topic: str) -> list[Envelope]:
    return [it for part in (await read_topic(bootstrap_servers, topic)).values() for it in part]


async def test_events_logged_while_kafka_is_away_arrive_once_it_is_there(private_stack: LocalStack) -> None:
    kafka, exam = private_stack.kafka, Exam()
    topic = await create_topic(kafka.bootstrap_servers)
    await asyncio.to_thread(kafka.stop)
    async with EventLogger(KafkaPublisher(kafka.bootstrap_servers, topic=topic), stop_deadline=timedelta(0)) as events:
        before = datetime.now(UTC)
        log(events, 500, exam)
        after = datetime.now(UTC)
        await asyncio.to_thread(kafka.start)

        async def is_there() -> bool:
            return len(await read(kafka.bootstrap_servers, topic)) >= 500

        await eventually(is_there)
    arrived = await read(kafka.bootstrap_servers, topic)
    once = {it.id: it.seq for it in arrived}  # a batch may be there twice, an event not
    assert list(once.values()) == list(range(500))
    assert all(before <= it.event_ts <= after for it in arrived), "the time is the one of the call"
    assert all(_is_between(before, uuid.UUID(id_), after) for id_ in once), "the id is given at the call"


def _is_between(before: datetime, uuid7: uuid.UUID, after: datetime) -> bool:
    milliseconds = uuid7.int >> 80
    return int(before.timestamp() * 1000) <= milliseconds <= int(after.timestamp() * 1000)


async def test_leaving_delivers_what_is_queued(kafka_bootstrap: str, topic: str) -> None:
    exam = Exam()
    async with EventLogger(KafkaPublisher(kafka_bootstrap, topic=topic), stop_deadline=DEADLINE) as events:
        log(events, 3_000, exam)
    assert [it.seq for it in await read(kafka_bootstrap, topic)] == list(range(3_000))


async def test_a_batch_that_was_published_twice_is_stored_once(
    kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    exam = insert_exam(database_url)
    publisher = LosingAcknowledgements(kafka_bootstrap, topic=topic)
    async with EventLogger(publisher, stop_deadline=DEADLINE) as events:
        for _ in range(20):
            events.log_event("SESSION_SUBMITTED", session_id=exam.session, user_id=exam.user, payload={"answered": 8})
    arrived = await read(kafka_bootstrap, topic)
    ids = {it.id for it in arrived}
    assert (len(arrived), len(ids)) == (40, 20)

    async with Store(database_url, topic) as store:
        stored = await store.write(decode_batch(Partition().records(*arrived)), frozenset())
    assert (stored.inserted, stored.duplicates, stored.dead_letters.total()) == (20, 20, 0)
    assert stored_ids(database_url) == ids
