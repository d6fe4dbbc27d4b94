"""The envelope: one Kafka record, one row of `attempt_events`."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from pydantic import ConfigDict, Field
from uuid_utils import uuid7

from attemptlog.schemas.fields import MAX_SEQ, PayloadJson, Seq, Timestamp, UuidText

EVENT_VERSION: Literal[1] = 1

EventType = Literal[
    "SESSION_CREATED",
    "SESSION_SUBMITTED",
    "SESSION_EXPIRED",
    "REVIEW_OPENED",
    "QUESTION_VIEWED",
    "NAVIGATE_NEXT",
    "NAVIGATE_PREV",
    "NAVIGATE_JUMP",
    "ANSWER_SELECTED",
    "ANSWER_CHANGED",
    "MARK_FOR_REVIEW_TOGGLED",
    "PAUSE_BLUR",
]
EVENT_TYPES: tuple[EventType, ...] = get_args(EventType)

Source = Literal["web", "mobile", "api"]
SOURCES: tuple[Source, ...] = get_args(Source)

PageDropReason = Literal["invalid", "too_large", "queue_full", "rejected", "expired", "closed"]
PAGE_DROP_REASONS: tuple[PageDropReason, ...] = get_args(PageDropReason)

StreamId = Annotated[
    UuidText, Field(description="One load of a page, or one device; `seq` counts within session and stream.")
]
SentAt = Annotated[Timestamp, Field(description="The sender's clock when it made the request.")]
Drops = Annotated[
    dict[PageDropReason, Annotated[int, Field(strict=True, ge=0, le=MAX_SEQ)]],
    Field(description="Events that the page has given up, by reason, since its stream began."),
]


def new_event_id() -> str:
    """Return a UUIDv7 (RFC 9562) as text: ids given later sort later, which keeps the primary key's index compact."""
    return str(uuid7())


@dataclass(slots=True, kw_only=True)
class Envelope:
    """One event as it travels: fields in the order of the columns of `attempt_events`.

    Building one does not validate; `schemas.decode` does. UUIDs are lower-case text, timestamps are aware,
    `payload_json` is compact UTF-8 JSON text of an object. What follows it is left out of the JSON when it is null.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: Annotated[UuidText, Field(description="UUIDv7, given at the edge and kept on every retry.")]
    event_version: Annotated[Literal[1], Field(description="Version of this envelope.")] = EVENT_VERSION
    event_type: EventType
    event_ts: Annotated[Timestamp, Field(description="Server clock, UTC, microseconds; authoritative.")]
    client_ts: Annotated[
        Timestamp | None, Field(description="As the browser said it; may run backwards, never used for order.")
    ] = None
    seq: Annotated[Seq | None, Field(description="Per session and stream, from the client; null from a service.")] = (
        None
    )
    session_id: UuidText
    user_id: Annotated[UuidText, Field(description="From the token or the service, never from a browser's body.")]
    question_id: UuidText | None = None
    source: Source | None = None
    payload_json: PayloadJson = field(default=b"{}")
    stream_id: StreamId | None = None
    sent_at: SentAt | None = None
    dropped: Drops | None = None
