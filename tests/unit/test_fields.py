import json
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from attemptlog.schemas import MAX_PAYLOAD_BYTES
from attemptlog.schemas.fields import PayloadJson, Seq, Timestamp, UuidText

UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


def read(kind: Any, text: str) -> Any:
    return TypeAdapter(kind).validate_json(text)


def test_a_uuid_is_kept_as_lower_case_text() -> None:
    assert read(UuidText, json.dumps(UUID.upper())) == UUID


@pytest.mark.parametrize("text", ['"x"', f'"{UUID}\\n"', f'"{{{UUID}}}"', f'"{UUID.replace("-", "")}"', "1", "null"])
def test_what_is_not_a_uuid_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read(UuidText, text)


@pytest.mark.parametrize("text", ["true", '"12"', "1.0", "1e0", "-1", "2147483648", "null", "[]"])
def test_seq_is_a_json_integer_that_postgresql_can_hold(text: str) -> None:
    with pytest.raises(ValidationError):
        read(Seq, text)


@pytest.mark.parametrize("text", ["0", "2147483647"])
def test_seq_takes_both_ends_of_its_range(text: str) -> None:
    assert read(Seq, text) == int(text)


@pytest.mark.parametrize(
    "text",
    [
        "1700000000",
        '"1700000000"',
        '"2026-03-02"',
        '"2026-03-02T09:14:05"',
        '"2026-02-30T09:14:05Z"',
        '"2026-03-02T09:14:05+24:00"',
        '"2026-03-02T09:14:05+16:00"',
        '"2026-03-02T09:14:05-16:00"',
        '"0001-01-01T00:00:00+23:00"',
        '"9999-12-31T23:59:59-23:00"',
        "true",
    ],
)
def test_a_timestamp_without_zone_or_outside_the_calendar_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read(Timestamp, text)


@pytest.mark.parametrize(
    "text", ["2026-03-02T09:14:05Z", "2026-03-02T09:14:05.123456+05:30", "2026-03-02 09:14:05-15:59"]
)
def test_a_timestamp_with_a_zone_is_taken(text: str) -> None:
    assert read(Timestamp, json.dumps(text)).tzinfo is not None


def test_a_payload_becomes_compact_json() -> None:
    assert read(PayloadJson, '{ "a" : [1, 2.5, null, "é"] }') == '{"a":[1,2.5,null,"é"]}'.encode()


def test_the_payload_limit_counts_bytes_and_not_characters() -> None:
    fits = {"a": "é" * ((MAX_PAYLOAD_BYTES - 8) // 2)}
    assert len(read(PayloadJson, json.dumps(fits))) == MAX_PAYLOAD_BYTES
    with pytest.raises(ValidationError, match="is 4097 bytes"):
        read(PayloadJson, json.dumps({"a": fits["a"] + "x"}))


@pytest.mark.parametrize(
    "text",
    [
        r'{"a": "\u0000"}',
        r'{"\u0000": 1}',
        r'{"a": "\\\u0000"}',
        '{"a": 1e400}',
        '{"a": [{"b": -1e400}]}',
        '{"a": NaN}',
        '{"a": 18446744073709551616}',
        "[]",
        "null",
        '"{}"',
    ],
)
def test_a_payload_that_jsonb_cannot_keep_as_it_is_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        read(PayloadJson, text)


@pytest.mark.parametrize("text", [r'{"a":"\\u0000"}', '{"a":null}', '{"a":"null"}', "{}", '{"a":18446744073709551615}'])
def test_a_payload_that_only_looks_like_trouble_is_kept(text: str) -> None:
    assert json.loads(read(PayloadJson, text)) == json.loads(text)
