"""The schema on every kind of database that it meets, and the promises that the database itself keeps."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from attemptlog import migrations
from attemptlog.local_stack.postgres import BINARIES
from attemptlog.migrations import MigrationError
from tests.support.eventually import eventually
from tests.support.oldest_postgres import on_every_postgres

ROOT = Path(__file__).parents[2]
pytestmark = on_every_postgres

ADA, EXAM, QUESTION, SESSION, EVENT = (uuid.UUID(int=n) for n in range(1, 6))

PLATFORM: LiteralString = """
    CREATE TABLE users (id uuid PRIMARY KEY, name text);
    CREATE TABLE questions (id uuid PRIMARY KEY);
    CREATE TABLE test_sessions (id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id));
    INSERT INTO users VALUES ('00000000-0000-0000-0000-000000000001', 'Ada');
    INSERT INTO test_sessions VALUES
        ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001');
"""

LEGACY: LiteralString = """
    CREATE TABLE attempt_events (
        id uuid, session_id uuid, user_id uuid, event_type varchar(40), event_ts timestamp,
        payload_json json DEFAULT '{}', created_at timestamptz
    );
    INSERT INTO attempt_events VALUES
        ('00000000-0000-0000-0000-000000000005', '00000000-0000-0000-0000-000000000004',
         '00000000-0000-0000-0000-000000000001', 'SESSION_SUBMITTED', '2024-05-01 10:00', NULL, NULL),
        ('00000000-0000-0000-0000-000000000006', '00000000-0000-0000-0000-000000000004',
         '00000000-0000-0000-0000-000000000001', 'QUESTION_VIEWED', '2024-05-01 09:00', '{"page": 3}', now());
"""

ORPHAN: LiteralString = """
    INSERT INTO attempt_events VALUES (
        '00000000-0000-0000-0000-000000000007', '00000000-0000-0000-0000-0000000000ff',
        '00000000-0000-0000-0000-000000000001', 'TAB_CLOSED', '2024-05-01 11:00', '{}', now()
    );
"""

SEATED: LiteralString = """
    INSERT INTO users (id) VALUES ('00000000-0000-0000-0000-000000000001');
    INSERT INTO exams VALUES ('00000000-0000-0000-0000-000000000002');
    INSERT INTO questions VALUES ('00000000-0000-0000-0000-000000000003');
    INSERT INTO exam_questions
    VALUES ('00000000-0000-0000-0000-000000000002', '00000000-0000-0000-0000-000000000003');
    INSERT INTO test_sessions VALUES (
        '00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000001',
        '00000000-0000-0000-0000-000000000002'
    );
"""

INSERT_EVENT: LiteralString = """
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, seq, session_id, user_id, question_id)
    VALUES (gen_random_uuid(), 1, %(event_type)s, now(), %(seq)s, %(session_id)s, %(user_id)s, %(question_id)s)
    ON CONFLICT DO NOTHING
"""

INSERT_OF_STREAM: LiteralString = """
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, seq, session_id, user_id, stream_id, dropped)
    VALUES (
        gen_random_uuid(), 1, 'PAUSE_BLUR', now(), %(seq)s, '00000000-0000-0000-0000-000000000004',
        '00000000-0000-0000-0000-000000000001', %(stream)s, %(dropped)s::jsonb
    )
    ON CONFLICT DO NOTHING
