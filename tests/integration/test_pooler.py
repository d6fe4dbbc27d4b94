"""Behind a pooler that lends a server session for one transaction, everything works that works without one."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import get_args

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.event_store.audit import _read_database
from attemptlog.event_store.books import Books
from attemptlog.event_store.dead_letters import Selection, count_and_list, read_letter, select_open
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.replays import Replays
from attemptlog.event_store.sessions import read_session, read_streams_with_gaps
from attemptlog.event_store.store import Store
from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from tests.support.command import Folder
from tests.support.consumer import Partition, assert_accounted, consumer_role, envelope, query
from tests.support.http import Exam, insert_exam
from tests.support.pooler import Pooler, pooler
from tests.support.secured import login

TOPIC = "attempt-events.v1"
LEFT_BEHIND = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def consumers(database_url: str) -> Iterator[tuple[Pooler, str]]:
    with consumer_role(database_url) as url, pooler(url) as found:
        yield found


async def test_a_consumer_stores_every_batch_once_and_leaves_nothing_in_the_servers_sessions(
    database_url: str, exam: Exam, consumers: tuple[Pooler, str]
) -> None:
    it, url = consumers
    partition = Partition()
    async with Store(url, TOPIC) as store:
        for number in range(8):
            events = [envelope(exam, seq=10 * number + n) for n in range(10)]
            stranger = envelope(exam, seq=None, user_id=str(uuid.uuid4()))
            stored = await store.write(decode_batch(partition.records(*events, events[0], stranger)))
            assert (stored.inserted, stored.duplicates, stored.dead_letters.total()) == (10, 1, 1)
    assert it.lent > 8
    assert query(database_url, LEFT_BEHIND) == [0]
    assert_accounted(database_url, partition)


async def test_dead_letters_are_replayed(database_url: str, exam: Exam, consumers: tuple[Pooler, str]) -> None:
    _, url = consumers
    partition, late = Partition(), str(uuid.uuid4())
    async with Store(url, TOPIC) as store, Replays(url) as replays:
        for seq in range(1, 4):
            await store.write(decode_batch(partition.records(envelope(exam, seq, session_id=late))))
        with psycopg.connect(database_url) as connection:
            connection.execute("INSERT INTO test_sessions (id, user_id) VALUES (%s, %s)", [late, exam.user])
        assert await replays.retry(TOPIC, timedelta(hours=1)) == {"inserted": 3}
        assert await replays.retry(TOPIC, timedelta(hours=1)) == {}


async def test_the_gateway_looks_sessions_up_as_often_as_it_is_asked(database_url: str, exam: Exam) -> None:
    with pooler(login(database_url, "attemptlog_gateway", "a-password")) as (it, url):
        sessions = PostgresSessions(url, lookup_timeout=timedelta(seconds=5), cache_size=1, cache_ttl=timedelta(0))
        async with sessions:
            for _ in range(20):
                found = await sessions.find([exam.session, exam.user], exam.user)
                assert found[exam.session] is not None
                assert found[exam.user] is None
                assert sessions.is_ready
    assert it.lent > 20


async def test_every_command_reads_through_it(database_url: str, exam: Exam) -> None:
    with pooler(database_url) as (_, url):
        for _ in range(8):  # psycopg prepares by itself what comes for the sixth time
            assert (await _read_database(url, TOPIC))[0] == {}
            assert read_session(url, uuid.UUID(exam.session), 10).owner is not None
            assert read_streams_with_gaps(url, datetime.now(UTC), 10) == []
            assert count_and_list(url, Selection(), settled=True, limit=10) == ([], [])
            assert select_open(url, Selection()) == {}


async def test_one_command_shows_a_letter_of_another(database_url: str, exam: Exam) -> None:
    with pooler(database_url) as (_, url):
        async with Store(url, TOPIC) as store:
            await store.write(decode_batch(Partition().records(b"no envelope")))
        assert read_letter(url, 1).row["reason"] == "undecodable"


async def test_one_that_lends_for_a_statement_is_refused_in_a_sentence(
    database_url: str, consumers: tuple[Pooler, str], tmp_path: Path
) -> None:
    it, url = consumers
    it.for_a_statement = True
    with pytest.raises(CannotRun, match="set pool_mode = transaction"):
        await Books(url, TOPIC).ledger()
    with pytest.raises(migrations.MigrationError, match="set pool_mode = transaction"):
        migrations.current(url)
    shown = Folder(tmp_path / "here", {"database_url": url}).run("dead-letters", "list")
    assert (shown.returncode, "set pool_mode = transaction" in shown.stderr) == (1, True), shown


def test_a_database_is_migrated_through_it_and_back(empty_database_url: str) -> None:
    with pooler(empty_database_url) as (_, url):
        migrations.upgrade(url)
        assert migrations.current(url) == migrations.head()
        migrations.downgrade(url, "base")
        migrations.upgrade(url)
        assert migrations.current(empty_database_url) == migrations.head()
        for which in get_args(migrations.IndexSet):
            migrations.use_indexes(url, which)
            assert migrations.find_indexes(url).description.endswith(f"are the {which} ones")
