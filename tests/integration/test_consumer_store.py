"""What becomes of a batch in a real PostgreSQL: every record is accounted for, exactly once."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import astuple, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.event_store import sql
from attemptlog.event_store.books import Books
from attemptlog.event_store.decoding import Batch, decode_batch
from attemptlog.event_store.errors import CannotRun, Hole, OffsetGap, StoreUnavailable
from attemptlog.event_store.identity import Entry, KnownLog
from attemptlog.event_store.rows import store_rows
from attemptlog.event_store.store import Store, Stored
from attemptlog.runtime.topic_log import FoundLog, Mark, digest_of
from attemptlog.schemas import encode, new_event_id
from tests.support import sql_before_streams
from tests.support.consumer import (
    FakeRecord,
    Partition,
    assert_accounted,
    consumer_role,
    dead_letters,
    envelope,
    ledger,
    query,
    stored_ids,
)
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.oldest_postgres import on_every_postgres
from tests.unit.test_numbers import KEPT

pytestmark = on_every_postgres

TOPIC = "attempt-events.v1"
NOBODY = str(uuid.uuid4())
MONDAY = datetime(2026, 3, 2, 9, 14, 5, tzinfo=UTC)
ONE_DEVICE, OTHER_DEVICE = str(uuid.uuid4()), str(uuid.uuid4())
MANY_PARENTS = """
    INSERT INTO users (id) SELECT gen_random_uuid() FROM generate_series(1, 100000);
    INSERT INTO test_sessions (id, user_id) SELECT gen_random_uuid(), id FROM users;
    INSERT INTO questions (id) SELECT gen_random_uuid() FROM generate_series(1, 20000);
    INSERT INTO exam_questions (exam_id, question_id)
    SELECT e.id, q.id FROM exams e, questions q ON CONFLICT DO NOTHING;
    ANALYZE test_sessions, questions, exam_questions
"""
SCANS = """
    SELECT relname, seq_scan
    FROM pg_stat_xact_user_tables
    WHERE relname IN ('test_sessions', 'questions', 'exam_questions', 'attempt_events')
"""


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def partition() -> Partition:
    return Partition()


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    with consumer_role(database_url) as url:
        yield url


@pytest.fixture
async def store(role_url: str) -> AsyncIterator[Store]:
    """A store that has no more rights than the consumer's role grants."""
    async with Store(role_url, TOPIC) as store:
        yield store


@pytest.fixture
async def books(role_url: str) -> AsyncIterator[Books]:
    """The ledger, read with no more rights than that."""
    async with Books(role_url, TOPIC) as books:
        yield books


async def write(store: Store, records: Sequence[FakeRecord], gone: frozenset[Hole] = frozenset()) -> Stored:
    return await store.write(decode_batch(records), gone)