"""
ONE_DEVICE, OTHER_DEVICE = uuid.UUID(int=21), uuid.UUID(int=22)


@contextmanager
def connected(database_url: str, role: str | None = None) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        if role:
            connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield connection


def run(database_url: str, *statements: LiteralString) -> None:
    with connected(database_url) as connection:
        for statement in statements:
            connection.execute(statement)


def rows(database_url: str, query: LiteralString) -> list[dict[str, Any]]:
    with connected(database_url) as connection:
        return connection.execute(query).fetchall()


def values(database_url: str, query: LiteralString) -> list[Any]:
    return [value for row in rows(database_url, query) for value in row.values()]


def store(connection: psycopg.Connection[dict[str, Any]], **fields: Any) -> None:
    event = {
        "event_type": "QUESTION_VIEWED",
        "seq": 1,
        "session_id": SESSION,
        "user_id": ADA,
        "question_id": QUESTION,
    }
    connection.execute(INSERT_EVENT, event | fields)


def store_streams(database_url: str, *events: tuple[uuid.UUID | None, int], dropped: str | None = None) -> None:
    with connected(database_url) as connection:
        for stream, seq in events:
            connection.execute(INSERT_OF_STREAM, {"stream": stream, "seq": seq, "dropped": dropped})


def shape(database_url: str) -> list[dict[str, Any]]:
    """Every column, constraint, index, trigger and grant in the database, in a form that can be compared."""
    return rows(
        database_url,
        """
        SELECT 'column' AS kind, concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default) AS what
        FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL
        SELECT 'constraint', concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL
        SELECT 'index', indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT 'grant', concat_ws(' ', oid::regclass, relacl) FROM pg_class WHERE relnamespace = 'public'::regnamespace
        ORDER BY kind, what
        """,
    )


def tables(database_url: str) -> set[str]:
    return set(values(database_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))


# Every kind of database


def test_an_empty_database_gets_every_table(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    assert tables(empty_database_url) == {
        *("users", "exams", "questions", "exam_questions", "test_sessions"),
        *("attempt_events", "dead_letters", "partition_ledger", "attemptlog_version"),
        *("dead_letter_replays", "dead_letter_replay_outcomes", "event_sessions", "event_questions"),
        *("topic_logs", "closed_ledgers", "export_targets", "export_batches", "answer_keys"),
        *("candidate_groups", "exam_titles", "question_titles"),
        *("session_figures", "question_figures", "session_moves", "figures_due", "figures_progress"),
        *("purges", "purged_letters", "suppressions", "suppression_key", "purge_targets", "data_accesses"),
    }
    assert migrations.current(empty_database_url) == migrations.head()


def test_the_platforms_tables_and_rows_are_used_as_they_are(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM)
    migrations.upgrade(empty_database_url)
    assert rows(empty_database_url, "SELECT * FROM users") == [{"id": ADA, "name": "Ada"}]
    assert rows(empty_database_url, "SELECT * FROM test_sessions") == [{"id": SESSION, "user_id": ADA, "exam_id": None}]


def test_older_events_are_kept_and_widened(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY)
    migrations.upgrade(empty_database_url)
    submitted, viewed = rows(
        empty_database_url,
        """
        SELECT id, event_version, event_type, event_ts AT TIME ZONE 'UTC' AS at, seq, payload_json,
            created_at = event_ts AS created_then
        FROM attempt_events
        ORDER BY id
        """,
    )
    assert submitted["id"] == EVENT
    assert (submitted["event_version"], submitted["seq"], submitted["payload_json"]) == (0, None, {})
    assert str(submitted["at"]) == "2024-05-01 10:00:00"
    assert submitted["created_then"]
    assert (viewed["event_type"], viewed["payload_json"]) == ("QUESTION_VIEWED", {"page": 3})


def test_older_events_are_in_the_view(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY)
    migrations.upgrade(empty_database_url)
    assert rows(empty_database_url, "SELECT * FROM session_completeness") == [
        {
            "session_id": SESSION,
            "first_seq": None,
            "last_seq": None,
            "events_stored": 2,
            "missing_seq": Multirange(),
            "is_submitted": True,
        }
    ]


def test_a_widened_table_ends_up_like_a_new_one(empty_database_url: str, database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY)
    migrations.upgrade(empty_database_url)
    of_events = [
        {entry["what"] for entry in shape(url) if "attempt_events" in entry["what"]}
        for url in (empty_database_url, database_url)
    ]
    assert of_events[0] == of_events[1]


def test_older_events_without_a_session_stay_and_new_ones_are_refused(
    empty_database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(empty_database_url, PLATFORM, LEGACY, ORPHAN)
    migrations.upgrade(empty_database_url)
    assert values(empty_database_url, "SELECT count(*) FROM attempt_events") == [3]
    unproven = ["attempt_events_event_type_check", "attempt_events_session_id_fkey"]
    found = values(empty_database_url, "SELECT conname FROM pg_constraint WHERE NOT convalidated")
    assert set(unproven) <= set(found)
    assert all(name in caplog.text for name in unproven)
    with connected(empty_database_url) as connection, pytest.raises(psycopg.errors.ForeignKeyViolation):
        store(connection, session_id=uuid.uuid4(), question_id=None)


def test_older_events_that_a_report_of_the_platform_reads_are_widened_where_types_agree(
    empty_database_url: str,
) -> None:
    run(
        empty_database_url,
        PLATFORM,
        LEGACY,
        "ALTER TABLE attempt_events ALTER event_type TYPE text",
        "CREATE VIEW report AS SELECT event_type FROM attempt_events",
    )
    migrations.upgrade(empty_database_url)
    assert values(empty_database_url, "SELECT count(*) FROM report") == [2]


def test_an_insert_that_does_not_say_its_version_is_refused(database_url: str) -> None:
    with connected(database_url) as connection, pytest.raises(psycopg.errors.NotNullViolation, match="event_version"):
        connection.execute(
            "INSERT INTO attempt_events (id, event_type, event_ts, session_id, user_id)"
            " VALUES (gen_random_uuid(), 'PAUSE_BLUR', now(), gen_random_uuid(), gen_random_uuid())"
        )


WRONG_TABLES: list[tuple[LiteralString, str]] = [
    ("CREATE TABLE users (id integer PRIMARY KEY)", r"users\.id \(integer\)"),
    ("CREATE TABLE questions (code text)", r"questions\.id \(missing\)"),
    ("CREATE TABLE test_sessions (id uuid PRIMARY KEY)", r"test_sessions\.user_id \(missing\)"),
    ("CREATE TABLE test_sessions (id uuid PRIMARY KEY, user_id text)", r"test_sessions\.user_id \(text\)"),
    ("CREATE TABLE test_sessions (id uuid, user_id uuid, exam_id bigint)", r"test_sessions\.exam_id \(bigint\)"),
    ("CREATE TABLE attempt_events (id bigint PRIMARY KEY)", "column id is bigint and must become uuid"),
    ("CREATE TABLE attempt_events (id uuid PRIMARY KEY)", "column event_type is missing and must become text"),
]


@pytest.mark.parametrize(("statement", "message"), WRONG_TABLES)
def test_tables_that_do_not_fit_are_refused_and_nothing_is_changed(
    empty_database_url: str, statement: LiteralString, message: str
) -> None:
    run(empty_database_url, statement)
    before = shape(empty_database_url)
    with pytest.raises(MigrationError, match=message):
        migrations.upgrade(empty_database_url)
    assert shape(empty_database_url) == before


def test_older_payloads_that_jsonb_cannot_hold_are_named(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY, r"""UPDATE attempt_events SET payload_json = '{"a": "\u0000"}'""")
    with pytest.raises(MigrationError, match="column payload_json is json and must become jsonb"):
        migrations.upgrade(empty_database_url)


# Again, back and at once


def test_upgrading_twice_changes_nothing(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    once = shape(empty_database_url)
    migrations.upgrade(empty_database_url)
    assert shape(empty_database_url) == once


def test_downgrade_of_an_unused_database_leaves_only_the_version_table(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "base")
    assert tables(empty_database_url) == {"attemptlog_version"}
    assert migrations.current(empty_database_url) is None


def test_downgrade_gives_older_tables_their_shape_back_with_all_rows(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY)
    columns: LiteralString = """
        SELECT concat_ws('.', table_name, column_name) FROM information_schema.columns
        WHERE table_schema = 'public' AND table_name <> 'attemptlog_version' ORDER BY 1
    """
    before = values(empty_database_url, columns)
    migrations.upgrade(empty_database_url)
    with connected(empty_database_url) as connection:
        store(connection, question_id=None)
    migrations.downgrade(empty_database_url, "base")
    assert values(empty_database_url, columns) == before
    assert values(empty_database_url, "SELECT count(*) FROM attempt_events") == [3]
    assert values(empty_database_url, "SELECT count(*) FROM test_sessions") == [1]


def test_downgrade_deletes_no_event_and_upgrade_finds_them_again(database_url: str) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection:
        store(connection)
    schema, events = shape(database_url), rows(database_url, "SELECT * FROM attempt_events")
    migrations.downgrade(database_url, "base")
    assert rows(database_url, "SELECT * FROM attempt_events") == events
    migrations.upgrade(database_url)
    assert rows(database_url, "SELECT * FROM attempt_events") == events
    assert shape(database_url) == schema


def test_downgrade_keeps_an_empty_table_that_the_platform_refers_to(database_url: str) -> None:
    run(database_url, "CREATE TABLE enrolments (user_id uuid REFERENCES users)")
    migrations.downgrade(database_url, "base")
    assert tables(database_url) == {"attemptlog_version", "users", "enrolments"}


def test_each_revision_can_be_undone_and_done_again(empty_database_url: str) -> None:
    migrations.upgrade(empty_database_url)
    complete = shape(empty_database_url)
    for revision in ("0008", "0007", "0006", "0004", "0003", "0002", "0001"):
        migrations.downgrade(empty_database_url, revision)
        assert migrations.current(empty_database_url) == revision
        migrations.upgrade(empty_database_url)
        assert shape(empty_database_url) == complete


def test_upgrades_at_the_same_time_take_turns(empty_database_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=3, mp_context=spawn) as processes:
        assert list(processes.map(migrations.upgrade, [empty_database_url] * 3)) == [None] * 3
    assert migrations.current(empty_database_url) == migrations.head()


def test_an_upgrade_behind_a_long_query_gives_up_and_changes_nothing(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM)
    impatient = make_conninfo(empty_database_url, options="-c lock_timeout=100ms")
    with connected(empty_database_url) as connection, connection.transaction():
        connection.execute("LOCK TABLE test_sessions IN ACCESS SHARE MODE")
        with pytest.raises(MigrationError, match="lock timeout"):
            migrations.upgrade(impatient)
    assert tables(empty_database_url) == {"users", "questions", "test_sessions"}


# Numbers by stream, in a database that is in use


@pytest.fixture
def used_database_url(empty_database_url: str) -> str:
    """A database as it was before streams, with an event in it."""
    migrations.upgrade(empty_database_url, "0006")
    run(empty_database_url, SEATED)
    with connected(empty_database_url) as connection:
        store(connection)
    return empty_database_url


@contextmanager
def report_of_the_platform(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A query that takes long, and reads nothing of attemptlog's."""
    with connected(database_url) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            connection.execute("SELECT FROM users")
            yield connection


