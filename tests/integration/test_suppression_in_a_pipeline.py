"""The consumer as a process, and the audit, with persons who were purged."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import orjson
import psycopg
import pytest
from typer.testing import CliRunner, Result

from attemptlog.cli.app import app
from tests.support.consumer import consumer, consumer_role, envelope, query, stored_ids
from tests.support.http import Exam, insert_exam
from tests.support.kafka import column, exit_status, publish, until, until_drained
from tests.support.suppression import KEY, suppress, suppressing

# What a purge does, in its books and out of them.
DELETE = """
WITH gone AS (DELETE FROM attempt_events WHERE user_id = %(user)s RETURNING 1)
UPDATE purges SET events = events + (SELECT count(*) FROM gone) WHERE id = %(number)s
"""
DELETE_LETTERS = """
WITH gone AS (DELETE FROM dead_letters WHERE user_id = %(user)s RETURNING topic, log, partition, replay_outcome)
INSERT INTO purged_letters (purge_id, topic, log, partition, letters, replayed)
SELECT %(number)s, topic, log, partition, count(*), count(*) FILTER (WHERE replay_outcome = 'inserted')
FROM gone
GROUP BY topic, log, partition
"""


@pytest.fixture
def person(database_url: str) -> Exam:
    return insert_exam(database_url)


@pytest.fixture
def role_url(database_url: str) -> Iterator[str]:
    with consumer_role(database_url) as url:
        yield url


async def audit(bootstrap_servers: str, database_url: str, topic: str, *options: str) -> Result:
    environment = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "DATABASE_URL": database_url, "TOPIC": topic}
    given = {f"ATTEMPTLOG_{name}": value for name, value in environment.items()}
    runner = CliRunner(env=given | {"COLUMNS": "160"})
    return await asyncio.to_thread(runner.invoke, app, ["audit", *options])


def purge(database_url: str, person: Exam, kind: str = "purge") -> None:
    """Delete what is stored of a person as a purge does."""
    with psycopg.connect(database_url) as connection:
        number = suppress(connection, users=[person.user], kind=kind)
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        for statement in (DELETE, DELETE_LETTERS):
            connection.execute(statement, {"user": person.user, "number": number})


@pytest.mark.parametrize(("kind", "gone"), [("purge", "5 events by purges, 0"), ("retention", "0 events by purges, 5")])
async def test_the_audit_agrees_after_a_purge_and_says_what_is_gone(
    kafka_bootstrap: str, topic: str, database_url: str, kind: str, gone: str
) -> None:
    person, neighbour = insert_exam(database_url), insert_exam(database_url)
    late = replace(person, session=str(uuid4()))
    servers = (kafka_bootstrap, database_url, topic)
    with consumer(kafka_bootstrap, database_url, topic, pseudonym_key=KEY) as process:
        await publish(kafka_bootstrap, topic, [envelope(each, seq) for seq in range(5) for each in (person, neighbour)])
        await publish(kafka_bootstrap, topic, [envelope(late, 1)])
        await until_drained(kafka_bootstrap, topic, database_url)
        purge(database_url, person, kind)
        await publish(kafka_bootstrap, topic, [envelope(each, seq) for seq in range(5, 8) for each in (person, late)])
        await until_drained(kafka_bootstrap, topic, database_url)
        await until(lambda: process.metric("records_total", outcome="suppressed") == 6)
    assert len(stored_ids(database_url)) == 5
    found = orjson.loads((await audit(*servers, "--json")).stdout)
    assert (found["problems"], found["agrees"]) == ([], True)
    assert found["gone"]["by_purge"] + found["gone"]["by_retention"] == 5
    assert sum(each["suppressed"] for each in found["partitions"]) == 6
    assert f"Gone of all that was stored: {gone} by retention, and 1 dead letters" in (await audit(*servers)).stdout


async def test_the_audit_disagrees_when_a_purge_has_not_kept_its_books(
    kafka_bootstrap: str, topic: str, database_url: str, person: Exam
) -> None:
    with consumer(kafka_bootstrap, database_url, topic, pseudonym_key=KEY):
        await publish(kafka_bootstrap, topic, [envelope(person, 1), envelope(replace(person, session=str(uuid4())))])
        await until_drained(kafka_bootstrap, topic, database_url)
    purge(database_url, person)
    query(database_url, "UPDATE purges SET events = 0 RETURNING 1")
    query(database_url, "UPDATE purged_letters SET letters = 2 RETURNING 1")
    found = orjson.loads((await audit(kafka_bootstrap, database_url, topic, "--json")).stdout)
    assert "attempt_events has 0 rows" in found["problems"][-1]
    assert "0 rows in dead_letters and 2 were purged" in found["problems"][0]


async def test_a_replayed_letter_that_was_purged_balances(
    kafka_bootstrap: str, topic: str, database_url: str, person: Exam
) -> None:
    late = replace(person, session=str(uuid4()))
    settings = {"pseudonym_key": KEY, "unknown_session_retry_interval": "0.1"}
    with consumer(kafka_bootstrap, database_url, topic, **settings):
        await publish(kafka_bootstrap, topic, [envelope(late, 1)])
        await until_drained(kafka_bootstrap, topic, database_url)
        query(
            database_url, "INSERT INTO test_sessions (id, user_id) VALUES (%s, %s) RETURNING 1", late.session, late.user
        )
        await until(lambda: stored_ids(database_url))
    purge(database_url, person)
    assert query(database_url, "SELECT letters, replayed FROM purged_letters") == [(1, 1)]
    assert orjson.loads((await audit(kafka_bootstrap, database_url, topic, "--json")).stdout)["problems"] == []


@pytest.mark.parametrize("settings", [{}, {"pseudonym_key": "another key of 32 characters or more"}])
async def test_a_consumer_without_the_lists_key_does_not_begin(
    kafka_bootstrap: str, topic: str, database_url: str, settings: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    suppressing(database_url, users=[str(uuid4())])
    with consumer(kafka_bootstrap, database_url, topic, **settings) as process:
        assert await exit_status(process) == 1
    said = capfd.readouterr().err
    assert "set ATTEMPTLOG_PSEUDONYM_KEY" in said
    assert "Traceback" not in said


async def test_a_consumer_without_the_key_stops_at_the_first_purge(
    kafka_bootstrap: str, topic: str, database_url: str, role_url: str, person: Exam
) -> None:
    with consumer(kafka_bootstrap, role_url, topic) as process:
        await publish(kafka_bootstrap, topic, [envelope(person, 1)])
        await until_drained(kafka_bootstrap, topic, database_url)
        suppressing(database_url, users=[person.user])
        await publish(kafka_bootstrap, topic, [envelope(person, 2)])
        assert await exit_status(process) == 1
    assert sum(column(database_url, "records").values()) == 1
