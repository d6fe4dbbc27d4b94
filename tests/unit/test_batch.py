import contextlib
import json
from typing import Any

import pytest

from attemptlog.ingest_api.batch import Event, Refused
from attemptlog.ingest_api.parsing import parse
from attemptlog.ingest_api.problems import BadBody
from attemptlog.schemas import RejectionCode

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


def event(**fields: Any) -> dict[str, Any]:
    return {"event_type": "PAUSE_BLUR", "session_id": UUID, "seq": 1, "payload": {"state": "blur"}} | fields


def body(*events: Any) -> bytes:
    return json.dumps({"source": "web", "events": events}).encode()


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (event(event_type="LOGIN"), "unknown_event_type"),
        (event(event_type=None), "unknown_event_type"),
        (event(payload={"a": "é" * 2048}), "payload_too_large"),
        (event(payload={"a": "\0"}), "invalid_field"),
        (event(payload={"a": "\ud800"}), "invalid_field"),
        (event(payload={"\udfff": 1}), "invalid_field"),
        (event(payload=[]), "invalid_field"),
        (event(payload=None), "invalid_field"),
        (event(seq=True), "invalid_field"),
        (event(seq="12"), "invalid_field"),
        (event(seq=1.0), "invalid_field"),
        (event(seq=2**31), "invalid_field"),
        (event(client_ts=1_700_000_000), "invalid_field"),
        (event(client_ts="2026-03-02T09:14:05"), "invalid_field"),
        (event(user_id=UUID), "invalid_field"),
        (event(question_id=""), "invalid_field"),
        ({"session_id": UUID}, "invalid_field"),
        (7, "invalid_field"),
        (None, "invalid_field"),
    ],
)
def test_one_bad_event_never_fails_its_neighbours(bad: Any, code: RejectionCode) -> None:
    batch = parse(body(event(), bad, event()))
    first, second, third = batch.events
    assert isinstance(first, Event)
    assert isinstance(third, Event)
    assert isinstance(second, Refused)
    rejection = second.rejection
    assert (rejection.index, rejection.code) == (1, code)
    assert rejection.message


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"{}",
        b'{"events": []}',
        b'{"events": {}}',
        b'{"events": [{}], "more": 1}',
        b'{"events": [{}], "source": "fax"}',
        b'{"events": [{"seq": NaN}]}',
        b'{"events": [{"payload": {"a": -Infinity}}]}',
        b"\xef\xbb\xbf" + body(event()),
        body(event()).decode().encode("utf-16"),
        b'{"events": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"events": [{"seq": ' + b"1" * 10_000 + b"}]} x",
        body(*[event()] * 51),
    ],
)
def test_what_is_no_batch_is_refused_whole(text: bytes) -> None:
    with pytest.raises(BadBody):
        parse(text)


def test_a_byte_order_mark_is_named() -> None:
    with pytest.raises(BadBody, match="byte order mark"):
        parse(b"\xef\xbb\xbf" + body(event()))


def test_a_leap_second_is_named() -> None:
    first = parse(body(event(client_ts="2026-06-30T23:59:60Z"))).events[0]
    assert isinstance(first, Refused)
    assert "leap second" in first.rejection.message


def test_the_last_of_two_equal_keys_counts() -> None:
    text = body(event()).replace(b'"seq": 1', b'"seq": 1, "seq": 2')
    first = parse(text).events[0]
    assert isinstance(first, Event)
    assert first.seq == 2


def test_the_word_nan_in_a_text_is_no_number() -> None:
    first = parse(body(event(payload={"a": "NaN Infinity"}))).events[0]
    assert isinstance(first, Event)
    assert json.loads(first.payload) == {"a": "NaN Infinity"}


def nested(depth: int) -> Any:
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize("depth", [199, 200, 300, 800])
def test_deep_nesting_in_one_event_leaves_the_others(depth: int) -> None:
    first, second = parse(body(event(payload={"a": nested(depth)}), event())).events
    assert isinstance(first, Refused)
    assert isinstance(second, Event)
    assert first.rejection.code == "invalid_field"


def test_no_depth_is_a_fault() -> None:
    for depth in range(800, 1000):  # at one of these the stack is deep enough to read it and not to write it
        text = body(event(payload={"a": "deep"}), event()).replace(b'"deep"', b"[" * depth + b"]" * depth)
        with contextlib.suppress(BadBody):
            assert isinstance(parse(text).events[1], Event)


@pytest.mark.parametrize("depth", [197, 198])
def test_an_event_that_can_be_read_alone_is_read_in_a_batch(depth: int) -> None:
    assert all(isinstance(it, Event) for it in parse(body(event(payload={"a": nested(depth)}), event())).events)


@pytest.mark.parametrize("field", ["seq", "payload", "session_id"])
def test_an_integer_of_any_length_leaves_the_others(field: str) -> None:
    text = body(event(**{field: {"a": "long"} if field == "payload" else "long"}), event())
    first, second = parse(text.replace(b'"long"', b"-" + b"1" * 10_000)).events
    assert isinstance(first, Refused)
    assert isinstance(second, Event)
    assert first.rejection.code == "invalid_field"
