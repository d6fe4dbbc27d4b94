"""What the command asks Kafka, let in as the environment says; it never creates a topic by asking."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaConnectionError

from attemptlog.cli.errors import OperatorError
from attemptlog.cli.settings import CliSettings
from attemptlog.event_store.accounts import Offsets
from attemptlog.runtime.kafka import why_refused
from attemptlog.runtime.metadata import look_only

REQUEST_TIMEOUT_MS = 10_000


@asynccontextmanager
async def admin_client(bootstrap_servers: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """A connected admin client; raises OperatorError when Kafka cannot be reached."""
    client = AIOKafkaAdminClient(
        bootstrap_servers=bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS, **CliSettings().client_arguments()
    )
    try:
        await _start(client, bootstrap_servers)
        yield client
    finally:
        await client.close()


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


async def offsets(bootstrap_servers: str, topic: str) -> dict[int, Offsets]:
    """Return the first and the next offset of every partition; empty when there is no such topic."""
    async with admin_client(bootstrap_servers) as client:
        found = await describe(client, topic)
    if found is None:
        return {}
    partitions = [TopicPartition(topic, each["partition"]) for each in found["partitions"]]
    async with connected_consumer(bootstrap_servers) as consumer:
        begin = await consumer.beginning_offsets(partitions)
        end = await consumer.end_offsets(partitions)
    return {each.partition: Offsets(begin[each], end[each]) for each in partitions}


@asynccontextmanager
async def connected_consumer(bootstrap_servers: str) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of no topic, to ask Kafka by; raises OperatorError when Kafka cannot be reached."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap_servers, request_timeout_ms=REQUEST_TIMEOUT_MS, **CliSettings().client_arguments()
    )
    look_only(consumer._client)
    try:
        await _start(consumer, bootstrap_servers)
        yield consumer
    finally:
        await consumer.stop()


async def _start(client: AIOKafkaAdminClient | AIOKafkaConsumer, bootstrap_servers: str) -> None:
    try:
        await client.start()
    except KafkaConnectionError as error:
        raise OperatorError(f"{await why_refused(bootstrap_servers, CliSettings())}.") from error
