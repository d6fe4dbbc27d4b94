"""Envelopes between the callers of `log_event`, on whichever thread, and the one task that publishes them."""

import asyncio
from collections import deque
from threading import RLock
from typing import Literal

from attemptlog.schemas import Envelope


class Backlog:
    """At most `bound` envelopes, in the order in which they came; those being published stay in until removed.

    `put` may be called on any thread, the rest on the event loop's.
    """

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._envelopes: deque[Envelope] = deque()
        self._lock = RLock()  # a finalizer may put in the midst of a put
        self._news = asyncio.Event()
        self._reader: asyncio.AbstractEventLoop | None = None  # while someone waits for envelopes
        self._is_closed = False

    def __len__(self) -> int:
        return len(self._envelopes)

    def put(self, envelope: Envelope) -> Literal["queue_full", "closed"] | None:
        """Keep an envelope, or say why not; never waits."""
        with self._lock:
            if self._is_closed:
                return "closed"
            if len(self._envelopes) >= self._bound:
                return "queue_full"
            try:
                self._wake_reader()
            except RuntimeError:  # the event loop is closed: nobody will ever read
                return "closed"
            self._envelopes.append(envelope)
            return None

    async def oldest(self, most: int) -> list[Envelope]:
        """Return the oldest envelopes once there are any; none when closed and empty."""
        while not (batch := self._look(most)) and not self._is_closed:
            await self._news.wait()
            self._news.clear()
        return batch

    def remove(self, count: int) -> int:
        """Forget the oldest `count` envelopes; return how many there were to forget."""
        with self._lock:
            count = min(count, len(self._envelopes))
            for _ in range(count):
                self._envelopes.popleft()
            return count

    def close(self) -> None:
        """Refuse what comes from now on; what is in can still be read."""
        with self._lock:
            self._is_closed = True
        self._news.set()

    def _look(self, most: int) -> list[Envelope]:
        with self._lock:
            batch = [self._envelopes[place] for place in range(min(most, len(self)))]
            self._reader = None if batch else asyncio.get_running_loop()
            return batch

    def _wake_reader(self) -> None:
        if self._reader is None:
            return
        if _is_running(self._reader):
            self._news.set()
        else:
            self._reader.call_soon_threadsafe(self._news.set)  # costs a system call
        self._reader = None


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the caller runs in this event loop."""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
