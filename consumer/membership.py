"""Whether the consumer is still a member of its group, which aiokafka does not say by itself."""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from attemptlog.consumer.heartbeat import FENCED_INSTANCE_ID, StaticHeartbeatRequest
from attemptlog.event_store.errors import CannotRun

FENCE_DEADLINE = 2.0  # seconds


def raise_if_dead(consumer: AIOKafkaConsumer) -> None:
    """Raise KafkaError when the consumer has lost its place in the group for good, or fetches no more.

    aiokafka says so to whoever polls; FastStream logs that and polls again, while heartbeats keep the partitions.
    """
    for task in (consumer._coordinator._coordination_task, consumer._fetcher.error_future):
        if task.done():
            task.result()


async def raise_if_fenced(consumer: AIOKafkaConsumer) -> None:
    """Raise CannotRun when another consumer has joined the group under our instance id.

    Kafka tells whoever names the id in a heartbeat. aiokafka does not, takes the answer for a lost membership, and
    joins again: the two would take the group from each other for ever.
    """
    group = consumer._coordinator
    member, name = group.member_id, group._group_instance_id
    if name is None or not member or group.coordinator_id is None:
        return
    request = StaticHeartbeatRequest(group.group_id, group.generation, member, name)
    try:
        async with asyncio.timeout(FENCE_DEADLINE):
            answer = await consumer._client.send(group.coordinator_id, request)
    except (KafkaError, TimeoutError, NotImplementedError):  # away, or a Kafka before 2.3
        return
    if answer.error_code == FENCED_INSTANCE_ID and group.member_id == member:  # and not because we joined again
        raise CannotRun(
            f"another consumer has joined the group {group.group_id} as {name}: "
            "give each an ATTEMPTLOG_CONSUMER_INSTANCE_ID of its own, and start this one again"
        )
