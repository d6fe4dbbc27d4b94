"""What the platform had added to its attempt_events stays, and costs it no user who has no events."""

import re
import uuid

import psycopg
import pytest

from attemptlog import migrations
from attemptlog.migrations import MigrationError
from tests.support.consumer import query

PLATFORM = """
    CREATE TABLE users (id uuid PRIMARY KEY);
    CREATE TABLE questions (id uuid PRIMARY KEY);
    CREATE TABLE test_sessions (
        id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE, UNIQUE (id, user_id)
    );
    CREATE TABLE attempt_events (
        id uuid PRIMARY KEY, session_id uuid, user_id uuid, event_type text, event_ts timestamptz,
        payload_json jsonb, created_at timestamptz
    );
"""
KEYS = {
    "by_user": "ADD CONSTRAINT by_user FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
    "by_session": "ADD CONSTRAINT by_session FOREIGN KEY (session_id) REFERENCES test_sessions ON DELETE CASCADE",
    "set_null": "ADD CONSTRAINT set_null FOREIGN KEY (user_id) REFERENCES users ON DELETE SET NULL",
    "set_default": "ADD CONSTRAINT set_default FOREIGN KEY (session_id) REFERENCES test_sessions ON DELETE SET DEFAULT",
    "on_update": "ADD CONSTRAINT on_update FOREIGN KEY (user_id) REFERENCES users ON UPDATE CASCADE ON DELETE CASCADE",
    "composite": "ADD CONSTRAINT composite FOREIGN KEY (session_id, user_id) REFERENCES test_sessions (id, user_id)"
    " ON DELETE CASCADE",
    "attempt_events_user_id_fkey": "ADD FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE",
}
STORE = """
    INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id)
    VALUES (gen_random_uuid(), 1, 'PAUSE_BLUR', now(), %s, %s)
"""
STORE_BEFORE = """
    INSERT INTO attempt_events (id, event_type, event_ts, session_id, user_id, created_at)
    VALUES (gen_random_uuid(), 'PAUSE_BLUR', now(), %s, %s, now())
"""
OTHERS = {
    "trigger": """
        CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
        CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON attempt_events FOR EACH ROW EXECUTE FUNCTION touch()
    """,
    "clean-up": """
        CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql
        AS 'BEGIN DELETE FROM attempt_events WHERE user_id = OLD.id; RETURN OLD; END';
        CREATE TRIGGER forget BEFORE DELETE ON users FOR EACH ROW EXECUTE FUNCTION forget()
    """,
    "flags": "CREATE TABLE flags (event_id uuid REFERENCES attempt_events ON DELETE CASCADE)",
    "generated": "ALTER TABLE attempt_events ADD by_type text GENERATED ALWAYS AS (event_type) STORED NOT NULL",
    "identity": "ALTER TABLE attempt_events ADD number bigint GENERATED ALWAYS AS IDENTITY",
    "view": "CREATE VIEW report AS SELECT user_id, count(*) FROM attempt_events GROUP BY user_id",
}


def run(database_url: str, *statements: str) -> None:
    with psycopg.connect(database_url) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def sit(database_url: str) -> tuple[str, str]:
    """Add a user with a session."""
    user, session = str(uuid.uuid4()), str(uuid.uuid4())
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (id) VALUES (%s)", [user])
        connection.execute("INSERT INTO test_sessions (id, user_id) VALUES (%s, %s)", [session, user])
    return user, session


def delete(database_url: str, user: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM users WHERE id = %s", [user])


def assert_that_only_users_with_events_stay(database_url: str) -> None:
    quiet, _ = sit(database_url)
    busy, session = sit(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute(STORE, [session, busy])
    delete(database_url, quiet)
    with pytest.raises(psycopg.Error, match=r"append-only|still referenced|violates foreign key"):
        delete(database_url, busy)
    assert query(database_url, "SELECT id::text FROM users") == [busy]
    assert query(database_url, "SELECT count(*) FROM attempt_events") == [1]


@pytest.mark.parametrize("name", KEYS)
def test_a_user_without_events_can_be_deleted_whatever_foreign_keys_the_platform_had(
    empty_database_url: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(empty_database_url, PLATFORM, f"ALTER TABLE attempt_events {KEYS[name]}")
    migrations.upgrade(empty_database_url)
    assert_that_only_users_with_events_stay(empty_database_url)
    assert re.search(rf"append-only: {name} .* (stays|is replaced)", caplog.text)


@pytest.mark.parametrize("other", OTHERS)
def test_what_else_the_platform_added_goes_on_working(empty_database_url: str, other: str) -> None:
    run(empty_database_url, PLATFORM, OTHERS[other])
    migrations.upgrade(empty_database_url)
    assert_that_only_users_with_events_stay(empty_database_url)


def test_back_and_forth_the_platforms_keys_are_what_they_were(empty_database_url: str) -> None:
    keys = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = ANY(ARRAY['by_user', 'composite'])"
    run(empty_database_url, PLATFORM, *(f"ALTER TABLE attempt_events {KEYS[key]}" for key in ("by_user", "composite")))
    before = query(empty_database_url, keys)
    migrations.upgrade(empty_database_url)
    migrations.downgrade(empty_database_url, "base")
    assert query(empty_database_url, keys) == before
    user, session = sit(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(STORE_BEFORE, [session, user])
    delete(empty_database_url, user)
    assert query(empty_database_url, "SELECT count(*) FROM attempt_events") == [0]


def test_a_column_that_nobody_fills_is_named_before_it_costs_events(empty_database_url: str) -> None:
    run(empty_database_url, PLATFORM, "ALTER TABLE attempt_events ADD exam_code text NOT NULL")
    with pytest.raises(MigrationError, match="attemptlog does not fill: exam_code"):
        migrations.upgrade(empty_database_url)


REFUSED = [
    "CREATE TABLE attempt_events (id uuid, session_id uuid, user_id uuid, event_type text, event_ts timestamptz,"
    " payload_json jsonb, created_at timestamptz) PARTITION BY RANGE (event_ts)",
    "CREATE VIEW attempt_events AS SELECT id, id AS session_id, user_id, 'X' AS event_type FROM test_sessions",
]


@pytest.mark.parametrize("statement", REFUSED, ids=["partitioned", "view"])
def test_what_cannot_become_the_table_is_refused_in_a_sentence(empty_database_url: str, statement: str) -> None:
    run(empty_database_url, PLATFORM, "DROP TABLE attempt_events", statement)
    with pytest.raises(MigrationError, match="attempt_events"):
        migrations.upgrade(empty_database_url)
