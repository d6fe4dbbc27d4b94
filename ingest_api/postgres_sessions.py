"""Sessions looked up in PostgreSQL, remembered for a while, never waited for long."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from cachetools import TTLCache

from attemptlog.ingest_api.session_reader import SessionReader, SessionsUnavailable
from attemptlog.ingest_api.sessions import Session
from attemptlog.runtime.pseudonyms import Pseudonyms

logger = logging.getLogger(__name__)

MAX_EXAMS = 2_000  # question sets kept; one exam, one set, however many sessions
MAX_IDS_WAITING = 5_000  # for the next query
PAUSE_AFTER_FAILURE = timedelta(seconds=1)  # meanwhile nobody waits for a PostgreSQL that is away


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
    dies of is a fault. `timed` gets the seconds of each query that was answered.
    """

    def __init__(
        self,
        database_url: str,
        *,
        lookup_timeout: timedelta,
        cache_size: int,
        cache_ttl: timedelta,
        watch: Callable[["asyncio.Task[None]"], None] = lambda _: None,
        timed: Callable[[float], None] = lambda _: None,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._reader = SessionReader(database_url, pseudonyms)
        self._watch = watch
        self._timed = timed
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
        await self._reader.__aenter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
        await self._reader.__aexit__()

    @property
    def cached(self) -> int:
        return len(self._sessions)

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return the sessions, the user's own from the cache where it has them.

        Another's is asked for again, as an unknown one is: it may be the user's by now, and an answer at once would
        tell that there is such a session.
        """
        found: dict[str, Session | None] = {}
        asked = []
        for id_ in ids:
            session = self._remembered(id_)
            if session is not None and session.user_id == user_id:
                found[id_] = session
            else:
                asked.append(id_)
        return found | await self._look_up_in_time(asked) if asked else found

    def _remembered(self, id_: str) -> Session | None:
        try:
            return self._sessions[id_]  # `get` looks twice
        except KeyError:
            return None

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
        # taken out now, for they may be forgotten before the answer comes
        known = {exam: questions for exam in list(self._exams) if (questions := self._exams.get(exam)) is not None}
        began_at = time.perf_counter()
        try:
            rows = await self._reader.read(lookup.ids, anew=lookup.anew, known_exams=known)
        except SessionsUnavailable as error:
            self._note_failure(str(error))
            return {}
        self._timed(time.perf_counter() - began_at)
        self.is_ready, self._away_until = True, 0.0
        found = {id_: Session(user, self._questions(exam, questions, known)) for id_, user, exam, questions in rows}
        self._sessions.update(found)
        return {id_: found.get(id_) for id_ in lookup.ids}

    def _questions(
        self, exam: str | None, questions: list[str] | None, known: Mapping[str, frozenset[str]]
    ) -> frozenset[str] | None:
        if exam is None:
            return None
        if questions is None:
            return self._exams.get(exam, known[exam])
        fresh = self._exams[exam] = frozenset(questions)
        return fresh

    def _note_failure(self, why: str) -> None:
        self._away_until = asyncio.get_running_loop().time() + PAUSE_AFTER_FAILURE.total_seconds()
        if self.is_ready:
            logger.warning("sessions cannot be looked up", extra={"action": "sessions_away", "error": why})
        self.is_ready = False
