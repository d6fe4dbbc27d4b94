"""Sessions go for their age: each is suppressed and erased as by a purge, all of them under one number."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from attemptlog.event_store import purge_sql
from attemptlog.event_store import retention_sql as sql
from attemptlog.event_store.books import Connection
from attemptlog.event_store.errors import CannotRun, StoreError
from attemptlog.event_store.purge_subjects import Counts, Named, Request
from attemptlog.event_store.purge_work import rows
from attemptlog.event_store.purges import BATCH_EVENTS, Progress, Purges, lock_list
from attemptlog.runtime.errors import OperatorError

YOUNGEST = timedelta(days=1)  # a session that is younger may still be going on, and would be shut out of its exam

BATCH_SESSIONS = 500  # that are suppressed in one transaction: some 20 ms for which nobody stores

ERASE_LETTERS_OF_SESSIONS = purge_sql.ERASE_LETTERS_WHERE.format(which=sql.OF_SESSIONS)
ERASE_OLD_LETTERS = purge_sql.ERASE_LETTERS_WHERE.format(which=sql.IN_WINDOW)

FIRST_TS, FIRST_ID = "-infinity", UUID(int=0)


class Age(NamedTuple):
    """Which sessions go: those whose last event is from before `before`. Their rows in targets go too, or stay."""

    before: datetime
    keeps_exports: bool


class Retention(Purges):
    """Retention in a database."""

    async def count_ended(self, age: Age) -> Counts:
        """Return what would go, and change nothing."""
        [[sessions, events, older]] = await self.read(sql.COUNT_ENDED, age._asdict())
        [[letters]] = await self.read(sql.COUNT_LETTERS, age._asdict())
        return Counts(sessions, events, older, letters)

    async def begin(self, age: Age, request: Request) -> int:
        """Enter it in the books, or go on with one that is not finished; return its number."""
        return await self.persist(partial(_begin, age, request))

    async def retire(self, number: int, age: Age, request: Request, progress: Progress) -> Counts:
        """Suppress and erase all that ended; return what went in all as part of retention `number`."""
        parameters = {"purge": number} | age._asdict()
        async for sessions in self._ended(age):
            if ended := await self.persist(partial(_suppress, parameters, sessions, request)):
                await self._erase_sessions(parameters | _named(ended, request), progress)
        async for window in self.windows(progress):
            await self.execute(ERASE_OLD_LETTERS, parameters | window)
        return await self.finish(parameters)

    async def _ended(self, age: Age) -> AsyncIterator[list[UUID]]:
        """Yield sessions that ended before, by their events, one type after the other; each again while it has any."""
        for [event_type] in await self.read(sql.SELECT_TYPES, {}):
            async for sessions in self._sessions_of(event_type, age):
                for start in range(0, len(sessions), BATCH_SESSIONS):
                    chosen = {"sessions": sessions[start : start + BATCH_SESSIONS]} | age._asdict()
                    if ended := await self.read(sql.SELECT_ENDED, chosen):
                        yield [session for (session,) in ended]

    async def _sessions_of(self, event_type: str, age: Age) -> AsyncIterator[list[UUID]]:
        """Yield the sessions of the events of a type that came before, in their order."""
        after = {"event_type": event_type, "after_ts": FIRST_TS, "after_id": FIRST_ID, "limit": BATCH_EVENTS}
        while events := await self.read(sql.NEXT_EVENTS, after | age._asdict()):
            after |= {"after_ts": events[-1][1], "after_id": events[-1][2]}
            yield list(dict.fromkeys(session for session, *_ in events))

    async def _erase_sessions(self, parameters: dict[str, Any], progress: Progress) -> None:
        await self.execute(ERASE_LETTERS_OF_SESSIONS, parameters)
        await self.execute(purge_sql.REDACT_REPLAYS, parameters)
        await self.execute(purge_sql.REDACT_ACCESSES, parameters)
        await self.erase_events(parameters, progress)


def _named(sessions: list[UUID], request: Request) -> dict[str, Any]:
    named = Named([], sessions)
    return named.parameters | named.names(request.pseudonyms) | {"limit": BATCH_EVENTS}


async def _begin(age: Age, request: Request, connection: Connection) -> int:
    await lock_list(connection, request.pseudonyms)
    told = age._asdict() | {"by": request.by, "reason": request.reason}
    [[number]] = await rows(connection, sql.FIND_UNFINISHED, told) or await rows(connection, sql.BEGIN, told)
    await connection.execute(sql.GO_ON, told | {"purge": number})
    return int(number)


async def _suppress(
    parameters: dict[str, Any], sessions: list[UUID], request: Request, connection: Connection
) -> list[UUID]:
    """Suppress those that have not gone on meanwhile, and return them."""
    await lock_list(connection, request.pseudonyms)
    found = await rows(connection, sql.SELECT_ENDED, parameters | {"sessions": sessions})
    ended = [session for (session,) in found]
    await connection.execute(purge_sql.SUPPRESS, parameters | _named(ended, request))
    return ended


async def count_ended(database_url: str, age: Age) -> Counts:
    """Return what would go; raises OperatorError when that cannot be told."""
    try:
        async with Retention(database_url) as retention:
            return await retention.count_ended(age)
    except StoreError as error:
        raise OperatorError(f"Nothing was counted: {error}.") from error


async def retire(database_url: str, age: Age, request: Request, progress: Progress) -> tuple[int, Counts]:
    """Do it; return the number and what went. Raises OperatorError when it stops half way."""
    number = None
    try:
        async with Retention(database_url) as retention:
            number = await retention.begin(age, request)
            return number, await retention.retire(number, age, request, progress)
    except CannotRun as error:
        raise OperatorError(f"It cannot run: {error}.") from error
    except StoreError as error:
        begun = "Nothing went" if number is None else f"Retention {number} stopped half way"
        raise OperatorError(f"{begun}: {error}. Run it again: it goes on where it stopped.") from error