async def test_a_batch_reads_no_table_from_end_to_end_however_many_sessions_there_are(
    database_url: str, exam: Exam, partition: Partition
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(MANY_PARENTS)
    devices = [None, str(uuid.uuid4()), str(uuid.uuid4())]
    events = [envelope(exam, seq=seq, stream_id=devices[seq % 3]) for seq in range(1000)]
    letters = [replace(events[0], id=new_event_id(), seq=2000 + n, question_id=NOBODY) for n in range(5)]
    batch = decode_batch(partition.records(*events, *events[:20], *letters))
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        outcome = await store_rows(connection, batch.rows)
        scans = await (await connection.execute(SCANS)).fetchall()
    assert (len(outcome.duplicates), len(outcome.refused)) == (20, 5)
    assert dict(scans) == {"attempt_events": 0, "exam_questions": 0, "questions": 0, "test_sessions": 0}


async def test_events_are_stored_as_they_were_sent(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    told: dict[str, Any] = {"stream_id": str(uuid.uuid4()), "sent_at": MONDAY, "dropped": {"invalid": 2, "closed": 1}}
    event = envelope(exam, payload_json='{"text":"é \\\\ \\n","deep":{"a":[1,2.5,null]}}'.encode(), **told)
    stored = await write(store, partition.records(event))
    assert (stored.inserted, stored.duplicates, stored.skipped) == (1, 0, 0)
    statement = """
        SELECT id::text, event_version, event_type, event_ts, client_ts, seq, session_id::text, user_id::text,
            question_id::text, source, payload_json, stream_id::text, sent_at, dropped
        FROM attempt_events
    """
    as_sent = astuple(replace(event, payload_json={"text": "é \\ \n", "deep": {"a": [1, 2.5, None]}}))  # type: ignore[arg-type]
    assert query(database_url, statement) == [as_sent]
    assert_accounted(database_url, partition)


async def test_an_event_that_comes_again_is_a_duplicate_whatever_id_and_server_time_it_has(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    first, second = envelope(exam, 1), envelope(exam, 2)
    retry_of_first, retry_of_second = envelope(exam, 1), envelope(exam, 2)
    in_batch = await write(store, partition.records(first, second, first, retry_of_first))
    later = await write(store, partition.records(second, retry_of_second, first))
    assert (in_batch.inserted, in_batch.duplicates) == (2, 2)
    assert (later.inserted, later.duplicates) == (0, 3)
    assert stored_ids(database_url) == {first.id, second.id}
    assert ledger(database_url)[0]["duplicates"] == 5
    assert_accounted(database_url, partition)


async def test_numbers_of_two_devices_of_a_session_are_their_own(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    devices = [ONE_DEVICE, OTHER_DEVICE, None]
    events = [envelope(exam, seq, stream_id=device) for device in devices for seq in range(1, 21)]
    stored = await write(store, partition.records(*events))
    assert (stored.inserted, stored.duplicates, stored.dead_letters) == (60, 0, {})
    again = [replace(event, id=new_event_id()) for event in events]
    assert (await write(store, partition.records(*again))).duplicates == 60
    assert_accounted(database_url, partition)


async def test_a_repeat_is_told_by_its_content_whenever_it_was_sent_and_whatever_was_dropped_meanwhile(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    first = envelope(exam, 1, stream_id=ONE_DEVICE, sent_at=MONDAY)
    repeat = replace(first, id=new_event_id(), sent_at=MONDAY + timedelta(hours=1), dropped={"queue_full": 3})
    changed = replace(first, id=new_event_id(), payload_json=b'{"choice":3}')
    of_another_device = replace(first, stream_id=OTHER_DEVICE)
    stored = await write(store, partition.records(first, repeat, changed, of_another_device))
    assert (stored.inserted, stored.duplicates) == (1, 1)
    assert dead_letters(database_url) == {(0, 2): "seq_conflict", (0, 3): "seq_conflict"}
    assert_accounted(database_url, partition)


@pytest.mark.parametrize("in_one_batch", [True, False])
async def test_other_content_under_a_known_seq_or_id_is_a_conflict_and_what_came_first_stays(
    store: Store, database_url: str, exam: Exam, partition: Partition, in_one_batch: bool
) -> None:
    first = envelope(exam, 1)
    same_seq = envelope(exam, 1, payload_json=b'{"choice":3}')
    same_id = envelope(exam, 2, id=first.id)
    records = partition.records(first, same_seq, same_id)
    for batch in [records] if in_one_batch else [records[:1], records[1:]]:
        await write(store, batch)
    assert stored_ids(database_url) == {first.id}
    assert dead_letters(database_url) == {(0, 1): "seq_conflict", (0, 2): "seq_conflict"}
    assert query(database_url, "SELECT DISTINCT detail FROM dead_letters") == [
        f"event {first.id} is stored with other content"
    ]
    assert_accounted(database_url, partition)


async def test_the_order_of_a_payloads_keys_is_not_content(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    one, other = envelope(exam, payload_json=b'{"a":1,"b":2}'), envelope(exam, payload_json=b'{"b":2,"a":1}')
    assert (await write(store, partition.records(one, other))).duplicates == 1
    assert_accounted(database_url, partition)


async def test_events_without_seq_are_the_same_only_by_id(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    one, twin = envelope(exam, None), envelope(exam, None)
    changed = replace(one, payload_json=b"{}")
    stored = await write(store, partition.records(one, twin, one, changed))
    assert (stored.inserted, stored.duplicates) == (2, 1)
    assert dead_letters(database_url) == {(0, 3): "seq_conflict"}
    assert_accounted(database_url, partition)


async def test_whoever_may_not_write_is_kept_as_a_dead_letter_and_nobody_else(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    other = insert_exam(database_url)
    events = [
        envelope(exam, 1, session_id=NOBODY),
        envelope(exam, 2, user_id=other.user),
        envelope(exam, 3, question_id=NOBODY),
        envelope(exam, 4, question_id=other.question),
        envelope(exam, 5),
        envelope(exam, 6, question_id=None),
    ]
    stored = await write(store, partition.records(*events))
    assert stored.inserted == 2
    reasons = ["unknown_session", "session_not_owned", "unknown_question", "question_not_in_session"]
    assert dead_letters(database_url) == {(0, offset): reason for offset, reason in enumerate(reasons)}
    assert_accounted(database_url, partition)


async def test_a_session_without_an_exam_takes_any_question_there_is(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    other = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE test_sessions SET exam_id = NULL WHERE id = %s", [exam.session])
    events = [envelope(exam, 1, question_id=other.question), envelope(exam, 2, question_id=NOBODY)]
    assert (await write(store, partition.records(*events))).inserted == 1
    assert dead_letters(database_url) == {(0, 1): "unknown_question"}


async def test_what_is_no_envelope_is_kept_with_key_and_value(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    strange_name = b'{"\\u0000\\ud800":1}'
    records = partition.records(b"\x00\xff", None, strange_name, b"", envelope(exam))
    assert (await write(store, records)).dead_letters == {"undecodable": 4}
    assert query(database_url, "SELECT key, value, session_id FROM dead_letters ORDER BY kafka_offset") == [
        (b"key", b"\x00\xff", None),
        (b"key", None, None),
        (b"key", strange_name, None),
        (b"key", b"", None),
    ]
    assert_accounted(database_url, partition)


async def test_a_repeated_id_is_stored_although_its_first_record_was_refused(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    good = envelope(exam, 1)
    refused = replace(good, session_id=NOBODY)
    stored = await write(store, partition.records(refused, good, refused, good))
    assert (stored.inserted, stored.duplicates) == (1, 1)
    assert dead_letters(database_url) == {(0, 0): "unknown_session", (0, 2): "unknown_session"}
    assert_accounted(database_url, partition)


async def test_rows_that_postgresql_refuses_are_isolated_and_the_rest_is_stored(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE attempt_events ADD CONSTRAINT no_sevens CHECK (seq % 7 <> 0)")
    events = [envelope(exam, seq) for seq in range(1, 31)]
    stored = await write(store, partition.records(*events, events[6], events[7]))
    assert (stored.inserted, stored.duplicates) == (26, 1)
    assert dead_letters(database_url) == dict.fromkeys(
        [(0, 6), (0, 13), (0, 20), (0, 27), (0, 30)], "rejected_by_database"
    )
    (detail,) = query(database_url, "SELECT DISTINCT detail FROM dead_letters")
    assert detail.startswith("23514: ")
    assert "no_sevens" in detail
    assert "Failing row" not in detail
    assert_accounted(database_url, partition)


async def test_records_that_are_accounted_for_are_skipped(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    records = partition.records(*(envelope(exam, seq) for seq in range(4)), b"broken")
    await write(store, records[:3])
    again = await write(store, records)
    zombie = await write(store, records[1:4])
    assert (again.inserted, again.skipped, again.dead_letters) == (1, 3, {"undecodable": 1})
    assert (zombie.inserted, zombie.duplicates, zombie.skipped) == (0, 0, 3)
    assert zombie.next_offsets == {0: 5}
    assert_accounted(database_url, partition)


async def test_a_hole_is_refused_until_it_is_known_that_kafka_has_nothing_there(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam, 1)))
    later = Partition(next_offset=5).records(envelope(exam, 2))
    with pytest.raises(OffsetGap) as raised:
        await write(store, later)
    assert raised.value.holes == {Hole(partition=0, next_offset=1, first_offset=5)}
    assert ledger(database_url)[0]["next_offset"] == 1
    await write(store, later, raised.value.holes)
    row = ledger(database_url)[0]
    assert (row["next_offset"], row["records"], row["inserted"]) == (6, 2, 2)


async def test_a_partitions_counts_are_its_own(store: Store, database_url: str, exam: Exam) -> None:
    zero, one = Partition(0), Partition(1)
    event = envelope(exam, 1)
    await write(store, [*one.records(event, b"broken", envelope(exam, 2)), *zero.records(event, event)])
    rows = ledger(database_url)
    assert [rows[number]["inserted"] for number in (0, 1)] == [1, 1]
    assert [rows[number]["duplicates"] for number in (0, 1)] == [1, 1]
    assert [rows[number]["dead_lettered"] for number in (0, 1)] == [0, 1]
    assert_accounted(database_url, zero, one)


async def test_two_consumers_that_store_the_same_events_at_once_neither_deadlock_nor_double(
    store: Store, role_url: str, database_url: str
) -> None:
    exams = [insert_exam(database_url) for _ in range(20)]
    partitions = Partition(0), Partition(1)
    sent: set[str] = set()
    for start in range(0, 100, 10):
        with_seq = [
            envelope(exam, seq, stream_id=device)
            for exam in exams
            for seq in range(start, start + 10)
            for device in (OTHER_DEVICE, None, ONE_DEVICE)
        ]
        without_seq = [envelope(exams[0], None) for _ in range(1_000)]
        events = without_seq if start % 20 else with_seq
        batches = partitions[0].records(*events), partitions[1].records(*reversed(events))
        async with Store(role_url, TOPIC) as other:
            await asyncio.gather(write(store, batches[0]), write(other, batches[1]))
        sent |= {event.id for event in events}
    assert stored_ids(database_url) == sent
    assert_accounted(database_url, *partitions)


async def test_an_event_is_inserted_where_kafka_has_it_first(store: Store, database_url: str, exam: Exam) -> None:
    zero, one = Partition(0), Partition(1)
    first, second = envelope(exam, 1), envelope(exam, 1)
    await write(store, [*one.records(first, second), *zero.records(second, first)])
    assert stored_ids(database_url) == {second.id}
    assert [ledger(database_url)[number]["inserted"] for number in (0, 1)] == [1, 0]
    assert_accounted(database_url, zero, one)


async def test_the_same_records_written_by_two_consumers_at_once_are_stored_by_one(
    store: Store, role_url: str, database_url: str, exam: Exam, partition: Partition
) -> None:
    records = partition.records(*(envelope(exam, seq) for seq in range(200)))
    async with Store(role_url, TOPIC) as other:
        results = await asyncio.gather(write(store, records), write(other, records))
    assert sorted((stored.inserted, stored.skipped) for stored in results) == [(0, 200), (200, 0)]
    assert_accounted(database_url, partition)


async def test_a_broken_connection_is_unavailability_and_the_next_attempt_has_a_new_one(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam, 1)))
    query(
        database_url,
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'attemptlog-consumer'"
        " AND datname = current_database()",
    )
    records = partition.records(envelope(exam, 2))
    with pytest.raises(StoreUnavailable):
        await write(store, records)
    assert store.is_failing
    await write(store, records)
    assert not store.is_failing
    assert_accounted(database_url, partition)


async def test_without_the_tables_it_says_what_to_run(empty_database_url: str) -> None:
    with pytest.raises(CannotRun, match="run `attemptlog migrate`"):
        await Books(empty_database_url, TOPIC).ledger()


async def test_with_the_tables_from_before_streams_it_says_what_to_run(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url, "0007")
    with pytest.raises(CannotRun, match="lacks suppression_key, suppressions: run `attemptlog migrate`"):
        await Books(empty_database_url, TOPIC).ledger()


async def test_a_consumer_from_before_streams_goes_on_with_the_new_tables_beside_a_new_one(
    role_url: str, store: Store, database_url: str, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    zero, one = Partition(0), Partition(1)
    of_new_pages = [envelope(exam, seq, stream_id=ONE_DEVICE) for seq in range(1, 6)]
    await write(store, zero.records(*of_new_pages))
    for name in ("CREATE_STAGING", "STORE_STAGED", "CLASSIFY_LEFTOVERS"):
        monkeypatch.setattr(sql, name, getattr(sql_before_streams, name))
    events = [envelope(exam, seq) for seq in range(1, 6)]
    repeat, conflict = envelope(exam, 2), envelope(exam, 3, payload_json=b"{}")
    async with Store(role_url, TOPIC) as older:
        stored = await write(older, one.records(*events, repeat, conflict))
    assert (stored.inserted, stored.duplicates) == (5, 1)
    assert dead_letters(database_url) == {(1, 6): "seq_conflict"}
    assert_accounted(database_url, zero, one)


async def test_an_error_that_waiting_does_not_mend_is_for_an_operator(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam)))
    with psycopg.connect(database_url) as connection:
        connection.execute("ALTER TABLE partition_ledger RENAME TO elsewhere")
    with pytest.raises(CannotRun, match='42P01: relation "partition_ledger" does not exist'):
        await write(store, partition.records(envelope(exam, 2)))


async def test_numbers_are_stored_as_they_were_sent_and_two_that_differ_are_no_duplicates(
    database_url: str, exam: Exam, partition: Partition, store: Store
) -> None:
    payloads = [f'{{"a":{number}}}'.encode() for number in KEPT]
    records = partition.records(*(envelope(exam, seq=seq, payload_json=it) for seq, it in enumerate(payloads)))
    assert (await write(store, records)).inserted == len(KEPT)
    stored = query(database_url, "SELECT payload_json::text FROM attempt_events ORDER BY seq")
    assert [json.loads(text, parse_float=Decimal)["a"] for text in stored] == [Decimal(it) for it in KEPT]

    nearly = partition.records(envelope(exam, seq=0, payload_json=b'{"a":0.000000000000001}'))
    await write(store, nearly)
    assert dead_letters(database_url) == {(0, len(KEPT)): "seq_conflict"}


KEEP_NOTHING = """
    CREATE FUNCTION keep_nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER platforms_own BEFORE INSERT ON attempt_events FOR EACH ROW EXECUTE FUNCTION keep_nothing()
"""
ONE_OF_A_KIND = "CREATE UNIQUE INDEX ON attempt_events (session_id, event_type)"


@pytest.mark.parametrize("added", [(KEEP_NOTHING, 0), (ONE_OF_A_KIND, 1)], ids=["trigger", "unique index"])
async def test_what_the_platform_added_to_the_table_may_cost_an_event_but_never_its_reason(
    store: Store, database_url: str, exam: Exam, partition: Partition, added: tuple[str, int]
) -> None:
    statement, kept = added
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())
    stored = await write(store, partition.records(envelope(exam, 1), envelope(exam, 2)))
    assert (stored.inserted, dict(stored.dead_letters)) == (kept, {"rejected_by_database": 2 - kept})
    assert "does not keep it" in query(database_url, "SELECT detail FROM dead_letters LIMIT 1")[0]
    assert_accounted(database_url, partition)


# Whose log it is


async def test_a_ledger_that_is_about_another_log_by_now_takes_nothing(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam)))
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE partition_ledger SET log = 2")
    with pytest.raises(CannotRun, match="is about another log by now"):
        await write(store, partition.records(envelope(exam, seq=2)))
    assert len(stored_ids(database_url)) == 1


async def test_no_partition_is_opened_in_a_log_that_was_followed_by_another(
    store: Store, database_url: str, exam: Exam, partition: Partition
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO topic_logs (topic, log) VALUES (%s, 1), (%s, 2)", [TOPIC, TOPIC])
    with pytest.raises(CannotRun, match="is about another log by now"):
        await write(store, partition.records(envelope(exam)))
    assert ledger(database_url) == {}
    store.follow(2)
    await write(store, Partition().records(envelope(exam), b"no envelope"))
    assert query(database_url, "SELECT log FROM partition_ledger UNION ALL SELECT log FROM dead_letters") == [2, 2]


async def test_another_record_in_the_place_of_the_last_one_is_refused_with_all_that_comes_with_it(
    store: Store, database_url: str, exam: Exam
) -> None:
    old = Partition().records(envelope(exam, seq=1), envelope(exam, seq=2))
    await write(store, old)
    await write(store, old)
    new = Partition().records(*(envelope(exam, seq=seq) for seq in (1, 12, 13)))
    with pytest.raises(CannotRun, match="another record at offset 1"):
        await write(store, new)
    await write(store, [*old, *Partition(next_offset=2).records(envelope(exam, seq=3))])
    assert len(stored_ids(database_url)) == 3


async def test_the_mark_is_the_last_record_and_stays_where_nothing_was_stored(
    store: Store, books: Books, exam: Exam, partition: Partition
) -> None:
    records = partition.records(envelope(exam, seq=1), envelope(exam, seq=2))
    await write(store, records)
    mark = (await books.ledger())[0].mark
    assert mark == Mark(1, digest_of(records[-1]))
    hole = Hole(0, 2, 7)
    passed = await store.write(Batch([], [], {0: 7}, {0: 7}), frozenset([hole]))
    assert passed.lost == {hole}
    assert await books.ledger() == {0: Entry(7, mark=mark)}


async def test_the_ledger_is_read_while_a_batch_is_held_up(
    store: Store, books: Books, database_url: str, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam, seq=1)))
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE")
        writing = asyncio.create_task(write(store, partition.records(envelope(exam, seq=2))))
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'attempt_events'::regclass"
        await eventually(lambda: connection.execute(waiting).fetchone() == (1,))
        async with asyncio.timeout(5):
            assert (await books.ledger())[0].next_offset == 1
        assert not writing.done()
    await writing
    assert (await books.ledger())[0].next_offset == 2


async def test_the_first_log_that_is_entered_stays(books: Books) -> None:
    assert await books.known_log() is None
    first, second = (FoundLog(TOPIC, uuid.UUID(int=n), f"cluster {n}", {}, {}, {}, {}) for n in (1, 2))
    await books.enter(first)
    await books.enter(second)
    assert await books.known_log() == KnownLog(1, first.topic_id, "cluster 1")


async def test_a_record_is_accounted_for_as_an_event_a_repeat_or_a_dead_letter(
    store: Store, books: Books, exam: Exam, partition: Partition
) -> None:
    event, repeat, letter = partition.records(envelope(exam, seq=1), envelope(exam, seq=1), b"no envelope")
    await write(store, [event, repeat, letter])
    stranger = FakeRecord(0, 3, encode(envelope(exam, seq=99)))
    known = [await books.is_accounted_for(0, record.offset, record) for record in (event, repeat, letter, stranger)]
    assert known == [True, True, True, False]
    assert not await books.is_accounted_for(0, 1, letter)


async def test_a_consumer_from_before_the_logs_writes_what_this_one_goes_on_with(
    store: Store, role_url: str, database_url: str, exam: Exam
) -> None:
    """The statements are those of the release before: it runs on while consumers are replaced one after the other."""
    await write(store, Partition().records(envelope(exam, seq=1)))
    with psycopg.connect(role_url) as connection:
        connection.execute(
            "INSERT INTO partition_ledger (topic, partition, next_offset) SELECT %s, 5, 0 ON CONFLICT DO NOTHING",
            [TOPIC],
        )
        connection.execute(
            "INSERT INTO dead_letters (topic, partition, kafka_offset, reason) VALUES (%s, 0, 1, 'undecodable') "
            "ON CONFLICT DO NOTHING",
            [TOPIC],
        )
        connection.execute(
            "UPDATE partition_ledger SET next_offset = 2, records = records + 1, dead_lettered = dead_lettered + 1 "
            "WHERE topic = %s AND partition = 0",
            [TOPIC],
        )
    await write(store, Partition(next_offset=2).records(envelope(exam, seq=2)))
    await write(store, Partition(5).records(envelope(exam, seq=3)))
    assert len(stored_ids(database_url)) == 3


async def test_the_time_of_the_insert_is_without_the_wait_for_another_consumer(
    database_url: str, store: Store, exam: Exam, partition: Partition
) -> None:
    await write(store, partition.records(envelope(exam, seq=1)))
    clock = asyncio.get_running_loop().time
    async with await psycopg.AsyncConnection.connect(database_url) as other:
        await other.execute("SELECT FROM partition_ledger FOR UPDATE")
        begun_at = clock()
        writing = asyncio.create_task(write(store, partition.records(envelope(exam, seq=2))))
        await eventually(lambda: query(database_url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))
        released_at = clock()
    stored = await writing
    assert 0 < stored.seconds <= clock() - released_at
    assert stored.seconds < clock() - begun_at
