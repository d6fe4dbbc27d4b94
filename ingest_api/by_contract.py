"""A batch read by the contract's own models: they decide about every event, and say why one is none."""

import json
import re
from codecs import BOM_UTF8
from contextlib import suppress
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from attemptlog.ingest_api.batch import Batch, Event, Refused
from attemptlog.ingest_api.problems import BadBody
from attemptlog.schemas import EventIn, IngestRequest, Malformed, Rejection
from attemptlog.schemas.codec import explain
from attemptlog.schemas.fields import UUID_PATTERN
from attemptlog.schemas.numbers import loads


def read(body: bytes) -> Batch:
    """Return the batch in a body; raise BadBody.

    Of a key given twice the last value counts, as in JavaScript. NaN and Infinity are not JSON (RFC 8259, 6).
    """
    request = _request(body)
    events = [_event(i, it) for i, it in enumerate(request.events)]
    return Batch(request.source, request.stream_id, request.sent_at, request.dropped, events)


def read_alone(index: int, text: bytes) -> Event | Refused:
    """Return what the JSON text at `index` of a batch is; raise ValidationError where the models cannot parse it."""
    try:
        EventIn.model_validate_json(text)
    except ValidationError as error:
        with suppress(ValueError):  # of a text that is no JSON
            return Refused(_rejection(index, error), _session_id(from_json(text)))
        raise
    [event] = IngestRequest.model_validate_json(b'{"events":[%b]}' % text).events  # as deep as it is in its batch
    return _event(index, event)


def _event(index: int, event: EventIn | Malformed) -> Event | Refused:
    if isinstance(event, Malformed):
        return _refused(index, event.raw)
    return Event(event.event_type, event.session_id, event.client_ts, event.seq, event.question_id, event.payload)


def _request(body: bytes) -> IngestRequest:
    if b"NaN" in body or b"Infinity" in body:  # pydantic's parser takes these words for numbers
        return _request_event_by_event(body)
    try:
        return IngestRequest.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            return _request_event_by_event(body)
        raise BadBody(explain(error)) from error


def _request_event_by_event(body: bytes) -> IngestRequest:
    """Set aside the events that only a lenient parser can read, such as lone surrogates, and read the others."""
    document = loads_body(body)
    try:
        aside = _take_unreadable(document)
        request = IngestRequest.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise BadBody(explain(error)) from error
    except RecursionError as error:  # what is written takes more of the stack than what is read
        raise BadBody("the body is nested too deeply") from error
    for index, raw in aside.items():
        request.events[index] = _alone(raw)
    return request


def loads_body(body: bytes) -> Any:
    """Return the document in a body, as `schemas.numbers.loads` does; raise BadBody."""
    if body.startswith(BOM_UTF8):
        raise BadBody("the body begins with a byte order mark; leave it out (RFC 8259, 8.1)")
    try:
        return loads(body.decode())
    except UnicodeDecodeError as error:
        raise BadBody("the body is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise BadBody("the body is not JSON, or is nested too deeply") from error


def _take_unreadable(document: Any) -> dict[int, Any]:
    """Replace by null, and return by index, the events of a parsed document that the strict parser refuses."""
    events = document.get("events") if isinstance(document, dict) else None
    aside = {i: event for i, event in enumerate(events) if not _is_readable(event)} if isinstance(events, list) else {}
    for index in aside:
        document["events"][index] = None
    return aside


def _is_readable(event: Any) -> bool:
    try:
        from_json(json.dumps({"events": [event]}))  # as deep as it is in its batch
    except ValueError:
        return False
    return True


def _alone(raw: Any) -> EventIn | Malformed:
    """Read an event outside of its batch, where it may be a little less nested than the strict parser can bear."""
    try:
        return EventIn.model_validate_json(json.dumps(raw))
    except ValidationError:
        return Malformed(raw)


def _refused(index: int, raw: Any) -> Refused:
    """Say why what stands at `index` is no event; in a union, pydantic does not."""
    try:
        EventIn.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        return Refused(_rejection(index, error), _session_id(raw))
    raise AssertionError("an event that was malformed in its batch is valid alone")


def _rejection(index: int, error: ValidationError) -> Rejection:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "payload_too_large":
        return Rejection(index=index, code="payload_too_large", message=explain(error))
    if first["type"] == "literal_error" and first["loc"] == ("event_type",):
        return Rejection(index=index, code="unknown_event_type", message=explain(error))
    return Rejection(index=index, code="invalid_field", message=explain(error))


def _session_id(raw: Any) -> str | None:
    named = raw.get("session_id") if isinstance(raw, dict) else None
    return named.lower() if isinstance(named, str) and re.fullmatch(UUID_PATTERN, named) else None
