"""A number in a payload is kept as it was sent, or its event is refused with a sentence; whichever way it comes."""

import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from attemptlog.event_store.columns import columns_of
from attemptlog.ingest_api.batch import Event, Refused
from attemptlog.ingest_api.parsing import parse
from attemptlog.schemas import Undecodable, decode
from tests.support.consumer import line_for
from tests.unit.test_codec import UUID, envelope

KEPT = [
    "0", "-0", "0.0", "-0.0", "0.1", "1.10", "-12.25", "1e2", "1E2", "1e+2", "0.00000000000015", "123456789.123456",
    "0.30000000000000004", "0.3333333333333333", "3.141592653589793", "1.7976931348623157e308", "5e-324",
    "2.2250738585072014e-308", "9007199254740993", "-9223372036854775808", "18446744073709551615", "1e22", "1E-7",
    "100000000000000000000.0", "12345678901234567000.0", "9007199254740992.0", "0.5", "0.500000000000000000000",
]  # fmt: skip
REFUSED = [
    "12345678901234567890.5", "1e-400", "-1e-400", "0.1000000000000000055511151231257827", "0.10000000000000001",
    "9007199254740993.0", "9007199254740993e0", "12345678901234567E1", "1234567890123456789e-5",
    "1e-99999999999999999999", "1.00000000000000000000001e300", "2.4703282292062328e-324", "4e-324", "1e400", "-1E400",
    "1e99999999999999999999", "18446744073709551616", "1" * 5000, "0." + "3" * 5000, "1." + "0" * 5000,
]  # fmt: skip
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


def batch_with(number: str, at: str = '{"a": NUMBER}') -> bytes:
    event = {"event_type": "PAUSE_BLUR", "session_id": UUID, "seq": 1, "client_ts": "2026-03-02T09:14:05.123456789Z"}
    first, second = json.dumps(event | {"payload": "here"}), json.dumps(event | {"payload": {"b": 0.5}})
    return f'{{"events": [{first}, {second}]}}'.replace('"here"', at.replace("NUMBER", number)).encode()


def record_with(number: str, at: str = '{"a":NUMBER}') -> bytes:
    value = json.dumps(envelope(payload_json="here"), separators=(",", ":"))
    return value.replace('"here"', at.replace("NUMBER", number)).encode()


def exact(payload: bytes) -> Any:
    return json.loads(payload, parse_float=Decimal, parse_int=Decimal)


def at_the_gateway(number: str, at: str = '{"a": NUMBER}') -> bytes | None:
    """Return the payload of a number's event; None where it is refused."""
    first, second = parse(batch_with(number, at)).events
    assert isinstance(second, Event)
    if isinstance(first, Event):
        return first.payload
    assert isinstance(first, Refused)
    rejection = first.rejection
    assert rejection.code == "invalid_field"
    assert rejection.message.startswith("payload: ")
    return None


def at_the_consumer(number: str) -> bytes | None:
    """Return the payload of a number's record, which both ways through the consumer agree about."""
    value = record_with(number)
    try:
        payload = decode(value).payload_json
    except Undecodable:
        with pytest.raises(Undecodable):
            line_for(value)
        return None
    assert exact(columns_of(line_for(value)).payload_json) == exact(payload)
    return payload


@pytest.mark.parametrize("number", KEPT)
def test_a_number_that_a_double_or_64_bits_hold_is_kept(number: str) -> None:
    for payload in (at_the_gateway(number), at_the_consumer(number)):
        assert payload is not None
        assert exact(payload) == {"a": Decimal(number)}


@pytest.mark.parametrize("number", REFUSED, ids=lambda number: number[:20])
def test_a_number_that_would_be_changed_is_refused(number: str) -> None:
    assert at_the_gateway(number) is None
    assert at_the_consumer(number) is None


@given(NUMBERS)
@example("0e999")
@example("1.0000000000000001")
def test_any_number_is_kept_as_it_is_or_refused_by_all(number: str) -> None:
    gateway, consumer = at_the_gateway(number), at_the_consumer(number)
    assert (gateway is None) == (consumer is None)
    for payload in (gateway, consumer):
        assert payload is None or exact(payload) == {"a": Decimal(number)}
    assert gateway is not None or len(number.strip("-0.")) > 15 or is_extreme(number)


def is_extreme(number: str) -> bool:
    return not 1e-300 < abs(float(number)) < 1e300


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_double_is_kept_as_programs_print_it(value: float) -> None:
    assert at_the_gateway(json.dumps(value)) is not None
    assert at_the_consumer(json.dumps(value)) is not None


@pytest.mark.parametrize(
    "at",
    [
        '{"a": [1, NUMBER]}',
        '{"a":{"b":[{"c":NUMBER}]}}',
        '{"a" :\n\tNUMBER }',
        '{"a": [NUMBER,1]}',
        '{"a": null, "a": NUMBER}',
        '{"\\ud83d\\ude00": NUMBER, "text": "NaN"}',
    ],
)
def test_such_a_number_is_found_wherever_it_stands(at: str) -> None:
    for number in ("1e-400", "0.10000000000000001", "12345678901234567E1"):
        assert at_the_gateway(number, at) is None
        with pytest.raises(Undecodable, match="send it as text"):
            decode(record_with(number, at))


def test_what_only_looks_like_such_a_number_is_kept() -> None:
    for at in ('{"a": "NUMBER"}', '{"NUMBER": 0.5}', '{"a": NUMBER, "a": 0.5}'):
        assert at_the_gateway("1e-400", at) is not None
        assert decode(record_with("1e-400", at))


def test_the_refusal_says_what_to_do() -> None:
    first = parse(batch_with("0.10000000000000001")).events[0]
    assert isinstance(first, Refused)
    assert "send it as text" in first.rejection.message


def test_a_number_beyond_the_digits_that_python_reads_stops_nobody() -> None:
    for digits in (500, 4300, 5000):
        with contextlib.suppress(Undecodable):
            assert exact(decode(record_with("1" * digits, '{"a":NUMBER,"a":0.0}')).payload_json) == {"a": 0}
