"""Group commit: while one batch of a partition is on its way, the next one collects.

The batch size follows the load by itself, so there is no linger to tune: an idle partition sends at once, a busy one
sends what came in while the last batch was acknowledged (DeWitt et al., "Implementation techniques for main memory
database systems", 1984, describe it for logs).
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from aiokafka import AIOKafkaProducer
from aiokafka.producer.message_accumulator import BatchBuilder

from publisher.port import KafkaUnavailable

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class OpenBatch:
    """Records on their way to one partition; `acknowledged` is resolved, or fails, for all of them together."""

    builder: BatchBuilder
    opened_at: float
    acknowledged: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Lane:
    """The batches of one partition, in order: at most one on its way, the rest waiting."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, partition: int, deadline: timedelta, broken: asyncio.Event
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._partition = partition
        self._deadline = deadline.total_seconds()
        self._broken = broken
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[OpenBatch] = deque()
        self._on_its_way: OpenBatch | None = None
        self._sender: asyncio.Task[None] | None = None

    @property
    def is_stalled(self) -> bool:
        """True when the batch on its way is older than the delivery deadline; it is still being tried."""
        return self._on_its_way is not None and self._is_late(self._on_its_way)

    def append(self, key: bytes, values: Sequence[bytes]) -> set[asyncio.Future[None]]:
        """Put records into the collecting batch, or several, and return the acknowledgements of all these."""
        if self.is_stalled:
            raise KafkaUnavailable(f"partition {self._partition} has not acknowledged within the delivery deadline")
        batch = self._waiting[-1] if self._waiting else self._open()
        acknowledgements = {batch.acknowledged}
        for value in values:
            if batch.builder.append(timestamp=None, key=key, value=value) is None:  # full
                batch = self._open()
                batch.builder.append(timestamp=None, key=key, value=value)
                acknowledgements.add(batch.acknowledged)
        if self._sender is None:
            self._sender = self._loop.create_task(self._send_waiting())
        return acknowledgements

    def close(self) -> None:
        """Stop sending and fail what is not acknowledged."""
        if self._sender is not None:
            self._sender.cancel()
        for batch in (self._on_its_way, *self._waiting):
            if batch is not None:
                _settle(batch, KafkaUnavailable("the connection to Kafka was closed"))

    def _open(self) -> OpenBatch:
        batch = OpenBatch(self._producer.create_batch(), self._loop.time())
        self._waiting.append(batch)
        return batch

    def _is_late(self, batch: OpenBatch) -> bool:
        return self._loop.time() - batch.opened_at > self._deadline

    async def _send_waiting(self) -> None:
        while self._waiting:
            batch = self._waiting.popleft()
            # nobody waits for a late batch any more: sending it would only store what the client sends again
            _settle(batch, KafkaUnavailable("not sent in time") if self._is_late(batch) else await self._send(batch))
        self._sender = None

    async def _send(self, batch: OpenBatch) -> KafkaUnavailable | None:
        self._on_its_way = batch
        try:
            await (await self._producer.send_batch(batch.builder, self._topic, partition=self._partition))
        except Exception as error:  # whatever it was, the producer's sequence numbers are in doubt: a new one is needed
            logger.exception("a batch was not delivered", extra={"action": "batch_failed"})
            self._broken.set()
            return KafkaUnavailable(f"partition {self._partition}: {type(error).__name__}")
        finally:
            self._on_its_way = None
        return None


def _settle(batch: OpenBatch, error: KafkaUnavailable | None) -> None:
    if batch.acknowledged.done():
        return
    if error is None:
        batch.acknowledged.set_result(None)
    else:
        batch.acknowledged.set_exception(error)
        batch.acknowledged.exception()  # every waiter may have left at its deadline; then nobody else would read it
