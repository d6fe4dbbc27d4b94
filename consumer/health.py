"""What the consumer knows of PostgreSQL and Kafka, and what it says about it."""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from consumer.decoding import refuse_other_log
from consumer.errors import StoreUnavailable
from consumer.kafka import ends_known_to
from consumer.metrics import Metrics
from consumer.store import Store

logger = logging.getLogger(__name__)

ANSWER_DEADLINE = 5.0  # seconds


class Health:
    """Looks at both now and then, so that an idle consumer notices too when one of them goes."""

    def __init__(self, store: Store, topic: str, metrics: Metrics) -> None:
        self._store = store
        self._topic = topic
        self._metrics = metrics
        self._ledger: Mapping[int, int] = {}
        self._kafka_answers = False
        metrics.database_up.set_function(lambda: store.is_available)
        metrics.kafka_up.set_function(lambda: self._kafka_answers)

    @property
    def state(self) -> dict[str, bool]:
        return {"database": self._store.is_available, "kafka": self._kafka_answers}

    async def look(self, consumer: AIOKafkaConsumer) -> None:
        """Ask both once, and show the lag. Raises CannotRun when the topic is not the one the ledger is about."""
        try:
            self._ledger = await self._store.ledger()
        except StoreUnavailable as error:
            logger.debug("PostgreSQL is not available", extra={"error": str(error)})
        ends = await self._ends(consumer)
        self._kafka_answers = ends is not None
        if ends is not None:
            refuse_other_log(self._topic, self._ledger, ends)
            ours = {partition.partition for partition in consumer.assignment()}
            self._metrics.show_lag(
                {number: ends[number] - self._ledger.get(number, 0) for number in ours & ends.keys()}
            )

    async def _ends(self, consumer: AIOKafkaConsumer) -> dict[int, int] | None:
        try:
            async with asyncio.timeout(ANSWER_DEADLINE):
                return await ends_known_to(consumer, self._topic)
        except (KafkaError, TimeoutError) as error:
            logger.debug("Kafka does not answer", extra={"error": repr(error)})
            return None