def makes_an_index(database_url: str) -> bool:
    query: LiteralString = """
        SELECT datname = current_database() FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting%'
    """
    return True in values(database_url, query)


async def test_events_are_stored_while_an_upgrade_makes_its_indexes(used_database_url: str) -> None:
    with report_of_the_platform(used_database_url):
        upgrade = asyncio.create_task(asyncio.to_thread(migrations.upgrade, used_database_url))
        await eventually(lambda: makes_an_index(used_database_url))
        with connected(make_conninfo(used_database_url, options="-c lock_timeout=60s")) as connection:
            for seq in (1, 2, 2):  # the first number is stored already
                store(connection, seq=seq)
    await upgrade
    assert migrations.current(used_database_url) == migrations.head()
    assert values(used_database_url, "SELECT seq FROM attempt_events ORDER BY seq") == [1, 2]


def test_an_upgrade_that_was_interrupted_goes_on_when_it_is_run_again(
    used_database_url: str, database_url: str
) -> None:
    impatient = make_conninfo(used_database_url, options="-c statement_timeout=500ms")
    with report_of_the_platform(used_database_url), pytest.raises(MigrationError, match="statement timeout"):
        migrations.upgrade(impatient)
    assert values(used_database_url, "SELECT count(*) FROM pg_index WHERE NOT indisvalid") == [1]
    with connected(used_database_url) as connection:
        store(connection, seq=1)
    migrations.upgrade(used_database_url)
    assert shape(used_database_url) == shape(database_url)
    assert values(used_database_url, "SELECT seq FROM attempt_events") == [1]


