"""What the commands say of a session, on a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import uuid4

import jwt
import psycopg
import pytest

from attemptlog.event_store.sessions import SELECT_EVENTS, SELECT_LETTERS, SELECT_STREAMS, SELECT_STREAMS_WITH_GAPS
from attemptlog.runtime.pseudonyms import Pseudonyms
from tests.support.consumer import Partition, envelope, query
from tests.support.http import Exam, insert_exam
from tests.support.letters import attemptlog, data, store_records

FIRST_DEVICE, SECOND_DEVICE = "f192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01", "0292f3a1-52c4-4d21-9d3e-8a1f6c0b7e02"

# 500 sessions of 20 events, one a minute, the last of them now; each tenth session lacks the number 7.
MANY_SESSIONS: LiteralString = """
    INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-000000000001');
    INSERT INTO test_sessions (id, user_id)
    SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001' FROM generate_series(1, 500);
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, seq, session_id, user_id)
    SELECT gen_random_uuid(), 1, 'PAUSE_BLUR', now() - age * interval '1 minute', seq, s.id, user_id
    FROM (SELECT *, row_number() OVER () AS age FROM test_sessions) s, generate_series(1, 20) AS seq
    WHERE NOT (age % 10 = 0 AND seq = 7);
    INSERT INTO dead_letters (topic, partition, kafka_offset, reason, session_id)
    SELECT 't', 0, row_number() OVER (), 'seq_conflict', id FROM test_sessions;
    ANALYZE attempt_events;
    ANALYZE dead_letters;
