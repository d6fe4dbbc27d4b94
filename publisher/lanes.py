"""Group commit: while one batch of a partition is on its way, the next one collects.

The batch size follows the load by itself (DeWitt et al., "Implementation techniques for main memory database systems",
1984, describe it for logs). Batches leave together, at least LINGER after the last ones: with less on board, each
departure would cost nearly the same. What comes after a pause leaves at once.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.cluster import ClusterMetadata
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import BatchBuilder

from attemptlog.publisher.limits import Limits
from attemptlog.publisher.port import KafkaUnavailable
from attemptlog.publisher.traces import NO_HEADERS, Headers

logger = logging.getLogger(__name__)

NO_COMPRESSION = 0
LINGER = timedelta(milliseconds=5)  # Kafka's own default since 4.0 (KIP-1030)

Wait = asyncio.Future[str | None]  # resolved once what it stands for is acknowledged, or with why it will not be


@dataclass(slots=True, eq=False)
class OpenBatch:
    """Records on their way to one partition, `size` bytes of values; `waits` are of those who wait for them."""

    builder: BatchBuilder
    opened_at: float
    size: int = 0
    waits: list[Wait] = field(default_factory=list)

    def settle(self, why_not: str | None) -> None:
        """Tell all who wait."""
        for wait in self.waits:
            if not wait.done():
                wait.set_result(why_not)
        self.waits.clear()


@dataclass(slots=True, eq=False)
class Lane:
    """The batches of one partition, in order: at most one on its way, the rest waiting."""

    partition: int
    waiting: deque[OpenBatch] = field(default_factory=deque)
    on_its_way: OpenBatch | None = None

    @property
    def batches(self) -> list[OpenBatch]:
        return [*self.waiting] if self.on_its_way is None else [self.on_its_way, *self.waiting]


class Lanes:
    """The way to all partitions of a topic over one producer; `broken` is set when that has to be replaced.

    `buffered_bytes` is what was appended and is not settled. `limits` may be replaced at any time; Lanes itself narrows
    them when Kafka refuses a batch for its size.
    """

    def __init__(
        self,
        producer: AIOKafkaProducer,
        topic: str,
        partitions: int,
        deadline: timedelta,
        limits: Limits | None = None,
    ) -> None:
        self.limits = limits or Limits()
        self.broken = asyncio.Event()
        self.buffered_bytes = 0
        self._producer = producer
        self._topic = topic
        self._deadline = deadline.total_seconds()
        self._lanes = [Lane(number) for number in range(partitions)]
        self._loop = asyncio.get_running_loop()
        self._departed_at = 0.0
        self._departure: asyncio.Handle | None = None
        self._senders: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def is_stalled(self) -> bool:
        """True when a batch on its way is older than the delivery deadline; it is still being tried."""
        return any(map(self._is_stalled, self._lanes))

    def follow(self, cluster: ClusterMetadata) -> None:
        """Write to added partitions as well, as every client does from then on; break when there are fewer."""
        partitions = len(cluster.partitions_for_topic(self._topic) or ())
        if partitions < len(self._lanes):
            logger.warning("%s is gone or was made anew", self._topic, extra={"action": "topic_gone"})
            self.broken.set()
        self._lanes += [Lane(number) for number in range(len(self._lanes), partitions)]

    def append(self, partition: int, key: bytes, values: Sequence[bytes], headers: Headers = NO_HEADERS) -> list[Wait]:
        """Put records into the collecting batch, or several, and return what to wait for; raise KafkaUnavailable."""
        lane = self._lanes[partition]
        if self._is_stalled(lane):
            raise KafkaUnavailable(f"partition {partition} has not acknowledged within the delivery deadline")
        batch = lane.waiting[-1] if lane.waiting else self._open(lane)
        waits = [self._wait_for(batch)]
        for value in values:
            if batch.builder.append(timestamp=None, key=key, value=value, headers=headers) is None:  # full
                batch = self._open(lane)
                batch.builder.append(timestamp=None, key=key, value=value, headers=headers)
                waits.append(self._wait_for(batch))
            batch.size += len(value)
            self.buffered_bytes += len(value)
        self._schedule_departure()
        return waits

    def give_up_late(self) -> float:
        """Tell those who wait longer than the delivery deadline; what is on its way is still being tried.

        Returns for how many seconds there is nobody else to tell.
        """
        now = self._loop.time()
        next_at = now + self._deadline
        for batch in [batch for lane in self._lanes for batch in lane.batches if batch.waits]:
            if self._is_late(batch):
                batch.settle("Kafka did not acknowledge within the delivery deadline")
            else:
                next_at = min(next_at, batch.opened_at + self._deadline)
        return next_at - now

    def close(self) -> None:
        """Stop sending and fail what is not acknowledged."""
        for it in (self._departure, *self._senders):
            if it is not None:
                it.cancel()
        for lane in self._lanes:
            for batch in lane.batches:
                self._settle(batch, "the connection to Kafka was closed")
            lane.waiting.clear()

    def _open(self, lane: Lane) -> OpenBatch:
        batch = OpenBatch(BatchBuilder(self.limits.batch_bytes, NO_COMPRESSION), self._loop.time())
        lane.waiting.append(batch)
        return batch

    def _wait_for(self, batch: OpenBatch) -> Wait:
        wait: Wait = self._loop.create_future()  # of its own, so that a caller who is cancelled cancels nobody else's
        batch.waits.append(wait)
        return wait

    def _is_late(self, batch: OpenBatch) -> bool:
        return self._loop.time() - batch.opened_at > self._deadline

    def _is_stalled(self, lane: Lane) -> bool:
        return lane.on_its_way is not None and self._is_late(lane.on_its_way)

    def _schedule_departure(self) -> None:
        if self._departure is None:
            linger = self._departed_at + LINGER.total_seconds() - self._loop.time()
            self._departure = self._loop.call_later(max(0, linger), self._depart)

    def _depart(self) -> None:
        self._departure, self._departed_at = None, self._loop.time()
        sender = self._loop.create_task(self._send_all())
        self._senders.add(sender)
        sender.add_done_callback(self._sender_ended)

    def _sender_ended(self, sender: "asyncio.Task[None]") -> None:
        self._senders.discard(sender)
        if not sender.cancelled() and (error := sender.exception()) is not None:
            logger.error("sending ended unexpectedly", exc_info=error, extra={"action": "sender_failed"})
            self.broken.set()

    async def _send_all(self) -> None:
        for lane in self._lanes:
            while lane.waiting and lane.on_its_way is None:
                batch = lane.waiting.popleft()
                if self._is_late(batch):  # nobody waits for it: sending it would only store what the client sends again
                    self._settle(batch, "not sent in time")
                else:
                    lane.on_its_way = batch
                    await self._send(lane, batch)

    async def _send(self, lane: Lane, batch: OpenBatch) -> None:
        try:
            sent = await self._producer.send_batch(batch.builder, self._topic, partition=lane.partition)
        except Exception as error:
            self._done(lane, batch, error)
        else:
            sent.add_done_callback(partial(self._answered, lane, batch))

    def _answered(self, lane: Lane, batch: OpenBatch, sent: "asyncio.Future[Any]") -> None:
        self._done(lane, batch, asyncio.CancelledError() if sent.cancelled() else sent.exception())

    def _done(self, lane: Lane, batch: OpenBatch, error: BaseException | None) -> None:
        lane.on_its_way = None
        if error is None:
            self._settle(batch, None)
        else:  # whatever it was, the producer's sequence numbers are in doubt: a new one is needed
            self._note(batch, error)
            self.broken.set()
            self._settle(batch, f"partition {lane.partition}: {type(error).__name__}")
        if lane.waiting:
            self._schedule_departure()

    def _note(self, batch: OpenBatch, error: BaseException) -> None:
        if not isinstance(error, MessageSizeTooLargeError):
            logger.error("a batch was not delivered", exc_info=error, extra={"action": "batch_failed"})
            return
        size, records = batch.builder.size(), batch.builder.record_count()
        self.limits = self.limits.without(size, records)
        logger.error(
            "%s takes no batch of %d bytes: raise its max.message.bytes (`attemptlog topics` says to what)",
            self._topic,
            size,
            extra={"action": "batch_too_large", "bytes": size, "records": records},
        )

    def _settle(self, batch: OpenBatch, why_not: str | None) -> None:
        self.buffered_bytes -= batch.size
        batch.size = 0
        batch.settle(why_not)
