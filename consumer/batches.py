"""A batch on its way: shared out, decoded, stored, told to Kafka."""

import asyncio
import contextlib
import logging
import random
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import partial
from itertools import chain, groupby
from typing import Any, Protocol

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from attemptlog.consumer.metrics import Metrics
from attemptlog.event_store.columns import event_ts_of
from attemptlog.event_store.decoding import BY_PARTITION, Batch, Record, decode_batch
from attemptlog.event_store.errors import Hole, OffsetGap, StoreUnavailable
from attemptlog.event_store.identity import NOTHING_YET, Ledger
from attemptlog.event_store.store import Stored

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 5.0  # seconds
IN_HAND = 1  # batches of a store that wait, or are stored, when the next one is put behind them
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


async def admit_everything(log: Any, partitions: Collection[int]) -> Ledger | None:
    """Admit every batch: Guard does not."""


def pauses() -> Iterator[float]:
    """Yield, for ever, the seconds before the next attempt: doubling up to LONGEST_PAUSE, with jitter."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE)


class Batches:
    """Takes batches, shares them out among the stores, and decodes the next ones while these are at work.

    A partition keeps to one store, so that its records are stored in their order. Once `stopping` is set, what is not
    being stored yet is left to Kafka.
    """

    def __init__(
        self,
        stores: Sequence[Writer],
        topic: str,
        metrics: Metrics,
        stopping: asyncio.Event,
        admit: Callable[[Any, Collection[int]], Awaitable[Ledger | None]] = admit_everything,
    ) -> None:
        self._stores = stores
        self._admit = admit
        self._topic = topic
        self._metrics = metrics
        self._stopping = stopping
        self._reread: frozenset[Hole] = frozenset()
        self._has_rewound = False
        self._partitions: dict[int, int] = {}  # numbered in the order in which they were first seen
        self._lanes: list[deque[asyncio.Task[None]]] = [deque() for _ in stores]
        self._in_hand: Counter[int] = Counter()  # batches, by partition
        self._readings = [0 for _ in stores]  # how often what a store had in hand was left to be read again
        metrics.batches_in_hand.set_function(lambda: sum(not storing.done() for storing in chain(*self._lanes)))

    async def take(self, records: Iterable[Record], log: Log) -> None:
        """Return when the records are in hand, or will be delivered again, and there is room for the next ones.

        Waits for PostgreSQL as long as it takes. What is raised, also for earlier records, is not to be gone on from.
        """
        batches = [(number, decode_batch(share)) for number, share in self._shares(records).items()]
        readings = list(self._readings)
        for _, batch in batches:
            self._in_hand.update(batch.partitions)
        for number, batch in batches:
            await self._shorten(number, IN_HAND)
            if self._stopping.is_set():
                return
            lane = self._lanes[number]
            before = lane[-1] if lane else None
            lane.append(storing := asyncio.create_task(self._store(number, readings[number], batch, log, before)))
            storing.add_done_callback(partial(self._let_go, batch))
        if self._has_rewound:  # or what is polled next would have a hole before it, too
            await self.finish()
            self._has_rewound = False

    async def finish(self) -> None:
        """Return when nothing is in hand any more; raise what went wrong with a store once the others are through."""
        lanes = range(len(self._lanes))
        outcomes = await asyncio.gather(*(self._shorten(number, 0) for number in lanes), return_exceptions=True)
        for outcome in outcomes:
            if outcome is not None:
                raise outcome

    async def pass_over(self, hole: Hole) -> None:
        """Count a hole that Kafka cannot fill as lost, unless records of its partition are in hand.

        The next look at the partition tells whether that was done.
        """
        if self._in_hand[hole.partition]:
            return
        ends = {hole.partition: hole.first_offset}
        with contextlib.suppress(OffsetGap, StoreUnavailable):
            stored = await self._stores[0].write(Batch([], [], ends, ends), frozenset([hole]))
            self._report_lost(stored.lost)

    def cancel(self) -> None:
        """Leave to Kafka what is not stored yet."""
        for storing in chain(*self._lanes):
            storing.cancel()

    def raise_failure(self) -> None:
        """Raise what went wrong with a batch, which else only the next ones would notice."""
        for storing in chain(*self._lanes):
            if storing.done():
                storing.result()

    def _let_go(self, batch: Batch, _: asyncio.Task[None]) -> None:
        self._in_hand.subtract(batch.partitions)

    def _shares(self, records: Iterable[Record]) -> dict[int, list[Record]]:
        shares: dict[int, list[Record]] = {}
        for partition, run in groupby(records, key=BY_PARTITION):
            number = self._partitions.setdefault(partition, len(self._partitions)) % len(self._stores)
            shares.setdefault(number, []).extend(run)
        return shares

    async def _shorten(self, number: int, most: int) -> None:
        """Return when no more than `most` batches are in hand for a store."""
        lane = self._lanes[number]
        while len(lane) > most:
            storing = lane[0]
            await storing
            if lane and lane[0] is storing:
                lane.popleft()

    async def _store(
        self, number: int, reading: int, batch: Batch, log: Log, before: asyncio.Task[None] | None
    ) -> None:
        started = time.monotonic()
        if before is not None:
            await before
        if self._stopping.is_set() or reading != self._readings[number]:
            return
        stored = await self._store_or_rewind(number, batch, log)
        if stored is not None:
            self._report(batch, stored, time.monotonic() - started)
            await self._tell_kafka(stored.next_offsets, log)

    async def _store_or_rewind(self, number: int, batch: Batch, log: Log) -> Stored | None:
        gone: frozenset[Hole] = frozenset()
        for pause in pauses():
            try:
                if (ledger := await self._admit(log, batch.partitions)) is not None:
                    self._read_again(number, ledger, log)
                    return None
                stored = await self._stores[number].write(batch, gone)
                self._report_lost(stored.lost)
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
            except (KafkaError, TimeoutError) as error:
                logger.warning("Kafka does not answer", extra={"action": "kafka_away", "error": repr(error)})
            if await self._is_stopped_within(pause):
                return None
        return None

    def _read_again(self, number: int, ledger: Ledger, log: Log) -> None:
        """Leave what the store has in hand to Kafka: it may be of the log that was there before."""
        self._readings[number] += 1
        for partition, place in self._partitions.items():
            if place % len(self._stores) == number:
                with contextlib.suppress(IllegalStateError):  # it is another consumer's by now
                    log.seek(TopicPartition(self._topic, partition), ledger.get(partition, NOTHING_YET).next_offset)

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
        self._has_rewound = True
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

    def _report_lost(self, holes: Collection[Hole]) -> None:
        for hole in holes:
            lost = hole.first_offset - hole.next_offset
            self._metrics.lost.inc(lost)
            logger.error(
                "Kafka no longer has records that were never stored",
                extra={"action": "records_lost", "lost": lost, **hole._asdict()},
            )

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
