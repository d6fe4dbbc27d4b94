"""The contract as documents for other languages: JSON Schema 2020-12 and AsyncAPI 3.0, made from the models."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import orjson
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from attemptlog.schemas.events import EVENT_TYPES, EVENT_VERSION, Envelope, EventType
from attemptlog.schemas.ingest import IngestRequest
from attemptlog.schemas.topics import ATTEMPT_EVENTS

JSON_SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI_VERSION = "3.0.0"

Json = dict[str, Any]

PAYLOAD_EXAMPLES: Mapping[EventType, Json] = MappingProxyType(
    {
        "SESSION_CREATED": {"items": 8},
        "SESSION_SUBMITTED": {"answered": 8},
        "SESSION_EXPIRED": {"answered": 6},
        "REVIEW_OPENED": {"marked": 2},
        "QUESTION_VIEWED": {"pos": 3},
        "NAVIGATE_NEXT": {"from_pos": 3, "to_pos": 4, "dwell_ms": 12_480},
        "NAVIGATE_PREV": {"from_pos": 4, "to_pos": 3, "dwell_ms": 2_260},
        "NAVIGATE_JUMP": {"from_pos": 3, "to_pos": 7, "dwell_ms": 2_610},
        "ANSWER_SELECTED": {"pos": 3, "choice": 1},
        "ANSWER_CHANGED": {"pos": 3, "choice": 2, "prev_choice": 1},
        "MARK_FOR_REVIEW_TOGGLED": {"pos": 3, "marked": True},
        "PAUSE_BLUR": {"state": "focus", "away_ms": 5_300},
    }
)
"""What to put into `payload` per event type: indexes and positions, never the text of a question or an answer."""

_SESSION_WIDE: frozenset[EventType] = frozenset(
    {"SESSION_CREATED", "SESSION_SUBMITTED", "SESSION_EXPIRED", "REVIEW_OPENED", "PAUSE_BLUR"}
)


class _SchemaOfModels(GenerateJsonSchema):
    """Writes a payload's default as the object that it is: the models hold it as JSON text."""

    def encode_default(self, dft: Any) -> Any:
        return orjson.loads(dft) if isinstance(dft, bytes) else super().encode_default(dft)


def envelope_schema() -> Json:
    """Return the JSON Schema of a Kafka value."""
    return _document("envelope", _envelope_schema())


def ingest_request_schema() -> Json:
    """Return the JSON Schema of the body of POST /v1/telemetry/events."""
    schema = IngestRequest.model_json_schema(schema_generator=_SchemaOfModels)
    return _document("ingest-request", schema | {"examples": [_request_example()]})


def asyncapi() -> Json:
    """Return the AsyncAPI document of the topic."""
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "attemptlog",
            "version": f"{EVENT_VERSION}.0.0",
            "description": "Test-session telemetry: every event stored exactly once, or listed with the reason why.",
        },
        "defaultContentType": "application/json",
        "channels": {"attemptEvents": _channel()},
        "operations": {
            "publishEvent": _operation("send", "What the gateway and a session service publish."),
            "storeEvent": _operation("receive", "What the consumer stores; it trusts no publisher and checks again."),
        },
        "components": {"messages": {"envelope": _message()}, "schemas": {"envelope": _envelope_schema()}},
    }


def _envelope_schema() -> Json:
    """Without a dialect: it uses only what JSON Schema 2020-12 and AsyncAPI's own dialect share."""
    schema = TypeAdapter(Envelope).json_schema(schema_generator=_SchemaOfModels)
    return schema | {"examples": [_envelope_example(event_type) for event_type in EVENT_TYPES]}


def _document(name: str, schema: Json) -> Json:
    return {"$schema": JSON_SCHEMA_DIALECT, "$id": f"urn:attemptlog:{name}:v{EVENT_VERSION}"} | schema


def _channel() -> Json:
    return {
        "address": ATTEMPT_EVENTS.name,
        "description": "Key: the session id as text. Partitioner: Kafka's default (murmur2). One record per event.",
        "messages": {"envelope": {"$ref": "#/components/messages/envelope"}},
        "bindings": {
            "kafka": {
                "topic": ATTEMPT_EVENTS.name,
                "partitions": ATTEMPT_EVENTS.partitions,
                "topicConfiguration": {"retention.ms": int(ATTEMPT_EVENTS.retention.total_seconds() * 1000)},
            }
        },
    }


def _operation(action: Literal["send", "receive"], summary: str) -> Json:
    return {"action": action, "summary": summary, "channel": {"$ref": "#/channels/attemptEvents"}}


def _message() -> Json:
    return {
        "name": "envelope",
        "title": "One event of a test session",
        "contentType": "application/json",
        "payload": {"$ref": "#/components/schemas/envelope"},
        "bindings": {"kafka": {"key": {"type": "string", "format": "uuid"}}},
        "examples": [{"name": event_type, "payload": _envelope_example(event_type)} for event_type in EVENT_TYPES],
    }


def _envelope_example(event_type: EventType) -> Json:
    number = EVENT_TYPES.index(event_type) + 1
    return {
        "id": _example_uuid(7, number),
        "event_version": EVENT_VERSION,
        "event_type": event_type,
        "event_ts": f"2026-03-02T09:{number:02}:00.123456Z",
        "client_ts": f"2026-03-02T09:{number:02}:00.087Z",
        "seq": number,
        "session_id": _example_uuid(4, 1),
        "user_id": _example_uuid(4, 2),
        "question_id": None if event_type in _SESSION_WIDE else _example_uuid(4, 3),
        "source": "web",
        "payload_json": PAYLOAD_EXAMPLES[event_type],
        "stream_id": _example_uuid(4, 4),
        "sent_at": f"2026-03-02T09:{number:02}:00.091Z",
    }


def _request_example() -> Json:
    envelopes = [_envelope_example(event_type) for event_type in EVENT_TYPES]
    kept = ("event_type", "client_ts", "seq", "session_id", "question_id")
    events = [{name: each[name] for name in kept} | {"payload": each["payload_json"]} for each in envelopes]
    told = {"stream_id": _example_uuid(4, 4), "sent_at": "2026-03-02T09:13:00.091Z", "dropped": {"too_large": 1}}
    return {"source": "web"} | told | {"events": events}


def _example_uuid(version: int, number: int) -> str:
    return f"019a0000-0000-{version}000-8000-{number:012}"
