import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attemptlog.schemas import (
    EVENT_TYPES,
    PAGE_DROP_REASONS,
    SOURCES,
    Envelope,
    Undecodable,
    decode,
    encode,
    new_event_id,
)
from attemptlog.schemas.fields import MAX_SEQ, compact

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ENVELOPES = st.builds(
    Envelope,
    id=st.builds(new_event_id),
    event_type=st.sampled_from(EVENT_TYPES),
    event_ts=MOMENTS,
    client_ts=st.none() | MOMENTS,
    seq=st.none() | st.integers(0, MAX_SEQ),
    session_id=st.uuids().map(str),
    user_id=st.uuids().map(str),
    question_id=st.none() | st.uuids().map(str),
    source=st.none() | st.sampled_from(SOURCES),
    payload_json=st.dictionaries(TEXT, JSON, max_size=3).map(compact),
    stream_id=st.none() | st.uuids().map(str),
    sent_at=st.none() | MOMENTS,
    dropped=st.none() | st.dictionaries(st.sampled_from(PAGE_DROP_REASONS), st.integers(0, MAX_SEQ)),
)


def envelope(**fields: Any) -> dict[str, Any]:
    return {
        "id": UUID,
        "event_version": 1,
        "event_type": "PAUSE_BLUR",
        "event_ts": "2026-03-02T09:14:05.123456Z",
        "session_id": UUID,
        "user_id": UUID,
        "payload_json": {},
    } | fields


@given(ENVELOPES)
def test_what_is_encoded_decodes_to_itself(it: Envelope) -> None:
    assert decode(encode(it)) == it


def test_a_record_without_a_stream_is_the_record_that_it_always_was() -> None:
    it = decode(json.dumps(envelope(seq=7, source="web", payload_json={"pos": 3})).encode())
    assert encode(it) == (
        b'{"id":"01890a5d-ac96-774b-bcce-b302099a8057","event_version":1,"event_type":"PAUSE_BLUR",'
        b'"event_ts":"2026-03-02T09:14:05.123456Z","client_ts":null,"seq":7,'
        b'"session_id":"01890a5d-ac96-774b-bcce-b302099a8057","user_id":"01890a5d-ac96-774b-bcce-b302099a8057",'
        b'"question_id":null,"source":"web","payload_json":{"pos":3}}'
    )


@pytest.mark.parametrize("value", [None, b"", b"x", b"\xff", b"null", b"[]", b"{}", b'{"id": NaN}', b"[" * 10_000])
def test_what_is_no_envelope_is_undecodable(value: bytes | None) -> None:
    with pytest.raises(Undecodable):
        decode(value)


@pytest.mark.parametrize(
    "fields",
    [
        {"event_version": 2},
        {"event_type": "LOGIN"},
        {"user_id": None},
        {"payload_json": {"a": "\0"}},
        {"payload_json": {"a": "\ud800"}},
        {"payload_json": "{}"},
        {"source": "fax"},
        {"more": 1},
        {"stream_id": "first"},
        {"sent_at": "2026-03-02T09:14:05"},
        {"sent_at": 1772442845},
        {"dropped": {"bored": 1}},
        {"dropped": {"invalid": -1}},
        {"dropped": {"invalid": 2**31}},
        {"dropped": {"invalid": True}},
        {"dropped": {"invalid": "1"}},
        {"dropped": [1]},
    ],
)
def test_an_envelope_with_a_wrong_field_is_undecodable(fields: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        decode(json.dumps(envelope(**fields)).encode())


def test_the_reason_names_the_field_and_no_value() -> None:
    with pytest.raises(Undecodable, match="payload_json") as caught:
        decode(json.dumps(envelope(payload_json={"name": "Ada\0"})).encode())
    assert "Ada" not in str(caught.value)
    assert caught.value.__suppress_context__, "pydantic's error, which shows values, would be printed above this one"
