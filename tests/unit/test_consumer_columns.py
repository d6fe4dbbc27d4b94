"""The short way from a record to a row takes nothing that the codec would not, and gives the same row."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pcre2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attemptlog.event_store.columns import (
    AT_ONCE,
    NULL,
    Columns,
    columns_of,
    event_ts_of,
    id_of,
    ids_of,
    owner_of,
    usual_lines,
)
from attemptlog.schemas import Envelope, Undecodable, decode, encode, new_event_id
from tests.support.consumer import envelope, line_for
from tests.support.http import Exam
from tests.unit.test_codec import ENVELOPES

MOMENT = datetime(2026, 3, 2, 9, 14, 5, 123456, tzinfo=UTC)
USUAL = envelope(Exam(), client_ts=MOMENT)
OF_A_PAGE = replace(
    USUAL, stream_id=new_event_id(), sent_at=MOMENT + timedelta(seconds=1), dropped={"invalid": 3, "closed": 12}
)
FLAT = [
    {},
    {"pos": 3},
    {"a": "text", "b": -1.5, "c": True, "d": None, "e": 0},
    {"quote": '"', "backslash": "\\", "tab": "\t", "line": "\n", "accent": "é"},
    {"deep": {"er": [1, 2]}},
    {"large": 2**63, "small": 1e-7, "float": 1e300},
]


def text_of(columns: Columns) -> dict[str, Any]:
    """Return what COPY makes of the columns."""
    plain = {name: None if it == NULL else it.decode() for name, it in columns._asdict().items()}
    payload = orjson.loads(columns.payload_json.replace(b"\\\\", b"\\"))
    return plain | {"payload_json": payload, "dropped": plain["dropped"] and orjson.loads(plain["dropped"])}


def fields_of(it: Envelope) -> dict[str, Any]:
    """Return the same of an envelope."""
    fields = {name: getattr(it, name) for name in Columns._fields}
    numbers = {name: None if fields[name] is None else str(fields[name]) for name in ("event_version", "seq")}
    return fields | numbers | {"payload_json": orjson.loads(it.payload_json)}


def with_moments(row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with its times as moments: one may be written in several ways."""
    times = {
        name: row[name] and datetime.fromisoformat(str(row[name])) for name in ("event_ts", "client_ts", "sent_at")
    }
    return row | times


def is_same_row(columns: Columns, it: Envelope) -> bool:
    return with_moments(text_of(columns)) == with_moments(fields_of(it))


@given(ENVELOPES)
def test_any_envelope_gives_the_row_that_the_codec_reads(it: Envelope) -> None:
    assert is_same_row(columns_of(line_for(encode(it))), decode(encode(it)))


@given(ENVELOPES)
def test_any_envelope_tells_whose_it_is(it: Envelope) -> None:
    line = line_for(encode(it))
    assert ids_of(owner_of(line)) == (columns_of(line).session_id, columns_of(line).user_id)


@given(ENVELOPES)
def test_the_id_and_the_time_are_found_in_a_line_without_taking_it_apart(it: Envelope) -> None:
    line = line_for(encode(it))
    assert id_of(line) == columns_of(line).id
    assert event_ts_of(line) == columns_of(line).event_ts


@pytest.mark.parametrize("payload", FLAT, ids=lambda it: "-".join(it) or "empty")
def test_every_kind_of_payload_gives_the_row_that_the_codec_reads(payload: dict[str, Any]) -> None:
    value = encode(replace(USUAL, payload_json=orjson.dumps(payload)))
    columns = columns_of(line_for(value))
    assert is_same_row(columns, decode(value))
    assert not any(sign in columns.payload_json for sign in (b"\t", b"\n", b"\r"))


@pytest.mark.parametrize(
    "moment",
    [
        "2024-02-29T23:59:59.999999Z",
        "2026-02-28T00:00:00+00:00",
        "2026-12-31T09:14:05.1Z",
        "2026-04-30T09:14:05+05:30",
        "0999-01-01T00:00:00Z",
    ],
)
def test_a_moment_is_taken_as_the_codec_takes_it(moment: str) -> None:
    value = encode(USUAL).replace(b"2026-03-02T09:14:05.123456Z", moment.encode())
    assert is_same_row(columns_of(line_for(value)), decode(value))


@pytest.mark.parametrize(
    "moment",
    [
        "2026-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
    ],
)
def test_a_moment_that_is_in_no_calendar_is_refused(moment: str) -> None:
    with pytest.raises(Undecodable):
        line_for(encode(USUAL).replace(b"2026-03-02T09:14:05.123456Z", moment.encode()))


