"""Dead letters on a real PostgreSQL: retried with the consumer's rights; listed, shown, replayed by an operator."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from attemptlog.event_store.replays import BATCH_LETTERS, Replays, Verdict
from attemptlog.schemas import Envelope, encode
from tests.support.consumer import (
    Partition,
    consumer_role,
    dead_letters,
    envelope,
    ledger,
    query,
    stored_ids,
)
from tests.support.http import Exam, insert_exam
from tests.support.letters import TOPIC, add_session, attemptlog, data, replay_outcomes, store_records

HOUR = timedelta(hours=1)


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def late(exam: Exam) -> Exam:
    """The same user's session that is not in the database yet."""
    return replace(exam, session=str(uuid4()))


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    with consumer_role(database_url) as url:
        yield url


@dataclass
class Letters:
    """Makes dead letters in a partition, and says which they are."""

    database_url: str
    partition: Partition = field(default_factory=Partition)

    def make(self, *values: Envelope | bytes | None) -> list[int]:
        """Store records that are refused, and return their ids."""
        records = self.partition.records(*values)
        store_records(self.database_url, records)
        offsets = [record.offset for record in records]
        return query(self.database_url, "SELECT id FROM dead_letters WHERE kafka_offset = ANY(%s) ORDER BY id", offsets)


@pytest.fixture
def letters(database_url: str) -> Letters:
    return Letters(database_url)


def test_what_an_older_consumer_could_not_read_is_stored_by_a_replay(
    database_url: str, exam: Exam, letters: Letters
) -> None:
    [letter] = letters.make(b"{}")
    event = envelope(exam, 1, stream_id=str(uuid4()), sent_at=datetime(2026, 3, 2, 9, tzinfo=UTC))
    query(database_url, "UPDATE dead_letters SET value = %s WHERE id = %s RETURNING id", encode(event), letter)
    found = data(database_url, "dead-letters", "replay", "--reason", "undecodable", "--apply")
    assert found["outcomes"] == {"inserted": 1}
    assert query(database_url, "SELECT stream_id::text FROM attempt_events") == [event.stream_id]


def test_a_conflict_is_shown_beside_the_event_of_its_own_stream(
    database_url: str, exam: Exam, letters: Letters
) -> None:
    stream = str(uuid4())
    stored = envelope(exam, 1, stream_id=stream)
    store_records(database_url, Partition(1).records(envelope(exam, 1), stored))
    [letter] = letters.make(envelope(exam, 1, stream_id=stream, payload_json=b"{}"))
    found = data(database_url, "dead-letters", "show", letter)
    assert [it["id"] for it in found["stored"]] == [stored.id]
    assert found["differences"] == ["payload_json"]


def retry(url: str, within: timedelta = HOUR, consumers: int = 1) -> Counter[str]:
    """Retry as the consumer does, several at once; return all outcomes."""

    async def at_once() -> Counter[str]:
        async with AsyncExitStack() as opened:
            replays = [await opened.enter_async_context(Replays(url)) for _ in range(consumers)]
            found = await asyncio.gather(*(each.retry(TOPIC, within) for each in replays))
        return sum(found, Counter())

    return asyncio.run(at_once())


def assert_books_balance(database_url: str) -> None:
    """The table holds what the ledger and the replays inserted, and no record has become two letters."""
    rows = ledger(database_url).values()
    replayed = list(replay_outcomes(database_url).values()).count("inserted")
    assert len(stored_ids(database_url)) == sum(row["inserted"] for row in rows) + replayed
    assert len(dead_letters(database_url)) == sum(row["dead_lettered"] for row in rows)


# Retried by the consumer


def test_events_whose_session_comes_later_are_stored_once(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    first, repeat, conflict = envelope(late, 1), envelope(late, 1), envelope(late, 1, payload_json=b"{}")
    letters.make(first, repeat, conflict)
    assert retry(role_url) == {}
    add_session(database_url, late.session, late.user)
    assert retry(role_url) == {"inserted": 1, "duplicate": 1, "seq_conflict": 1}
    assert retry(role_url) == {}
    assert stored_ids(database_url) == {first.id}
    assert replay_outcomes(database_url) == {0: "inserted", 1: "duplicate", 2: "seq_conflict"}
    assert_books_balance(database_url)


def test_an_event_of_another_users_late_session_stays_a_dead_letter(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1))
    add_session(database_url, late.session, insert_exam(database_url).user)
    assert retry(role_url) == {"session_not_owned": 1}
    assert retry(role_url) == {}
    assert dead_letters(database_url) == {(0, 0): "unknown_session"}
    assert_books_balance(database_url)


def test_only_letters_that_came_within_the_time_are_retried(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1), envelope(late, 2))
    age(database_url, offset=0, by=timedelta(minutes=61))
    add_session(database_url, late.session, late.user)
    assert retry(role_url) == {"inserted": 1}
    assert replay_outcomes(database_url) == {0: None, 1: "inserted"}


