"""deploy/postgres-init.sql and the migration together give each service a login that can do its work and no more."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from attemptlog.local_stack import LocalStack, PostgresServer
from attemptlog.local_stack.postgres import BINARIES
from attemptlog.migrations import upgrade
from tests.support.command import COMMAND
from tests.support.documents import ROOT
from tests.support.export import store
from tests.support.http import insert_exam

PASSWORDS = {
    "gateway": "it's a \\ gateway",
    "consumer": "100 % of $consumers",
    "exporter": "\t twice a day",
    "reader": "who's looked?",
    "purger": '"for good"',
}


@pytest.fixture(scope="module")
def postgres(stack_directory: Path) -> Iterator[PostgresServer]:
    """A cluster of the module's own: logins belong to a whole cluster."""
    server = LocalStack(stack_directory / uuid4().hex[:12], durable=False).postgres
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def database(postgres: PostgresServer) -> str:
    """Name of a database as the postgres image leaves it after postgres-init.sql, migrated by its owner."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE attemptlog")
    url = postgres.database_url("attemptlog")
    variables = {f"{name.upper()}_DATABASE_PASSWORD": password for name, password in PASSWORDS.items()}
    subprocess.run(
        [BINARIES / "psql", url, "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--file={ROOT / 'deploy/postgres-init.sql'}"],
        env=os.environ | variables,
        check=True,
    )
    upgrade(url)
    return "attemptlog"


def login(postgres: PostgresServer, database: str, name: str) -> psycopg.Connection:
    return psycopg.connect(
        host="127.0.0.1", port=postgres.port, dbname=database, user=name, password=PASSWORDS[name], autocommit=True
    )


def may(connection: psycopg.Connection, statement: str) -> bool:
    try:
        connection.execute(sql.SQL("EXPLAIN {}").format(sql.SQL(statement)))
    except InsufficientPrivilege:
        return False
    return True


def test_the_gateways_login_reads_sessions_and_nothing_else(postgres: PostgresServer, database: str) -> None:
    with login(postgres, database, "gateway") as connection:
        assert may(connection, "SELECT id, user_id, exam_id FROM test_sessions")
        assert may(connection, "SELECT question_id FROM exam_questions")
        assert not may(connection, "SELECT FROM users")
        assert not may(connection, "SELECT id FROM attempt_events")
        assert not may(connection, "INSERT INTO dead_letters DEFAULT VALUES")


def test_the_consumers_login_adds_events_and_changes_none(postgres: PostgresServer, database: str) -> None:
    with login(postgres, database, "consumer") as connection:
        connection.execute("CREATE TEMPORARY TABLE staged (id uuid)")
        assert may(connection, "INSERT INTO attempt_events DEFAULT VALUES")
        assert may(connection, "INSERT INTO dead_letters DEFAULT VALUES")
        assert may(connection, "UPDATE partition_ledger SET records = records")
        assert not may(connection, "UPDATE attempt_events SET seq = 0")
        assert not may(connection, "DELETE FROM attempt_events")
        assert not may(connection, "DELETE FROM partition_ledger")


def test_the_exporters_login_reads_events_and_keeps_the_exports_books(postgres: PostgresServer, database: str) -> None:
    with login(postgres, database, "exporter") as connection:
        assert may(connection, "SELECT id FROM attempt_events")
        assert may(connection, "UPDATE export_targets SET fence = fence")
        assert not may(connection, "INSERT INTO attempt_events DEFAULT VALUES")
        assert not may(connection, "DELETE FROM attempt_events")
        assert not may(connection, "SELECT FROM users")


def test_the_exporter_logs_in_with_its_password_beside_the_url(
    postgres: PostgresServer, database: str, tmp_path: Path
) -> None:
    owners = postgres.database_url(database)
    with psycopg.connect(owners) as connection:
        store(connection, insert_exam(owners), 12)
    given = {
        "ATTEMPTLOG_DATABASE_URL": f"postgresql://exporter@127.0.0.1:{postgres.port}/{database}",
        "ATTEMPTLOG_EXPORT_PARQUET_DIRECTORY": str(tmp_path / "events"),
        "PGPASSWORD": PASSWORDS["exporter"],
    }
    done = subprocess.run(
        [*COMMAND, "export", "run", "--target", "parquet", "--once"],
        env=os.environ | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "exported: 12 rows to parquet\n"), done.stderr


def test_the_consoles_login_reads_views_writes_down_who_looked_and_nothing_else(
    postgres: PostgresServer, database: str
) -> None:
    with login(postgres, database, "reader") as connection:
        assert may(connection, "SELECT session_id FROM readable_sessions")
        assert may(connection, "INSERT INTO data_accesses DEFAULT VALUES")
        assert may(connection, "SELECT state FROM suppression_key")
        assert not may(connection, "SELECT id FROM attempt_events")
        assert not may(connection, "SELECT FROM users")
        assert not may(connection, "INSERT INTO attempt_events DEFAULT VALUES")
        assert not may(connection, "UPDATE dead_letters SET replayed_at = replayed_at")
        assert not may(connection, "DELETE FROM data_accesses")


def test_the_purgers_login_deletes_and_adds_no_event(postgres: PostgresServer, database: str) -> None:
    with login(postgres, database, "purger") as connection:
        assert may(connection, "DELETE FROM attempt_events")
        assert may(connection, "DELETE FROM dead_letters")
        assert may(connection, "DELETE FROM dead_letter_replay_outcomes")
        assert may(connection, "DELETE FROM event_sessions")
        assert may(connection, "INSERT INTO suppressions DEFAULT VALUES")
        assert not may(connection, "INSERT INTO attempt_events DEFAULT VALUES")
        assert not may(connection, "UPDATE attempt_events SET seq = 0")
        assert not may(connection, "DELETE FROM partition_ledger")
        assert not may(connection, "DELETE FROM purges")
