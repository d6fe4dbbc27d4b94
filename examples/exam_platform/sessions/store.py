"""The platform's tables, and the two of attemptlog's that it adds its candidates and sessions to."""

from datetime import timedelta
from typing import Any, LiteralString, TypeVar
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import class_row, scalar_row
from psycopg_pool import AsyncConnectionPool

from examples.exam_platform.sessions import sql
from examples.exam_platform.sessions.models import Event, Exam
from examples.exam_platform.sessions.rows import Attempt, Item

Row = TypeVar("Row")

MAX_CONNECTIONS = 10
MAX_WAITING = 200  # requests for a connection; over it 503 at once
CONNECTION_TIMEOUT = timedelta(seconds=2)  # then 503: a page tries again sooner than a person gives up
MAX_OPENINGS = 1000  # of one session; a page that names more is no person's
STATEMENT_TIMEOUT = timedelta(seconds=5)


def connections(database_url: str) -> AsyncConnectionPool:
    """Return a pool that is not open yet and, once opened, does not wait for PostgreSQL."""
    return AsyncConnectionPool(
        database_url,
        min_size=1,
        max_size=MAX_CONNECTIONS,
        max_waiting=MAX_WAITING,
        timeout=CONNECTION_TIMEOUT.total_seconds(),
        open=False,
        check=AsyncConnectionPool.check_connection,
        configure=_bound_statements,
        kwargs={
            "autocommit": True,
            "client_encoding": "UTF8",  # whatever the environment or the role says
            "connect_timeout": int(CONNECTION_TIMEOUT.total_seconds()),
            "application_name": "exam platform",
        },
    )


async def _bound_statements(connection: AsyncConnection) -> None:
    timeout = int(STATEMENT_TIMEOUT.total_seconds() * 1000)
    await connection.execute("SELECT set_config('statement_timeout', %s::text, false)", [timeout])


class Store:
    """The statements on one connection. Whose session it is, is part of each look-up; transactions are the caller's."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add_candidate(self, user_id: UUID, name: str) -> None:
        """Make a candidate, who is a new user."""
        await self._connection.execute(sql.ADD_USER, {"user_id": user_id})
        await self._connection.execute(sql.ADD_CANDIDATE, {"user_id": user_id, "name": name})

    async def name_of(self, user_id: UUID) -> str | None:
        """Return a candidate's name."""
        name: str | None = await self._value(sql.READ_NAME, user_id=user_id)
        return name

    async def exams(self) -> list[Exam]:
        """Return the exams that can be sat."""
        return await self._rows(Exam, sql.READ_EXAMS)

    async def count_open(self, user_id: UUID) -> int:
        """Return how many sessions a candidate has open; no other begins until this transaction ends."""
        await self._connection.execute(sql.ONE_BEGINS_AT_A_TIME, {"user_id": user_id})
        return int(await self._value(sql.COUNT_OPEN, user_id=user_id))

    async def begin(self, session_id: UUID, user_id: UUID, exam: Exam) -> None:
        """Make a session that lasts as long as the exam."""
        ids = {"session_id": session_id, "user_id": user_id, "exam_id": exam.id}
        await self._connection.execute(sql.ADD_SESSION, ids)
        await self._connection.execute(sql.ADD_ATTEMPT, ids | {"seconds": exam.seconds})

    async def lock(self, session_id: UUID, user_id: UUID) -> None:
        """Let nobody else write to the session until this transaction ends."""
        await self._connection.execute(sql.LOCK, {"session_id": session_id, "user_id": user_id})

    async def expire_if_due(self, session_id: UUID, user_id: UUID) -> bool:
        """Return True when it was this call that ended the session."""
        return bool(await self._value(sql.EXPIRE_IF_DUE, session_id=session_id, user_id=user_id))

    async def attempt(self, session_id: UUID, user_id: UUID) -> Attempt | None:
        """Return the session, None when there is no such session of this candidate."""
        found = await self._rows(Attempt, sql.READ_ATTEMPT, session_id=session_id, user_id=user_id)
        return found[0] if found else None

    async def items(self, attempt: Attempt) -> list[Item]:
        """Return the questions in their order."""
        return await self._rows(Item, sql.READ_ITEMS, session_id=attempt.id, exam_id=attempt.exam_id)

    async def save(self, attempt: Attempt, item: Item) -> None:
        """Keep choice and mark."""
        values = {"session_id": attempt.id, "question_id": item.id, "choice": item.choice, "marked": item.marked}
        await self._connection.execute(sql.SAVE_ANSWER, values)

    async def submit(self, attempt: Attempt) -> None:
        """Hand in; the caller holds the lock and has seen that the session is open."""
        await self._connection.execute(sql.SUBMIT, {"session_id": attempt.id})

    async def add_opening(self, attempt: Attempt, opening: UUID) -> bool:
        """Return True when nobody has named this opening before; False over MAX_OPENINGS, too."""
        ids = {"session_id": attempt.id, "opening": opening}
        return bool(await self._value(sql.ADD_OPENING, **ids, limit=MAX_OPENINGS))

    async def count_events(self, attempt: Attempt) -> int:
        """Return how many events of the session are stored."""
        return int(await self._value(sql.COUNT_EVENTS, session_id=attempt.id))

    async def newest_events(self, attempt: Attempt, limit: int) -> list[Event]:
        """Return the events that were stored last, the last one first."""
        return await self._rows(Event, sql.READ_NEWEST_EVENTS, session_id=attempt.id, limit=limit)

    async def _rows(self, kind: type[Row], statement: LiteralString, **values: Any) -> list[Row]:
        async with self._connection.cursor(row_factory=class_row(kind)) as cursor:
            return await (await cursor.execute(statement, values)).fetchall()

    async def _value(self, statement: LiteralString, **values: Any) -> Any:
        async with self._connection.cursor(row_factory=scalar_row) as cursor:
            return await (await cursor.execute(statement, values)).fetchone()
