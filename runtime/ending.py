"""How a process ends: because somebody asked for it, or because it cannot go on."""

import asyncio
import logging
import os
import signal
import sys

from attemptlog.runtime.logs import first_line

logger = logging.getLogger(__name__)


class Ending:
    """Has a service end in order, by the signal that whoever serves it takes for a wish; the first failure counts.

    A `foreseen` failure is one that says what to do: it is logged without a traceback. Whoever closes what works sets
    `begun` once nothing more is taken.
    """

    def __init__(self, service: str, foreseen: type[Exception] | tuple[()] = ()) -> None:
        self.failure: BaseException | None = None
        self.begun = asyncio.Event()
        self._service = service
        self._foreseen = foreseen

    def give_up(self, failure: BaseException) -> None:
        """Log why, and have the process end as soon as what it has in hand is closed."""
        if self.failure is not None:
            return
        self.failure = failure
        why = first_line(failure) or type(failure).__name__
        trace = None if isinstance(failure, self._foreseen) else failure
        extra = {"action": f"{self._service}_failed"}
        logger.critical("the %s stops: %s", self._service, why, exc_info=trace, extra=extra)
        signal.raise_signal(signal.SIGTERM)

    async def fail(self, failure: BaseException) -> None:
        """Give up, and return when the ending has begun; the caller takes nothing more meanwhile."""
        self.give_up(failure)
        await self.begun.wait()

    def watch(self, task: "asyncio.Task[None]") -> None:
        """Give up when a task dies of something."""
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.give_up(failure)

    def asked(self, number: int, _: object) -> None:
        """Take SIGTERM or SIGINT: before anything has begun, leave; uvicorn hands on what it has dealt with itself."""
        if self.failure is None and not self.begun.is_set():
            os._exit(128 + number)

    def leave_after_failure(self) -> None:
        """End the process with status 1, once all is closed, if it could not go on.

        uvicorn would end it by the signal, which process managers take for a wish: systemd would not start it again.
        """
        if self.failure is not None:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(1)
