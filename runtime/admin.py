"""What is asked of a Kafka about its topics, let in as the environment says; it never creates one by asking."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError

from attemptlog.runtime.aiokafka_private import client_of, look_only
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.kafka import KafkaSecurity, why_refused

REQUEST_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka: its addresses, and how it lets us in, which is as the environment says unless it is given."""

    bootstrap_servers: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity, repr=False)

    def __str__(self) -> str:
        return self.bootstrap_servers

    @property
    def client_arguments(self) -> dict[str, Any]:
        """The arguments of aiokafka's clients; raises OSError when a file cannot be used."""
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **self.security.client_arguments(),
        }


@dataclass(frozen=True, slots=True)
class Offsets:
    """What Kafka holds of a partition: records from `begin` up to but without `end`."""

    begin: int
    end: int


@asynccontextmanager
async def admin_client(kafka: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; raises OperatorError when Kafka cannot be reached."""
    client = AIOKafkaAdminClient(**kafka.client_arguments)
    try:
        await _start(client, kafka)
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def connected_consumer(kafka: Cluster) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no topic, to ask Kafka by; raises OperatorError when Kafka cannot be reached."""
    consumer = AIOKafkaConsumer(**kafka.client_arguments)
    look_only(client_of(consumer))
    try:
        await _start(consumer, kafka)
        yield consumer
    finally:
        await consumer.stop()


async def _start(client: AIOKafkaAdminClient | AIOKafkaConsumer, kafka: Cluster) -> None:
    try:
        await client.start()
    except KafkaConnectionError as error:
        raise OperatorError(f"{await why_refused(kafka.bootstrap_servers, kafka.security)}.") from error


async def describe(client: AIOKafkaAdminClient, topic: str) -> dict[str, Any] | None:
    """Return Kafka's metadata of a topic, None when there is no such topic."""
    everything = await client.describe_topics()  # to ask for one by name may create it
    return next((found for found in everything if found["topic"] == topic), None)


async def topic_configs(client: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """Return the topic's settings by Kafka's names, those included that it has from its broker."""
    [answer] = await client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    entries = answer.resources[0][-1]
    return {name: value for name, value, *_ in entries}


def no_such_topic(topic: str) -> OperatorError:
    """Return what to raise when Kafka does not know the topic."""
    return OperatorError(f"There is no topic {topic}: run `attemptlog topics`, or mend ATTEMPTLOG_TOPIC.")


async def offsets(kafka: Cluster, topic: str) -> dict[int, Offsets]:
    """Return the first and the next offset of every partition; empty when there is no such topic."""
    async with admin_client(kafka) as client:
        found = await describe(client, topic)
    if found is None:
        return {}
    partitions = [TopicPartition(topic, each["partition"]) for each in found["partitions"]]
    async with connected_consumer(kafka) as consumer:
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return {each.partition: Offsets(begin[each], end[each]) for each in partitions}