"""


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


def test_a_sessions_timeline_has_its_events_gaps_and_dead_letters(database_url: str, exam: Exam) -> None:
    clock = datetime(2026, 3, 2, 9, tzinfo=UTC)
    events = [
        envelope(exam, 1, event_ts=clock, client_ts=clock - timedelta(seconds=2)),
        envelope(exam, 2, event_ts=clock),
        envelope(exam, 2, payload_json=b"{}"),
        envelope(exam, 6, event_ts=clock),
        envelope(exam, None, event_type="SESSION_SUBMITTED", event_ts=clock, question_id=None),
    ]
    store_records(database_url, Partition().records(*events))
    found = data(database_url, "sessions", "show", exam.session)
    assert (found["user_id"], found["exam_id"]) == (exam.user, exam.exam)
    assert (found["events_stored"], found["last_seq"], found["is_submitted"]) == (4, 6, True)
    assert found["missing_seq"] == [[3, 5]]
    assert [(entry["kind"], entry.get("seq")) for entry in found["timeline"]] == [
        ("event", 1),
        ("event", 2),
        ("dead letter", 2),
        ("gap", 3),
        ("event", 6),
        ("event", None),
    ]
    assert found["timeline"][2]["reason"] == "seq_conflict"
    shown = attemptlog(database_url, "sessions", "show", exam.session).output
    assert all(each in shown for each in ("3-5", "missing", "09:00:00.000", "?", "service", "seq_conflict", "yes"))


@pytest.fixture
def two_devices(database_url: str, exam: Exam) -> Exam:
    """A session that was begun at one device and went on at another; both lack numbers, and one dropped events."""
    clock = datetime(2026, 3, 2, 9, tzinfo=UTC)
    first = [envelope(exam, seq, event_ts=clock, stream_id=FIRST_DEVICE) for seq in (1, 2, 5)]
    first[0].dropped = {"too_large": 2}
    later = clock + timedelta(minutes=5)
    second = [envelope(exam, seq, event_ts=later, stream_id=SECOND_DEVICE) for seq in range(3, 60, 3)]
    second.append(envelope(exam, 3, payload_json=b"{}", stream_id=SECOND_DEVICE))
    store_records(database_url, Partition().records(*second, *first))
    return exam


def test_the_devices_of_a_session_are_shown_one_after_the_other(database_url: str, two_devices: Exam) -> None:
    found = data(database_url, "sessions", "show", two_devices.session)
    entries = [(entry["stream_id"], entry["kind"], entry.get("seq")) for entry in found["timeline"]]
    assert entries[:5] == [
        (FIRST_DEVICE, "event", 1),
        (FIRST_DEVICE, "event", 2),
        (FIRST_DEVICE, "gap", 3),
        (FIRST_DEVICE, "event", 5),
        (FIRST_DEVICE, "drop", None),
    ]
    assert [entry[1:] for entry in entries[5:8]] == [("gap", 1), ("event", 3), ("dead letter", 3)]
    assert (found["timeline"][4]["reason"], found["timeline"][4]["count"]) == ("too_large", 2)
    assert [row["stream_id"] for row in found["streams"]] == [FIRST_DEVICE, SECOND_DEVICE]
    assert found["streams"][0]["missing_seq"] == [[3, 4]]
    assert found["dropped"] == {"too_large": 2}
    shown = attemptlog(database_url, "sessions", "show", two_devices.session).output
    assert all(each in shown for each in (FIRST_DEVICE, SECOND_DEVICE, "too_large 2", "3-4", "seq_conflict"))


def test_what_is_missing_is_readable_on_a_terminal_of_80_columns(database_url: str, two_devices: Exam) -> None:
    gaps = attemptlog(database_url, "sessions", "gaps", "--since", "2026-03-01", columns=80).output
    shown = attemptlog(database_url, "sessions", "show", two_devices.session, columns=80).output
    assert max(map(len, (gaps + shown).splitlines())) <= 80
    first, second = (line.split() for line in gaps.splitlines() if line.startswith(two_devices.session))
    assert first == [two_devices.session, FIRST_DEVICE[:8], "03-02", "09:05", "no", "3-4"]
    assert second[1] == SECOND_DEVICE[:8]
    assert " ".join(gaps.split()).endswith("1-2, 4-5, 7-8, 10-11, 13-14, 16-17, …")
    assert all(FIRST_DEVICE in text or FIRST_DEVICE[:8] in text for text in (gaps, shown))
    assert "09:00:00.000" in shown


def test_a_long_session_is_cut_and_says_so(database_url: str, exam: Exam) -> None:
    store_records(database_url, Partition().records(*(envelope(exam, seq) for seq in range(1, 31))))
    found = data(database_url, "sessions", "show", exam.session, "--limit", 10)
    assert [entry["seq"] for entry in found["timeline"]] == list(range(1, 11))
    assert (found["events_stored"], found["left_out"]) == (30, 20)
    assert "and 20 more" in attemptlog(database_url, "sessions", "show", exam.session, "--limit", 10).output


def test_a_session_may_have_dead_letters_only_or_nothing(database_url: str, exam: Exam) -> None:
    nowhere = str(uuid4())
    store_records(database_url, Partition().records(envelope(exam, 1, session_id=nowhere)))
    unknown = data(database_url, "sessions", "show", nowhere)
    assert (unknown["is_known"], [entry["reason"] for entry in unknown["timeline"]]) == (False, ["unknown_session"])
    empty = data(database_url, "sessions", "show", exam.session)
    assert (empty["is_known"], empty["timeline"]) == (True, [])
    assert "no such session in test_sessions" in attemptlog(database_url, "sessions", "show", nowhere).output


def test_a_new_session_can_be_sent_to_at_once(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "a secret of the tests, 32 bytes or more"
    monkeypatch.setenv("ATTEMPTLOG_JWT_SECRET", secret)
    monkeypatch.setenv("ATTEMPTLOG_GATEWAY_URL", "http://127.0.0.1:8010")
    made = data(database_url, "sessions", "create")
    assert made["endpoint"] == "http://127.0.0.1:8010/v1/telemetry/events"
    assert [question["pos"] for question in made["questions"]] == list(range(1, 9))
    user = jwt.decode(made["token"], secret, algorithms=["HS256"])["sub"]
    asked = Exam(user=user, session=made["session_id"], question=made["questions"][0]["id"])
    store_records(database_url, Partition().records(envelope(asked, 1)))
    found = data(database_url, "sessions", "show", made["session_id"])
    assert (found["user_id"], found["events_stored"]) == (user, 1)
    shown = attemptlog(database_url, "sessions", "create").output
    assert [line.split()[0] for line in shown.splitlines()] == ["endpoint", "session", "questions", "token"]


def test_a_pseudonym_in_a_log_is_found_by_whoever_has_the_key(
    database_url: str, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = "the key of the tests' pseudonyms, long enough"
    session = Pseudonyms(key).of_session(exam.session.encode())
    assert "ATTEMPTLOG_PSEUDONYM_KEY" in attemptlog(database_url, "sessions", "find", session).stderr
    monkeypatch.setenv("ATTEMPTLOG_PSEUDONYM_KEY", key)
    assert data(database_url, "sessions", "find", session) == {"user_id": exam.user, "session_id": exam.session}
    user = Pseudonyms(key).of_user(exam.user.encode())
    assert attemptlog(database_url, "sessions", "find", user).stdout == f"user {exam.user}\n"
    assert query(database_url, "SELECT count(*) FROM data_accesses WHERE command = 'sessions find'") == [3]
    nobody = attemptlog(database_url, "sessions", "find", uuid4())
    assert (nobody.exit_code, nobody.stdout) == (1, "")


def test_a_session_that_nobody_knows_is_a_mistake(database_url: str) -> None:
    result = attemptlog(database_url, "sessions", "show", uuid4())
    assert (result.exit_code, "There is no session" in result.output) == (1, True)


def test_gaps_lists_the_sessions_that_lack_numbers_the_last_active_first(database_url: str) -> None:
    fill(database_url)
    found = data(database_url, "sessions", "gaps", "--since", "105m")
    assert len(found) == 10
    assert {tuple(map(tuple, row["missing_seq"])) for row in found} == {((7, 7),)}
    assert [row["last_event_ts"] for row in found] == sorted((row["last_event_ts"] for row in found), reverse=True)
    assert len(data(database_url, "sessions", "gaps", "--limit", 3)) == 3
    assert found[0]["session_id"] in attemptlog(database_url, "sessions", "gaps", "--since", "105m").output
    assert attemptlog(database_url, "sessions", "gaps", "--since", "5m").output == "No session lacks a number.\n"


@pytest.mark.parametrize("statement", [SELECT_EVENTS, SELECT_LETTERS, SELECT_STREAMS, SELECT_STREAMS_WITH_GAPS])
def test_no_query_reads_the_whole_table(database_url: str, statement: str) -> None:
    fill(database_url)
    with psycopg.connect(database_url) as connection:
        [session] = connection.execute("SELECT id FROM test_sessions LIMIT 1").fetchone() or ()
        since = datetime.now(UTC) - timedelta(minutes=20)
        which: dict[str, Any] = {"session": session, "since": since, "limit": 100}
        plan = [line for (line,) in connection.execute(f"EXPLAIN {statement}".encode(), which).fetchall()]
    assert any("Index Cond" in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan


def fill(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(MANY_SESSIONS)
