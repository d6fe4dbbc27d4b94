"""What every publisher promises, held by the fake and by the real one; and what only a real Kafka can show."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import DefaultPartitioner

from attemptlog.local_stack import LocalStack
from attemptlog.publisher import KafkaPublisher, KafkaUnavailable, MemoryPublisher, Publisher
from attemptlog.schemas import Envelope, decode, new_event_id
from tests.support.eventually import eventually
from tests.support.lateness import measuring_lateness
from tests.support.services import create_topic

DEADLINE = timedelta(seconds=2)  # where Kafka is away
LONG = timedelta(seconds=60)  # where it is not
ReadBack = Callable[[], Awaitable[list[Envelope]]]


def envelopes(count: int, session: str | None = None) -> list[Envelope]:
    session = session or str(uuid.uuid4())
    return [
        Envelope(
            id=new_event_id(),
            event_type="PAUSE_BLUR",
            event_ts=datetime.now(UTC),
            seq=seq,
            session_id=session,
            user_id=session,
            payload_json=b'{"state":"blur"}',
        )
        for seq in range(count)
    ]


async def read_topic(bootstrap_servers: str, topic: str) -> dict[int, list[Envelope]]:
    """Return all that stands in a topic, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(12)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        read: dict[int, list[Envelope]] = {number: [] for number in range(12)}
        while sum(map(len, read.values())) < sum(ends.values()):
            for partition, records in (await consumer.getmany(timeout_ms=1000)).items():
                read[partition.partition] += [decode(record.value) for record in records]
        return read
    finally:
        await consumer.stop()


@pytest.fixture(params=["memory", "kafka"])
async def opened(
    request: pytest.FixtureRequest, kafka_bootstrap: str, topic: str
) -> AsyncIterator[tuple[Publisher, ReadBack]]:
    """A publisher that is ready, and a way to read back what it published."""
    if request.param == "memory":
        async with MemoryPublisher() as fake:

            async def kept() -> list[Envelope]:
                return fake.envelopes

            yield fake, kept
        return
    async with KafkaPublisher(kafka_bootstrap, topic=topic, delivery_deadline=LONG) as publisher:

        async def stored() -> list[Envelope]:
            return [it for read in (await read_topic(kafka_bootstrap, topic)).values() for it in read]

        await eventually(lambda: publisher.is_ready)
        yield publisher, stored


async def test_what_is_published_is_there_once_it_returns(opened: tuple[Publisher, ReadBack]) -> None:
    publisher, read_back = opened
    sent = [it for _ in range(20) for it in envelopes(5)]
    await publisher.publish(sent)
    assert sorted(await read_back(), key=lambda it: it.id) == sorted(sent, key=lambda it: it.id)
    assert publisher.buffered_bytes == 0


async def test_order_within_a_session_is_kept(opened: tuple[Publisher, ReadBack]) -> None:
    publisher, read_back = opened
    sent = envelopes(300)
    await asyncio.gather(*(publisher.publish(sent[start : start + 10]) for start in range(0, 300, 10)))
    assert [it.seq for it in await read_back()] == list(range(300))


async def test_a_caller_who_leaves_takes_nobody_along(opened: tuple[Publisher, ReadBack]) -> None:
    publisher, read_back = opened
    session = str(uuid.uuid4())
    await publisher.publish(envelopes(1, session))  # so that the next ones wait for each other
    sent = [envelopes(1, session) for _ in range(3)]
    leaving, *staying = [asyncio.create_task(publisher.publish(each)) for each in sent]
    await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.gather(*staying)
    assert {it.id for each in sent[1:] for it in each} <= {it.id for it in await read_back()}
    assert publisher.buffered_bytes == 0


async def test_publishing_nothing_is_no_error(opened: tuple[Publisher, ReadBack]) -> None:
    publisher, read_back = opened
    await publisher.publish([])
    assert await read_back() == []


async def test_a_closed_publisher_refuses() -> None:
    for publisher in (MemoryPublisher(), KafkaPublisher("127.0.0.1:1")):
        async with publisher:
            pass
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(1))


async def test_a_session_goes_where_every_other_kafka_client_puts_it(kafka_bootstrap: str, topic: str) -> None:
    sent = [it for _ in range(50) for it in envelopes(1)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        await publisher.publish(sent)
    for partition, read in (await read_topic(kafka_bootstrap, topic)).items():
        for it in read:
            assert DefaultPartitioner()(it.session_id.encode(), list(range(12)), list(range(12))) == partition


async def test_batches_larger_than_one_request_arrive_whole(kafka_bootstrap: str, topic: str) -> None:
    large = b'{"a":"' + b"x" * 4000 + b'"}'
    sent = [replace(it, payload_json=large) for it in envelopes(1000)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        await asyncio.gather(*(publisher.publish(sent[start : start + 50]) for start in range(0, 1000, 50)))
    read = [it for part in (await read_topic(kafka_bootstrap, topic)).values() for it in part]
    assert [it.seq for it in read] == list(range(1000))


async def test_over_the_buffer_bound_it_refuses_at_once(kafka_bootstrap: str, topic: str) -> None:
    async with KafkaPublisher(kafka_bootstrap, topic=topic, max_buffered_bytes=1000) as publisher:
        await eventually(lambda: publisher.is_ready)
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(10))
        await publisher.publish(envelopes(1))


async def test_without_kafka_it_refuses_within_the_deadline_and_recovers_by_itself(private_stack: LocalStack) -> None:
    kafka = private_stack.kafka
    topic = await create_topic(private_stack.kafka.bootstrap_servers)
    async with KafkaPublisher(kafka.bootstrap_servers, topic=topic, delivery_deadline=DEADLINE) as publisher:
        await eventually(lambda: publisher.is_ready)
        await publisher.publish(envelopes(3))
        await asyncio.to_thread(kafka.kill)
        for _ in range(3):
            started = time.monotonic()
            async with measuring_lateness() as late:
                with pytest.raises(KafkaUnavailable):
                    await publisher.publish(envelopes(3))
                took = time.monotonic() - started
            assert took < DEADLINE.total_seconds() + 0.1 + late.seconds
        await asyncio.to_thread(kafka.start)
        sent = envelopes(3)

        async def is_published() -> bool:
            await publisher.publish(sent)
            return True

        await eventually(is_published)
        await eventually(lambda: publisher.buffered_bytes == 0)  # late batches of other partitions get through too
        read = [it.id for part in (await read_topic(kafka.bootstrap_servers, topic)).values() for it in part]
        assert {it.id for it in sent} <= set(read)


async def test_it_starts_without_kafka_and_connects_when_it_comes(private_stack: LocalStack) -> None:
    kafka = private_stack.kafka
    topic = await create_topic(private_stack.kafka.bootstrap_servers)
    await asyncio.to_thread(kafka.stop)
    async with KafkaPublisher(kafka.bootstrap_servers, topic=topic, delivery_deadline=DEADLINE) as publisher:
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(1))
        await asyncio.to_thread(kafka.start)
        await eventually(lambda: publisher.is_ready)
        await publisher.publish(envelopes(1))
