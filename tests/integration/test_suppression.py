"""Nothing of a person or a session that was purged is stored again, whichever way it comes."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import psycopg
import pytest
from pydantic import SecretStr

from attemptlog.cli.doctor import _database
from attemptlog.event_store import sieve
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.replays import Replays, count_outcomes
from attemptlog.event_store.store import Store, Stored
from attemptlog.event_store.suppression import LOCK_TO_SUPPRESS
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.schemas import encode, new_event_id
from tests.support.consumer import (
    FakeRecord,
    Partition,
    consumer_role,
    dead_letters,
    envelope,
    ledger,
    query,
    stored_ids,
)
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.letters import TOPIC, add_session, replay_outcomes
from tests.support.oldest_postgres import on_every_postgres
from tests.support.suppression import KEY, OURS, suppress, suppressing

pytestmark = on_every_postgres

HOUR = timedelta(hours=1)
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"


@pytest.fixture
def person(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def neighbour(database_url: str) -> Exam:
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
    async with Store(role_url, TOPIC, pseudonyms=OURS) as store:
        yield store


@pytest.fixture
async def replays(role_url: str) -> AsyncIterator[Replays]:
    async with Replays(role_url, pseudonyms=OURS) as replays:
        yield replays


async def write(store: Store, records: Sequence[FakeRecord]) -> Stored:
    return await store.write(decode_batch(records))


def assert_counted(database_url: str, partition: Partition, *, suppressed: int) -> None:
    """The ledger accounts for every record, so many of them as suppressed, and agrees with the tables."""
    row = ledger(database_url)[partition.number]
    assert row["records"] == row["next_offset"] == partition.next_offset
    assert row["suppressed"] == suppressed
    assert row["inserted"] == len(stored_ids(database_url))
    assert row["dead_lettered"] == len(dead_letters(database_url))


# What the list forbids


async def test_events_of_a_suppressed_person_are_counted_and_not_stored(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[person.user])
    others = [envelope(neighbour, seq) for seq in (1, 2)]
    stored = await write(store, partition.records(envelope(person, 1), others[0], envelope(person, 2), others[1]))
    assert (stored.inserted, stored.suppressed, stored.dead_letters.total()) == (2, 2, 0)
    assert stored_ids(database_url) == {event.id for event in others}
    assert_counted(database_url, partition, suppressed=2)


async def test_a_session_that_begins_a_year_later_stores_nothing(
    store: Store, database_url: str, person: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[person.user], sessions=[person.session])
    await write(store, partition.records(envelope(person, 1)))
    later = replace(person, session=str(uuid4()))
    assert (await write(store, partition.records(envelope(later, 1)))).suppressed == 1, "before the session is there"
    add_session(database_url, later.session, later.user)
    assert (await write(store, partition.records(envelope(later, 2)))).suppressed == 1
    assert_counted(database_url, partition, suppressed=3)
    assert query(database_url, "SELECT count(*) FROM event_sessions") == [0]


async def test_what_another_sends_into_a_suppressed_session_is_no_dead_letter(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, sessions=[person.session])
    intruder = replace(person, user=neighbour.user)
    stored = await write(store, partition.records(envelope(intruder, 1), envelope(replace(person, user=str(uuid4())))))
    assert (stored.suppressed, stored.dead_letters.total()) == (2, 0)
    assert_counted(database_url, partition, suppressed=2)


async def test_a_session_alone_is_suppressed_and_its_person_goes_on_elsewhere(
    store: Store, database_url: str, person: Exam, partition: Partition
) -> None:
    suppressing(database_url, sessions=[person.session])
    elsewhere = replace(person, session=str(uuid4()))
    add_session(database_url, elsewhere.session, person.user)
    kept = envelope(elsewhere, 1)
    await write(store, partition.records(envelope(person, 1), kept))
    assert stored_ids(database_url) == {kept.id}
    assert_counted(database_url, partition, suppressed=1)


async def test_what_would_be_a_dead_letter_is_suppressed_for_any_id_in_it(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[person.user], sessions=[person.session])
    broken = encode(envelope(person, 1))[:-1]
    shouted = broken.upper()
    naming = json.dumps({"about": person.session.replace("-", "")}).encode()
    unknown = envelope(replace(neighbour, session=str(uuid4())), 1, payload_json=naming)
    kept = [
        b"{}",
        None,
        b"\xff%b" % str(uuid4()).encode(),
        encode(replace(envelope(neighbour), question_id=str(uuid4()))),
    ]
    by_key = replace(partition.records(b"not an envelope")[0], key=person.session.encode())
    stored = await write(store, [by_key, *partition.records(broken, shouted, unknown, *kept)])
    assert (stored.suppressed, stored.dead_letters.total()) == (4, len(kept))
    assert_counted(database_url, partition, suppressed=4)
    assert query(database_url, "SELECT value FROM dead_letters ORDER BY kafka_offset") == kept


async def test_an_event_that_only_mentions_somebody_is_its_owners(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[person.user])
    event = envelope(neighbour, 1, payload_json=json.dumps({"seat_of": person.user}).encode())
    assert (await write(store, partition.records(event))).inserted == 1


async def test_a_person_is_not_a_session_of_the_same_id(
    store: Store, database_url: str, person: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[person.session], sessions=[person.user])
    assert (await write(store, partition.records(envelope(person, 1)))).inserted == 1


async def test_records_that_were_accounted_for_are_not_counted_again(
    store: Store, database_url: str, person: Exam, partition: Partition
) -> None:
    records = partition.records(envelope(person, 1), b"%b" % person.user.encode())
    await write(store, records)
    suppressing(database_url, users=[person.user])
    again = await write(store, records)
    assert (again.skipped, again.suppressed) == (2, 0)


# What is remembered of the list


async def test_a_change_of_the_list_counts_from_the_next_batch_on(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[neighbour.user])
    assert (await write(store, partition.records(envelope(person, 1)))).inserted == 1
    number = suppressing(database_url, users=[person.user])
    assert (await write(store, partition.records(envelope(person, 2)))).suppressed == 1
    query(database_url, "DELETE FROM suppressions WHERE purge_id = %s RETURNING 1", number)
    assert (await write(store, partition.records(envelope(person, 3)))).inserted == 1


async def test_what_is_remembered_is_bounded(
    store: Store, database_url: str, person: Exam, partition: Partition, monkeypatch: pytest.MonkeyPatch
) -> None:
    neighbour = insert_exam(database_url)
    monkeypatch.setattr(sieve, "MAX_CLEARED", 1)
    suppressing(database_url, users=[person.user])
    for seq in range(3):
        stored = await write(store, partition.records(envelope(neighbour, seq), envelope(person, seq)))
        assert (stored.inserted, stored.suppressed) == (1, 1)
    for _ in range(3):
        await write(store, partition.records(envelope(insert_exam(database_url))))
        assert len(store._sieve._cleared) == 1


# The key


@pytest.mark.parametrize("pseudonyms", [None, Pseudonyms("another key of 32 characters or more")])
async def test_nothing_is_stored_without_the_lists_key(
    role_url: str, database_url: str, person: Exam, partition: Partition, pseudonyms: Pseudonyms | None
) -> None:
    async with (
        Store(role_url, TOPIC, pseudonyms=pseudonyms) as store,
        Replays(role_url, pseudonyms=pseudonyms) as replays,
    ):
        await write(store, partition.records(envelope(person, 1), envelope(replace(person, session=str(uuid4())))))
        [letter] = query(database_url, "SELECT id FROM dead_letters")
        suppressing(database_url, users=[str(uuid4())])
        with pytest.raises(CannotRun, match="set ATTEMPTLOG_PSEUDONYM_KEY"):
            await write(store, partition.records(envelope(person, 2)))
        with pytest.raises(CannotRun, match="set ATTEMPTLOG_PSEUDONYM_KEY"):
            await replays.try_out(TOPIC, [letter])
    assert ledger(database_url)[0]["next_offset"] == 2


async def test_the_doctor_says_that_the_lists_key_is_missing(database_url: str) -> None:
    async def doctor(key: str | None) -> str:
        return await _database(
            OperatorSettings(database_url=SecretStr(database_url), pseudonym_key=key and SecretStr(key))
        )

    assert await doctor(None)
    suppressing(database_url, users=[str(uuid4())])
    for key in (None, "another key of 32 characters or more"):
        with pytest.raises(OperatorError, match="set ATTEMPTLOG_PSEUDONYM_KEY"):
            await doctor(key)
    assert await doctor(KEY)


def test_nobody_is_suppressed_before_the_key_is_known(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.RaiseException, match="fingerprint"):
        connection.execute("INSERT INTO suppressions SELECT gen_random_uuid(), 1")


# Dead letters


async def test_a_letter_of_a_suppressed_person_stays_a_letter(
    store: Store, replays: Replays, database_url: str, person: Exam, partition: Partition
) -> None:
    neighbour = insert_exam(database_url)
    late, others = [replace(each, session=str(uuid4())) for each in (person, neighbour)]
    await write(
        store, partition.records(envelope(late, 1), envelope(others, 1), b"no event of %b" % person.user.encode())
    )
    letters = query(database_url, "SELECT id FROM dead_letters ORDER BY kafka_offset")
    for each in (late, others):
        add_session(database_url, each.session, each.user)
    suppressing(database_url, users=[person.user])
    assert count_outcomes(await replays.try_out(TOPIC, letters)) == {"suppressed": 2, "inserted": 1}
    number = await replays.begin("an operator", {})
    assert count_outcomes(await replays.replay(number, TOPIC, letters)) == {"suppressed": 2, "inserted": 1}
    assert replay_outcomes(database_url) == {0: "suppressed", 1: "inserted", 2: "suppressed"}
    assert query(database_url, "SELECT user_id::text FROM attempt_events") == [neighbour.user]


async def test_the_consumers_own_retry_passes_a_suppressed_letter_over_once_and_for_all(
    store: Store, replays: Replays, database_url: str, person: Exam, partition: Partition
) -> None:
    late = replace(person, session=str(uuid4()))
    await write(store, partition.records(envelope(late, 1)))
    add_session(database_url, late.session, late.user)
    suppressing(database_url, sessions=[late.session])
    assert await replays.retry(TOPIC, HOUR) == {"suppressed": 1}
    assert await replays.retry(TOPIC, HOUR) == {}
    assert stored_ids(database_url) == set()


# A batch in flight at the instant of the purge


@asynccontextmanager
async def stuck(database_url: str, event_id: str, person: Exam) -> AsyncIterator[None]:
    """Have whoever stores the event wait for the end of the block, with all its locks held."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(
            "INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id) "
            "VALUES (%s, 1, 'ANSWER_SELECTED', now(), %s, %s)",
            [event_id, person.session, person.user],
        )
        yield
        await connection.rollback()


