"""What the consumer knows of PostgreSQL and Kafka, and what it says about it."""

import asyncio
import logging
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from attemptlog.consumer.guard import Guard
from attemptlog.consumer.losses import Losses
from attemptlog.consumer.metrics import Metrics
from attemptlog.event_store.books import Books
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.event_store.identity import Ledger
from attemptlog.event_store.store import Store
from attemptlog.runtime.topic_log import FoundLog

logger = logging.getLogger(__name__)

ANSWER_DEADLINE = 5.0  # seconds


class Health:
    """Looks at both now and then, so that an idle consumer notices too when one of them goes."""

    def __init__(self, books: Books, stores: Sequence[Store], guard: Guard, losses: Losses, metrics: Metrics) -> None:
        self._books = books
        self._stores = stores
        self._guard = guard
        self._losses = losses
        self._metrics = metrics
        self._ledger: Ledger = {}
        self._kafka_answers = False
        metrics.database_up.set_function(lambda: self._takes_batches)
        metrics.kafka_up.set_function(lambda: self._kafka_answers)

    @property
    def state(self) -> dict[str, bool]:
        return {"database": self._takes_batches, "kafka": self._kafka_answers}

    @property
    def _takes_batches(self) -> bool:
        return self._books.is_available and not any(store.is_failing for store in self._stores)

    async def look(self, consumer: AIOKafkaConsumer) -> None:
        """Ask both once, show the lag and count what is lost. Raises CannotRun when the log is another one."""
        try:
            self._ledger = await self._books.ledger()
        except StoreUnavailable as error:
            logger.debug("PostgreSQL is not available", extra={"error": str(error)})
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                found = await self._guard.look(consumer, self._ledger)
        except (KafkaError, TimeoutError) as error:
            logger.debug("Kafka does not answer", extra={"error": repr(error)})
            self._guard.kafka_was_away()
            found = None
        self._kafka_answers = found is not None
        if found is not None:
            await self._account(consumer, found)

    async def _account(self, consumer: AIOKafkaConsumer, found: FoundLog) -> None:
        waits_for = {number: entry.next_offset for number, entry in self._ledger.items()}
        ours = {partition.partition for partition in consumer.assignment()} & found.ends.keys()
        self._metrics.show_lag(
            {number: found.ends[number] - max(waits_for.get(number, 0), found.begins[number]) for number in ours}
        )
        await self._losses.look(consumer, {number: found.begins[number] for number in ours}, waits_for)
