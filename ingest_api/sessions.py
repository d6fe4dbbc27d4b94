"""Whose session it is and what it may ask: looked up in PostgreSQL, remembered for a while, never waited for long."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, Self

from cachetools import TTLCache
from psycopg import AsyncConnection, Error, IsolationLevel
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from attemptlog.runtime.grants import examine
from attemptlog.runtime.postgres import conninfo

logger = logging.getLogger(__name__)

MAX_EXAMS = 2_000  # question sets kept; one exam, one set, however many sessions
MAX_IDS_WAITING = 5_000  # for the next query
CONNECT_TIMEOUT = timedelta(seconds=2)
QUERY_TIMEOUT = timedelta(seconds=5)  # a server that hangs is given up, and asked again on a new connection
CONNECTION_LIFETIME = timedelta(minutes=10)  # then what the role may see is looked at again, and a new server found
PAUSE_AFTER_FAILURE = timedelta(seconds=1)  # meanwhile nobody waits for a PostgreSQL that is away

LIMITS = {"statement_timeout": str(int(QUERY_TIMEOUT.total_seconds() * 1000))}
GRANTS = {"test_sessions": "SELECT", "exam_questions": "SELECT"}  # what the gateway's role has, and needs

FIND_SESSIONS = """
    SELECT s.id::text, s.user_id::text, s.exam_id::text,
           CASE
               WHEN s.exam_id = ANY(%(known_exams)s::uuid[]) AND s.id <> ALL(%(anew)s::uuid[]) THEN NULL
               ELSE ARRAY(SELECT question_id::text FROM exam_questions q WHERE q.exam_id = s.exam_id)
           END
    FROM test_sessions s
    WHERE s.id = ANY(%(ids)s::uuid[])
"""


@dataclass(frozen=True, slots=True)
class Session:
    """Who owns a session, and the questions it may name; None: any (a session without an exam)."""

    user_id: str
    questions: frozenset[str] | None


class SessionDirectory(Protocol):
    """Use as `async with`; opening never fails and never waits for PostgreSQL."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    @property
    def is_ready(self) -> bool:
        """False after a look-up that failed, until one succeeds."""
        ...

    @property
    def cached(self) -> int:
        """How many sessions are remembered."""
        ...

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return a Session or, where there is none, None; an id that could not be looked up is not in the mapping.

        The answer about a session of somebody else than `user_id` takes the way of one about an unknown session.
        """
        ...

    async def find_anew(self, ids: Collection[str]) -> Mapping[str, Session | None]:
        """The same of any user's sessions, and never from what is remembered: what a refusal may rest on."""
        ...


