"""What aiokafka's clients keep to themselves and we cannot do without: touched here and nowhere else.

tests/unit/test_private_parts_of_consumer.py fails on an aiokafka that has it no longer.
"""

from functools import partial
from types import FunctionType, MethodType
from typing import Any

import aiokafka.client
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.client import AIOKafkaClient, ConnectionGroup
from aiokafka.protocol.api import Request
from aiokafka.protocol.metadata import MetadataRequest

ASIDE = max(ConnectionGroup) + 1  # aiokafka keeps a connection to a broker for each group that it is asked for

# aiokafka's own, but for the request: it has no argument for what Java's clients call allow.auto.create.topics
_update_without_creating = FunctionType(
    AIOKafkaClient._metadata_update.__code__,
    vars(aiokafka.client) | {"MetadataRequest": partial(MetadataRequest, allow_auto_topic_creation=False)},
)


def client_of(consumer: AIOKafkaConsumer) -> AIOKafkaClient:
    """Return what a consumer speaks to Kafka by, for requests that it has no method for."""
    return consumer._client


def look_only(client: AIOKafkaClient) -> None:
    """Keep a client, before it connects, from creating the topics that it asks for."""
    client._metadata_update = MethodType(_update_without_creating, client)


async def ask(consumer: AIOKafkaConsumer, broker: int, request: Request[Any]) -> Any:
    """Return a broker's answer to a request that goes over a connection of its own; raises KafkaError.

    Over the one that records are fetched through it would wait for the fetch under way: up to fetch_max_wait_ms.
    """
    return await consumer._client.send(broker, request, group=ASIDE)


def connection_to(client: AIOKafkaClient, broker: int | None) -> object | None:
    """Return the connection that records are fetched through from a broker; None while there is none."""
    connection: object | None = client._conns.get((broker, ConnectionGroup.DEFAULT))
    return connection


async def abandon(producer: AIOKafkaProducer) -> None:
    """Close a producer's connections and cancel what waits to be sent; its own `stop` would flush first."""
    await producer.client.close()
    await producer._sender.close()
