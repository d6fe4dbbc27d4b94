"""What Kafka has dropped before it was stored, of partitions that no later record comes to tell of it."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from attemptlog.consumer.reports import Reports
from attemptlog.consumer.writer import BatchStore
from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.errors import Hole, OffsetGap, StoreUnavailable

POSITION_DEADLINE = 1.0  # seconds


class Position(Protocol):
    """The part of AIOKafkaConsumer that knows where it reads."""

    async def position(self, partition: TopicPartition) -> int: ...


class Losses:
    """Counts a hole before a partition's first record once it was there at two looks, and nothing of it is on its way.

    Two, because a record is nowhere to be seen between Kafka's client, which has moved on, and the queues.
    """

    def __init__(self, topic: str, store: BatchStore, in_hand: Callable[[int], bool], reports: Reports) -> None:
        self._topic = topic
        self._store = store
        self._in_hand = in_hand
        self._reports = reports
        self._seen: Mapping[int, int] = {}

    async def look(self, reader: Position, begins: Mapping[int, int], next_offsets: Mapping[int, int]) -> None:
        """Take in where partitions begin in Kafka and what the ledger waits for."""
        holes = [
            Hole(number, next_offsets.get(number, 0), begin)
            for number, begin in begins.items()
            if begin > next_offsets.get(number, 0)
        ]
        for hole in holes:
            if self._seen.get(hole.partition) == hole.next_offset and await self._is_past(reader, hole):
                await self._pass_over(hole)
        self._seen = {hole.partition: hole.next_offset for hole in holes}

    async def _pass_over(self, hole: Hole) -> None:
        """Count a hole that Kafka cannot fill as lost; the next look at the partition tells whether that was done."""
        if self._in_hand(hole.partition):
            return
        ends = {hole.partition: hole.first_offset}
        with contextlib.suppress(OffsetGap, StoreUnavailable):
            stored = await self._store.write(Batch([], [], ends, ends), frozenset([hole]))
            self._reports.lost(stored.lost)

    async def _is_past(self, reader: Position, hole: Hole) -> bool:
        try:
            async with asyncio.timeout(POSITION_DEADLINE):
                return await reader.position(TopicPartition(self._topic, hole.partition)) >= hole.first_offset
        except (KafkaError, TimeoutError):  # it is another consumer's by now, or looks for where to begin
            return False
