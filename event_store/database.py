"""One connection to PostgreSQL, and what its errors mean."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Self

import psycopg
from psycopg import AsyncConnection, IsolationLevel

from attemptlog.event_store import sql
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.runtime.grants import examine
from attemptlog.runtime.postgres import conninfo, wrong_pooling

# A network that drops everything without a word has to end as an error too. What the URL says goes first.
CONNECTION_DEFAULTS: dict[str, Any] = {
    "application_name": "attemptlog-consumer",
    "connect_timeout": 5,  # seconds
    "keepalives_idle": 10,  # seconds
    "keepalives_interval": 5,  # seconds
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,  # milliseconds
}

STATEMENT_TIMEOUT = timedelta(seconds=60)

# A consumer that is frozen inside a transaction would keep the ledger's rows locked from whoever takes over.
IDLE_TRANSACTION_TIMEOUT = timedelta(seconds=15)

# What a temporary table was made with is the oldest transaction that the server has to know, for every database of it.
# It may be two hundred million behind before the server acts; a connection of minutes keeps it far from that.
CONNECTION_LIFETIME = timedelta(minutes=10)

# Connection lost, deadlock, resources, shutting down, I/O; and what an administrator can mend while we wait: a password
# (28), a database that is being restored (3D), a read-only server (25006), a lock (55P03), our timeouts (25P03, 25P04).
TRANSIENT = ("08", "40", "53", "57", "58", "28", "3D", "25006", "25P03", "25P04", "55P03")

# Not allowed, not there, not supported: it stays so until somebody changes the database.
OPERATORS = ("42501", "42P01", "42703", "42704", "42883", "0A")
LACKING = ("42P01", "42703", "42883")  # a table, a column, a function


def is_transient(error: psycopg.Error) -> bool:
    """Return whether the same statement may work later with nothing changed in it."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(TRANSIENT)


def is_operators(error: psycopg.Error) -> bool:
    """Return whether it takes an operator to change what PostgreSQL refuses."""
    return error.sqlstate is not None and error.sqlstate.startswith(OPERATORS)


def is_refusal(error: psycopg.Error) -> bool:
    """Return whether PostgreSQL refuses the data themselves: SQLSTATE class 22 or 23."""
    return isinstance(error, psycopg.DataError | psycopg.IntegrityError)


def describe(error: Exception) -> str:
    """Return the SQLSTATE, if one was told, and the message's first line; never DETAIL, which may quote a row."""
    if not isinstance(error, psycopg.Error):
        return f"the connection broke ({type(error).__name__})"
    message = (error.diag.message_primary or str(error)).partition("\n")[0]
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        return f"PostgreSQL cannot be reached: {message}"
    return f"{error.sqlstate or type(error).__name__}: {message}"


def refusal(sqlstate: str | None, why: str) -> CannotRun:
    """Return what to raise for an error of OPERATORS; `why` is what `describe` returns."""
    remedy = "run `attemptlog migrate`" if sqlstate in LACKING else "`attemptlog doctor` looks why"
    return CannotRun(f"PostgreSQL refuses: {why}; {remedy}")


class Database:
    """A connection that opens when it is needed, again after it broke, and anew once it is old; one user at a time.

    Entering it connects to nothing, because PostgreSQL may be away; leaving it closes what is open, after the
    transaction that is under way. `answers` is whether the last thing asked worked, None while nothing was asked.
    """

    def __init__(
        self,
        url: str,
        statement_timeout: timedelta,
        connection_lifetime: timedelta = CONNECTION_LIFETIME,
        grants: Mapping[str, str] = sql.GRANTS,
    ) -> None:
        self.answers: bool | None = None
        self._grants = grants
        self._conninfo = conninfo(url, **CONNECTION_DEFAULTS)
        self._limits = {
            "statement_timeout": _milliseconds(statement_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_TRANSACTION_TIMEOUT),
        }
        self._lifetime = connection_lifetime
        self._connection: AsyncConnection[Any] | None = None
        self._pin = b""
        self._ageing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self, *, force_rollback: bool = False) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend the connection for one transaction. A transient error closes it and becomes StoreUnavailable.

        Raises StoreUnavailable when there is no connection to be had, CannotRun for what an operator has to mend.
        """
        async with self._turn:
            try:
                connection = self._connection = self._connection or await self._open()
                async with connection.transaction(force_rollback=force_rollback):
                    await connection.execute(self._pin)
                    yield connection
            except Exception as error:
                # psycopg ends a COPY whose connection breaks with a ValueError
                is_broken = self._connection is not None and self._connection.broken
                if is_broken or isinstance(error, psycopg.Error):
                    self.answers = False
                    await self._hang_up()
                if isinstance(error, psycopg.Error) and (fault := wrong_pooling(error)):
                    raise CannotRun(fault) from error
                if is_broken or (isinstance(error, psycopg.Error) and is_transient(error)):
                    raise StoreUnavailable(describe(error)) from error
                if isinstance(error, psycopg.Error) and is_operators(error):
                    raise refusal(error.sqlstate, describe(error)) from error
                raise
            self.answers = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._turn:
            await self._hang_up()

    async def _hang_up(self) -> None:
        if self._ageing is not None and self._ageing is not asyncio.current_task():
            self._ageing.cancel()
        connection, self._connection, self._ageing = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> AsyncConnection[Any]:
        # Planning anew costs little beside a batch, and a plan made for ten rows would be kept for five thousand.
        connection = await AsyncConnection.connect(self._conninfo, autocommit=True, prepare_threshold=None)
        try:
            await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
            self._pin = await self._examine(connection)
        except BaseException:
            await connection.close()
            raise
        self._ageing = asyncio.create_task(self._retire(connection))
        return connection

    async def _retire(self, connection: AsyncConnection[Any]) -> None:
        """Close the connection once it is old, between two transactions, idle or not."""
        await asyncio.sleep(self._lifetime.total_seconds())
        async with self._turn:
            if self._connection is connection:
                await self._hang_up()

    async def _examine(self, connection: AsyncConnection[Any]) -> bytes:
        """Return the statement that every transaction begins with. Raises CannotRun when the database is not fit."""
        faults, pin = await examine(connection, self._grants, self._limits)
        if faults:
            raise CannotRun("; ".join(faults))
        async with connection.transaction():
            await connection.execute(pin)
            cursor = await connection.execute(sql.MISSING_COLUMNS, [sql.REQUIRED_COLUMNS])
            missing = [name for (name,) in await cursor.fetchall()]
        if missing:
            raise CannotRun(f"the database lacks {', '.join(missing)}: run `attemptlog migrate`")
        return pin.as_bytes(connection)


class Connected:
    """Has a database for itself, whose connection is closed when this is left. Constructing connects to nothing."""

    def __init__(self, database_url: str, statement_timeout: timedelta = STATEMENT_TIMEOUT) -> None:
        self._database = Database(database_url, statement_timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._database.__aexit__()


def _milliseconds(time: timedelta) -> str:
    return str(int(time.total_seconds() * 1000))
