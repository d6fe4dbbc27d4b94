"""A batch on its way: split, decode, store, tell Kafka."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from consumer.columns import event_ts_of
from consumer.decoding import Batch, Record, decode_batch, split
from consumer.errors import Hole, OffsetGap, StoreUnavailable
from consumer.metrics import Metrics
from consumer.store import Stored

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 5.0  # seconds
COMMIT_DEADLINE = 5.0  # seconds; the ledger is the truth, so a commit to Kafka is not worth a longer wait


class Writer(Protocol):
    """The part of Store that takes batches; see there."""

    async def write(self, batch: Batch, gone: Set[Hole] = ...) -> Stored: ...


class Log(Protocol):
    """The part of AIOKafkaConsumer that moves in Kafka's log."""

    def assignment(self) -> Collection[TopicPartition]: ...
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]: ...
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None: ...


def pauses() -> Iterator[float]:
    """Yield, for ever, the seconds before the next attempt: doubling up to LONGEST_PAUSE, with jitter."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE)


class Batches:
    """Takes batches one after the other, each over all stores: while one stores its part, the next part is decoded.

    Once `stopping` is set, what cannot be stored now is left to Kafka.
    """

    def __init__(self, stores: Sequence[Writer], topic: str, metrics: Metrics, stopping: asyncio.Event) -> None:
        self._stores = stores
        self._topic = topic
        self._metrics = metrics
        self._stopping = stopping
        self._reread: frozenset[Hole] = frozenset()

    async def take(self, records: Sequence[Record], log: Log) -> None:
        """Return when the records are stored and Kafka knows, or when they will be delivered again.

        Waits for PostgreSQL as long as it takes. What is raised is not to be gone on from.
        """
        if self._stopping.is_set():
            return
        parts = zip(self._stores, split(records, len(self._stores)), strict=False)
        outcomes = await asyncio.gather(
            *(self._take_part(store, part, log) for store, part in parts), return_exceptions=True
        )
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def _take_part(self, store: Writer, records: Sequence[Record], log: Log) -> None:
        started = time.monotonic()
        batch = decode_batch(records)
        stored = await self._store_or_rewind(store, batch, log)
        if stored is not None:
            self._report(batch, stored, time.monotonic() - started)
            await self._tell_kafka(stored.next_offsets, log)

    async def _store_or_rewind(self, store: Writer, batch: Batch, log: Log) -> Stored | None:
        gone: frozenset[Hole] = frozenset()
        for pause in pauses():
            try:
                stored = await store.write(batch, gone)
                self._report_gone(gone)
                self._reread = frozenset(hole for hole in self._reread if hole.partition not in stored.next_offsets)
                return stored
            except OffsetGap as gap:
                begins = await self._begins(gap.holes, log)
                if begins is not None:
                    gone |= {hole for hole in gap.holes if begins[hole.partition] >= hole.first_offset}
                    gone |= gap.holes & self._reread
                    if gap.holes <= gone:
                        continue
                    await self._rewind(batch, gap.holes - gone, begins, log)
                    return None
            except StoreUnavailable as error:
                self._report_waiting(batch, error, pause)
            if await self._is_stopped_within(pause):
                return None
        return None

    async def _begins(self, holes: Collection[Hole], log: Log) -> dict[int, int] | None:
        """Return where Kafka's log begins, by partition; None when Kafka does not say."""
        try:
            found = await log.beginning_offsets([TopicPartition(self._topic, hole.partition) for hole in holes])
        except KafkaError as error:
            logger.warning("Kafka does not answer", extra={"action": "kafka_away", "error": repr(error)})
            return None
        return {partition.partition: offset for partition, offset in found.items()}

    async def _rewind(self, batch: Batch, holes: frozenset[Hole], begins: Mapping[int, int], log: Log) -> None:
        """Have Kafka deliver the batch again, from the holes on.

        What is then missing still was never there. That holds only if nothing but these offsets can be the start of
        the next delivery, so they are committed too: a rebalance would begin at what is committed.
        """
        self._metrics.rewinds.inc()
        logger.warning(
            "the database is behind Kafka's offsets, reading again", extra={"action": "rewound", "holes": sorted(holes)}
        )
        offsets = dict(batch.first_offsets) | {h.partition: max(h.next_offset, begins[h.partition]) for h in holes}
        for partition, offset in offsets.items():
            with contextlib.suppress(IllegalStateError):  # it is another consumer's by now
                log.seek(TopicPartition(self._topic, partition), offset)
        if await self._commit(offsets, log):
            self._reread |= holes

    async def _tell_kafka(self, next_offsets: Mapping[int, int], log: Log) -> None:
        """Commit for whoever measures the lag by it, except what moved to another consumer meanwhile."""
        ours = {partition.partition for partition in log.assignment()}
        if offsets := {number: offset for number, offset in next_offsets.items() if number in ours}:
            await self._commit(offsets, log)

    async def _commit(self, offsets: Mapping[int, int], log: Log) -> bool:
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

    def _report(self, batch: Batch, stored: Stored, seconds: float) -> None:
        self._metrics.count_batch(stored, len(batch), seconds, _age_of_oldest(batch))
        logger.info(
            "batch stored",
            extra={
                "action": "batch_stored",
                "inserted": stored.inserted,
                "duplicates": stored.duplicates,
                "dead_letters": dict(stored.dead_letters),
                "skipped": stored.skipped,
                "next_offsets": dict(stored.next_offsets),
                "seconds": round(seconds, 3),
            },
        )

    def _report_gone(self, holes: Collection[Hole]) -> None:
        for hole in holes:
            lost = hole.first_offset - hole.next_offset
            self._metrics.lost.inc(lost)
            logger.error("Kafka no longer has records that were never stored", extra={"lost": lost, **hole._asdict()})

    def _report_waiting(self, batch: Batch, error: StoreUnavailable, pause: float) -> None:
        self._metrics.database_retries.inc()
        logger.warning(
            "PostgreSQL is not available, the batch waits",
            extra={"action": "batch_waits", "records": len(batch), "error": str(error), "pause": round(pause, 1)},
        )


def _age_of_oldest(batch: Batch) -> float | None:
    if not batch.rows:
        return None
    oldest = min(event_ts_of(row.line) for row in batch.rows)
    return (datetime.now(UTC) - datetime.fromisoformat(oldest.decode())).total_seconds()
