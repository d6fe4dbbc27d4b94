"""The event logger for services without an event loop: Flask, Django, Celery, scripts."""

import asyncio
import contextlib
import logging
import os
import selectors
import socket
import threading
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from multiprocessing.util import Finalize
from typing import Any, Required, TypedDict, Unpack
from uuid import UUID

from attemptlog.publisher.logger import EventLogger
from attemptlog.publisher.metrics import Metrics
from attemptlog.publisher.port import Publisher
from attemptlog.schemas import EventType, Source

logger = logging.getLogger(__name__)

CLOSE_DEADLINE = timedelta(seconds=6)  # for the publisher to close once the stop deadline is over, and to spare
EXIT_PRIORITY = 0  # the last that multiprocessing calls before it ends its own children


class EventFields(TypedDict, total=False):
    """What `log_event` takes beside the type, as `EventLogger.log_event` does."""

    session_id: Required[str | UUID]
    user_id: Required[str | UUID]
    question_id: str | UUID | None
    payload: Mapping[str, Any] | None
    seq: int | None
    client_ts: datetime | None
    source: Source


class ThreadedEventLogger:
    """An EventLogger that runs in a thread of its own, in each process that logs.

    Make one per program, at import if you like: `publisher` is called at once, so that wrong settings are told at the
    start, and the thread starts with the first event of a process. A process that is forked afterwards gets a
    publisher, a queue, a thread and counts of its own; what is queued at the fork stays with the process that logged
    it. A process that ends by returning or by `sys.exit` delivers what is queued, as `close` does; one that ends by
    `os._exit` or by a signal does not, unless it calls `close` before.
    """

    def __init__(
        self,
        publisher: Callable[[], Publisher],
        *,
        max_queued: int = 10_000,
        stop_deadline: timedelta = timedelta(seconds=5),
        metrics: Metrics | None = None,
    ) -> None:
        self._publisher = publisher
        self._max_queued = max_queued
        self._stop_deadline = stop_deadline
        self._metrics = metrics or Metrics()
        self._lock = threading.RLock()  # as in the backlog
        self._is_closed = False
        self._thread: _Thread | None = None
        self._inherited: list[object] = []  # of the processes that forked us, for nobody here may close it
        self._events: EventLogger | None = self._new_events()
        _call_after_fork(weakref.ref(self))

    def log_event(self, event_type: EventType, **fields: Unpack[EventFields]) -> None:
        """Queue one event; return at once and never raise. See `EventLogger.log_event`."""
        try:
            events = self._events if self._thread else self._start()
        except Exception as error:  # in a child of a fork, or as the interpreter ends: the request goes on
            self._metrics.logged.inc()
            self._metrics.dropped.labels("failed").inc()
            logger.error("no thread for events: %r", error, extra={"action": "thread_failed"})
        else:
            events.log_event(event_type, **fields)  # type: ignore[union-attr]  # there are events where there is a thread

    def close(self) -> None:
        """Deliver what is queued, for `stop_deadline` at most, and take no more; to close twice is to close once."""
        with self._lock:
            self._is_closed = True
            thread, events = self._thread, self._events
        if thread is not None:
            thread.stop(self._stop_deadline + CLOSE_DEADLINE)
        elif events is not None:
            events.take_no_more()

    def _start(self) -> EventLogger:
        with self._lock:
            if self._events is None:
                self._events = self._new_events()
            if self._is_closed:
                self._events.take_no_more()
            elif self._thread is None:
                self._events.claim()
                thread = _Thread(self._events)
                thread.start()
                self._thread = thread
                Finalize(None, self.close, exitpriority=EXIT_PRIORITY)
            return self._events

    def _new_events(self) -> EventLogger:
        return EventLogger(
            self._publisher(), max_queued=self._max_queued, stop_deadline=self._stop_deadline, metrics=self._metrics
        )

    def after_fork(self) -> None:
        """Begin anew in the child of a fork; for the interpreter to call."""
        if self._thread is not None:
            self._thread.disown()
            self._inherited += [self._thread, self._events]
            self._thread = self._events = None
            self._metrics.begin_anew()
        self._lock = threading.RLock()


def _call_after_fork(events: "weakref.ref[ThreadedEventLogger]") -> None:
    def call() -> None:
        if (alive := events()) is not None:
            alive.after_fork()

    if hasattr(os, "register_at_fork"):  # not on Windows, where there is no fork
        os.register_at_fork(after_in_child=call)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop that works while the interpreter ends, when no thread can be started, and that a fork can leave."""

    def __init__(self) -> None:
        # an epoll would be one and the same in parent and child; on Windows there is neither
        self.watched = getattr(selectors, "PollSelector", selectors.SelectSelector)()
        super().__init__(self.watched)

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """Look an address up without a thread for it: nobody but the publisher waits meanwhile."""
        return socket.getaddrinfo(host, port, **options)


class _Thread(threading.Thread):
    """Enters the logger and leaves it when told to stop; a daemon, or no process would end by returning."""

    def __init__(self, events: EventLogger) -> None:
        super().__init__(name="attemptlog events", daemon=True)
        self._events = events
        self._loop = _Loop()
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start; raise RuntimeError where no thread can be started any more."""
        try:
            super().start()
        except RuntimeError:
            self._loop.close()
            raise

    def run(self) -> None:
        """Deliver until stopped."""
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._deliver())
        except Exception:
            logger.exception("the thread for events ended", extra={"action": "thread_failed"})
        finally:
            self._events.take_no_more()

    async def _deliver(self) -> None:
        async with self._events:
            await self._stopping.wait()

    def stop(self, within: timedelta) -> None:
        """Return when the logger is left, or after that time."""
        with contextlib.suppress(RuntimeError):  # it has ended
            self._loop.call_soon_threadsafe(self._stopping.set)
        self.join(within.total_seconds())
        if self.is_alive():
            logger.error("events could not be delivered in time", extra={"action": "stop_cut_short"})

    def disown(self) -> None:
        """In the child of a fork: let go of the parent's connections, whatever is closed or collected later."""
        self._loop.set_exception_handler(lambda *_: None)
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in [*(self._loop.watched.get_map() or ())]:
            os.dup2(nothing, descriptor, inheritable=False)
        os.close(nothing)
