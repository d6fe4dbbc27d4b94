"""Who of a consumer group has which partition, as Kafka's coordinator says it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import NoError, for_code

REBALANCING = frozenset({"PreparingRebalance", "CompletingRebalance"})


async def holders(client: AIOKafkaAdminClient, group: str, topic: str) -> dict[int, str] | None:
    """Return by partition the client id and the host of the member that has it; None while the group rebalances.

    Raises KafkaError. A group that nobody was ever a member of has none.
    """
    [answer] = await client.describe_consumer_groups([group])
    [found] = answer.to_object()["groups"]
    if (error := for_code(found["error_code"])) is not NoError:
        raise error
    return None if found["state"] in REBALANCING else dict(_held(found["members"], topic))


def _held(members: Iterable[Mapping[str, Any]], topic: str) -> Iterator[tuple[int, str]]:
    for member in members:
        if not (assigned := member["member_assignment"]):
            continue
        name = f"{member['client_id']} at {member['client_host'].removeprefix('/')}"
        for place in ConsumerProtocolMemberAssignment.decode(assigned).partitions():
            if place.topic == topic:
                yield place.partition, name
