import re
from pathlib import Path

from attemptlog import migrations
from attemptlog.event_store import replay_sql, sql
from attemptlog.event_store.dead_letters import READABLE_BYTES, event_in, readable
from attemptlog.schemas import Envelope, encode, new_event_id
from attemptlog.schemas.dead_letters import DUPLICATE, STORED, DeadLetterReason
from tests.support.consumer import envelope
from tests.support.http import Exam


def test_the_reasons_are_those_that_the_table_takes() -> None:
    statement = (Path(migrations.__file__).parent / "versions/0003_accounting.up.sql").read_text()
    check = re.search(r"reason IN \(([^)]*)\)", statement)
    assert check is not None
    assert [reason.value for reason in DeadLetterReason] == re.findall(r"'(\w+)'", check[1])


def test_the_statements_name_no_other_reasons_and_outcomes() -> None:
    named = set(re.findall(r"THEN '(\w+)'", sql.CLASSIFY_LEFTOVERS))
    assert named - {"unstored"} <= {*DeadLetterReason, DUPLICATE}
    assert f"NOT IN {STORED}" in replay_sql.LOCK_LETTERS


def test_what_is_readable_is_shown_as_it_is() -> None:
    assert readable('{"a": "é"}'.encode()) == '{"a": "é"}'
    assert readable(b"") == ""
    assert readable(None) is None


def test_no_byte_reaches_the_terminal_as_a_command() -> None:
    assert readable(b"\x1b[2J\x00\xff\r\n") == "\\x1b[2J\\x00\\xff\\r\\n"
    assert readable("\N{RIGHT-TO-LEFT OVERRIDE}\x9b".encode()) == "\\u202e\\x9b"


def test_a_long_value_is_cut_with_what_is_left_out() -> None:
    assert str(readable(b"x" * (READABLE_BYTES + 7))).endswith("x … 7 bytes more")


def test_an_event_is_read_with_its_payload_as_an_object() -> None:
    event: Envelope = envelope(Exam(), 3, id=new_event_id())
    found = event_in(encode(event))
    assert found is not None
    assert (found["id"], found["seq"], found["payload_json"]) == (event.id, 3, {"choice": 2})


def test_what_is_no_event_is_none() -> None:
    assert event_in(b"{broken") is None
    assert event_in(None) is None