IS_STUCK = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'transactionid' AND NOT granted)"


async def test_a_purge_waits_for_what_is_being_stored_and_sees_it(
    store: Store, database_url: str, person: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[str(uuid4())])
    first, second = envelope(person, 1), envelope(person, 2)
    async with stuck(database_url, first.id, person):
        writing = asyncio.create_task(write(store, partition.records(first, second)))
        await eventually(lambda: query(database_url, IS_STUCK) == [True])
        for statement in (LOCK_TO_SUPPRESS, "DELETE FROM suppressions"):  # whoever does it by hand waits, too
            purge = psycopg.connect(database_url, options="-c lock_timeout=100ms")
            with purge, pytest.raises(psycopg.errors.LockNotAvailable):
                purge.execute(statement)
    assert (await writing).inserted == 2
    suppressing(database_url, users=[person.user])
    assert stored_ids(database_url) == {first.id, second.id}, "there to be deleted"
    assert (await write(store, partition.records(envelope(person, 3)))).suppressed == 1


async def test_a_batch_waits_for_a_purge_and_sees_it(
    store: Store, database_url: str, person: Exam, neighbour: Exam, partition: Partition
) -> None:
    suppressing(database_url, users=[str(uuid4())])
    await write(store, partition.records(envelope(person, 1), envelope(neighbour, 1)))
    with psycopg.connect(database_url) as purge:
        suppress(purge, users=[person.user])
        writing = asyncio.create_task(write(store, partition.records(envelope(person, 2), envelope(neighbour, 2))))
        await eventually(lambda: query(database_url, WAITING) == [True])
        assert not writing.done()
    stored = await writing
    assert (stored.inserted, stored.suppressed) == (1, 1)


async def test_a_replay_waits_for_a_purge_and_sees_it(
    store: Store, replays: Replays, database_url: str, person: Exam, partition: Partition
) -> None:
    late = replace(person, session=str(uuid4()))
    await write(store, partition.records(envelope(late, 1, id=new_event_id())))
    add_session(database_url, late.session, late.user)
    with psycopg.connect(database_url) as purge:
        suppress(purge, users=[person.user])
        retrying = asyncio.create_task(replays.retry(TOPIC, HOUR))
        await eventually(lambda: query(database_url, WAITING) == [True])
    assert await retrying == {"suppressed": 1}


async def test_two_consumers_store_at_the_same_time(
    store: Store, role_url: str, database_url: str, person: Exam, neighbour: Exam
) -> None:
    suppressing(database_url, users=[str(uuid4())])
    blocked = envelope(person, 1)
    async with stuck(database_url, blocked.id, person), Store(role_url, TOPIC, pseudonyms=OURS) as other:
        writing = asyncio.create_task(write(store, Partition(0).records(blocked)))
        await eventually(lambda: query(database_url, IS_STUCK) == [True])
        assert (await write(other, Partition(1).records(envelope(neighbour, 1)))).inserted == 1
    assert (await writing).inserted == 1
