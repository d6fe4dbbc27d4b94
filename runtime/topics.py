"""The topic as the pipeline needs it: created where there is none, looked at where there is."""

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from attemptlog.runtime.admin import Cluster, admin_client, describe, no_such_topic, topic_configs
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.layout import Layout, wanted_layout

KNOWN_WITHIN = timedelta(seconds=10)
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class TopicState:
    """A topic after it was created or checked; `commands` mend the differences."""

    topic: str
    is_new: bool
    layout: Layout
    differences: list[str]
    commands: list[str]


async def ensure_topic(kafka: Cluster, topic: str) -> TopicState:
    """Create the topic when there is none; a topic that differs is left as it is."""
    async with admin_client(kafka) as client:
        wanted = wanted_layout(len((await client.describe_cluster())["brokers"]))
        is_new = False
        if await describe(client, topic) is None:
            is_new = await _create(client, topic, wanted)
            await _wait_until_known(client, topic)
        layout = await _layout(client, topic)
    return _state(topic, kafka, layout, wanted, is_new=is_new)


async def check_topic(kafka: Cluster, topic: str) -> TopicState:
    """Say how the topic is; raise OperatorError when there is none."""
    async with admin_client(kafka) as client:
        wanted = wanted_layout(len((await client.describe_cluster())["brokers"]))
        layout = await _layout(client, topic)
    return _state(topic, kafka, layout, wanted, is_new=False)


def _state(topic: str, kafka: Cluster, layout: Layout, wanted: Layout, *, is_new: bool) -> TopicState:
    commands = layout.commands(wanted, topic, kafka.bootstrap_servers)
    return TopicState(topic, is_new, layout, list(layout.differences(wanted)), list(commands))


async def _create(client: AIOKafkaAdminClient, topic: str, layout: Layout) -> bool:
    """Return False when somebody else was faster."""
    new = NewTopic(topic, layout.partitions, layout.replication, topic_configs=layout.configs)
    answer = await client.create_topics([new])
    _, code, message = answer.topic_errors[0]
    if code == TopicAlreadyExistsError.errno:
        return False
    if code:
        raise OperatorError(f"Kafka did not create {topic}: {message or for_code(code).__name__}.")
    return True


async def _wait_until_known(client: AIOKafkaAdminClient, topic: str) -> None:
    """The controller has the topic before every broker has heard of it."""
    deadline = time.monotonic() + KNOWN_WITHIN.total_seconds()
    while await describe(client, topic) is None:
        if time.monotonic() > deadline:
            raise OperatorError(f"Kafka created {topic}, but its brokers do not know it yet: try again.")
        await asyncio.sleep(POLL_SECONDS)


async def _layout(client: AIOKafkaAdminClient, topic: str) -> Layout:
    found = await describe(client, topic)
    if found is None:
        raise no_such_topic(topic)
    replication = min(len(partition["replicas"]) for partition in found["partitions"])
    return Layout.found(len(found["partitions"]), replication, await topic_configs(client, topic))
