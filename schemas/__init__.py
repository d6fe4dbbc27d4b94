"""The contract: envelope, event types, request and reply, topics, codec. Pure; imports no sibling package."""

from attemptlog.schemas.codec import Undecodable, decode, encode
from attemptlog.schemas.events import (
    EVENT_TYPES,
    EVENT_VERSION,
    PAGE_DROP_REASONS,
    SOURCES,
    Envelope,
    EventType,
    PageDropReason,
    Source,
    new_event_id,
)
from attemptlog.schemas.fields import MAX_PAYLOAD_BYTES
from attemptlog.schemas.ingest import (
    MAX_EVENTS_PER_BATCH,
    MAX_REASONS_IN_REPLY,
    EventIn,
    IngestReply,
    IngestRequest,
    Malformed,
    Rejection,
    RejectionCode,
)
from attemptlog.schemas.topics import ATTEMPT_EVENTS, TopicSpec

__all__ = [
    "ATTEMPT_EVENTS",
    "EVENT_TYPES",
    "EVENT_VERSION",
    "MAX_EVENTS_PER_BATCH",
    "MAX_PAYLOAD_BYTES",
    "MAX_REASONS_IN_REPLY",
    "PAGE_DROP_REASONS",
    "SOURCES",
    "Envelope",
    "EventIn",
    "EventType",
    "IngestReply",
    "IngestRequest",
    "Malformed",
    "PageDropReason",
    "Rejection",
    "RejectionCode",
    "Source",
    "TopicSpec",
    "Undecodable",
    "decode",
    "encode",
    "new_event_id",
]
