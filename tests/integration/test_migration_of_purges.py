"""What migration 0011 lets whom do, what it holds everybody to, and when it can be undone."""

import uuid
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from attemptlog import migrations
from attemptlog.migrations import MigrationError
from tests.support.consumer import query
from tests.support.suppression import OURS, suppressing

SOMEBODY = str(uuid.uuid4())

SEATED: LiteralString = """
    INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-000000000001');
    INSERT INTO test_sessions (id, user_id)
    VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001');
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id)
    VALUES (
        gen_random_uuid(), 1, 'PAUSE_BLUR', now(), '00000000-0000-0000-0000-000000000004',
        '00000000-0000-0000-0000-000000000001'
    );
    INSERT INTO dead_letters (topic, partition, kafka_offset, reason) VALUES ('t', 0, 1, 'undecodable');
    INSERT INTO dead_letter_replays (replayed_by, filter) VALUES ('ada', '{}');
    INSERT INTO dead_letter_replay_outcomes (replay_id, dead_letter_id, outcome) VALUES (1, 1, 'undecodable');
    INSERT INTO data_accesses (accessed_by, command, subject_kind) VALUES ('ada', 'export run', 'everybody');
"""

DELETIONS: tuple[LiteralString, ...] = (
    "DELETE FROM attempt_events",
    "DELETE FROM dead_letter_replay_outcomes",
    "DELETE FROM dead_letters",
    "DELETE FROM event_sessions",
    "DELETE FROM suppressions",
)

TABLES: tuple[LiteralString, ...] = (
    *("attempt_events", "dead_letters", "dead_letter_replays", "dead_letter_replay_outcomes", "partition_ledger"),
    *("closed_ledgers", "topic_logs", "event_sessions", "event_questions", "export_targets", "export_batches"),
    *("purges", "purged_letters", "suppressions", "suppression_key", "purge_targets", "data_accesses"),
    *("users", "exams", "questions", "exam_questions", "test_sessions", "answer_keys", "attemptlog_version"),
    *("candidate_groups", "exam_titles", "question_titles"),
    *("session_figures", "question_figures", "session_moves", "figures_due", "figures_progress"),
)
SERVICES = ("attemptlog_gateway", "attemptlog_consumer", "attemptlog_exporter")


def as_role(database_url: str, role: str) -> psycopg.Connection:
    connection = psycopg.connect(database_url, autocommit=True)
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


# Who may do what


