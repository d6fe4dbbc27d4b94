"""A transaction for a command, which reads the same whatever role, database and environment say."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import psycopg
from psycopg import AsyncConnection, Connection, IsolationLevel, sql

from attemptlog.runtime import postgres
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.postgres import Survey

# Behind a pooler, what is prepared or set for longer than a transaction would be met by somebody else.
CONNECTION: dict[str, Any] = {"autocommit": True, "prepare_threshold": None}


@contextmanager
def transaction(
    database_url: str, *, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED, **options: Any
) -> Iterator[Connection[Any]]:
    """Lend a connection for one transaction and close it; raise OperatorError when nothing can be read here.

    `options` are those of psycopg's connect, such as a row factory.
    """
    with psycopg.connect(postgres.conninfo(database_url), **CONNECTION, **options) as connection:
        connection.isolation_level = isolation
        with connection.transaction():
            found = connection.cursor(row_factory=psycopg.rows.tuple_row).execute(postgres.SURVEY).fetchall()
            connection.execute(_pin(found))
            yield connection


@asynccontextmanager
async def open_transaction(
    database_url: str, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED, *, read_only: bool | None = None
) -> AsyncIterator[AsyncConnection[Any]]:
    """Lend a connection for one transaction and close it; raise OperatorError when nothing can be read here."""
    async with await AsyncConnection.connect(postgres.conninfo(database_url), **CONNECTION) as connection:
        await connection.set_isolation_level(isolation)
        await connection.set_read_only(read_only)
        async with connection.transaction():
            found = await (await connection.execute(postgres.SURVEY)).fetchall()
            await connection.execute(_pin(found))
            yield connection


def _pin(found: list[tuple[Any, ...]]) -> sql.Composed:
    [survey] = map(Survey._make, found)
    if fault := postgres.unfit(survey):
        raise OperatorError(f"{fault[0].upper()}{fault[1:]}.")
    return postgres.pin(survey)