class MemorySessions:
    """A directory without PostgreSQL, for tests: set `sessions`; `is_ready` False makes every look-up fail."""

    cached = 0

    def __init__(self, sessions: Mapping[str, Session] | None = None) -> None:
        self.sessions = dict(sessions or {})
        self.is_ready = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return what `sessions` says."""
        return await self.find_anew(ids)

    async def find_anew(self, ids: Collection[str]) -> Mapping[str, Session | None]:
        """Return what `sessions` says."""
        return {id_: self.sessions.get(id_) for id_ in ids} if self.is_ready else {}


@dataclass(slots=True, eq=False)
class Lookup:
    """Ids that one query asks for, of those in `anew` the questions, too, whatever is remembered of their exam.

    `found` is resolved with what is known of each, or with nothing.
    """

    ids: set[str] = field(default_factory=set)
    anew: set[str] = field(default_factory=set)
    found: asyncio.Future[Mapping[str, Session | None]] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    started_at: float | None = None


class PostgresSessions:
    """Looks sessions up, one query at a time for all the batches that came in meanwhile; see SessionDirectory.

    A batch waits `lookup_timeout` at most, and not at all behind a query that already takes longer. A query that is
    late goes on and fills the cache for the next batch. `watch` gets each task that asks PostgreSQL: what such a task
    dies of is a fault.
    """

    def __init__(
        self,
        database_url: str,
        *,
        lookup_timeout: timedelta,
        cache_size: int,
        cache_ttl: timedelta,
        watch: Callable[["asyncio.Task[None]"], None] = lambda _: None,
    ) -> None:
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
        self._watch = watch
        self._examined: AsyncConnection | None = None
        self._pin = b""
        self._lookup_timeout = lookup_timeout.total_seconds()
        self._sessions: TTLCache[str, Session] = TTLCache(cache_size, cache_ttl.total_seconds())
        self._exams: TTLCache[str, frozenset[str]] = TTLCache(MAX_EXAMS, cache_ttl.total_seconds())
        self._next: Lookup
        self._current: Lookup | None = None
        self._worker: asyncio.Task[None] | None = None
        self._away_until = 0.0
        self.is_ready = True

    async def __aenter__(self) -> Self:
        self._next = Lookup()
        await self._pool.open(wait=False)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self._pool.close(timeout=1)

    @property
    def cached(self) -> int:
        """Sessions in the cache."""
        return len(self._sessions)

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return the sessions, the user's own from the cache where it has them.

        Another's is asked for again, as an unknown one is: it may be the user's by now, and an answer at once would
        tell that there is such a session.
        """
        found: dict[str, Session | None] = {}
        asked = []
        for id_ in ids:
            session = self._sessions.get(id_)
            if session is not None and session.user_id == user_id:
                found[id_] = session
            else:
                asked.append(id_)
        return found | await self._look_up_in_time(asked) if asked else found

    async def find_anew(self, ids: Collection[str]) -> Mapping[str, Session | None]:
        """Return what PostgreSQL says now; one query at a time asks for all who doubt, so doubting costs it little."""
        return await self._look_up_in_time(ids, anew=True)

    async def _look_up_in_time(self, ids: Collection[str], *, anew: bool = False) -> dict[str, Session | None]:
        if self._is_slow() or len(self._next.ids) > MAX_IDS_WAITING:
            return {}
        lookup = self._next
        lookup.ids.update(ids)
        lookup.anew.update(ids if anew else ())
        if self._worker is None:
            self._worker = asyncio.create_task(self._work())
            self._watch(self._worker)
        # not wait_for: cancelling a query would wait for the server to answer the cancellation
        await asyncio.wait({lookup.found}, timeout=self._lookup_timeout)
        found = lookup.found.result() if lookup.found.done() else {}
        return {id_: found[id_] for id_ in ids if id_ in found}

    def _is_slow(self) -> bool:
        now = asyncio.get_running_loop().time()
        running_since = self._current.started_at if self._current and self._current.started_at else now
        return now < self._away_until or now - running_since > self._lookup_timeout

    async def _work(self) -> None:
        while self._next.ids:
            self._current, self._next = self._next, Lookup()
            self._current.started_at = asyncio.get_running_loop().time()
            self._current.found.set_result(await self._look_up(self._current))
        self._current = self._worker = None

    async def _look_up(self, lookup: Lookup) -> Mapping[str, Session | None]:
        try:
            async with asyncio.timeout(QUERY_TIMEOUT.total_seconds()), self._pool.connection() as connection:
                rows = await self._query(connection, lookup)
        except (Error, PoolTimeout, OSError) as error:  # TimeoutError is an OSError
            self._note_failure(_describe(error))
            return {}
        self.is_ready, self._away_until = True, 0.0
        found = {id_: Session(user, self._questions(exam, questions)) for id_, user, exam, questions in rows}
        self._sessions.update(found)
        return {id_: found.get(id_) for id_ in lookup.ids}

    async def _query(self, connection: AsyncConnection, lookup: Lookup) -> list[TupleRow]:
        if connection is not self._examined:
            _, pin = await examine(connection, GRANTS, LIMITS)  # what is lacking, the look-up itself will say
            self._pin, self._examined = pin.as_bytes(connection), connection
        asked = {"ids": list(lookup.ids), "anew": list(lookup.anew), "known_exams": list(self._exams)}
        # in a pipeline, all of it is one wait for the server
        async with connection.pipeline(), connection.transaction():
            await connection.execute(self._pin)
            cursor = await connection.execute(FIND_SESSIONS, asked)
        return await cursor.fetchall()

    def _questions(self, exam: str | None, questions: list[str] | None) -> frozenset[str] | None:
        if exam is None:
            return None
        if questions is not None:
            self._exams[exam] = frozenset(questions)
        return self._exams.get(exam)

    def _note_failure(self, why: str) -> None:
        self._away_until = asyncio.get_running_loop().time() + PAUSE_AFTER_FAILURE.total_seconds()
        if self.is_ready:
            logger.warning("sessions cannot be looked up", extra={"action": "sessions_away", "error": why})
        self.is_ready = False
        self._examined = None  # a grant or a policy may have changed


async def _configure(connection: AsyncConnection) -> None:
    await connection.set_autocommit(True)
    await connection.set_read_only(True)
    await connection.set_isolation_level(IsolationLevel.READ_COMMITTED)


def _describe(error: Exception) -> str:
    said = error.diag.message_primary if isinstance(error, Error) else None
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
