"""Where to read a partition from once it is assigned."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.identity import NOTHING_YET, Ledger

logger = logging.getLogger(__name__)

LEDGER_DEADLINE = 3.0  # seconds; there are no heartbeats while partitions are being assigned


class ResumeAtLedger(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Starts every partition that is assigned where the ledger stands, whatever offset Kafka remembers."""

    def __init__(
        self,
        ledger: Callable[[], Awaitable[Ledger]],
        check: Callable[[Any, Ledger, set[int]], Awaitable[None]],
        failed: Callable[[Exception], Awaitable[None]],
        consumer: Callable[[], Any],
    ) -> None:
        self._ledger = ledger
        self._check = check
        self._failed = failed
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Do nothing: a batch in hand is stored or skipped, whoever owns its partitions by then."""

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Seek; without PostgreSQL leave it at Kafka's offsets, the store notices when they are ahead.

        A log that is not the ledger's is handed to `failed`: aiokafka would log what is raised here, and go on.
        """
        try:
            async with asyncio.timeout(LEDGER_DEADLINE):
                ledger = await self._ledger()
        except (StoreUnavailable, TimeoutError) as error:
            logger.warning("resuming at Kafka's offsets", extra={"action": "ledger_unread", "error": repr(error)})
            return
        for partition in assigned:
            with contextlib.suppress(IllegalStateError):  # assigned anew meanwhile, which brings us here again
                self._consumer().seek(partition, ledger.get(partition.partition, NOTHING_YET).next_offset)
        await self._check_marks(ledger, {partition.partition for partition in assigned})

    async def _check_marks(self, ledger: Ledger, partitions: set[int]) -> None:
        try:
            async with asyncio.timeout(LEDGER_DEADLINE):
                await self._check(self._consumer(), ledger, partitions)
        except (KafkaError, TimeoutError) as error:  # the next look at Kafka checks them
            logger.debug("Kafka does not answer", extra={"error": repr(error)})
        except CannotRun as error:
            await self._failed(error)
