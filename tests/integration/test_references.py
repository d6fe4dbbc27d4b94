"""How what an event refers to is checked: on each server, after an upgrade of it, and with something turned off."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from attemptlog import migrations
from attemptlog.cli.doctor import _database
from attemptlog.local_stack.postgres import BINARIES
from attemptlog.migrations import MigrationError
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from tests.support.consumer import query
from tests.support.http import Exam, insert_exam
from tests.support.oldest_postgres import OLDEST
from tests.support.services import temporary_database, with_database

ROOT = Path(__file__).parents[2]
INSERT = """
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id, question_id)
    VALUES (gen_random_uuid(), 1, 'QUESTION_VIEWED', now(), %s, %s, %s)
"""
BY_ROW = "references are checked row by row, by foreign keys"
BY_STATEMENT = "references are checked once per statement, by triggers"
SWITCH = "can do so by statement, in less time: run `attemptlog migrate`"
NOTHING_CHECKS = r"nothing checks .*attempt_events_user_id_fkey.* of attempt_events any more: "


def doctor(database_url: str) -> str:
    return asyncio.run(_database(OperatorSettings(database_url=database_url)))


def execute(database_url: str, *statements: str) -> None:
    with psycopg.connect(database_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def store(database_url: str, exam: Exam, **other: str) -> None:
    event = {"session": exam.session, "user": exam.user, "question": exam.question} | other
    with psycopg.connect(database_url) as connection:
        connection.execute(INSERT, [event["session"], event["user"], event["question"]])


def assert_that_references_hold(database_url: str, exam: Exam) -> None:
    store(database_url, exam)
    nobody = "00000000-0000-0000-0000-00000000000f"
    for unknown in ("session", "user", "question"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            store(database_url, exam, **{unknown: nobody})
    execute(database_url, "DELETE FROM exam_questions")
    for statement in ("DELETE FROM test_sessions", "DELETE FROM questions"):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            execute(database_url, statement)


def dump(database_url: str, *options: str) -> str:
    command = [str(BINARIES / "pg_dump"), database_url, "--restrict-key=same", *options]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def restore(script: str, database_url: str) -> None:
    psql = [str(BINARIES / "psql"), database_url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    subprocess.run(psql, input=script, check=True, stdout=subprocess.DEVNULL, text=True)


def alembic(database_url: str, *arguments: str) -> None:
    environment = os.environ | {"ATTEMPTLOG_DATABASE_URL": database_url}
    subprocess.run([sys.executable, "-m", "alembic", *arguments], cwd=ROOT, env=environment, check=True)


@pytest.fixture
def moved_database_url(not_enforced: None, oldest_postgres_url: str, database_url: str, empty_database_url: str) -> str:
    """A database with an event in it that was dumped from the oldest server and put into the usual one."""
    with temporary_database(oldest_postgres_url) as name:
        old = with_database(oldest_postgres_url, name)
        migrations.upgrade(old)
        store(old, insert_exam(old))
        assert f"{BY_ROW}, as on every server before 18 (this is {OLDEST}." in doctor(old)
        restore(dump(old), empty_database_url)
    return empty_database_url


@pytest.mark.usefixtures("not_enforced")
def test_a_new_database_has_them_checked_by_statement(database_url: str) -> None:
    assert BY_STATEMENT in doctor(database_url)
    assert_that_references_hold(database_url, insert_exam(database_url))


def test_after_an_upgrade_of_the_server_they_are_checked_by_row_and_doctor_says_how_to_switch(
    moved_database_url: str,
) -> None:
    assert BY_ROW in doctor(moved_database_url)
    assert SWITCH in doctor(moved_database_url)
    assert_that_references_hold(moved_database_url, insert_exam(moved_database_url))


@pytest.mark.parametrize(
    "migrate", [migrations.upgrade, lambda url: alembic(url, "upgrade", "head")], ids=["attemptlog", "alembic"]
)
def test_after_an_upgrade_of_the_server_migrating_switches_and_leaves_the_schema_of_a_new_database(
    moved_database_url: str, database_url: str, migrate: Callable[[str], None]
) -> None:
    alembic(moved_database_url, "current")
    assert SWITCH in doctor(moved_database_url), "who only looks changes something"
    for _ in range(2):
        migrate(moved_database_url)
        assert dump(moved_database_url, "--schema-only") == dump(database_url, "--schema-only")
    assert doctor(moved_database_url).endswith(BY_STATEMENT)
    assert query(moved_database_url, "SELECT count(*) FROM attempt_events") == [1]
    assert query(moved_database_url, "SELECT count(*) FROM event_sessions, event_questions") == [1]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        execute(moved_database_url, "DELETE FROM exam_questions", "DELETE FROM questions")
    assert_that_references_hold(moved_database_url, insert_exam(moved_database_url))


def test_switching_leaves_events_that_have_lost_their_parents_as_they_are(moved_database_url: str) -> None:
    without_check = make_conninfo(moved_database_url, options="-c session_replication_role=replica")
    execute(without_check, "DELETE FROM test_sessions")
    migrations.upgrade(moved_database_url)
    assert query(moved_database_url, "SELECT count(*) FROM attempt_events") == [1]
    assert query(moved_database_url, "SELECT count(*) FROM event_sessions") == [0]
    assert_that_references_hold(moved_database_url, insert_exam(moved_database_url))


def test_a_switch_behind_a_long_query_gives_up_and_changes_nothing(moved_database_url: str) -> None:
    before = dump(moved_database_url)
    impatient = make_conninfo(moved_database_url, options="-c lock_timeout=100ms")
    with psycopg.connect(moved_database_url) as connection:
        connection.execute("LOCK TABLE attempt_events IN ACCESS SHARE MODE")
        with pytest.raises(MigrationError, match="lock timeout"):
            migrations.upgrade(impatient)
    assert dump(moved_database_url) == before


@pytest.mark.usefixtures("not_enforced")
def test_what_is_dumped_and_restored_is_checked_as_before(database_url: str, empty_database_url: str) -> None:
    store(database_url, insert_exam(database_url))
    restore(dump(database_url), empty_database_url)
    assert dump(empty_database_url) == dump(database_url)
    assert doctor(empty_database_url).endswith(BY_STATEMENT)
    assert_that_references_hold(empty_database_url, insert_exam(empty_database_url))


TURNED_OFF = {
    "a trigger that is disabled": "ALTER TABLE attempt_events DISABLE TRIGGER attempt_events_parents_of_changed",
    "a trigger that is gone": "DROP TRIGGER attempt_events_parents_of_new ON attempt_events",
    "a trigger for replicas": "ALTER TABLE attempt_events ENABLE REPLICA TRIGGER attempt_events_parents_of_new",
}


@pytest.mark.usefixtures("not_enforced")
@pytest.mark.parametrize("statement", TURNED_OFF.values(), ids=TURNED_OFF.keys())
def test_references_that_nothing_checks_are_a_problem_that_migrating_mends(database_url: str, statement: str) -> None:
    whole = dump(database_url, "--schema-only")
    execute(database_url, statement)
    with pytest.raises(OperatorError, match=f"{NOTHING_CHECKS}run `attemptlog migrate`"):
        doctor(database_url)
    migrations.upgrade(database_url)
    assert dump(database_url, "--schema-only") == whole
    assert BY_STATEMENT in doctor(database_url)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE attempt_events DISABLE TRIGGER ALL",
        "ALTER TABLE users DISABLE TRIGGER ALL",
        "ALTER TABLE attempt_events DROP CONSTRAINT attempt_events_user_id_fkey",
    ],
)
def test_foreign_keys_that_check_nothing_are_a_problem(oldest_postgres_url: str, statement: str) -> None:
    with temporary_database(oldest_postgres_url) as name:
        url = with_database(oldest_postgres_url, name)
        migrations.upgrade(url)
        execute(url, statement)
        with pytest.raises(OperatorError, match=f"{NOTHING_CHECKS}add what is missing"):
            doctor(url)