def test_upgrades_of_a_database_in_use_take_turns_under_any_isolation_level(used_database_url: str) -> None:
    strict = make_conninfo(used_database_url, options="-c default_transaction_isolation=serializable")
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=3, mp_context=spawn) as processes:
        assert list(processes.map(migrations.upgrade, [strict] * 3)) == [None] * 3
    assert migrations.current(used_database_url) == migrations.head()


def test_a_column_of_the_platforms_that_is_in_the_way_is_named(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY, "ALTER TABLE attempt_events ADD sent_at date")
    with pytest.raises(MigrationError, match="column sent_at is date and must be timestamp with time zone: Rename"):
        migrations.upgrade(empty_database_url)


def test_a_column_of_the_platforms_that_fits_is_used_and_stays_its_own(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, LEGACY, "ALTER TABLE attempt_events ADD sent_at timestamptz")
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "base")
    columns = values(
        empty_database_url,
        "SELECT attname FROM pg_attribute"
        " WHERE attrelid = 'attempt_events'::regclass AND attnum > 0 AND NOT attisdropped",
    )
    assert "sent_at" in columns
    assert not {"stream_id", "dropped"} & set(columns)


@pytest.mark.parametrize("revision", ["0006", "base"])
def test_events_of_streams_outlive_a_downgrade_and_another_upgrade(database_url: str, revision: str) -> None:
    run(database_url, SEATED)
    store_streams(database_url, (ONE_DEVICE, 1), (OTHER_DEVICE, 1), (None, 1))
    schema, events = shape(database_url), rows(database_url, "SELECT * FROM attempt_events")
    migrations.downgrade(database_url, revision)
    assert rows(database_url, "SELECT * FROM attempt_events") == events
    migrations.upgrade(database_url)
    assert rows(database_url, "SELECT * FROM attempt_events") == events
    assert shape(database_url) == schema


def test_who_may_read_the_completeness_of_sessions_may_read_that_of_streams(used_database_url: str) -> None:
    run(used_database_url, "GRANT SELECT ON session_completeness TO attemptlog_gateway")
    migrations.upgrade(used_database_url)
    with connected(used_database_url, role="attemptlog_gateway") as connection:
        assert len(connection.execute("SELECT * FROM stream_completeness").fetchall()) == 1


# Errors and output


def test_query_parameters_of_the_url_reach_postgresql(empty_database_url: str) -> None:
    with pytest.raises(MigrationError, match="attemptlog_nobody"):
        migrations.upgrade(make_conninfo(empty_database_url, options="-c role=attemptlog_nobody"))


def test_an_unknown_revision_is_a_migration_error(empty_database_url: str) -> None:
    with pytest.raises(MigrationError, match="9999"):
        migrations.upgrade(empty_database_url, "9999")


