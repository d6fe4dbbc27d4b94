"""A batch as it was read: its events, and in place of what is none the reason why."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from attemptlog.schemas import EventType, PageDropReason, Rejection
from attemptlog.schemas.events import Source


class Event(msgspec.Struct, gc=False):
    """A valid event; see schemas.EventIn for its fields. A struct, because one is made for each event that comes in."""

    event_type: EventType
    session_id: str
    client_ts: datetime | None
    seq: int | None
    question_id: str | None
    payload: bytes


@dataclass(slots=True)
class Refused:
    """An event that is not valid: why, and the session that it names, for the log."""

    rejection: Rejection
    session_id: str | None


@dataclass(slots=True)
class Batch:
    """An IngestRequest in which what is no event is Refused, in its place."""

    source: Source | None
    stream_id: str | None
    sent_at: datetime | None
    dropped: dict[PageDropReason, int] | None
    events: list[Event | Refused]
