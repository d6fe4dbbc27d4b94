"""Transactions that may delete, and that keep whoever stores waiting for moments only."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from attemptlog.event_store import purge_sql
from attemptlog.event_store.books import Connection
from attemptlog.event_store.database import Connected, Database
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.runtime.postgres import conninfo

# Whoever stores waits for whoever waits for a lock of theirs: for so long, which is under a second and longer than a
# batch takes, and once every so often. It is also under PostgreSQL's deadlock_timeout, so that whoever stores is never
# the one that has to give way.
LOCK_TIMEOUT = timedelta(milliseconds=800)
PAUSE = timedelta(milliseconds=500)

# PostgreSQL ends a frozen consumer's transaction after 15 seconds and its statement after 60.
PATIENCE = timedelta(minutes=2)

LONGEST_STATEMENT = timedelta(hours=1)  # a count of all there is, for which nobody waits

Result = TypeVar("Result")


class Work(Connected):
    """A connection as a role that may delete. Whatever asks may raise StoreUnavailable, or CannotRun."""

    def __init__(self, database_url: str) -> None:
        url = conninfo(database_url, application_name="attemptlog-purge")
        self._database = Database(url, LONGEST_STATEMENT, grants=purge_sql.GRANTS)

    async def read(self, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
        """Return the rows of a statement that changes nothing."""
        async with self._database.transaction() as connection:
            return await rows(connection, statement, parameters)

    async def persist(self, step: Callable[[Connection], Awaitable[Result]]) -> Result:
        """Do a step in a transaction that waits for no lock longer than LOCK_TIMEOUT, and again until it works.

        Raises StoreUnavailable when it does not within PATIENCE.
        """
        deadline = time.monotonic() + PATIENCE.total_seconds()
        while True:
            try:
                async with self._database.transaction() as connection:
                    await connection.execute(purge_sql.PREPARE, {"lock_timeout": _milliseconds(LOCK_TIMEOUT)})
                    return await step(connection)
            except StoreUnavailable:
                if time.monotonic() >= deadline:
                    raise
            await asyncio.sleep(PAUSE.total_seconds())

    async def execute(self, statement: str, parameters: Mapping[str, Any]) -> None:
        """Run one statement as such a step."""
        await self.persist(lambda connection: connection.execute(statement.encode(), parameters))


async def rows(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> list[Any]:
    """Return the rows of a statement."""
    return await (await connection.execute(statement.encode(), parameters)).fetchall()


def _milliseconds(time_: timedelta) -> str:
    return f"{time_ // timedelta(milliseconds=1)}ms"