def test_upgrade_prints_nothing(empty_database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    migrations.upgrade(empty_database_url)
    assert capfd.readouterr() == ("", "")


def test_the_alembic_command_does_the_same(empty_database_url: str) -> None:
    alembic(empty_database_url, "upgrade", "head")
    assert migrations.current(empty_database_url) == migrations.head()


def test_the_alembic_commands_script_for_an_administrator_does_the_same(
    empty_database_url: str, database_url: str
) -> None:
    script = alembic("", "upgrade", "head", "--sql")
    psql = [str(BINARIES / "psql"), empty_database_url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"]
    subprocess.run(psql, input=script, check=True, stdout=subprocess.DEVNULL, text=True)
    assert shape(empty_database_url) == shape(database_url)


def alembic(database_url: str, *arguments: str) -> str:
    environment = os.environ | {"ATTEMPTLOG_DATABASE_URL": database_url}
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout


# attempt_events


def test_the_indexes_are_those_of_the_contract(database_url: str) -> None:
    found = values(
        database_url,
        "SELECT substring(indexdef FROM 'CREATE (.*INDEX)') || substring(indexdef FROM ' \\(.*')"
        " FROM pg_indexes WHERE tablename = 'attempt_events'",
    )
    assert sorted(found) == sorted(
        [
            "UNIQUE INDEX (id)",
            "UNIQUE INDEX (session_id, seq) WHERE (stream_id IS NULL)",
            "UNIQUE INDEX (session_id, stream_id, seq) WHERE (stream_id IS NOT NULL)",
            "INDEX (session_id, event_ts)",
            "INDEX (export_xid)",
            "INDEX (user_id, event_ts)",
            "INDEX (event_type, event_ts)",
            "INDEX (event_type)",
            "INDEX (event_ts)",
            "INDEX (user_id)",
            "INDEX (question_id)",
        ]
    )


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"event_type": "TAB_CLOSED"}, psycopg.errors.CheckViolation),
        ({"seq": -1}, psycopg.errors.CheckViolation),
        ({"session_id": uuid.UUID(int=99)}, psycopg.errors.ForeignKeyViolation),
        ({"user_id": uuid.UUID(int=99)}, psycopg.errors.ForeignKeyViolation),
        ({"question_id": uuid.UUID(int=99)}, psycopg.errors.ForeignKeyViolation),
    ],
)
def test_an_event_that_does_not_fit_is_refused(
    database_url: str, fields: dict[str, Any], error: type[psycopg.Error]
) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection, pytest.raises(error):
        store(connection, **fields)


def test_a_number_is_stored_once_per_session_and_no_number_any_number_of_times(database_url: str) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection:
        for seq in (1, 1, 2, None, None):
            store(connection, seq=seq)
    assert values(database_url, "SELECT seq FROM attempt_events ORDER BY seq NULLS LAST") == [1, 2, None, None]


CHANGES: list[LiteralString] = [
    "UPDATE attempt_events SET seq = 7",
    "DELETE FROM attempt_events",
    "TRUNCATE attempt_events",
    "MERGE INTO attempt_events USING (VALUES (1)) AS one (n) ON true WHEN MATCHED THEN DELETE",
]


@pytest.mark.parametrize("change", CHANGES)
def test_even_a_superuser_changes_events_only_in_a_purge(database_url: str, change: LiteralString) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection:
        store(connection)
        with pytest.raises(psycopg.Error, match="attemptlog purge") as caught:
            connection.execute(change)
        assert caught.value.sqlstate == "ATL01"
        with connection.transaction():
            connection.execute("SET LOCAL attemptlog.purge = 'on'")
            connection.execute(change)
        store(connection, seq=2)
        with pytest.raises(psycopg.Error, match="attemptlog purge"):
            connection.execute(change)


# session_completeness

LAST_INTEGER = 2**31 - 1


@pytest.mark.parametrize(
    ("stored", "missing"),
    [
        ([1, 2, 3], []),
        ([0, 1, 2], []),
        ([0], []),
        ([1], []),
        ([None], []),
        ([3], [(1, 3)]),
        ([0, 2], [(1, 2)]),
        ([9, 2, 5, 6, None], [(1, 2), (3, 5), (7, 9)]),
        ([1, LAST_INTEGER], [(2, LAST_INTEGER)]),
        ([LAST_INTEGER], [(1, LAST_INTEGER)]),
    ],
)
def test_missing_are_the_numbers_from_1_to_the_last_that_are_not_stored(
    database_url: str, stored: list[int | None], missing: list[tuple[int, int]]
) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection:
        for seq in stored:
            store(connection, seq=seq)
    numbers = [seq for seq in stored if seq is not None]
    assert rows(database_url, "SELECT * FROM session_completeness") == [
        {
            "session_id": SESSION,
            "first_seq": min(numbers, default=None),
            "last_seq": max(numbers, default=None),
            "events_stored": len(stored),
            "missing_seq": Multirange([Range(*bounds) for bounds in missing]),
            "is_submitted": False,
        }
    ]


def test_a_number_is_stored_once_per_session_and_stream(database_url: str) -> None:
    run(database_url, SEATED)
    store_streams(database_url, *[(stream, seq) for stream in (ONE_DEVICE, OTHER_DEVICE, None) for seq in (1, 2, 2)])
    stored = "SELECT stream_id, seq FROM attempt_events ORDER BY stream_id, seq"
    assert [tuple(row.values()) for row in rows(database_url, stored)] == [
        (stream, seq) for stream in (ONE_DEVICE, OTHER_DEVICE, None) for seq in (1, 2)
    ]


