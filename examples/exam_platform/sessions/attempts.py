"""What candidates do with their sessions. Each change is committed first and logged as an event then."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import UUID, uuid4
from weakref import WeakValueDictionary

from psycopg_pool import AsyncConnectionPool

from attemptlog.publisher import EventLogger
from examples.exam_platform.sessions import events
from examples.exam_platform.sessions.events import Happening
from examples.exam_platform.sessions.models import Answer, AnswerBody, Events, Exam, Review, Session, Submitted
from examples.exam_platform.sessions.problems import (
    NotFound,
    SessionExpired,
    SessionSubmitted,
    TooManySessions,
    Unauthenticated,
)
from examples.exam_platform.sessions.rows import Attempt
from examples.exam_platform.sessions.store import Store
from examples.exam_platform.sessions.views import answered, review, session

MAX_OPEN_SESSIONS = 10  # of one candidate; a person sits one exam at a time
MAX_EVENTS_SHOWN = 50

UNNAMED = UUID(int=0)
RESULT = UUID(int=1)


@dataclass(slots=True)
class Touched:
    """A session inside of a transaction, and what is to be logged once that is committed."""

    store: Store
    attempt: Attempt
    happenings: list[Happening] = field(default_factory=list)


class Attempts:
    """The sessions of all candidates; every method raises NotFound for a session that is not the candidate's own."""

    def __init__(self, pool: AsyncConnectionPool, logger: EventLogger) -> None:
        self._pool = pool
        self._logger = logger
        self._turns: WeakValueDictionary[UUID, asyncio.Lock] = WeakValueDictionary()

    async def exams(self) -> list[Exam]:
        """Return the exams that can be sat."""
        async with self._pool.connection() as connection:
            return await Store(connection).exams()

    async def begin(self, user_id: UUID, exam_id: UUID) -> Session:
        """Begin a session; raise NotFound without such an exam, TooManySessions over MAX_OPEN_SESSIONS."""
        session_id = uuid4()
        async with self._pool.connection() as connection:
            async with connection.transaction():
                begun = await _begin(Store(connection), session_id, user_id, exam_id)
            self._log(session_id, user_id, [events.created(len(begun.questions))])
        return begun

    async def read(self, session_id: UUID, user_id: UUID) -> Session:
        """Return a session with its questions."""
        async with self._touch(session_id, user_id) as touched:
            return await _session(touched.store, touched.attempt)

    async def answer(self, session_id: UUID, user_id: UUID, change: AnswerBody) -> Answer:
        """Keep an answer or a mark; raise SessionSubmitted or SessionExpired when it is too late."""
        async with self._touch(session_id, user_id, to_write=True) as touched:
            if touched.attempt.state == "open":
                return await _answer(touched, change)
        raise _over(touched.attempt)

    async def submit(self, session_id: UUID, user_id: UUID) -> Submitted:
        """Hand in, once; raise SessionExpired when it is too late."""
        async with self._touch(session_id, user_id, to_write=True) as touched:
            if touched.attempt.state == "open":
                await touched.store.submit(touched.attempt)
                touched.happenings.append(events.submitted(touched.attempt.answered))
        if touched.attempt.state == "expired":
            raise _over(touched.attempt)
        return Submitted(answered=touched.attempt.answered)

    async def review(self, session_id: UUID, user_id: UUID, opening: UUID = UNNAMED) -> Review:
        """Look over all questions; which answers are right is told only when the session is over.

        Each `opening` is logged once. That of the result, after the end, is one, whatever it is called.
        """
        async with self._touch(session_id, user_id) as touched:
            items = await touched.store.items(touched.attempt)
            if await touched.store.add_opening(touched.attempt, opening if touched.attempt.state == "open" else RESULT):
                touched.happenings.append(events.review_opened(touched.attempt.marked))
        return review(touched.attempt, items)

    async def stored_events(self, session_id: UUID, user_id: UUID) -> Events:
        """Return what has arrived in attempt_events."""
        async with self._pool.connection() as connection:
            store = Store(connection)
            attempt = await _found(store, session_id, user_id)
            newest = await store.newest_events(attempt, MAX_EVENTS_SHOWN)
            return Events(total=await store.count_events(attempt), events=newest)

    @asynccontextmanager
    async def _touch(self, session_id: UUID, user_id: UUID, *, to_write: bool = False) -> AsyncIterator[Touched]:
        """Open a transaction on a session, which expires by this if it is due; log what happened once it's committed.

        A Problem raised inside undoes everything, so one that is to leave the expiry in place is raised afterwards.
        """
        # The answers to two commits may be read in either order: only who waits for the other logs after it.
        turn = self._turns.setdefault(session_id, asyncio.Lock())
        async with turn, self._pool.connection() as connection:
            async with connection.transaction():
                touched = await _touched(Store(connection), session_id, user_id, to_write=to_write)
                yield touched
            self._log(session_id, user_id, touched.happenings)

    def _log(self, session_id: UUID, user_id: UUID, happenings: Iterable[Happening]) -> None:
        for it in happenings:
            self._logger.log_event(
                it.event_type,
                session_id=session_id,
                user_id=user_id,
                question_id=it.question_id,
                payload=it.payload,
            )


async def _found(store: Store, session_id: UUID, user_id: UUID) -> Attempt:
    attempt = await store.attempt(session_id, user_id)
    if attempt is None:
        raise NotFound("there is no such session of yours")
    return attempt


async def _touched(store: Store, session_id: UUID, user_id: UUID, *, to_write: bool) -> Touched:
    if to_write:
        await store.lock(session_id, user_id)
    is_over_now = await store.expire_if_due(session_id, user_id)
    touched = Touched(store, await _found(store, session_id, user_id))
    if is_over_now:
        touched.happenings.append(events.expired(touched.attempt.answered))
    return touched


async def _begin(store: Store, session_id: UUID, user_id: UUID, exam_id: UUID) -> Session:
    if await store.name_of(user_id) is None:
        raise Unauthenticated("log in again: this candidate is not known here")
    exam = next((it for it in await store.exams() if it.id == exam_id), None)
    if exam is None:
        raise NotFound("there is no such exam")
    if await store.count_open(user_id) >= MAX_OPEN_SESSIONS:
        raise TooManySessions(f"finish one of your {MAX_OPEN_SESSIONS} open sessions")
    await store.begin(session_id, user_id, exam)
    return await _session(store, await _found(store, session_id, user_id))


async def _session(store: Store, attempt: Attempt) -> Session:
    return session(attempt, await store.items(attempt))


async def _answer(touched: Touched, change: AnswerBody) -> Answer:
    before, after = answered(await touched.store.items(touched.attempt), change)
    if after != before:
        await touched.store.save(touched.attempt, after)
        touched.happenings.extend(events.changes(before, after))
    return Answer(question_id=after.id, choice=after.choice, marked=after.marked)


def _over(attempt: Attempt) -> SessionSubmitted | SessionExpired:
    if attempt.state == "submitted":
        return SessionSubmitted("the session is handed in")
    return SessionExpired("the time is up")
