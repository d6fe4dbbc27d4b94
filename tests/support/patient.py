"""Time for tests that have their process to themselves: a busy machine is no fault of theirs, nor is one that stops."""

import asyncio
import selectors
import time
from typing import Any

OWN_FILES = 1  # the pipe with which other threads wake the loop
TURN = 1e-6  # seconds that a turn of the loop takes: what comes later has a later time


class _PatientSelector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = time.monotonic()
        self.threads_at_work = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += TURN
        if not timeout:  # something is ready, or there is no timer
            return super().select(timeout)
        if events := super().select(0):
            return events
        if len(self.get_map()) == OWN_FILES and not self.threads_at_work:
            self.now += timeout
            return []
        return self._wait(timeout)

    def _wait(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        started = time.monotonic()
        events = super().select(timeout)
        self.now += min(timeout, time.monotonic() - started) if events else timeout
        return events


class PatientLoop(asyncio.SelectorEventLoop):
    """An event loop whose time passes only while it waits, and at once where nobody else can end the wait.

    What is ready comes before any timer, however long it took. A wait that neither a socket nor a thread of an
    executor can end takes no time, and counts as if it did. Threads and processes that are not the loop's own have to
    be waited for in another way.
    """

    def __init__(self) -> None:
        self._patience = _PatientSelector()
        super().__init__(self._patience)

    def time(self) -> float:
        """Return the seconds that were waited for, from any start."""
        return self._patience.now

    def run_in_executor(self, *call: Any) -> "asyncio.Future[Any]":  # type: ignore[override]  # as in asyncio
        """Run a call in a thread, which is waited for as long as it takes."""
        result = super().run_in_executor(*call)
        self._patience.threads_at_work += 1
        result.add_done_callback(self._count_out)
        return result

    def _count_out(self, _: object) -> None:
        self._patience.threads_at_work -= 1