def test_missing_numbers_are_those_of_each_stream_and_of_a_session_all_of_them(database_url: str) -> None:
    run(database_url, SEATED)
    store_streams(database_url, (ONE_DEVICE, 1), (ONE_DEVICE, 4), (OTHER_DEVICE, 2), (OTHER_DEVICE, 3), (None, 1))
    streams = "SELECT stream_id, first_seq, last_seq, events_stored, missing_seq FROM stream_completeness ORDER BY 1"
    assert [tuple(row.values()) for row in rows(database_url, streams)] == [
        (ONE_DEVICE, 1, 4, 2, Multirange([Range(2, 4)])),
        (OTHER_DEVICE, 2, 3, 2, Multirange([Range(1, 2)])),
        (None, 1, 1, 1, Multirange()),
    ]
    [session] = rows(database_url, "SELECT * FROM session_completeness")
    assert (session["first_seq"], session["last_seq"], session["events_stored"]) == (1, 4, 5)
    assert session["missing_seq"] == Multirange([Range(1, 4)])


def test_of_what_a_page_tells_it_has_dropped_the_greatest_figure_counts(database_url: str) -> None:
    run(database_url, SEATED)
    for seq, dropped in enumerate(['{"invalid": 2}', '{"invalid": 10, "closed": 1}', None, '{"invalid": 9}'], start=1):
        store_streams(database_url, (ONE_DEVICE, seq), dropped=dropped)
    store_streams(database_url, (OTHER_DEVICE, 1), (None, 1))
    assert values(database_url, "SELECT dropped FROM stream_completeness ORDER BY stream_id") == [
        {"invalid": 10, "closed": 1},
        None,
        None,
    ]


def test_a_session_is_submitted_once_its_event_says_so(database_url: str) -> None:
    run(database_url, SEATED)
    with connected(database_url) as connection:
        store(connection)
        store(connection, event_type="SESSION_SUBMITTED", seq=None, question_id=None)
    assert values(database_url, "SELECT is_submitted FROM session_completeness") == [True]


@pytest.mark.parametrize("view", ["session_completeness", "stream_completeness"])
def test_one_session_is_looked_up_by_index(database_url: str, view: str) -> None:
    run(
        database_url,
        SEATED,
        """
        INSERT INTO test_sessions
        SELECT gen_random_uuid(), '00000000-0000-0000-0000-000000000001' FROM generate_series(1, 500)
        """,
        """
        INSERT INTO attempt_events (id, event_version, event_type, event_ts, seq, session_id, user_id)
        SELECT gen_random_uuid(), 1, 'PAUSE_BLUR', now(), seq, test_sessions.id, user_id
        FROM test_sessions, generate_series(1, 20) AS seq
        """,
        "ANALYZE attempt_events",
    )
    explain = sql.SQL("EXPLAIN SELECT * FROM {} WHERE session_id = {}").format(sql.Identifier(view), SESSION)
    with connected(database_url) as connection:
        plan = [line for row in connection.execute(explain).fetchall() for line in row.values()]
    assert any("Index Cond: (session_id = " in line for line in plan), plan
    assert not any("Seq Scan" in line for line in plan), plan


# dead_letters and partition_ledger


def test_a_dead_letter_is_kept_once_per_record_and_needs_a_known_reason(database_url: str) -> None:
    insert: LiteralString = """
        INSERT INTO dead_letters (topic, partition, kafka_offset, reason)
        VALUES ('t', 0, 1, %s)
        ON CONFLICT DO NOTHING
    """
    with connected(database_url) as connection:
        connection.execute(insert, ["undecodable"])
        connection.execute(insert, ["seq_conflict"])
        assert connection.execute("SELECT reason FROM dead_letters").fetchall() == [{"reason": "undecodable"}]
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(insert, ["did not feel like it"])


@pytest.mark.parametrize(
    ("counts", "is_sound"),
    [
        ({"next_offset": 10, "records": 10, "inserted": 4, "duplicates": 3, "dead_lettered": 2, "suppressed": 1}, True),
        ({"next_offset": 99, "records": 1, "inserted": 1, "duplicates": 0, "dead_lettered": 0, "suppressed": 0}, True),
        (
            {"next_offset": 10, "records": 10, "inserted": 4, "duplicates": 3, "dead_lettered": 2, "suppressed": 0},
            False,
        ),
        ({"next_offset": 0, "records": 1, "inserted": 1, "duplicates": 0, "dead_lettered": 0, "suppressed": 0}, False),
    ],
)
def test_the_ledger_refuses_accounts_that_do_not_add_up(
    database_url: str, counts: dict[str, int], is_sound: bool
) -> None:
    insert: LiteralString = """
        INSERT INTO partition_ledger (topic, partition, next_offset, records, inserted, duplicates, dead_lettered,
            suppressed)
        VALUES ('t', 0, %(next_offset)s, %(records)s, %(inserted)s, %(duplicates)s, %(dead_lettered)s, %(suppressed)s)
    """
    with connected(database_url) as connection:
        if is_sound:
            connection.execute(insert, counts)
        else:
            with pytest.raises(psycopg.errors.CheckViolation):
                connection.execute(insert, counts)


# Roles


