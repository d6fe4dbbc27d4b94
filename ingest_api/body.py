"""From the bytes of a request to a batch, with every bound in force on the way."""

import asyncio
import json
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from attemptlog.ingest_api.problems import BadBody, BodyTooLarge, SlowBody
from attemptlog.runtime.headers import Headers
from attemptlog.schemas import EventIn, IngestRequest, Malformed, Rejection
from attemptlog.schemas.codec import explain
from attemptlog.schemas.numbers import ROUNDED, holds_rounded, loads, may_be_rounded

BODY_HAS_ARRIVED = "attemptlog.body_has_arrived"  # in the ASGI scope: our server's word that nobody has to wait for it
GZIP_WINDOW = zlib.MAX_WBITS | 16  # zlib: a gzip header and trailer are expected


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds on one body: bytes after inflating, and the time it may take to arrive."""

    max_bytes: int
    deadline: timedelta


async def read_body(
    scope: Scope, receive: Receive, headers: Headers, limits: BodyLimits, take: Callable[[int], None]
) -> bytes:
    """Return the body of a request, inflated; `take` hears of bytes before they are kept, and may raise.

    Raises BadBody, BodyTooLarge, SlowBody, or ClientDisconnect when the caller has left.
    """
    if scope.get(BODY_HAS_ARRIVED):  # a deadline would cost more than the reading
        return await _read(receive, headers, limits.max_bytes, take)
    try:
        async with asyncio.timeout(limits.deadline.total_seconds()):
            return await _read(receive, headers, limits.max_bytes, take)
    except TimeoutError as error:
        raise SlowBody(f"the body took longer than {limits.deadline.total_seconds():g} s to arrive") from error


async def _read(receive: Receive, headers: Headers, max_bytes: int, take: Callable[[int], None]) -> bytes:
    coding = _coding(headers.get(b"content-encoding", b"identity").strip().lower())
    body, arrived, is_last = bytearray(), 0, False
    while not is_last:
        piece, is_last = _piece(await receive())
        arrived += len(piece)
        kept = coding.decode(piece, max_bytes + 1 - len(body)) if coding else piece
        if arrived > max_bytes or len(body) + len(kept) > max_bytes:
            raise BodyTooLarge(f"the body is over {max_bytes} bytes (after inflating); send smaller batches")
        take(len(kept))
        body += kept
    if coding:
        coding.check_end()
    return bytes(body)


def _piece(message: Message) -> tuple[bytes, bool]:
    """Return the next bytes of a body, and whether they are its last."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), not message.get("more_body", False)


def _coding(name: bytes) -> "_Gzip | None":
    if name not in {b"identity", b"gzip"}:
        raise BadBody("content-encoding must be gzip or absent")
    return _Gzip() if name == b"gzip" else None


class _Gzip:
    """One gzip member."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(GZIP_WINDOW)

    def decode(self, piece: bytes, most: int) -> bytes:
        """Inflate a piece, to `most` bytes."""
        try:
            return self._inflater.decompress(piece, most)
        except zlib.error as error:
            raise BadBody("the body is not gzip, though content-encoding says so") from error

    def check_end(self) -> None:
        if not self._inflater.eof or self._inflater.unused_data:
            raise BadBody("the body must be one complete gzip member")


def parse(body: bytes) -> IngestRequest:
    """Return the batch in a body, malformed events in their places; raise BadBody.

    Of a key given twice the last value counts, as in JavaScript. NaN and Infinity are not JSON (RFC 8259, 6).
    """
    batch = _parse(body)
    if may_be_rounded(body, b"".join([event.payload for event in batch.events])):
        _set_rounded_aside(batch, body)
    return batch


def _parse(body: bytes) -> IngestRequest:
    if b"NaN" in body or b"Infinity" in body:  # pydantic's parser takes these words for numbers
        return _parse_one_by_one(body)
    try:
        return IngestRequest.model_validate_json(body)
    except ValidationError as error:
        if error.errors(include_url=False, include_input=False)[0]["type"] == "json_invalid":
            return _parse_one_by_one(body)
        raise BadBody(explain(error)) from error


def _parse_one_by_one(body: bytes) -> IngestRequest:
    """Set aside the events that only a lenient parser can read, such as lone surrogates, and read the others."""
    document = _loads(body)
    try:
        aside = _take_unreadable(document)
        batch = IngestRequest.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise BadBody(explain(error)) from error
    except RecursionError as error:  # what is written takes more of the stack than what is read
        raise BadBody("the body is nested too deeply") from error
    for index, raw in aside.items():
        batch.events[index] = _alone(raw)
    return batch


def _loads(body: bytes) -> Any:
    if body.startswith(BOM_UTF8):
        raise BadBody("the body begins with a byte order mark; leave it out (RFC 8259, 8.1)")
    try:
        return loads(body.decode())
    except UnicodeDecodeError as error:
        raise BadBody("the body is not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise BadBody("the body is not JSON, or is nested too deeply") from error


def _alone(raw: Any) -> EventIn | Malformed:
    """Read an event outside of its batch, where it may be a little less nested than the strict parser can bear."""
    try:
        return EventIn.model_validate_json(json.dumps(raw))
    except ValidationError:
        return Malformed(raw)


def _set_rounded_aside(batch: IngestRequest, body: bytes) -> None:
    """Make events whose payload is not what was sent Malformed: parsing has rounded a number in it."""
    sent = _loads(body)["events"]
    for index, event in enumerate(batch.events):
        if isinstance(event, EventIn) and holds_rounded(sent[index].get("payload")):
            batch.events[index] = Malformed(sent[index], f"payload: {ROUNDED}")


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


def reason(index: int, malformed: Malformed) -> Rejection:
    """Say why an event is not valid."""
    if malformed.why is not None:
        return Rejection(index=index, code="invalid_field", message=malformed.why)
    try:
        EventIn.model_validate_json(json.dumps(malformed.raw))
    except ValidationError as error:
        return _rejection(index, error)
    raise AssertionError("an event that was malformed in its batch is valid alone")


def _rejection(index: int, error: ValidationError) -> Rejection:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "payload_too_large":
        return Rejection(index=index, code="payload_too_large", message=explain(error))
    if first["type"] == "literal_error" and first["loc"] == ("event_type",):
        return Rejection(index=index, code="unknown_event_type", message=explain(error))
    return Rejection(index=index, code="invalid_field", message=explain(error))
