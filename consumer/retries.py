"""Events that came before their session did, tried again by themselves."""

import asyncio
import logging
from collections import Counter
from datetime import timedelta
from typing import Protocol

from attemptlog.consumer.metrics import Metrics
from attemptlog.event_store.errors import StoreUnavailable

logger = logging.getLogger(__name__)

LONGEST_PAUSE = timedelta(minutes=1)


def longer(pause: timedelta) -> timedelta:
    """Return the pause after one that ended with nothing to do; it never shrinks."""
    return max(pause, min(pause * 2, LONGEST_PAUSE))


class Retrier(Protocol):
    """The part of Replays that retries; see there."""

    async def retry(self, topic: str, within: timedelta) -> Counter[str]: ...


class Retries:
    """Looks again and again for dead letters whose session is known by now.

    The pause between two looks begins with `interval`, doubles up to LONGEST_PAUSE while there is nothing to do, and
    begins anew once there was. Nothing that goes wrong here ends the process: a letter stays what it is.
    """

    def __init__(
        self, replays: Retrier, topic: str, metrics: Metrics, *, within: timedelta, interval: timedelta
    ) -> None:
        self._replays = replays
        self._topic = topic
        self._metrics = metrics
        self._within = within
        self._interval = interval

    async def run(self) -> None:
        """Look until cancelled; return at once when letters are to be retried for no time at all."""
        pause = self._interval
        while self._within:
            await asyncio.sleep(pause.total_seconds())
            pause = self._interval if await self._look() else longer(pause)

    async def _look(self) -> bool:
        """Return whether there was anything to retry."""
        try:
            outcomes = await self._replays.retry(self._topic, self._within)
        except StoreUnavailable as error:
            logger.debug("PostgreSQL is not available", extra={"error": str(error)})
            return False
        except Exception:  # the batches matter more than the letters
            logger.exception("dead letters cannot be retried", extra={"action": "retry_failed"})
            return False
        for outcome, count in outcomes.items():
            self._metrics.retried.labels(outcome).inc(count)
        if outcomes:
            logger.info("dead letters retried", extra={"action": "dead_letters_retried", "outcomes": dict(outcomes)})
        return bool(outcomes)