def test_the_consumer_may_do_its_work(database_url: str) -> None:
    run(database_url, SEATED)
    with connected(database_url, role="attemptlog_consumer") as connection, connection.transaction():
        connection.execute("CREATE TEMP TABLE staging (LIKE attempt_events) ON COMMIT DROP")
        store(connection)
        connection.execute(
            "INSERT INTO dead_letters (topic, partition, kafka_offset, reason) VALUES ('t', 0, 1, 'undecodable')"
        )
        connection.execute("INSERT INTO partition_ledger (topic, partition, next_offset) VALUES ('t', 0, 0)")
        connection.execute("SELECT * FROM partition_ledger FOR UPDATE")
        connection.execute("UPDATE partition_ledger SET next_offset = 2, records = 2, inserted = 1, dead_lettered = 1")
        connection.execute("SELECT FROM dead_letters FOR UPDATE")
        connection.execute("UPDATE dead_letters SET replayed_at = now(), replay_outcome = 'inserted'")
        connection.execute("INSERT INTO dead_letter_replays (replayed_by, filter) VALUES ('ada', '{}')")
        connection.execute(
            "INSERT INTO dead_letter_replay_outcomes (replay_id, dead_letter_id, outcome) VALUES (1, 1, 'inserted')"
        )
        connection.execute("SELECT FROM test_sessions, users, questions, exam_questions, dead_letters, attempt_events")
        assert connection.execute("SELECT * FROM attemptlog_version").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        *CHANGES,
        "SET attemptlog.purge = 'on'; DELETE FROM attempt_events",
        "UPDATE dead_letters SET detail = ''",
        "UPDATE dead_letter_replays SET replayed_by = ''",
        "DELETE FROM dead_letter_replay_outcomes",
        "DELETE FROM dead_letters",
        "DELETE FROM partition_ledger",
        "INSERT INTO users VALUES (gen_random_uuid())",
        "CREATE TABLE mine ()",
    ],
)
def test_the_consumer_may_do_nothing_else(database_url: str, statement: LiteralString) -> None:
    with (
        connected(database_url, role="attemptlog_consumer") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_the_exporter_may_do_its_work(database_url: str) -> None:
    with connected(database_url, role="attemptlog_exporter") as connection:
        connection.execute("INSERT INTO export_targets (name, system_identifier) VALUES ('parquet', 7)")
        connection.execute("UPDATE export_targets SET fence = fence + 1")
        connection.execute(
            "INSERT INTO export_batches (id, target, kind, upper, repeats, until_ts, planned_rows)"
            " VALUES (gen_random_uuid(), 'parquet', 'window', '7', false, now(), 0)"
        )
        connection.execute("UPDATE export_batches SET state = 'abandoned'")
        connection.execute("SELECT * FROM attempt_events, attemptlog_version, export_targets, export_batches")
        connection.execute("SELECT id, exam_id FROM test_sessions")
        assert connection.execute("SELECT system_identifier FROM pg_control_system()").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        *CHANGES,
        "INSERT INTO attempt_events DEFAULT VALUES",
        "DELETE FROM export_batches",
        "DELETE FROM export_targets",
        "SELECT * FROM users",
        "SELECT user_id FROM test_sessions",
        "SELECT * FROM dead_letters",
        "SELECT * FROM partition_ledger",
        "CREATE TABLE mine ()",
    ],
)
def test_the_exporter_may_do_nothing_else(database_url: str, statement: LiteralString) -> None:
    with (
        connected(database_url, role="attemptlog_exporter") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def test_an_event_knows_the_transaction_that_stored_it_and_older_ones_do_not(used_database_url: str) -> None:
    migrations.upgrade(used_database_url)
    with connected(used_database_url) as connection, connection.transaction():
        store(connection, seq=2)
        with connection.transaction():  # a savepoint
            store(connection, seq=3)
        [current] = connection.execute("SELECT pg_current_xact_id()::text AS id").fetchall()
    found = values(used_database_url, "SELECT export_xid::text FROM attempt_events ORDER BY seq")
    assert found == [None, current["id"], current["id"]]


def test_the_gateway_reads_sessions_and_the_questions_of_exams(database_url: str) -> None:
    run(database_url, SEATED)
    with connected(database_url, role="attemptlog_gateway") as connection:
        assert connection.execute("SELECT id, user_id, exam_id FROM test_sessions").fetchall() == [
            {"id": SESSION, "user_id": ADA, "exam_id": EXAM}
        ]
        assert connection.execute("SELECT question_id FROM exam_questions").fetchall() == [{"question_id": QUESTION}]
        assert connection.execute("SELECT * FROM attemptlog_version").fetchall()


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT created_at FROM test_sessions",
        "SELECT id FROM attempt_events",
        "SELECT * FROM session_completeness",
        "SELECT * FROM dead_letters",
        "SELECT * FROM partition_ledger",
        "SELECT * FROM users",
        "INSERT INTO exam_questions VALUES (gen_random_uuid(), gen_random_uuid())",
    ],
)
def test_the_gateway_may_do_nothing_else(database_url: str, statement: LiteralString) -> None:
    with (
        connected(database_url, role="attemptlog_gateway") as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


@contextmanager
def database_owner(database_url: str) -> Iterator[str]:
    """The URL of somebody who owns the database and nothing more."""
    with connected(database_url) as connection:
        database = sql.Identifier(connection.info.dbname)
        owner = f"owner_{uuid.uuid4().hex}"
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(owner)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, sql.Identifier(owner)))
        yield make_conninfo(database_url, options=f"-c role={owner}")
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO CURRENT_USER").format(database))
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(owner)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(owner)))