def test_every_day_of_a_year_is_taken_as_the_codec_takes_it() -> None:
    days = [f"{year}-{month:02}-{day:02}" for year in (2023, 2024) for month in range(14) for day in range(33)]
    taken = [both_take(encode(USUAL).replace(b"2026-03-02", day.encode())) for day in days]
    assert sum(taken) == 365 + 366


def test_what_is_over_the_limit_is_refused() -> None:
    with pytest.raises(Undecodable):
        line_for(encode(replace(USUAL, payload_json=b'{"a":"%s"}' % (b"x" * 4096))))


@pytest.mark.parametrize("it", [USUAL, OF_A_PAGE], ids=["usual", "of-a-page"])
def test_a_value_with_changed_bytes_is_refused_or_read_just_as_the_codec_does(it: Envelope) -> None:
    dice = random.Random(7)  # noqa: S311 - no secret
    value = encode(replace(it, payload_json=b'{"pos":3,"dwell_ms":12,"name":"a"}'))
    taken = 0
    for _ in range(20_000):
        changed = bytearray(value)
        for _ in range(dice.randint(1, 3)):
            changed[dice.randrange(len(changed))] = dice.choice(b'0129azAZ"\\{}[]:,.-+eETn \x00\t\n\xc3')
        if dice.random() < 0.3:
            del changed[dice.randrange(len(changed))]
        taken += both_take(bytes(changed))
    assert taken > 500, "hardly any change was harmless, so the comparison says little"


def both_take(value: bytes) -> bool:
    try:
        expected = decode(value)
    except Undecodable:
        with pytest.raises(Undecodable):
            line_for(value)
        return False
    assert is_same_row(columns_of(line_for(value)), expected), value
    return True


@pytest.mark.parametrize("left_out", [{}, {"dropped": None}, {"sent_at": None}, {"stream_id": None, "sent_at": None}])
def test_records_of_pages_take_the_short_way(left_out: dict[str, None]) -> None:
    it = replace(OF_A_PAGE, **left_out)  # type: ignore[arg-type]
    assert is_same_row(columns_of(usual(encode(it))), it)


@pytest.mark.parametrize("payload", [{"a": "x" * 3_500}, dict.fromkeys(map(str, range(400)), 1)], ids=["long", "wide"])
def test_a_large_flat_payload_takes_the_short_way(payload: dict[str, Any]) -> None:
    it = replace(OF_A_PAGE, payload_json=orjson.dumps(payload))
    assert is_same_row(columns_of(usual(encode(it))), it)


VALUE = encode(OF_A_PAGE)
UNUSUAL = [
    None,
    b"",
    b"\t" * 13,
    b"\n",
    b"\x00",
    VALUE + b"\n",
    b"\n" + VALUE,
    VALUE + b"\n" + VALUE,
    b"x\n" + VALUE + b"\n",
    b"\r" + VALUE,
    VALUE + b"\r",
    VALUE + b"\r" + VALUE,
    VALUE + VALUE,
    b"x" + VALUE,
    line_for(VALUE),
    line_for(VALUE) + b"\n" + VALUE,
]


@pytest.mark.parametrize("value", UNUSUAL, ids=map(str, range(len(UNUSUAL))))
def test_what_is_not_quite_a_usual_value_is_left_to_the_codec_and_moves_no_neighbour(value: bytes | None) -> None:
    first, second = (encode(replace(OF_A_PAGE, id=new_event_id())) for _ in range(2))
    found = list(usual_lines([first, value, second]))
    assert found[1] is None
    assert (found[0], found[2]) in {(line_for(first), line_for(second)), (None, None)}


@pytest.mark.parametrize("size", [0, 1, AT_ONCE - 1, AT_ONCE, 2 * AT_ONCE + 1])
def test_every_value_has_its_line_in_its_place(size: int) -> None:
    values = [encode(replace(OF_A_PAGE, id=new_event_id())) if number % 3 else b"{}" for number in range(size)]
    lines = list(usual_lines(values))
    assert lines == [line_for(value) if value != b"{}" else None for value in values]


def test_values_that_are_too_much_for_the_regular_expression_are_left_to_the_codec(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Limited:
        def sub(self, *_: object) -> bytes:
            raise pcre2.LibraryError(-47)  # PCRE2_ERROR_MATCHLIMIT

    monkeypatch.setattr("attemptlog.event_store.columns._VALUE", Limited())
    assert list(usual_lines([VALUE])) == [None]
    assert is_same_row(columns_of(line_for(VALUE)), OF_A_PAGE)


def usual(value: bytes) -> bytes:
    [line] = usual_lines([value])
    assert line is not None
    return line


@given(st.binary(max_size=60))
def test_what_is_no_envelope_is_refused(value: bytes) -> None:
    with pytest.raises(Undecodable):
        line_for(value)