def test_the_purger_may_do_its_work(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEATED)
    with as_role(database_url, "attemptlog_purger") as connection, connection.transaction():
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        connection.execute("SELECT id, user_id FROM test_sessions")
        connection.execute("SELECT * FROM attemptlog_version, purge_targets, export_targets")
        connection.execute(
            "INSERT INTO suppression_key (fingerprint) VALUES (gen_random_uuid()) ON CONFLICT DO NOTHING"
        )
        connection.execute(
            "INSERT INTO purges (kind, subject_kind, subject, requested_by, reason)"
            " VALUES ('purge', 'user', gen_random_uuid(), 'ada', 'asked for it')"
        )
        connection.execute("INSERT INTO suppressions SELECT gen_random_uuid(), id FROM purges")
        connection.execute("UPDATE dead_letter_replays SET filter = '{}'")
        connection.execute("UPDATE data_accesses SET subject = NULL, is_pseudonym = false")
        for statement in DELETIONS:
            assert connection.execute(statement).rowcount == 1
        connection.execute(
            "INSERT INTO purged_letters (purge_id, topic, log, partition) SELECT id, 't', 1, 0 FROM purges"
        )
        connection.execute("UPDATE purged_letters SET letters = letters + 1")
        connection.execute("UPDATE purges SET events = 1, finished_at = now()")


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO attempt_events DEFAULT VALUES",
        "UPDATE attempt_events SET seq = 0",
        "TRUNCATE attempt_events",
        "INSERT INTO dead_letters DEFAULT VALUES",
        "UPDATE dead_letters SET detail = ''",
        "UPDATE dead_letter_replays SET replayed_by = ''",
        "UPDATE partition_ledger SET records = 0",
        "DELETE FROM partition_ledger",
        "DELETE FROM purges",
        "DELETE FROM purged_letters",
        "DELETE FROM data_accesses",
        "UPDATE data_accesses SET accessed_by = ''",
        "UPDATE suppressions SET purge_id = 0",
        "TRUNCATE suppressions",
        "UPDATE suppression_key SET fingerprint = gen_random_uuid()",
        "DELETE FROM suppression_key",
        "DELETE FROM test_sessions",
        "SELECT * FROM users",
        "CREATE TABLE mine ()",
    ],
)
def test_the_purger_may_do_nothing_else(database_url: str, statement: LiteralString) -> None:
    with (
        as_role(database_url, "attemptlog_purger") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_the_purger_deletes_no_event_without_saying_that_it_is_a_purge(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEATED)
    with (
        as_role(database_url, "attemptlog_purger") as connection,
        pytest.raises(psycopg.Error, match="attemptlog purge"),
    ):
        connection.execute("DELETE FROM attempt_events")


@pytest.mark.parametrize("privilege", ["DELETE", "TRUNCATE"])
def test_nobody_but_the_purger_may_delete_anything(database_url: str, privilege: str) -> None:
    found = query(
        database_url,
        "SELECT role, name FROM unnest(%s::text[]) AS role, unnest(%s::text[]) AS name "
        "WHERE has_table_privilege(role, name, %s)",
        ["public", *SERVICES],
        list(TABLES),
        privilege,
    )
    assert found == []


def test_the_tables_that_are_looked_at_are_all_there_are(database_url: str) -> None:
    assert set(query(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")) == set(TABLES)


@pytest.mark.parametrize("role", SERVICES)
def test_a_service_reads_the_list_and_changes_nothing_of_it(database_url: str, role: str) -> None:
    with as_role(database_url, role) as connection:
        connection.execute("SELECT * FROM suppressions, suppression_key")
        for statement in (
            "INSERT INTO suppressions SELECT gen_random_uuid(), 1",
            "DELETE FROM suppressions",
            "INSERT INTO suppression_key (fingerprint) VALUES (gen_random_uuid())",
            "UPDATE suppression_key SET state = gen_random_uuid()",
            "INSERT INTO purges DEFAULT VALUES",
            "UPDATE purges SET finished_at = now()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


# What holds for everybody


def test_every_change_of_the_list_is_another_state_of_it(database_url: str) -> None:
    state = "SELECT state FROM suppression_key"
    suppressing(database_url, users=[SOMEBODY])
    seen = query(database_url, state)
    suppressing(database_url, sessions=[SOMEBODY])
    seen += query(database_url, state)
    query(database_url, "DELETE FROM suppressions RETURNING 1")
    seen += query(database_url, state)
    assert len(set(seen)) == 3
    assert query(database_url, "SELECT fingerprint FROM suppression_key") == [OURS.fingerprint]


def test_there_is_one_key(database_url: str) -> None:
    suppressing(database_url, users=[SOMEBODY])
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute("INSERT INTO suppression_key (fingerprint) VALUES (gen_random_uuid())")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE data_accesses SET reason = 'another'",
        "DELETE FROM data_accesses",
        "TRUNCATE data_accesses",
    ],
)
def test_who_looked_stays_written_down(database_url: str, statement: LiteralString) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEATED)
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.Error, match="append-only"):
        connection.execute(statement)


@pytest.mark.parametrize(
    "columns",
    [
        "'purge', NULL, NULL, NULL",  # of nobody
        "'purge', 'user', gen_random_uuid(), now()",  # by age
        "'retention', 'user', gen_random_uuid(), now()",  # of somebody
        "'retention', NULL, NULL, NULL",  # of no age
        "'lift', 'user', NULL, NULL",
        "'other', 'user', gen_random_uuid(), NULL",
    ],
)
def test_a_purge_is_of_somebody_and_retention_of_an_age(database_url: str, columns: LiteralString) -> None:
    statement: LiteralString = "INSERT INTO purges (kind, subject_kind, subject, ended_before, requested_by, reason) "
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute(statement + f"VALUES ({columns}, 'ada', 'asked for it')")


# Up and down


def test_nothing_that_was_purged_is_forgotten_by_a_downgrade(database_url: str) -> None:
    suppressing(database_url, users=[SOMEBODY])
    with pytest.raises(MigrationError, match="persons were purged here"):
        migrations.downgrade(database_url, "0010")
    assert migrations.current(database_url) == migrations.head()
    assert query(database_url, "SELECT count(*) FROM suppressions") == [1]


def test_where_nobody_was_purged_it_can_be_undone_and_done_again(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(SEATED)
    migrations.downgrade(database_url, "0010")
    assert query(database_url, "SELECT to_regclass('suppressions'), to_regproc('attemptlog_change_suppressions')") == [
        (None, None)
    ]
    granted = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relacl::text ~ 'purger'"
    assert query(database_url, granted) == [0]
    migrations.upgrade(database_url)
    assert query(database_url, "SELECT count(*) FROM attempt_events") == [1]
    suppressing(database_url, users=[SOMEBODY])
