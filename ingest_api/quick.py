"""A batch read quickly: what is as pages send it costs a third of what the contract's models take for it.

Nothing is decided here. What is not plain, though it may be valid, is left to the models (by_contract.py): a time with
a zone or nanoseconds, an event that lacks a field, a payload that is not taken. What is read here is what they would
have read; tests/unit/test_quick.py compares the two.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from attemptlog.ingest_api.batch import Batch, Event, Refused
from attemptlog.ingest_api.by_contract import read_alone
from attemptlog.schemas import MAX_EVENTS_PER_BATCH, EventType, PageDropReason
from attemptlog.schemas.events import Source
from attemptlog.schemas.fields import MAX_SEQ, OLDEST, UUID_CHARS, UUID_PATTERN, YOUNGEST, compact

MAX_BRACKETS = 100  # that open in a payload; the models' parser takes no more than 200 levels
UUIDS_KEPT = 16_384  # about 200 bytes each; a hit costs a tenth of the regular expression

# msgspec rounds what is finer than a microsecond, and takes a zone without a colon; others than UTC are not plain.
IS_TOO_FINE = re.compile(rb"\.\d{7}").search
HAS_NO_COLON = re.compile(rb'0000"(?<=[+-]0000")').search
IS_UUID = re.compile(UUID_PATTERN).fullmatch

Number = Annotated[int, Meta(ge=0, le=MAX_SEQ)]


class _Event(Struct, forbid_unknown_fields=True, gc=False):
    event_type: EventType
    session_id: str
    client_ts: datetime | None = None
    seq: Number | None = None
    question_id: str | None = None
    payload: dict[str, Any] = {}  # msgspec makes a new one each time


class _Head(Struct, forbid_unknown_fields=True, gc=False, kw_only=True):
    source: Source | None = None
    stream_id: str | None = None
    sent_at: datetime | None = None
    dropped: dict[PageDropReason, Number] | None = None


class _Request(_Head, forbid_unknown_fields=True, gc=False, kw_only=True):
    events: Annotated[list[_Event], Meta(min_length=1, max_length=MAX_EVENTS_PER_BATCH)]


class _Texts(_Head, forbid_unknown_fields=True, gc=False, kw_only=True):
    events: Annotated[list[Raw], Meta(min_length=1, max_length=MAX_EVENTS_PER_BATCH)]


class _NotPlain(Exception):
    """The contract's models have to look at it."""


_read_request = msgspec.json.Decoder(_Request).decode
_read_texts = msgspec.json.Decoder(_Texts).decode
_read_event = msgspec.json.Decoder(_Event).decode


def read(body: bytes) -> Batch | None:
    """Return the batch in a body, None where the contract's models have to read it as a whole."""
    if IS_TOO_FINE(body) or HAS_NO_COLON(body):
        return None
    try:
        return _all_plain(body) or _one_by_one(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValidationError, _NotPlain):
        return None


def _all_plain(body: bytes) -> Batch | None:
    try:
        request = _read_request(body)
        return _batch(request, [*map(_event, request.events)])
    except (msgspec.ValidationError, _NotPlain):
        return None


def _one_by_one(body: bytes) -> Batch:
    request = _read_texts(body)
    events: list[Event | Refused] = []
    for index, text in enumerate(request.events):
        try:
            events.append(_event(_read_event(text)))
        except (msgspec.ValidationError, _NotPlain):
            events.append(read_alone(index, bytes(text)))
    return _batch(request, events)


def _batch(head: _Head, events: list[Event] | list[Event | Refused]) -> Batch:
    stream_id = None if head.stream_id is None else _uuid(head.stream_id)
    sent_at = None if head.sent_at is None else _time(head.sent_at)
    return Batch(head.source, stream_id, sent_at, head.dropped, [*events])


def _event(sent: _Event) -> Event:
    return Event(
        sent.event_type,
        _uuid(sent.session_id),
        None if sent.client_ts is None else _time(sent.client_ts),
        sent.seq,
        None if sent.question_id is None else _uuid(sent.question_id),
        _payload(sent.payload),
    )


def _time(moment: datetime) -> datetime:
    if moment.tzinfo is not UTC or not OLDEST <= moment < YOUNGEST:
        raise _NotPlain
    return moment


def _payload(payload: dict[str, Any]) -> bytes:
    try:
        text = compact(payload)
    except PydanticCustomError as error:
        raise _NotPlain from error
    if len(text) > 2 * MAX_BRACKETS and text.count(b"{") + text.count(b"[") > MAX_BRACKETS:
        raise _NotPlain
    return text


def _uuid(text: str) -> str:
    if len(text) != UUID_CHARS:
        raise _NotPlain
    return _lower(text)


@lru_cache(UUIDS_KEPT)
def _lower(text: str) -> str:
    if IS_UUID(text) is None:
        raise _NotPlain
    return text.lower()
