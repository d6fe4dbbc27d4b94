"""The way of an event through the consumer: read from Kafka, decoded, stored, told to Kafka."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from attemptlog.consumer.background import cancelled, running
from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.queues import Queue, Shares
from attemptlog.consumer.writer import Log, Writer
from attemptlog.event_store.decoding import KafkaRecord

logger = logging.getLogger(__name__)

POLL_TIMEOUT_MS = 1_000  # of an idle topic; what comes is read at once
REFUSED_PAUSE = 5.0  # seconds before reading is tried again when Kafka refuses it: rights may come back
GRACE = 3.0  # seconds for what is being stored once the process is to end

Polled = Mapping[TopicPartition, list[KafkaRecord]]


class Reader(Log, Protocol):
    """The part of AIOKafkaConsumer that reads."""

    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    async def getmany(self, *, timeout_ms: int, max_records: int) -> Polled: ...


class Loop:
    """Reads while every store has room, and stores with all of them at the same time.

    Leaving it gives what is being stored GRACE, and raises what went wrong with that; all else is left to Kafka.
    """

    def __init__(
        self, writers: Sequence[Writer], topic: str, max_records: int, stopping: asyncio.Event, metrics: Metrics
    ) -> None:
        self._topic = topic
        self._max_records = max_records
        self._stopping = stopping
        self._shares = Shares(len(writers))
        self._queues = [Queue(writer) for writer in writers]
        self._polling: asyncio.Task[Polled] | None = None
        metrics.batches_in_hand.set_function(lambda: sum(map(len, self._queues)))

    async def run(self, reader: Reader) -> None:
        """Return when `stopping` is set. Raises, as soon as it is known, what is not to be gone on from."""
        async with running(self._stopping.wait()) as stop:
            while not stop.done():
                self._begin(reader)
                await asyncio.wait({stop, *self._busy()}, return_when=asyncio.FIRST_COMPLETED)
                self._take_in(reader)

    def _begin(self, reader: Reader) -> None:
        if self._polling is None and all(queue.has_room for queue in self._queues):
            self._polling = asyncio.create_task(self._poll(reader))
        for queue in self._queues:
            queue.begin(reader)

    def _busy(self) -> list["asyncio.Task[Any]"]:
        return [task for task in (self._polling, *(queue.storing for queue in self._queues)) if task is not None]

    def _take_in(self, reader: Reader) -> None:
        # what was read first: it is let go of, too, where a queue is to be read again
        if self._polling is not None and self._polling.done():
            polled, self._polling = self._polling.result(), None
            for number, batch in self._shares.of(polled.values()):
                self._queues[number].put(batch)
        for queue in self._queues:
            if (again := queue.take_in()) is not None:
                self._seek(reader, again.offsets)

    def _seek(self, reader: Reader, offsets: Mapping[int, int]) -> None:
        for partition, offset in offsets.items():
            with contextlib.suppress(IllegalStateError):  # it is another consumer's by now
                reader.seek(TopicPartition(self._topic, partition), offset)

    async def _poll(self, reader: Reader) -> Polled:
        try:
            return await reader.getmany(timeout_ms=POLL_TIMEOUT_MS, max_records=self._max_records)
        except KafkaError as error:
            if type(error) is KafkaError:  # aiokafka's word for a task of its own that has ended
                raise
            logger.error("Kafka lets nothing be read", extra={"action": "poll_refused", "error": repr(error)})
            await asyncio.sleep(REFUSED_PAUSE)
            return {}

    def holds(self, partition: int) -> bool:
        """Return whether records of a partition are in hand."""
        return any(queue.holds(partition) for queue in self._queues)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._polling is not None:
            await cancelled(self._polling)
        if storing := [queue.storing for queue in self._queues if queue.storing is not None]:
            ended, late = await asyncio.wait(storing, timeout=GRACE)
            for each in late:  # their stores wait for them when they are left
                each.cancel()
            for each in ended:
                each.result()
