"""How this process ends when it cannot go on."""

import asyncio
import logging
import os
import signal
import sys

logger = logging.getLogger(__name__)


class Ending:
    """Ends the process when what works in the background dies of something that nobody expected."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None

    def fail(self, failure: BaseException) -> None:
        """Log what happened and have the server stop as if it had been asked to; the first failure counts."""
        if self.failure is None:
            self.failure = failure
            logger.critical("the gateway stops: %r", failure, exc_info=failure, extra={"action": "gateway_failed"})
            signal.raise_signal(signal.SIGTERM)

    def watch(self, task: "asyncio.Task[None]") -> None:
        """Fail with what a task dies of."""
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (failure := task.exception()) is not None:
            self.fail(failure)

    def leave(self) -> None:
        """End the process, once all is closed, with status 1 after a failure.

        uvicorn would end it by the signal, which process managers take for a wish: systemd would not start it again.
        """
        if self.failure is not None:
            logging.shutdown()
            sys.stdout.flush()
            os._exit(1)
