"""How this process ends."""

import asyncio
import logging
import os
import signal

from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.logs import first_line

logger = logging.getLogger(__name__)


class Ending:
    """Set when the process is to end; `failure` is why, if it is not because somebody asked for it."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.begun = asyncio.Event()

    def asked(self, number: int, _: object) -> None:
        """Take SIGTERM or SIGINT: before anything has begun, leave; uvicorn hands on what it has dealt with itself."""
        if self.failure is None and not self.begun.is_set():
            os._exit(128 + number)

    async def fail(self, failure: Exception) -> None:
        """End the process in an orderly way, with an exit status other than 0; returns when that has begun.

        Nothing more may be taken from Kafka by the caller: what it had in hand will be delivered again.
        """
        if self.failure is None:
            self.failure = failure
            trace = None if isinstance(failure, CannotRun) else failure
            why = first_line(failure)
            logger.critical("the consumer stops: %s", why, exc_info=trace, extra={"action": "consumer_failed"})
            signal.raise_signal(signal.SIGTERM)  # whoever serves this application closes it
        await self.begun.wait()
