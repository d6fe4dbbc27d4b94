"""One batch into PostgreSQL and its offsets to Kafka, however long that takes."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence, Set
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from attemptlog.consumer.holes import Offsets, PassOver, ReadAgain, about
from attemptlog.consumer.pauses import pauses
from attemptlog.consumer.reports import Reports
from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.errors import Hole, OffsetGap, StoreUnavailable
from attemptlog.event_store.identity import NOTHING_YET, Ledger
from attemptlog.event_store.store import Stored

logger = logging.getLogger(__name__)

COMMIT_DEADLINE = 5.0  # seconds; the ledger is the truth, so a commit to Kafka is not worth a longer wait


class BatchStore(Protocol):
    """The part of Store that takes batches; see there."""

    async def write(self, batch: Batch, gone: Set[Hole] = ...) -> Stored: ...


class Log(Protocol):
    """The part of AIOKafkaConsumer that a batch's offsets are told to."""

    def assignment(self) -> Collection[TopicPartition]: ...
    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...


RereadFrom = Callable[[Any, Collection[int]], Awaitable[Ledger | None]]


async def store_all(log: Any, partitions: Collection[int]) -> Ledger | None:
    """Have every batch stored: Guard.reread_from does not."""


class Writer:
    """Writes the batches of some partitions through one store, one at a time."""

    def __init__(
        self,
        store: BatchStore,
        topic: str,
        reports: Reports,
        stopping: asyncio.Event,
        reread_from: RereadFrom = store_all,
    ) -> None:
        self._store = store
        self._topic = topic
        self._reports = reports
        self._stopping = stopping
        self._reread_from = reread_from
        self._looked_at: frozenset[Hole] = frozenset()

    async def write(self, batch: Batch, came: float, log: Log) -> ReadAgain | None:
        """Return None when the batch is stored, or the process is to end; else what to read again instead of it.

        `came` is when the batch was read, by the monotonic clock. Waits for PostgreSQL and Kafka as long as it takes.
        What is raised is not to be gone on from.
        """
        passed_over = frozenset[Hole]()
        for pause in pauses():
            try:
                match await self._attempt(batch, passed_over, log):
                    case Stored() as stored:
                        await self._settle(batch, stored, time.monotonic() - came, log)
                        return None
                    case ReadAgain() as again:
                        await self._announce(again, log)
                        return again
                    case PassOver(holes):
                        passed_over |= holes
                        continue
            except (StoreUnavailable, KafkaError, TimeoutError) as error:
                self._reports.waits(batch, error, pause)
            if await self._is_stopped_within(pause):
                break
        return None

    async def _attempt(self, batch: Batch, passed_over: frozenset[Hole], log: Log) -> Stored | ReadAgain | PassOver:
        if (ledger := await self._reread_from(log, batch.partitions)) is not None:
            return ReadAgain({number: ledger.get(number, NOTHING_YET).next_offset for number in batch.partitions})
        try:
            return await self._store.write(batch, passed_over)
        except OffsetGap as gap:
            begins = await log.beginning_offsets([TopicPartition(self._topic, hole.partition) for hole in gap.holes])
            by_partition = {place.partition: offset for place, offset in begins.items()}
            return about(gap.holes, batch.first_offsets, by_partition, self._looked_at)

    async def _settle(self, batch: Batch, stored: Stored, seconds: float, log: Log) -> None:
        """Report what is stored, and commit it for whoever measures the lag by that."""
        self._looked_at = frozenset(hole for hole in self._looked_at if hole.partition not in stored.next_offsets)
        self._reports.stored(batch, stored, seconds)
        ours = {place.partition for place in log.assignment()}  # without what moved to another consumer meanwhile
        if offsets := {number: offset for number, offset in stored.next_offsets.items() if number in ours}:
            await self._commit(offsets, log)

    async def _announce(self, again: ReadAgain, log: Log) -> None:
        """Commit where holes begin, or a rebalance would have the next batch begin after them once more.

        What is missing still after that was never there.
        """
        if again.holes:
            self._reports.rewound(again)
            if await self._commit(again.offsets, log):
                self._looked_at |= again.holes

    async def _commit(self, offsets: Offsets, log: Log) -> bool:
        """Return whether Kafka took the offsets; the ledger is the truth, so a refusal does no harm."""
        try:
            async with asyncio.timeout(COMMIT_DEADLINE):
                await log.commit({TopicPartition(self._topic, number): offset for number, offset in offsets.items()})
        except (KafkaError, TimeoutError) as error:
            logger.info("Kafka did not take the offsets", extra={"action": "commit_refused", "error": repr(error)})
            return False
        return True

    async def _is_stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stopping.wait()
        except TimeoutError:
            return False
