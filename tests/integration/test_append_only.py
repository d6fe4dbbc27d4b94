"""What is append-only is refused to be changed, and doctor says so where it is not any more."""

import psycopg
import pytest

from attemptlog.cli.doctor import _database
from attemptlog.event_store.append_only import GUARDS
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from tests.support.consumer import query
from tests.support.oldest_postgres import on_every_postgres

TURNED_OFF = {
    "attempt_events DISABLE TRIGGER attempt_events_append_only": "ENABLE TRIGGER attempt_events_append_only",
    "attempt_events DISABLE TRIGGER USER": "ENABLE TRIGGER attempt_events_no_truncate",
    "attempt_events ENABLE REPLICA TRIGGER attempt_events_append_only": "rows of attempt_events can be changed",
    "event_sessions DISABLE TRIGGER ALL": "ENABLE TRIGGER event_sessions_append_only",
    "data_accesses DISABLE TRIGGER data_accesses_no_truncate": "rows of data_accesses can be changed",
}


async def doctor(database_url: str) -> str:
    return await _database(OperatorSettings(database_url=database_url))


@on_every_postgres
@pytest.mark.parametrize("statement", TURNED_OFF)
async def test_a_guard_that_is_off_is_named_with_what_turns_it_on(database_url: str, statement: str) -> None:
    await doctor(database_url)
    execute(database_url, f"ALTER TABLE {statement}")
    with pytest.raises(OperatorError, match=TURNED_OFF[statement]):
        await doctor(database_url)


async def test_a_guard_that_is_gone_is_named(database_url: str) -> None:
    execute(database_url, "DROP TRIGGER attempt_events_append_only ON attempt_events")
    with pytest.raises(OperatorError, match="create its trigger attempt_events_append_only again"):
        await doctor(database_url)


async def test_what_it_says_mends_it(database_url: str) -> None:
    execute(database_url, "ALTER TABLE attempt_events DISABLE TRIGGER attempt_events_append_only")
    with pytest.raises(OperatorError) as raised:
        await doctor(database_url)
    execute(database_url, str(raised.value).partition(": ")[2].removesuffix("."))
    assert await doctor(database_url)


async def test_a_guard_that_always_fires_is_one(database_url: str) -> None:
    execute(database_url, "ALTER TABLE attempt_events ENABLE ALWAYS TRIGGER attempt_events_append_only")
    assert await doctor(database_url)


def test_every_guard_of_the_tables_is_looked_at(database_url: str) -> None:
    found = query(
        database_url,
        "SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger"
        " WHERE tgfoid = 'attemptlog_refuse_change'::regproc ORDER BY 1, 2",
    )
    assert found == sorted((table, guard) for table, guards in GUARDS.items() for guard in guards)


def execute(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement.encode())
