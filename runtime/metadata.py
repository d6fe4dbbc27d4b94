"""What Kafka says about a topic, asked so that asking makes none: not even where Kafka creates topics by itself."""

from functools import partial
from types import FunctionType, MethodType

import aiokafka.client
from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.protocol.admin import DescribeConfigsRequest
from aiokafka.protocol.metadata import MetadataRequest

# aiokafka's own, but for the request: it has no argument for what Java's clients call allow.auto.create.topics
_update_without_creating = FunctionType(
    AIOKafkaClient._metadata_update.__code__,
    vars(aiokafka.client) | {"MetadataRequest": partial(MetadataRequest, allow_auto_topic_creation=False)},
)


def look_only(client: AIOKafkaClient) -> None:
    """Keep a client, before it connects, from creating the topics that it asks for."""
    client._metadata_update = MethodType(_update_without_creating, client)


async def partitions_of(client: AIOKafkaClient, topic: str) -> int:
    """Return how many partitions a topic has now.

    Raises UnknownTopicOrPartitionError, TopicAuthorizationFailedError, and KafkaConnectionError when nobody answers.
    """
    client.set_topics([topic])
    if not await client.force_metadata_update():
        raise KafkaConnectionError("no broker answers")
    if topic in client.cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError(topic)
    partitions = client.cluster.partitions_for_topic(topic)
    if not partitions:
        raise UnknownTopicOrPartitionError(topic)
    return len(partitions)


async def max_message_bytes(client: AIOKafkaClient, topic: str) -> int | None:
    """Return the largest batch that a topic takes, None when we may not know (DescribeConfigs); raises KafkaError."""
    request = DescribeConfigsRequest([(ConfigResourceType.TOPIC, topic, ["max.message.bytes"])])
    answer = await client.send(client.get_random_node(), request)
    _, _, _, _, entries = answer.resources[0]
    return next((int(value) for _, value, *_ in entries), None)
