"""Whether the consumer is still a member of its group, which aiokafka does not say by itself.

Its group and its fetcher are private: they are touched here and nowhere else.
tests/unit/test_private_parts_of_consumer.py fails on an aiokafka that has them no longer.
"""

import asyncio

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from attemptlog.consumer.heartbeat import FENCED_INSTANCE_ID, StaticHeartbeatRequest
from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.aiokafka_private import ask

FENCE_DEADLINE = 2.0  # seconds


def raise_if_ended(consumer: AIOKafkaConsumer) -> None:
    """Raise KafkaError when the consumer fetches no more for good: whoever polls would only find that nothing comes."""
    fetching = consumer._fetcher.error_future
    if fetching.done():
        fetching.result()


async def raise_if_fenced(consumer: AIOKafkaConsumer, instance_id: str | None) -> None:
    """Raise CannotRun when another consumer has joined the group under our instance id.

    Kafka tells whoever names the id in a heartbeat. aiokafka does not, takes the answer for a lost membership, and
    joins again: the two would take the group from each other for ever.
    """
    group = consumer._coordinator
    member = group.member_id
    if instance_id is None or not member or group.coordinator_id is None:
        return
    request = StaticHeartbeatRequest(group.group_id, group.generation, member, instance_id)
    try:
        async with asyncio.timeout(FENCE_DEADLINE):
            answer = await ask(consumer, group.coordinator_id, request)
    except (KafkaError, TimeoutError, NotImplementedError):  # away, or a Kafka before 2.3
        return
    if answer.error_code == FENCED_INSTANCE_ID and group.member_id == member:  # and not because we joined again
        raise CannotRun(
            f"another consumer has joined the group {group.group_id} as {instance_id}: "
            "give each an ATTEMPTLOG_CONSUMER_INSTANCE_ID of its own, and start this one again"
        )
