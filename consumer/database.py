"""One connection to PostgreSQL, and what its errors mean."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from consumer import sql
from consumer.errors import CannotRun, StoreUnavailable

# A network that drops everything without a word has to end as an error too. What the URL says goes first.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "attemptlog-consumer",
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}

# A consumer that is frozen inside a transaction would keep the ledger's rows locked from whoever takes over.
IDLE_TRANSACTION_TIMEOUT = timedelta(seconds=15)

# Connection lost, deadlock, resources, shutting down, I/O; and what an administrator can mend while we wait: a password
# (28), a database that is being restored (3D), a read-only server (25006), a lock (55P03), our timeouts (25P03, 25P04).
TRANSIENT = ("08", "40", "53", "57", "58", "28", "3D", "25006", "25P03", "25P04", "55P03")


def is_transient(error: psycopg.Error) -> bool:
    """Return whether the same statement may work later with nothing changed in it."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(TRANSIENT)


def is_refusal(error: psycopg.Error) -> bool:
    """Return whether PostgreSQL refuses the data themselves: SQLSTATE class 22 or 23."""
    return isinstance(error, psycopg.DataError | psycopg.IntegrityError)


def describe(error: Exception) -> str:
    """Return the SQLSTATE and the message's first line; never DETAIL, which may quote a row."""
    if not isinstance(error, psycopg.Error):
        return f"the connection broke ({type(error).__name__})"
    message = error.diag.message_primary or str(error)
    return f"{error.sqlstate or type(error).__name__}: {message.partition(chr(10))[0]}"


class Database:
    """A connection that opens when it is needed, and again after it broke; one user at a time."""

    def __init__(self, url: str, statement_timeout: timedelta) -> None:
        self.is_available = False
        self._conninfo = make_conninfo(**(CONNECTION_DEFAULTS | conninfo_to_dict(url)))
        self._statement_timeout = statement_timeout
        self._connection: AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend the connection. A transient error inside closes it and becomes StoreUnavailable.

        Raises StoreUnavailable when there is no connection to be had, CannotRun when the schema is not there.
        """
        async with self._turn:
            try:
                self._connection = self._connection or await self._open()
                yield self._connection
            except Exception as error:
                # psycopg ends a COPY whose connection breaks with a ValueError
                is_broken = self._connection is not None and self._connection.broken
                if is_broken or isinstance(error, psycopg.Error):
                    await self._drop()
                if is_broken or (isinstance(error, psycopg.Error) and is_transient(error)):
                    raise StoreUnavailable(describe(error)) from error
                raise
            self.is_available = True

    async def close(self) -> None:
        async with self._turn:
            await self._drop()

    async def _drop(self) -> None:
        self.is_available = False
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> AsyncConnection[Any]:
        # Planning anew costs little beside a batch, and a plan made for ten rows would be kept for five thousand.
        connection = await AsyncConnection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            await self._prepare(connection)
        except BaseException:
            await connection.close()
            raise
        return connection

    async def _prepare(self, connection: AsyncConnection[Any]) -> None:
        for name, timeout in {
            "statement_timeout": self._statement_timeout,
            "idle_in_transaction_session_timeout": IDLE_TRANSACTION_TIMEOUT,
        }.items():
            milliseconds = str(int(timeout.total_seconds() * 1000))
            await connection.execute("SELECT set_config(%s, %s, false)", [name, milliseconds])
        required = {"tables": sql.REQUIRED_TABLES, "columns": sql.REQUIRED_COLUMNS}
        missing = await (await connection.execute(sql.MISSING, required)).fetchall()
        if missing:
            names = ", ".join(name for (name,) in missing)
            raise CannotRun(f"the database lacks {names}: run `attemptlog migrate`")
        await connection.execute(sql.CREATE_STAGING)
