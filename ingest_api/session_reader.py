"""Sessions as PostgreSQL has them, read on one connection with no more rights than the gateway has."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Self

from psycopg import AsyncConnection, Error, IsolationLevel, ProgrammingError
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from attemptlog.ingest_api.suppressions import Suppressions
from attemptlog.runtime.grants import GATEWAY_GRANTS, examine
from attemptlog.runtime.postgres import conninfo
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import READ_KEY, SELECT_SUPPRESSED, as_array, subjects

CONNECT_TIMEOUT = timedelta(seconds=2)
QUERY_TIMEOUT = timedelta(seconds=5)  # a server that hangs is given up, and asked again on a new connection
CONNECTION_LIFETIME = timedelta(minutes=10)  # then what the role may see is looked at again, and a new server found

LIMITS = {"statement_timeout": str(int(QUERY_TIMEOUT.total_seconds() * 1000))}

FIND_SESSIONS = """
    SELECT s.id::text, s.user_id::text, s.exam_id::text,
           CASE
               WHEN s.exam_id = ANY(%(known_exams)s::uuid[]) AND s.id <> ALL(%(anew)s::uuid[]) THEN NULL
               ELSE ARRAY(SELECT question_id::text FROM exam_questions q WHERE q.exam_id = s.exam_id)
           END
    FROM test_sessions s
    WHERE s.id = ANY(%(ids)s::uuid[])
"""


class SessionsUnavailable(Exception):
    """PostgreSQL is away, or refuses for now: let the consumer decide. The message quotes no row."""


class SessionReader:
    """Use as `async with`; opening never fails and never waits for PostgreSQL."""

    def __init__(self, database_url: str, pseudonyms: Pseudonyms | None = None) -> None:
        self._suppressions = Suppressions(pseudonyms)
        self._pool = AsyncConnectionPool(
            conninfo(database_url),
            min_size=0,
            max_size=1,
            timeout=CONNECT_TIMEOUT.total_seconds(),
            open=False,
            check=AsyncConnectionPool.check_connection,
            max_lifetime=CONNECTION_LIFETIME.total_seconds(),
            configure=_configure,
            kwargs={
                "connect_timeout": int(CONNECT_TIMEOUT.total_seconds()),
                "application_name": "attemptlog gateway",
                "prepare_threshold": None,  # behind a pooler the next statement may meet another server session
            },
        )
        self._examined: AsyncConnection | None = None
        self._lacking: list[str] = []
        self._pin = b""

    async def __aenter__(self) -> Self:
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._pool.close(timeout=1)

    async def read(
        self, ids: Collection[str], *, anew: Collection[str], known_exams: Collection[str]
    ) -> list[TupleRow]:
        """Return id, user, exam and questions of the sessions that there are and are not suppressed.

        The questions are None where there is no exam, and where it is a known one, unless the session is in `anew`.
        Raises SessionsUnavailable.
        """
        asked = {"ids": list(ids), "anew": list(anew), "known_exams": list(known_exams)}
        try:
            async with asyncio.timeout(QUERY_TIMEOUT.total_seconds()), self._pool.connection() as connection:
                return await self._read(connection, asked)
        except (Error, PoolTimeout, OSError) as error:  # TimeoutError is an OSError
            self._examined = None  # a grant or a policy may have changed
            raise SessionsUnavailable(self._describe(error)) from error

    async def _read(self, connection: AsyncConnection, asked: dict[str, list[str]]) -> list[TupleRow]:
        if connection is not self._examined:
            self._lacking, pin = await examine(connection, GATEWAY_GRANTS, LIMITS)  # the look-up itself will fail
            self._pin, self._examined = pin.as_bytes(connection), connection
        # in a pipeline, all of it is one wait for the server
        async with connection.pipeline(), connection.transaction():
            await connection.execute(self._pin)
            found = await connection.execute(FIND_SESSIONS, asked)
            key = await connection.execute(READ_KEY)
        rows = await found.fetchall()
        if not self._suppressions.can_be_read(await key.fetchall()):
            return rows
        return await self._unsuppressed(connection, rows)

    async def _unsuppressed(self, connection: AsyncConnection, rows: list[TupleRow]) -> list[TupleRow]:
        """Return the sessions that are not suppressed, neither they nor their users; asks also when there are none.

        Or the time that an answer takes would tell whether somebody else has such a session.
        """
        named = self._suppressions.names_of((session, user) for session, user, *_ in rows)
        async with connection.pipeline(), connection.transaction():
            await connection.execute(self._pin)
            found = await connection.execute(SELECT_SUPPRESSED, {"pseudonyms": as_array(named)})
        users, sessions = subjects(named, [pseudonym for (pseudonym,) in await found.fetchall()])
        return [row for row in rows if row[0].encode() not in sessions and row[1].encode() not in users]

    def _describe(self, error: Exception) -> str:
        if isinstance(error, ProgrammingError) and self._lacking:  # what is not there, or not allowed
            return "; ".join(self._lacking)
        said = error.diag.message_primary if isinstance(error, Error) else None
        return f"{type(error).__name__}: {said}" if said else type(error).__name__


async def _configure(connection: AsyncConnection) -> None:
    await connection.set_autocommit(True)
    await connection.set_read_only(True)
    await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)
