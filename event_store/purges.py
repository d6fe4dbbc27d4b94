"""A person, or a session, is purged: suppressed first, then erased from the tables in short transactions."""

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

from attemptlog.event_store import purge_sql
from attemptlog.event_store.accesses import SESSION
from attemptlog.event_store.books import Connection
from attemptlog.event_store.errors import CannotRun, StoreError
from attemptlog.event_store.purge_subjects import Counts, Named, Request, Subject
from attemptlog.event_store.purge_work import Work, rows
from attemptlog.event_store.suppression import ENTER_KEY, LOCK_TO_SUPPRESS, state_of_list
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import Pseudonyms

BATCH_EVENTS = 5_000  # that one transaction erases: some 50 ms of work
BATCH_LETTERS = 10_000  # that one transaction looks through

Progress = Callable[[int], None]  # is told of so many rows more
Parameters = dict[str, Any]


class Purges(Work):
    """Purges in a database."""

    async def find(self, subject: Subject) -> Named:
        """Return the subject with its sessions: those that the platform says are theirs, or that have their events."""
        if subject.kind == SESSION:
            return Named([], [subject.id])
        found = await self.read(purge_sql.FIND_SESSIONS, {"user": subject.id})
        return Named([subject.id], [session for (session,) in found])

    async def count(self, named: Named, progress: Progress) -> Counts:
        """Return what a purge would erase, and change nothing."""
        [[events, older]] = await self.read(purge_sql.COUNT_EVENTS, named.parameters)
        progress(events + older)
        letters = 0
        async for window in self.windows(progress):
            [[found]] = await self.read(purge_sql.COUNT_LETTERS, named.parameters | window)
            letters += found
        return Counts(len(named.sessions), events, older, letters)

    async def suppress(self, subject: Subject, request: Request) -> tuple[int, Named]:
        """Have nothing of the subject stored from now on; return the number of the purge, and whom it is about.

        A purge of the same subject that is not finished is gone on with. What was stored without having seen the
        suppression is committed when this returns.
        """
        named = await self.find(subject)
        while True:
            number = await self.persist(partial(_suppress, subject, named, request))
            found = await self.find(subject)
            if set(found.sessions) <= set(named.sessions):
                return number, named
            named = found

    async def erase(self, number: int, named: Named, pseudonyms: Pseudonyms, progress: Progress) -> Counts:
        """Erase all of those who are suppressed, as part of purge `number`; return what that has erased so far.

        Another may be at it, or was killed while it was: each counts what it erases.
        """
        parameters = named.parameters | named.names(pseudonyms) | {"purge": number, "limit": BATCH_EVENTS}
        async for window in self.windows(progress):
            await self.execute(purge_sql.ERASE_NAMED_LETTERS, parameters | window)
        await self.execute(purge_sql.REDACT_REPLAYS, parameters)
        await self.execute(purge_sql.REDACT_ACCESSES, parameters)
        await self.erase_events(parameters, progress)
        return await self.finish(parameters)

    async def erase_events(self, parameters: Parameters, progress: Progress) -> None:
        """Erase the events, and the entries of their sessions with the last of them."""
        found = BATCH_EVENTS
        while found == BATCH_EVENTS:
            found = await self.persist(partial(_erase_events, parameters))
            progress(found)

    async def finish(self, parameters: Parameters) -> Counts:
        """Have it be finished since now, or since it first was; return what it has erased in all."""
        await self.execute(purge_sql.FINISH, parameters)
        [counts] = await self.read(purge_sql.READ_COUNTS, parameters)
        return Counts(*counts)

    async def windows(self, progress: Progress) -> AsyncIterator[dict[str, int]]:
        """Yield the letters that there are by now in stretches of their ids, BATCH_LETTERS in each."""
        [[last]] = await self.read(purge_sql.LAST_LETTER, {})
        after = 0
        while last is not None:
            where = {"after": after, "last": last, "limit": BATCH_LETTERS}
            [[until, letters]] = await self.read(purge_sql.NEXT_LETTERS, where)
            if until is None:
                return
            yield {"after": after, "until": until}
            progress(letters)
            after = until


async def _suppress(subject: Subject, named: Named, request: Request, connection: Connection) -> int:
    """Enter the subject and its sessions in the list, and the purge in the books; return its number."""
    await lock_list(connection, request.pseudonyms)
    entries = subject.entry(request) | named.names(request.pseudonyms)
    found = await rows(connection, purge_sql.FIND_UNFINISHED, entries)
    [[number]] = found or await rows(connection, purge_sql.BEGIN, entries)
    await connection.execute(purge_sql.SUPPRESS, entries | {"purge": number})
    return int(number)


async def lock_list(connection: Connection, pseudonyms: Pseudonyms) -> None:
    """Have the list of those who are suppressed for oneself, with its key entered; raises CannotRun for another key."""
    await connection.execute(purge_sql.TAKE_TURN)
    await connection.execute(LOCK_TO_SUPPRESS)
    if await state_of_list(connection, pseudonyms) is None:
        await connection.execute(ENTER_KEY, {"fingerprint": pseudonyms.fingerprint})


async def _erase_events(parameters: Parameters, connection: Connection) -> int:
    [[found]] = await rows(connection, purge_sql.ERASE_EVENTS, parameters)
    if found < BATCH_EVENTS:
        await connection.execute(purge_sql.TAKE_TURN)
        await connection.execute(purge_sql.LOCK_ENTRIES)
        await connection.execute(purge_sql.ERASE_ENTRIES, parameters)
    return int(found)


async def count_subject(database_url: str, subject: Subject, progress: Progress) -> Counts:
    """Return what a purge would erase; raises OperatorError when that cannot be told."""
    try:
        async with Purges(database_url) as purges:
            return await purges.count(await purges.find(subject), progress)
    except StoreError as error:
        raise OperatorError(f"Nothing was counted: {error}.") from error


async def purge_subject(
    database_url: str, subject: Subject, request: Request, progress: Progress
) -> tuple[int, Counts]:
    """Purge; return the number of the purge and what it has erased. Raises OperatorError when it stops half way."""
    number = None
    try:
        async with Purges(database_url) as purges:
            number, named = await purges.suppress(subject, request)
            return number, await purges.erase(number, named, request.pseudonyms, progress)
    except CannotRun as error:
        raise OperatorError(f"The purge cannot run: {error}.") from error
    except StoreError as error:
        begun = "Nothing was purged" if number is None else f"Purge {number} stopped half way"
        raise OperatorError(f"{begun}: {error}. Run it again: it goes on where it stopped.") from error
