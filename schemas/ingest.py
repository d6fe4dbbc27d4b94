"""POST /v1/telemetry/events: request and reply."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from attemptlog.schemas.events import Drops, EventType, SentAt, Source, StreamId
from attemptlog.schemas.fields import PayloadJson, Seq, Timestamp, UuidText

MAX_EVENTS_PER_BATCH = 50
MAX_REASONS_IN_REPLY = 5

RejectionCode = Literal[
    "unknown_event_type",
    "invalid_field",
    "payload_too_large",
    "session_not_owned",
    "question_not_in_session",
]


class EventIn(BaseModel):
    """One event of a batch, as a browser or a service sends it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    event_type: EventType
    session_id: UuidText
    client_ts: Timestamp | None = None
    seq: Annotated[
        Seq | None,
        Field(description="Counts up per session, or per stream of it; without it a repeated POST stores twice."),
    ] = None
    question_id: UuidText | None = None
    payload: PayloadJson = b"{}"


@dataclass(slots=True)
class Malformed:
    """What stands in a batch in place of an event that is no EventIn; `raw` is the JSON value as it came."""

    raw: Any


MalformedEvent = Annotated[Any, AfterValidator(Malformed)]


class IngestRequest(BaseModel):
    """A batch. An event that is not valid becomes Malformed in its place, so that it never fails its neighbours."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    source: Source | None = None
    stream_id: StreamId | None = None
    sent_at: SentAt | None = None
    dropped: Drops | None = None
    events: Annotated[
        list[
            Annotated[
                EventIn | SkipJsonSchema[MalformedEvent],
                Field(union_mode="left_to_right"),
            ]
        ],
        Field(min_length=1, max_length=MAX_EVENTS_PER_BATCH),
    ]


class Rejection(BaseModel):
    """Why one event was not taken; `index` is its place in the batch, from 0."""

    index: int
    code: RejectionCode
    message: str


class IngestReply(BaseModel):
    """How many events were taken, how many not, and at most five reasons."""

    accepted: int
    rejected: int
    rejected_reasons_sample: list[Rejection] = []