def test_letters_of_other_topics_and_oversized_ones_are_left_alone(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1))
    store_records(database_url, Partition().records(envelope(late, 2)), topic="another")
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE dead_letters SET value = %s || value WHERE topic = %s", [b" " * 20_000, TOPIC])
    add_session(database_url, late.session, late.user)
    assert retry(role_url) == {}


def test_consumers_that_retry_at_once_share_the_letters(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    events = [envelope(late, seq) for seq in range(1, 2 * BATCH_LETTERS + 1)]
    letters.make(*events)
    add_session(database_url, late.session, late.user)
    outcomes = retry(role_url, consumers=3) + retry(role_url) + retry(role_url)
    assert outcomes == {"inserted": len(events)}
    assert stored_ids(database_url) == {event.id for event in events}
    assert_books_balance(database_url)


def test_a_letter_that_somebody_replays_is_left_to_them(
    role_url: str, database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1))
    add_session(database_url, late.session, late.user)
    with psycopg.connect(database_url) as connection:
        connection.execute("SELECT FROM dead_letters FOR UPDATE")
        assert retry(role_url) == {}
    assert retry(role_url) == {"inserted": 1}


def age(database_url: str, offset: int, by: timedelta) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE dead_letters SET first_seen_at = first_seen_at - %s WHERE kafka_offset = %s", [by, offset]
        )


# Replayed by an operator


def test_a_replay_without_apply_says_what_would_happen_and_changes_nothing(
    database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1), envelope(late, 1), b"broken")
    add_session(database_url, late.session, late.user)
    before = query(database_url, "SELECT * FROM dead_letters")
    tried = data(database_url, "dead-letters", "replay")
    assert tried == {"applied": False, "letters": 3, "outcomes": {"inserted": 1, "duplicate": 1, "undecodable": 1}}
    assert "--apply" in attemptlog(database_url, "dead-letters", "replay").output
    assert query(database_url, "SELECT * FROM dead_letters") == before
    assert stored_ids(database_url) == set()
    assert query(database_url, "SELECT * FROM dead_letter_replays") == []


def test_a_replay_stores_what_passes_now_and_is_harmless_when_repeated(
    database_url: str, letters: Letters, late: Exam
) -> None:
    event = envelope(late, 1)
    letters.make(event, b"broken")
    add_session(database_url, late.session, late.user)
    replay = ("dead-letters", "replay", "--apply")
    assert data(database_url, *replay)["outcomes"] == {"inserted": 1, "undecodable": 1}
    assert data(database_url, *replay)["outcomes"] == {"undecodable": 1}
    assert stored_ids(database_url) == {event.id}
    assert dead_letters(database_url) == {(0, 0): "unknown_session", (0, 1): "undecodable"}
    assert_books_balance(database_url)


def test_what_is_in_the_table_already_becomes_a_duplicate(database_url: str, letters: Letters, late: Exam) -> None:
    event = envelope(late, 1)
    letters.make(event)
    add_session(database_url, late.session, late.user)
    store_records(database_url, letters.partition.records(event))
    assert data(database_url, "dead-letters", "replay", "--apply")["outcomes"] == {"duplicate": 1}
    assert_books_balance(database_url)


def test_who_replayed_what_and_when_is_kept(database_url: str, letters: Letters, late: Exam) -> None:
    [letter] = letters.make(envelope(late, 1))
    data(database_url, "dead-letters", "replay", "--reason", "unknown_session", "--apply", "--by", "Ada")
    add_session(database_url, late.session, late.user)
    data(database_url, "dead-letters", "replay", letter, "--apply", "--by", "Grace")
    first, second = data(database_url, "dead-letters", "show", letter)["replays"]
    assert (first["replayed_by"], first["outcome"]) == ("Ada", "unknown_session")
    assert (second["replayed_by"], second["outcome"]) == ("Grace", "inserted")
    assert second["replayed_at"] > first["replayed_at"]
    assert first["database_user"] == query(database_url, "SELECT session_user")[0]
    filters = query(database_url, "SELECT filter FROM dead_letter_replays ORDER BY id")
    assert filters == [{"reason": "unknown_session"}, {"ids": [letter]}]


def test_a_replay_may_be_of_many_letters_of_several_topics(database_url: str, letters: Letters, late: Exam) -> None:
    events = [envelope(late, seq) for seq in range(1, BATCH_LETTERS + 3)]
    elsewhere = envelope(late, None)
    letters.make(*events)
    store_records(database_url, Partition().records(elsewhere), topic="another")
    add_session(database_url, late.session, late.user)
    assert data(database_url, "dead-letters", "replay", "--apply")["outcomes"] == {"inserted": len(events) + 1}
    assert stored_ids(database_url) == {event.id for event in [*events, elsewhere]}


def test_two_operators_at_once_store_nothing_twice(database_url: str, letters: Letters, late: Exam) -> None:
    ids = letters.make(*(envelope(late, None) for _ in range(200)))
    add_session(database_url, late.session, late.user)

    async def at_once() -> list[list[Verdict]]:
        async with Replays(database_url) as one, Replays(database_url) as other:
            found = [each.replay(await each.begin("Ada", {}), TOPIC, ids) for each in (one, other)]
            return await asyncio.gather(*found)

    assert sorted(map(len, asyncio.run(at_once()))) == [0, 200]
    assert_books_balance(database_url)


