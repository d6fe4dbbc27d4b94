"""A topic's log as Kafka shows it, asked through a consumer that is connected."""

import asyncio
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.metadata import MetadataRequest
from aiokafka.record.memory_records import MemoryRecords

from attemptlog.runtime.aiokafka_private import ask, client_of
from attemptlog.runtime.topic_metadata import NO_UUID, TopicMetadataRequest

BROKER_DEADLINE = 2.0  # seconds for one broker to answer before the next one is asked
DIGEST_BYTES = 16
READ_UNCOMMITTED = 0
SMALLEST = 1  # byte: Kafka answers with one whole batch all the same
NOT_THERE = 1  # the error code for an offset that is out of the log's range


class Content(Protocol):
    """What a record is known by."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Mark(NamedTuple):
    """A record that was stored, to be known again: its offset, and a digest of its content."""

    offset: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class FoundLog:
    """A log; the mappings are by partition. `topic_id` is None on a Kafka before 2.8.

    A leader epoch grows with every election, so that nothing can have been cut off while it stays the same.
    """

    topic: str
    topic_id: UUID | None
    cluster_id: str | None
    leaders: Mapping[int, int]
    epochs: Mapping[int, int]
    begins: Mapping[int, int]
    ends: Mapping[int, int]

    def holds(self, partition: int, offset: int) -> bool:
        """Return whether the offset is one that the partition has now."""
        return self.begins.get(partition, 0) <= offset < self.ends.get(partition, 0)


def digest_of(record: Content) -> bytes:
    """Return a digest of key and value: two events differ in it, because each has an id of its own."""
    key = b"-" if record.key is None else b"%d:" % len(record.key) + record.key
    value = b"-" if record.value is None else b":" + record.value
    return blake2b(key + b"/" + value, digest_size=DIGEST_BYTES).digest()


async def find_log(consumer: AIOKafkaConsumer, topic: str) -> FoundLog | None:
    """Return the log that has the topic's name now, None when there is none; raises KafkaError."""
    answer = await _ask_any_broker(consumer, topic)
    [found] = answer["topics"]
    if for_code(found["error_code"]) is UnknownTopicOrPartitionError:
        return None
    _raise_for(found["error_code"])
    partitions = {each["partition"]: each for each in found["partitions"]}
    places = [TopicPartition(topic, number) for number in partitions]
    begins, ends = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
    return FoundLog(
        topic,
        _id(found),
        answer["cluster_id"],
        leaders={number: each["leader"] for number, each in partitions.items()},
        epochs={number: each.get("leader_epoch", -1) for number, each in partitions.items()},
        begins={place.partition: offset for place, offset in begins.items()},
        ends={place.partition: offset for place, offset in ends.items()},
    )


async def topic_id_of(consumer: AIOKafkaConsumer, topic: str) -> UUID | None:
    """Return the id of the topic that has the name now; raises KafkaError, also when there is no such topic."""
    [found] = (await _ask_any_broker(consumer, topic))["topics"]
    _raise_for(found["error_code"])
    return _id(found)


def _id(found: Mapping[str, Any]) -> UUID | None:
    topic_id: UUID = found.get("topic_id", NO_UUID)
    return None if topic_id == NO_UUID else topic_id


async def _ask_any_broker(consumer: AIOKafkaConsumer, topic: str) -> dict[str, Any]:
    brokers = [broker.nodeId for broker in client_of(consumer).cluster.brokers()]
    error: Exception = KafkaConnectionError("no broker is known")
    for broker in random.sample(brokers, len(brokers)):
        try:
            async with asyncio.timeout(BROKER_DEADLINE):
                return await _metadata(consumer, broker, topic)
        except (KafkaError, TimeoutError) as failure:
            error = failure
    raise error


async def _metadata(consumer: AIOKafkaConsumer, broker: int, topic: str) -> dict[str, Any]:
    try:
        answer = await ask(consumer, broker, TopicMetadataRequest(topic))
    except NotImplementedError:  # a Kafka before 2.8
        answer = await ask(consumer, broker, MetadataRequest([topic], allow_auto_topic_creation=False))
    return answer.to_object()  # type: ignore[no-any-return]


class Record(Content, Protocol):
    """A record; `timestamp` is in milliseconds since 1970, of its publisher's clock unless the topic says otherwise."""

    @property
    def timestamp(self) -> int: ...


async def record_at(consumer: AIOKafkaConsumer, log: FoundLog, partition: int, offset: int) -> Record | None:
    """Return the record at an offset; None when it is not there (any more). Raises KafkaError."""
    where = [(log.topic, [(partition, offset, SMALLEST)])]
    request = FetchRequest(0, 0, SMALLEST, READ_UNCOMMITTED, where)
    answer = await client_of(consumer).send(log.leaders[partition], request)
    [[_, [found]]] = answer.topics
    if (error_code := found[1]) == NOT_THERE:
        return None
    _raise_for(error_code)
    return next((record for record in _records(found[-1]) if record.offset == offset), None)


def _records(batches: bytes) -> Iterator[Any]:
    records = MemoryRecords(batches)
    while records.has_next():
        yield from records.next_batch()


def _raise_for(error_code: int) -> None:
    if (error := for_code(error_code)) is not NoError:
        raise error
