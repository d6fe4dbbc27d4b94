"""What Kafka says about a topic."""

from aiokafka.admin.config_resource import ConfigResourceType
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from aiokafka.protocol.admin import DescribeConfigsRequest


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