def test_an_empty_selection_is_told(database_url: str) -> None:
    result = attemptlog(database_url, "dead-letters", "replay", "--apply")
    assert (result.exit_code, result.output.strip()) == (0, "No dead letter is left that fits.")
    assert query(database_url, "SELECT * FROM dead_letter_replays") == []


# Listed and shown


def listed(database_url: str, *arguments: object) -> list[int]:
    return [row["kafka_offset"] for row in data(database_url, "dead-letters", "list", *arguments)["letters"]]


def test_letters_are_listed_newest_first_and_by_every_filter(
    database_url: str, letters: Letters, exam: Exam, late: Exam
) -> None:
    other = insert_exam(database_url)
    for value in (envelope(late, 1), b"broken", envelope(exam, 1, user_id=other.user), envelope(late, 2)):
        letters.make(value)
    age(database_url, offset=0, by=timedelta(hours=3))
    assert listed(database_url) == [3, 2, 1, 0]
    assert listed(database_url, "--limit", 2) == [3, 2]
    assert listed(database_url, "--reason", "unknown_session") == [3, 0]
    assert listed(database_url, "--session", exam.session) == [2]
    assert listed(database_url, "--user", other.user) == [2]
    assert listed(database_url, "--since", "2h") == [3, 2, 1]
    assert listed(database_url, "--until", "2h") == [0]
    shown = attemptlog(database_url, "dead-letters", "list").output
    assert all(each in shown for each in ("unknown_session", "undecodable", late.session, exam.session))


def test_reasons_are_counted_and_what_was_stored_since_is_left_out(
    database_url: str, letters: Letters, late: Exam
) -> None:
    letters.make(envelope(late, 1), envelope(late, 2, question_id=str(uuid4())), b"broken")
    add_session(database_url, late.session, late.user)
    data(database_url, "dead-letters", "replay", "--apply")
    assert data(database_url, "dead-letters", "list")["counts"] == [
        {"reason": "undecodable", "open": 1, "settled": 0},
        {"reason": "unknown_session", "open": 1, "settled": 1},
    ]
    assert listed(database_url) == [2, 1]
    assert listed(database_url, "--settled") == [2, 1, 0]


def test_of_a_conflict_both_versions_are_shown(database_url: str, letters: Letters, exam: Exam) -> None:
    stored, other = envelope(exam, 1), envelope(exam, 1, payload_json=b'{"choice":3}', source="mobile")
    [letter] = letters.make(stored, other)
    found = data(database_url, "dead-letters", "show", letter)
    assert found["event"]["id"] == other.id
    assert [each["id"] for each in found["stored"]] == [stored.id]
    assert found["differences"] == ["source", "payload_json"]
    lines = attemptlog(database_url, "dead-letters", "show", letter).output.splitlines()
    [payloads] = [line for line in lines if "payload_json" in line]
    assert payloads.index('{"choice":2}') < payloads.index('{"choice":3}')


def test_of_what_is_no_event_the_bytes_are_shown_and_do_nothing(database_url: str, letters: Letters) -> None:
    broken, empty, tombstone = letters.make(b"\x1b[2J[bold]\xff", b"", None)
    output = attemptlog(database_url, "dead-letters", "show", broken).output
    assert "\\x1b[2J[bold]\\xff" in output
    assert "\x1b" not in output
    assert data(database_url, "dead-letters", "show", broken)["value_base64"] == "G1sySltib2xkXf8="
    assert data(database_url, "dead-letters", "show", empty)["value"] == ""
    assert data(database_url, "dead-letters", "show", tombstone)["value"] is None
    assert "tombstone" in attemptlog(database_url, "dead-letters", "show", tombstone).output


def test_what_an_event_says_does_nothing_to_the_terminal(database_url: str, letters: Letters, late: Exam) -> None:
    payload: dict[str, Any] = {"text": "\x9b2J\N{RIGHT-TO-LEFT OVERRIDE}[red]"}
    [letter] = letters.make(envelope(late, 1, payload_json=json.dumps(payload, ensure_ascii=False).encode()))
    output = attemptlog(database_url, "dead-letters", "show", letter).output
    assert '{"text":"\\x9b2J\\u202e[red]"}' in output


@pytest.mark.parametrize("command", [["show", "7"], ["list", "--since", "soon"], ["replay", "--session", "me"]])
def test_a_mistake_is_told_in_a_sentence(database_url: str, command: list[str]) -> None:
    result = attemptlog(database_url, "dead-letters", *command)
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output


def test_a_database_that_is_not_migrated_is_to_be_migrated(empty_database_url: str) -> None:
    for command in ("list", "replay"):
        result = attemptlog(empty_database_url, "dead-letters", command)
        assert (result.exit_code, "run `attemptlog migrate`" in result.output) == (1, True)