@contextmanager
def missing_role(postgres_url: str, role: str) -> Iterator[None]:
    rename = sql.SQL("ALTER ROLE {} RENAME TO {}")
    name, away = sql.Identifier(role), sql.Identifier(f"{role}_away")
    with connected(postgres_url) as connection:
        connection.execute(rename.format(name, away))
        try:
            yield
        finally:
            connection.execute(rename.format(away, name))


@pytest.mark.usefixtures("database_url")  # with it, the roles are there
def test_the_owner_of_the_database_can_migrate_once_the_roles_are_there(empty_database_url: str) -> None:
    with database_owner(empty_database_url) as url:
        migrations.upgrade(url)
        assert migrations.current(url) == migrations.head()
        migrations.downgrade(url, "base")


@pytest.mark.usefixtures("database_url")
def test_who_may_not_create_roles_is_told_what_to_do(postgres_url: str, empty_database_url: str) -> None:
    with (
        database_owner(empty_database_url) as url,
        missing_role(postgres_url, "attemptlog_consumer"),
        pytest.raises(MigrationError, match="CREATE ROLE attemptlog_consumer NOLOGIN"),
    ):
        migrations.upgrade(url)
    assert tables(empty_database_url) == set()


# The platform's answer keys


def test_answer_keys_that_fit_are_used_as_they_are_and_outlive_a_downgrade(empty_database_url: str) -> None:
    run(
        empty_database_url,
        PLATFORM,
        "CREATE TABLE answer_keys (exam_id uuid, question_id uuid, choice integer, note text)",
    )
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "base")
    assert "answer_keys" in tables(empty_database_url)


def test_keys_that_were_entered_outlive_a_downgrade_and_another_upgrade(database_url: str) -> None:
    run(database_url, "INSERT INTO answer_keys VALUES (gen_random_uuid(), gen_random_uuid(), 2)")
    migrations.downgrade(database_url, "0011")
    migrations.upgrade(database_url)
    assert values(database_url, "SELECT choice FROM answer_keys") == [2]


def test_answer_keys_that_do_not_fit_are_refused_in_a_sentence(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, "CREATE TABLE answer_keys (exam_id uuid, answer text)")
    with pytest.raises(MigrationError, match="cannot use the answer_keys that is here"):
        migrations.upgrade(empty_database_url)


# The platform's titles and groups


def test_titles_may_be_a_view_of_the_platforms_own_and_outlive_a_downgrade(empty_database_url: str) -> None:
    run(
        empty_database_url,
        PLATFORM,
        "CREATE TABLE names (id uuid, name varchar(80))",
        "CREATE VIEW exam_titles AS SELECT id AS exam_id, name::text AS title FROM names",
    )
    migrations.upgrade(empty_database_url)
    run(empty_database_url, "INSERT INTO names VALUES (gen_random_uuid(), 'Chemistry')")
    auditor = make_conninfo(empty_database_url, options="-c attemptlog.viewer_role=auditor")
    assert values(auditor, "SELECT title FROM readable_exam_titles") == ["Chemistry"]
    migrations.downgrade(empty_database_url, "base")
    assert values(empty_database_url, "SELECT title FROM exam_titles") == ["Chemistry"]


def test_groups_that_were_entered_outlive_a_downgrade_and_another_upgrade(database_url: str) -> None:
    run(database_url, "INSERT INTO candidate_groups VALUES (gen_random_uuid(), gen_random_uuid(), 'Room 1')")
    migrations.downgrade(database_url, "0014")
    assert not tables(database_url) & {"exam_titles", "question_titles"}
    migrations.upgrade(database_url)
    assert values(database_url, "SELECT group_name FROM candidate_groups") == ["Room 1"]


def test_groups_that_do_not_fit_are_refused_in_a_sentence(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, "CREATE TABLE candidate_groups (exam_id uuid, user_id text, label text)")
    with pytest.raises(MigrationError, match=r"candidate_groups that is here.*user_id \(uuid\), group_name \(text\)"):
        migrations.upgrade(empty_database_url)


def test_the_figures_views_are_after_a_downgrade_as_they_were_before(database_url: str) -> None:
    shown: LiteralString = """
        SELECT jsonb_agg(jsonb_build_array(relname, reloptions, relacl::text, pg_get_viewdef(oid)) ORDER BY relname)
        FROM pg_class
        WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace
    """
    migrations.downgrade(database_url, "0013")
    migrations.upgrade(database_url, "0014")
    before = values(database_url, shown)
    migrations.upgrade(database_url)
    migrations.downgrade(database_url, "0014")
    assert values(database_url, shown) == before
