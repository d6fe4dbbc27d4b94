"""A person who was purged stays so, whatever happens: with real Kafka, PostgreSQL, consumers, commands and exports."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import psycopg
import pytest
from psycopg import sql

from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from tests.integration.test_log_identity import accept_log, make_anew
from tests.support.consumer import query
from tests.support.eventually import PATIENCE, eventually
from tests.support.forgotten import EVENTS, LETTERS, Pipeline, in_the_way, until_rows
from tests.support.http import Caller, Exam
from tests.support.letters import add_session
from tests.support.purge import CONNECTED, WAITING_FOR_A_LOCK, running
from tests.support.services import create_topic, temporary_database, with_database

A_CONSUMER_WAITS = """
SELECT pid
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'attemptlog-consumer' AND wait_event_type = 'Lock'
"""
AN_ENTRY = "INSERT INTO event_sessions (session_id, user_id) VALUES (%s, %s)"
HER_LETTERS = "SELECT FROM dead_letters WHERE user_id = %s FOR UPDATE"
HER_EVENTS = "SELECT FROM attempt_events WHERE user_id = %s FOR UPDATE"


@pytest.fixture(scope="module")
def template(private_stack: LocalStack) -> Iterator[str]:
    """Name of a migrated database without rows, to be copied."""
    with temporary_database(private_stack.postgres.url) as name:
        upgrade(with_database(private_stack.postgres.url, name))
        yield name


@pytest.fixture
async def pipeline(
    private_stack: LocalStack, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pipeline]:
    monkeypatch.setenv("ATTEMPTLOG_EXPORT_PARQUET_DIRECTORY", str(tmp_path / "events"))
    topic = await create_topic(private_stack.kafka.bootstrap_servers, partitions=1)
    with temporary_database(private_stack.postgres.url, template=template) as name:
        yield Pipeline(private_stack, tmp_path, with_database(private_stack.postgres.url, name), topic)


async def test_all_of_the_topic_is_read_again_from_its_first_record(pipeline: Pipeline) -> None:
    await pipeline.begin()
    records = await pipeline.records()
    await pipeline.purge()
    await make_anew(pipeline.kafka, pipeline.topic, partitions=1)
    await pipeline.send(records)
    await accept_log(pipeline.kafka, pipeline.topic, pipeline.database_url)
    await pipeline.store()
    await pipeline.is_forgotten(suppressed=EVENTS + LETTERS)


async def test_the_consumer_was_away_during_the_purge(pipeline: Pipeline) -> None:
    await pipeline.begin()
    await pipeline.publish(pipeline.anna, EVENTS + 1)
    await pipeline.publish_letters()
    await pipeline.purge()
    await pipeline.store()
    await pipeline.is_forgotten(suppressed=EVENTS + LETTERS)


async def test_a_batch_is_in_flight_at_that_instant(pipeline: Pipeline) -> None:
    await pipeline.publish(pipeline.anna)
    await pipeline.publish(pipeline.other)
    with pipeline.running("consume"):
        with in_the_way(pipeline.database_url, AN_ENTRY, pipeline.other.session, pipeline.other.user):
            await until_rows(pipeline.database_url, A_CONSUMER_WAITS)
            purging = asyncio.create_task(pipeline.purge())
            await until_rows(pipeline.database_url, CONNECTED)
            await until_rows(pipeline.database_url, WAITING_FOR_A_LOCK)
            await pipeline.publish(pipeline.anna, EVENTS + 1)
        done = await purging
        await eventually(lambda: query(pipeline.database_url, "SELECT records FROM partition_ledger") == [3 * EVENTS])
    [suppressed] = query(pipeline.database_url, "SELECT suppressed FROM partition_ledger")
    assert done["events"] + suppressed == 2 * EVENTS
    assert done["events"] >= EVENTS, "what was in flight was stored, and erased"
    await pipeline.is_forgotten(suppressed=suppressed)


async def test_an_older_database_is_restored_and_purged_again(pipeline: Pipeline) -> None:
    await pipeline.begin()
    maintenance, name = pipeline.stack.postgres.url, pipeline.database_url.rpartition("/")[2]
    with temporary_database(maintenance, template=name) as backup:
        await pipeline.publish(pipeline.anna, EVENTS + 1)
        await pipeline.store()
        assert (await pipeline.purge())["events"] == 2 * EVENTS
        copy = sql.SQL("DROP DATABASE {0} WITH (FORCE)"), sql.SQL("CREATE DATABASE {0} TEMPLATE {1}")
        with psycopg.connect(maintenance, autocommit=True) as connection:
            for statement in copy:
                connection.execute(statement.format(sql.Identifier(name), sql.Identifier(backup)))
    assert (await pipeline.purge())["events"] == EVENTS
    await pipeline.store()
    await pipeline.is_forgotten(suppressed=EVENTS)


async def test_an_exporter_is_in_the_middle_of_a_batch(pipeline: Pipeline) -> None:
    await pipeline.begin()
    has_read, may_go_on = Event(), Event()

    def progress(_: int) -> None:
        has_read.set()
        assert may_go_on.wait(PATIENCE)

    exporting = asyncio.create_task(asyncio.to_thread(pipeline.export, progress=progress))
    await eventually(has_read.is_set)
    await pipeline.purge()
    may_go_on.set()
    assert await exporting == 2 * EVENTS
    assert len(pipeline.exported) == 2 * EVENTS, "the test needs rows of hers in the target"
    await asyncio.to_thread(pipeline.export)
    assert {row["session_id"] for row in pipeline.exported} == {pipeline.other.session}
    assert len(pipeline.exported) == EVENTS
    await pipeline.is_forgotten(suppressed=0)


async def test_a_purge_is_killed_before_it_has_erased_anything_and_letters_are_replayed(pipeline: Pipeline) -> None:
    await pipeline.begin()
    whom = "purge", "--user", pipeline.anna.user
    locked = in_the_way(pipeline.database_url, HER_LETTERS, pipeline.anna.user)
    with locked, running(pipeline.database_url, *whom) as purge:
        await until_rows(pipeline.database_url, "SELECT pseudonym FROM suppressions")
        await until_rows(pipeline.database_url, WAITING_FOR_A_LOCK)
        purge.kill()
        purge.wait()
    add_session(pipeline.database_url, pipeline.lost.session, pipeline.anna.user)
    outcomes = (await pipeline.replay())["outcomes"]
    assert outcomes == {"suppressed": LETTERS}
    await pipeline.purge()
    assert query(pipeline.database_url, "SELECT events, dead_letters, finished_at IS NOT NULL FROM purges") == [
        (EVENTS, LETTERS, True)
    ]
    assert (await pipeline.replay())["letters"] == 0
    await pipeline.is_forgotten(suppressed=0)


async def test_two_purge_at_once(pipeline: Pipeline) -> None:
    await pipeline.begin()
    with ThreadPoolExecutor() as pool, in_the_way(pipeline.database_url, HER_EVENTS, pipeline.anna.user):
        both = [asyncio.wrap_future(pool.submit(wait_for_purge, pipeline)) for _ in range(2)]
        await eventually(lambda: len(query(pipeline.database_url, CONNECTED)) == 2)
        await until_rows(pipeline.database_url, WAITING_FOR_A_LOCK)
    assert await asyncio.gather(*both) == [0, 0]
    purged = "SELECT sum(events)::integer, sum(dead_letters)::integer, bool_and(finished_at IS NOT NULL) FROM purges"
    assert query(pipeline.database_url, purged) == [(EVENTS, LETTERS, True)]
    await pipeline.is_forgotten(suppressed=0)


def wait_for_purge(pipeline: Pipeline) -> int:
    with running(pipeline.database_url, "purge", "--user", pipeline.anna.user) as purge:
        return purge.wait(PATIENCE)


async def test_a_session_that_is_begun_a_year_later_stores_nothing(pipeline: Pipeline) -> None:
    await pipeline.begin()
    await pipeline.purge()
    later = Exam(pipeline.anna.user, pipeline.lost.session, "", pipeline.anna.question)
    add_session(pipeline.database_url, later.session, later.user)
    with pipeline.running("ingest") as gateway:
        await eventually(gateway.is_ready)
        caller = Caller(gateway.url, later.user)
        with caller.client:
            hers, nobodys = later.event(), Exam(later.user).event()
            answers = [caller.post_events(event) for event in (hers, nobodys)]
        assert [answer.status_code for answer in answers] == [403, 403]
        assert answers[0].text == answers[1].text
    await pipeline.publish(later)
    await pipeline.store()
    await pipeline.is_forgotten(suppressed=EVENTS)
