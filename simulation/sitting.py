"""What a candidate does in one session, before any network."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from uuid import NAMESPACE_URL, UUID, uuid5

from attemptlog.schemas import EventType, Source

# The same for every run, so that a session played again is the same content and counts as duplicates only.
EXAM_STARTS_AT = datetime(2026, 1, 12, 9, 0, tzinfo=UTC)


Stream = tuple[str, str | None]  # what numbers count within: the session, and the load of its page if it says so


@dataclass(slots=True, frozen=True)
class Event:
    """One event; `offset_ms` is the browser's clock since the exam's start and may run backwards.

    `seq` counts within `stream_id`, or within the session where a page sends none.
    """

    seq: int
    event_type: EventType
    question_id: str | None
    offset_ms: int
    payload: bytes
    stream_id: str | None = None


@dataclass(slots=True)
class Sitting:
    """Events of one session in the order in which they happened."""

    session_id: str
    user_id: str
    source: Source
    events: list[Event]


@dataclass(slots=True)
class Roster:
    """Who sits which exam: what has to be in the database before the first event."""

    exam_id: str
    question_ids: set[str] = field(default_factory=set)
    sessions: dict[str, str] = field(default_factory=dict)  # session id → user id
    key: dict[str, int] = field(default_factory=dict)  # question id → the right choice; in the exam's order
    title: str | None = None  # what the console calls the exam; without it, its questions have no order there


def namespace(seed: str) -> UUID:
    """Return the UUID under which all ids of a run are made."""
    return uuid5(NAMESPACE_URL, f"attemptlog:simulate:{seed}")


def elapsed_ms(events: Iterable[Event]) -> list[int]:
    """Return how long after the first event each one happened: a clock that is set back takes no time."""
    offsets = [event.offset_ms for event in events]
    times = [0]
    for before, after in pairwise(offsets):
        times.append(times[-1] + max(0, after - before))
    return times[: len(offsets)]
