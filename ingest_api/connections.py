"""The connections of a process: how many there may be, how long each may wait, and who goes when they are too many."""

import logging
import resource
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Protocol

from prometheus_client import Counter

from attemptlog.ingest_api.problems import BadRequest, HeadTooLarge, SlowBody, SlowHead

# Files that are no callers: Kafka's and PostgreSQL's connections, the key set's, the listening socket, the event loop.
RESERVED_FILES = 64
ROOM_AT_A_TIME = 16  # a sixteenth of those that wait goes at once, so that a flood does not mean a search for each
WARN_EVERY = 60.0  # seconds
IDLE, CROWDED, UNTAKEN = "idle", "crowded", "untaken"
END_REASONS = (IDLE, CROWDED, *(kind.code for kind in (SlowHead, SlowBody, HeadTooLarge, BadRequest)), UNTAKEN)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one connection, in bytes and seconds, and how many `connections` there may be."""

    head_bytes: int
    head_deadline: float
    body_deadline: float
    keep_alive: float
    connections: int


class Waiting(Protocol):
    """A connection, as far as making room goes."""

    def waits_until(self) -> float | None:
        """Return when it would be closed anyway, in the event loop's seconds; None while it is served."""
        ...

    def give_way(self) -> None:
        """Close at once."""
        ...


@dataclass(slots=True)
class Connections:
    """Keeps the connections within their bound.

    `ended` counts, by reason, those that the gateway has closed, `refused` the requests that it answered before they
    came to the application, by code.
    """

    limits: Limits
    ended: Counter
    refused: Counter
    open: int = 0
    _warned_at: float = field(default=-WARN_EVERY)

    def has_room(self, among: Collection[Waiting]) -> bool:
        """Return whether one more may stay; of those that only wait, the ones nearest to their deadline have to go."""
        if self.open <= self.limits.connections:
            return True
        self._warn()
        waiting = [(until, it) for it in among if (until := it.waits_until()) is not None]
        waiting.sort(key=lambda pair: pair[0])
        for _, connection in waiting[: len(waiting) // ROOM_AT_A_TIME + 1]:
            self.ended.labels(CROWDED).inc()
            connection.give_way()
        return bool(waiting)

    def _warn(self) -> None:
        now = time.monotonic()
        if now - self._warned_at >= WARN_EVERY:
            self._warned_at = now
            logger.warning(
                "as many connections as there may be: those that wait are closed for new ones; see "
                "ATTEMPTLOG_MAX_CONNECTIONS and the limit of open files",
                extra={"action": "connections_crowded", "open": self.open, "limit": self.limits.connections},
            )


def room_for(wanted: int) -> int:
    """Raise this process's limit of open files as far as `wanted` connections need; return how many it has room for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + RESERVED_FILES
    if hard != resource.RLIM_INFINITY:
        needed = min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        soft = needed
    room = wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - RESERVED_FILES))
    if room < wanted:
        logger.warning(
            "the limit of open files (ulimit -n) leaves room for fewer connections than ATTEMPTLOG_MAX_CONNECTIONS",
            extra={"action": "connections_bounded", "wanted": wanted, "room": room},
        )
    return room
