"""What an event refers to is there and stays there, whoever writes at the same time and under which isolation level."""

import random
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import IsolationLevel

from tests.support.consumer import query
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.oldest_postgres import on_every_postgres

LEVELS = [IsolationLevel.READ_COMMITTED, IsolationLevel.REPEATABLE_READ, IsolationLevel.SERIALIZABLE]
level = pytest.mark.parametrize("level", LEVELS, ids=lambda it: it.name.lower())

INSERT = """
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id, question_id)
    VALUES (gen_random_uuid(), 1, 'QUESTION_VIEWED', now(), %s, %s, %s)
"""
ORPHANS = """
    SELECT count(*)
    FROM attempt_events e
    LEFT JOIN test_sessions s ON s.id = e.session_id
    LEFT JOIN users u ON u.id = e.user_id
    LEFT JOIN questions q ON q.id = e.question_id
    WHERE s.id IS NULL OR u.id IS NULL OR (e.question_id IS NOT NULL AND q.id IS NULL)
"""
TAKE_AWAY = (
    "DELETE FROM event_sessions",
    "TRUNCATE event_sessions",
    "DELETE FROM event_questions",
    "TRUNCATE event_questions",
)
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0 AND datname = %s"
REFUSED = (psycopg.errors.ForeignKeyViolation, psycopg.errors.SerializationFailure)

# Nothing but events holds these parents: a session that nobody else refers to, and a user and a question likewise.
DELETE = {
    "session": "DELETE FROM test_sessions WHERE id = %s",
    "user": "DELETE FROM users WHERE id = %s",
    "question": "DELETE FROM questions WHERE id = %s",
}
RENAME = {
    "session": "UPDATE test_sessions SET id = gen_random_uuid() WHERE id = %s",
    "user": "UPDATE users SET id = gen_random_uuid() WHERE id = %s",
    "question": "UPDATE questions SET id = gen_random_uuid() WHERE id = %s",
}
parent = pytest.mark.parametrize("parent", DELETE)


@contextmanager
def connected(database_url: str, level: IsolationLevel) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        connection.isolation_level = level
        yield connection


