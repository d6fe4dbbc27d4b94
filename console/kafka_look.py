"""What Kafka says of the topic and of the group that stores it, over two connections that are kept."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Self

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import TopicAuthorizationFailedError

from attemptlog.runtime.admin import Cluster, admin_client, connected_consumer
from attemptlog.runtime.consumer_group import holders
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.topic_log import FoundLog, find_log, record_at

MAX_PROBES = 16  # records that one look reads, each of which comes with the batch that it is in

Offsets = Mapping[int, int]


@dataclass(frozen=True, slots=True)
class KafkaSight:
    """A topic by partition: its log, None where there is no such topic; who has which partition; and when the record
    at the ledger's next offset was written, in milliseconds since 1970, where there is one that was asked for.
    """

    log: FoundLog | None
    holders: Mapping[int, str] = field(default_factory=dict)
    waiting_since: Mapping[int, int] = field(default_factory=dict)

    @property
    def end(self) -> int:
        """How many records were ever written to the topic."""
        return sum(self.log.ends.values()) if self.log else 0


class KafkaLook:
    """Asks over connections that open with the first look, and again after one that failed. Use as `async with`."""

    def __init__(self, kafka: Cluster | None, topic: str, group: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._group = group
        self._open: AsyncExitStack | None = None
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self._holders: Mapping[int, str] = {}
        self._written: dict[tuple[int, int], int] = {}  # when, by partition and offset; only what was asked for last

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._hang_up()

    async def take(self, next_offsets: Offsets) -> KafkaSight:
        """Look; `next_offsets` are the ledger's. Raises KafkaError, OSError or OperatorError."""
        try:
            admin, consumer = await self._connected()
            log = await find_log(consumer, self._topic)
            if log is None:
                return KafkaSight(None)
            found, waiting = await asyncio.gather(
                holders(admin, self._group, self._topic), self._waiting_since(consumer, log, next_offsets)
            )
            if found is not None:  # while the group rebalances, what it was before is nearer to what it will be
                self._holders = found
            return KafkaSight(log, self._holders, waiting)
        except BaseException:
            await self._hang_up()
            raise

    async def _connected(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._kafka is None:
            raise OperatorError("The console was given no Kafka: set ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS.")
        if self._clients is None:
            self._open = AsyncExitStack()
            admin = await self._open.enter_async_context(admin_client(self._kafka))
            self._clients = admin, await self._open.enter_async_context(connected_consumer(self._kafka))
        return self._clients

    async def _hang_up(self) -> None:
        stack, self._open, self._clients = self._open, None, None
        if stack is not None:
            await stack.aclose()

    async def _waiting_since(self, consumer: AIOKafkaConsumer, log: FoundLog, next_offsets: Offsets) -> dict[int, int]:
        places = _first_waiting(log, next_offsets)
        found = await asyncio.gather(*(self._written_at(consumer, log, place) for place in places))
        self._written = {place: at for place, at in zip(places, found, strict=True) if at is not None}
        return {partition: at for (partition, _), at in self._written.items()}

    async def _written_at(self, consumer: AIOKafkaConsumer, log: FoundLog, place: tuple[int, int]) -> int | None:
        if place in self._written:
            return self._written[place]
        try:
            record = await record_at(consumer, log, *place)
        except TopicAuthorizationFailedError:  # who may describe the topic need not be allowed to read it
            return None
        return record.timestamp if record else None


def _first_waiting(log: FoundLog, next_offsets: Offsets) -> list[tuple[int, int]]:
    """Return partition and offset of the first record that waits, of those partitions in which the most wait."""
    places = [(partition, max(next_offsets.get(partition, 0), begin)) for partition, begin in log.begins.items()]
    waiting = [(partition, offset) for partition, offset in places if log.holds(partition, offset)]
    return sorted(waiting, key=lambda place: place[1] - log.ends[place[0]])[:MAX_PROBES]


def explain(error: Exception) -> str:
    """Return why there is no look at Kafka."""
    said: Any = str(error).strip() or type(error).__name__
    return f"Kafka does not answer as it should ({said.splitlines()[0].rstrip('.')})."
