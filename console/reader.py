"""Connections for those who only look: each transaction says who does, and reads one state of the tables."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self

from psycopg import AsyncConnection, Error, sql
from psycopg.rows import DictRow, dict_row, tuple_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from attemptlog.event_store.database import CONNECTION_DEFAULTS, describe, is_operators, is_transient, refusal
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.viewing import GRANTS, SAY_WHO_LOOKS, Viewer
from attemptlog.runtime.grants import examine
from attemptlog.runtime.postgres import conninfo, wrong_pooling

WAIT_FOR_CONNECTION = timedelta(seconds=5)
CONNECTION_LIFETIME = timedelta(minutes=10)  # then what the role may do is looked at again, and a new server found

# Nothing that is looked at takes a second; what hangs is given up before the reader has gone away.
LIMITS = {"statement_timeout": "15000", "idle_in_transaction_session_timeout": "30000"}  # milliseconds

ONE_STATE = sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


class _Pinned(AsyncConnection[DictRow]):
    """Knows what its transactions begin with, and what its role lacks."""

    pin = sql.Composed([])
    faults: tuple[str, ...] = ()


class Reader:
    """Lends transactions, `most` at a time. Use as `async with`; opening never fails and never waits for PostgreSQL."""

    def __init__(self, database_url: str, most: int, application_name: str = "attemptlog-console") -> None:
        defaults = CONNECTION_DEFAULTS | {"application_name": application_name}
        self._pool = AsyncConnectionPool(
            conninfo(database_url, **defaults),
            connection_class=_Pinned,
            min_size=0,
            max_size=most,
            timeout=WAIT_FOR_CONNECTION.total_seconds(),
            open=False,
            check=AsyncConnectionPool.check_connection,
            max_lifetime=CONNECTION_LIFETIME.total_seconds(),
            configure=_configure,
            # behind a pooler the next statement may meet another session of the server
            kwargs={"autocommit": True, "prepare_threshold": None},
        )

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._pool.close(timeout=1)

    async def can_read(self) -> bool:
        """Say whether PostgreSQL answers, and lets the role do what it needs."""
        try:
            async with self.writing():
                return True
        except (StoreUnavailable, CannotRun):
            return False

    @asynccontextmanager
    async def looking(self, viewer: Viewer) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Lend a transaction in which the viewer looks: rows are dicts, and all of them of one moment.

        Raises StoreUnavailable when PostgreSQL cannot be asked now, CannotRun for what an operator has to mend.
        """
        async with self._lent() as connection, connection.transaction():
            await connection.execute(ONE_STATE)
            await connection.execute(connection.pin)
            await connection.execute(SAY_WHO_LOOKS, viewer.parameters)
            yield connection

    @asynccontextmanager
    async def writing(self, viewer: Viewer | None = None) -> AsyncIterator[AsyncConnection[DictRow]]:
        """Lend a transaction in which each statement sees what is committed by then; the viewer, if any, looks.

        It is committed when this is left. Raises as `looking`.
        """
        async with self._lent() as connection, connection.transaction():
            await connection.execute(connection.pin)
            if viewer:
                await connection.execute(SAY_WHO_LOOKS, viewer.parameters)
            yield connection

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[_Pinned]:
        try:
            async with self._pool.connection() as connection:
                if connection.faults:
                    await connection.close()  # a grant may be there when the next one is opened
                    raise CannotRun("; ".join(connection.faults))
                yield connection
        except (Error, PoolTimeout, OSError) as error:  # TimeoutError is an OSError
            raise _meaning(error) from error


def _meaning(error: Exception) -> Exception:
    if not isinstance(error, Error) or isinstance(error, PoolTimeout):
        return StoreUnavailable(describe(error))
    if fault := wrong_pooling(error):
        return CannotRun(fault)
    if is_operators(error):
        return refusal(error.sqlstate, describe(error))
    return StoreUnavailable(describe(error)) if is_transient(error) else error


async def _configure(connection: Any) -> None:
    connection.row_factory = tuple_row
    faults, connection.pin = await examine(connection, GRANTS, LIMITS)
    connection.faults, connection.row_factory = tuple(faults), dict_row