@pytest.fixture
def exam(database_url: str) -> Exam:
    """Rows whose only link to each other is the event: the session belongs to another user than the event names."""
    exam = insert_exam(database_url)
    other = insert_exam(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE test_sessions SET user_id = %s, exam_id = NULL", [other.user])
        connection.execute("DELETE FROM exam_questions")
    return exam


def store(connection: psycopg.Connection[Any], exam: Exam) -> None:
    connection.execute(INSERT, [exam.session, exam.user, exam.question])


def id_of(exam: Exam, parent: str) -> str:
    return str(getattr(exam, parent))


@level
@parent
def test_an_event_of_something_unknown_is_refused(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as connection:
        connection.execute(DELETE[parent].encode(), [id_of(exam, parent)])
        connection.commit()
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            store(connection, exam)


@on_every_postgres
@level
@parent
def test_what_an_event_refers_to_cannot_be_deleted_nor_get_another_key(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as connection:
        store(connection, exam)
        connection.commit()
        for statement in (DELETE[parent], RENAME[parent]):
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                connection.execute(statement.encode(), [id_of(exam, parent)])
            connection.rollback()
    assert query(database_url, ORPHANS) == [0]


@level
@parent
async def test_a_delete_that_waits_for_an_insert_is_refused(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        store(first, exam)
        with ThreadPoolExecutor() as threads:
            deleted = threads.submit(second.execute, DELETE[parent].encode(), [id_of(exam, parent)])
            await until_it_waits(database_url, deleted)
            first.commit()
            with pytest.raises(REFUSED):
                deleted.result()
    assert query(database_url, ORPHANS) == [0]


@level
@parent
async def test_an_insert_that_waits_for_a_delete_is_refused(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        first.execute(DELETE[parent].encode(), [id_of(exam, parent)])
        with ThreadPoolExecutor() as threads:
            stored = threads.submit(store, second, exam)
            await until_it_waits(database_url, stored)
            first.commit()
            with pytest.raises(REFUSED):
                stored.result()
    assert query(database_url, ORPHANS) == [0]


@level
@parent
def test_a_delete_with_a_snapshot_from_before_the_insert_is_refused(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        second.execute("SELECT count(*) FROM attempt_events")
        store(first, exam)
        first.commit()
        with pytest.raises(REFUSED):
            second.execute(DELETE[parent].encode(), [id_of(exam, parent)])
    assert query(database_url, ORPHANS) == [0]


@level
@parent
def test_a_second_event_needs_what_the_first_needed(
    database_url: str, exam: Exam, parent: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        store(first, exam)
        first.rollback()
        second.execute(DELETE[parent].encode(), [id_of(exam, parent)])
        second.commit()
        with pytest.raises(REFUSED):
            store(first, exam)
    assert query(database_url, ORPHANS) == [0]


@on_every_postgres
@level
def test_no_event_is_left_without_its_parents_when_many_insert_and_delete(
    database_url: str, level: IsolationLevel
) -> None:
    exams = [insert_exam(database_url) for _ in range(6)]
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM exam_questions")
    with ThreadPoolExecutor(4) as threads:
        outcomes = list(threads.map(lambda seed: meddle(database_url, level, exams, seed), range(4)))

    assert query(database_url, ORPHANS) == [0]
    assert sum(outcomes) > 0, "nothing was ever stored, so nothing was tried"


def meddle(database_url: str, level: IsolationLevel, exams: list[Exam], seed: int) -> int:
    """Insert events and delete parents at random; return how many events were committed."""
    dice, committed = random.Random(seed), 0  # noqa: S311 - no secret
    with connected(database_url, level) as connection:
        for _ in range(60):
            exam = dice.choice(exams)
            parent = dice.choice(list(DELETE))
            try:
                if dice.random() < 0.7:
                    store(connection, exam)
                    connection.commit()
                    committed += 1
                else:
                    connection.execute(DELETE[parent].encode(), [id_of(exam, parent)])
                    connection.commit()
            except (*REFUSED, psycopg.errors.DeadlockDetected):
                connection.rollback()
    return committed


def test_even_an_owner_takes_no_entry_away_while_it_is_no_purge(database_url: str, exam: Exam) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, exam)
        connection.commit()
        for statement in TAKE_AWAY:
            with pytest.raises(psycopg.Error, match="append-only"):
                connection.execute(statement.encode())
            connection.rollback()


@pytest.mark.usefixtures("not_enforced")
@level
@pytest.mark.parametrize("entries", TAKE_AWAY)
async def test_a_purge_waits_for_whoever_is_storing(
    database_url: str, exam: Exam, entries: str, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        store(first, exam)
        second.execute("SET attemptlog.purge = 'on'")
        with ThreadPoolExecutor() as threads:
            purged = threads.submit(second.execute, entries.encode())
            await until_it_waits(database_url, purged)
            first.commit()
            purged.result()


@pytest.mark.usefixtures("not_enforced")
@level
async def test_whoever_stores_waits_for_a_purge_and_enters_again(
    database_url: str, exam: Exam, level: IsolationLevel
) -> None:
    with connected(database_url, level) as first, connected(database_url, level) as second:
        store(first, exam)
        first.commit()
        first.execute("SET attemptlog.purge = 'on'")
        for statement in ("DELETE FROM attempt_events", "DELETE FROM event_sessions", "DELETE FROM event_questions"):
            first.execute(statement.encode())
        with ThreadPoolExecutor() as threads:
            stored = threads.submit(store, second, exam)
            await until_it_waits(database_url, stored)
            first.commit()
            stored.result()
        second.commit()
    assert query(database_url, "SELECT session_id::text FROM event_sessions") == [exam.session]
    assert query(database_url, "SELECT question_id::text FROM event_questions") == [exam.question]


def test_a_role_that_may_store_cannot_put_tables_of_its_own_in_the_way(database_url: str, exam: Exam) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE attemptlog_consumer")
        connection.execute("CREATE TEMPORARY TABLE event_sessions (session_id uuid, user_id uuid)")
        connection.execute("CREATE TEMPORARY TABLE event_questions (question_id uuid)")
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute(INSERT, [exam.user, exam.user, None])


async def until_it_waits(database_url: str, done: "Future[Any]") -> None:
    database = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    await eventually(lambda: done.done() or query(database_url, WAITING, database) == [1])
    assert not done.done(), "it did not wait for the other transaction"
