"""Records through the consumer's store, and commands beside it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import orjson
from typer.testing import CliRunner, Result

from attemptlog.cli.app import app
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.store import Store
from attemptlog.runtime.pseudonyms import Pseudonyms
from tests.support.consumer import FakeRecord, query

TOPIC = "attempt-events.v1"


def store_records(
    database_url: str, records: Sequence[FakeRecord], topic: str = TOPIC, pseudonyms: Pseudonyms | None = None
) -> None:
    """Store records as the consumer does."""
    asyncio.run(_store(database_url, records, topic, pseudonyms))


async def _store(database_url: str, records: Sequence[FakeRecord], topic: str, pseudonyms: Pseudonyms | None) -> None:
    async with Store(database_url, topic, pseudonyms=pseudonyms) as store:
        await store.write(decode_batch(records))


def attemptlog(database_url: str, *arguments: object, columns: int = 160) -> Result:
    """Run a command against a database, on a terminal of so many columns."""
    return CliRunner(env={"ATTEMPTLOG_DATABASE_URL": database_url, "COLUMNS": str(columns)}).invoke(
        app, [*map(str, arguments)]
    )


def data(database_url: str, *arguments: object) -> Any:
    """Return what a command prints with --json."""
    result = attemptlog(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return orjson.loads(result.stdout)


def add_session(database_url: str, session: str, user: str) -> None:
    """Insert a session without an exam."""
    query(database_url, "INSERT INTO test_sessions (id, user_id) VALUES (%s, %s) RETURNING id", session, user)


def replay_outcomes(database_url: str) -> dict[int, str | None]:
    """Return the outcome of the last replay by the offset of the letter."""
    return dict(query(database_url, "SELECT kafka_offset, replay_outcome FROM dead_letters"))
