"""Purges as an operator types them, whom they are about, and what is left of anybody."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import uuid4

import orjson
import psycopg
from psycopg import sql
from typer.testing import CliRunner, Result

from attemptlog.cli.app import app
from attemptlog.event_store.suppression import LOCK_TO_STORE
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.schemas import Envelope
from tests.support.consumer import Partition, envelope, ledger, query
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.letters import add_session, store_records

KEY = "the key of the tests' pseudonyms, long enough"
PSEUDONYMS = Pseudonyms(KEY)

PLATFORMS = ("users", "exams", "questions", "exam_questions", "test_sessions")  # the platform deletes from its own
SELECT_TABLES = """
SELECT oid::regclass::text
FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname <> ALL(%s)
"""


def run(database_url: str, *arguments: object, key: str | None = KEY) -> Result:
    """Run a command as its user does."""
    settings = {"ATTEMPTLOG_DATABASE_URL": database_url, "COLUMNS": "160", "ATTEMPTLOG_PSEUDONYM_KEY": key}
    return CliRunner(env=settings).invoke(app, [*map(str, arguments)])


def data(database_url: str, *arguments: object) -> Any:
    """Return what a command prints with --json."""
    result = run(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output or repr(result.exception)
    return orjson.loads(result.stdout)


def purged(database_url: str, *whom: object) -> Any:
    """Purge and return what is said of it."""
    return data(database_url, "purge", *whom, "--reason", "they asked for it", "--apply")


def tables_with(database_url: str, *ids: str) -> list[str]:
    """Return our tables in which one of the ids stands anywhere, be it in bytes or in upper case."""
    written = [form for each in ids for form in (each, each.replace("-", ""))]
    forms = {form for each in written for form in (each, each.encode().hex(), each.upper().encode().hex())}
    with psycopg.connect(database_url) as connection:
        tables = [table for (table,) in connection.execute(SELECT_TABLES, [list(PLATFORMS)]).fetchall()]
        return [table for table in tables if _holds(connection, table, [f"%{form}%" for form in forms])]


def _holds(connection: psycopg.Connection, table: str, patterns: list[str]) -> bool:
    look = sql.SQL("SELECT EXISTS (SELECT FROM {table} WHERE lower({table}::text) LIKE ANY(%s))")
    [[found]] = connection.execute(look.format(table=sql.Identifier(table)), [patterns]).fetchall()
    return bool(found)


CHECKSUM = "SELECT count(*), md5(string_agg({table}::text, ',' ORDER BY {table}::text)) FROM {table}"
TABLES = ("attempt_events", "dead_letters", "dead_letter_replay_outcomes", "dead_letter_replays", "event_sessions")


@dataclass
class School:
    """Two persons with events and dead letters, one of them with two sessions."""

    database_url: str
    partition: Partition = field(default_factory=Partition)

    def __post_init__(self) -> None:
        self.anna, self.other = insert_exam(self.database_url), insert_exam(self.database_url)
        self.second = replace(self.anna, session=str(uuid4()), exam="")
        add_session(self.database_url, self.second.session, self.anna.user)

    @property
    def ids(self) -> list[str]:
        """The ids of the first person and her sessions."""
        return [self.anna.user, self.anna.session, self.second.session]

    def store(self, *values: Envelope | bytes | None, key: bytes | None = b"key") -> None:
        """Store records as the consumer does."""
        records = [replace(record, key=key) for record in self.partition.records(*values)]
        store_records(self.database_url, records, pseudonyms=PSEUDONYMS)

    def checksums(self) -> dict[str, Any]:
        """Return count and checksum of each table."""
        return {table: query(self.database_url, CHECKSUM.format(table=table)) for table in TABLES}


def events(exam: Exam, count: int, **fields: Any) -> list[Envelope]:
    """Return so many events of an exam's session; `fields` replace."""
    return [envelope(exam, seq, **fields) for seq in range(1, count + 1)]


def assert_books_balance(database_url: str) -> None:
    """What the ledger and the replays stored is in the tables, or was purged."""
    rows = ledger(database_url).values()
    [[stored, letters, replayed]] = query(
        database_url,
        """
        SELECT
            (SELECT count(*) FROM attempt_events) + (SELECT sum(events) FROM purges),
            (SELECT count(*) FROM dead_letters) + (SELECT coalesce(sum(letters), 0) FROM purged_letters),
            (SELECT count(*) FROM dead_letters WHERE replay_outcome = 'inserted')
                + (SELECT coalesce(sum(replayed), 0) FROM purged_letters)
        """,
    )
    assert stored == sum(row["inserted"] for row in rows) + replayed
    assert letters == sum(row["dead_lettered"] for row in rows)


def list_of(database_url: str) -> set[str]:
    """Return the pseudonyms of those who are suppressed."""
    return {it.hex for it in query(database_url, "SELECT pseudonym FROM suppressions")}


FILL = """
INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id)
SELECT gen_random_uuid(), 1, 'PAUSE_BLUR', now(), %s, %s FROM generate_series(1, %s)
RETURNING id
"""


CONNECTED = "SELECT pid FROM pg_stat_activity WHERE application_name = 'attemptlog-purge'"
WAITING_FOR_A_LOCK = f"{CONNECTED} AND wait_event_type = 'Lock'"


def wait_until(check: Callable[[], Any]) -> None:
    """Wait until a check is true; see `eventually`."""
    asyncio.run(eventually(check))


COUNT_WAITED_FOR = """
SELECT count(DISTINCT (classid, objid))
FROM pg_locks
JOIN pg_database ON pg_database.oid = database
WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()
"""


@contextmanager
def entries_locked(database_url: str) -> Iterator[None]:
    """As by a consumer that is frozen after it has entered the sessions of its batch."""
    with psycopg.connect(database_url) as connection:
        connection.execute("LOCK TABLE event_sessions IN ROW EXCLUSIVE MODE")
        yield


@contextmanager
def frozen_batch(database_url: str) -> Iterator[None]:
    """As by a consumer that is frozen after it has looked who is suppressed."""
    with psycopg.connect(database_url) as connection:
        connection.execute(LOCK_TO_STORE)
        yield


@contextmanager
def running(database_url: str, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A purge, or a retention, that is applied by a process of its own."""
    command = [sys.executable, "-m", "attemptlog.cli", *arguments, "--reason", "asked", "--apply"]
    settings = {"ATTEMPTLOG_DATABASE_URL": database_url, "ATTEMPTLOG_PSEUDONYM_KEY": KEY}
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()
