"""The figures of sessions that are kept, brought up to date in short transactions."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple, NoReturn
from uuid import UUID

from attemptlog.event_store.database import STATEMENT_TIMEOUT, Connected, Database
from attemptlog.event_store.errors import CannotRun, StoreError, StoreUnavailable
from attemptlog.event_store.viewing import AS_AUDITOR
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.postgres import conninfo

# Sessions that one transaction works out: some 0.2 s of work, for which a purge waits, and the export's horizon.
BATCH = 10

BATCH_OF_COMMAND = 25  # that nobody has to share a core with for hours
MOST_COUNTED = 10_000  # by refresh_figures

DUTY = 0.25  # the share of the time in which a service works figures out, so that one core of four is the most it takes
IDLE = timedelta(seconds=1)  # between two looks when nothing is due
TURN = timedelta(milliseconds=200)  # between two looks whether another is done

REFRESH = "SELECT worked_out, due, is_caught_up FROM refresh_figures(%(most)s, %(exam)s)"
SELECT_FRESHNESS = "SELECT as_of, due FROM exam_freshness(%(exam)s)"

Progress = Callable[[int], None]  # is told of so many sessions more

logger = logging.getLogger(__name__)


class Refreshed(NamedTuple):
    """How many sessions were worked out, how many are due, and whether all that was stored has been looked at.

    Of those that are due, MOST_COUNTED are counted, where no exam was named.
    """

    worked_out: int
    due: int
    is_caught_up: bool


class Freshness(NamedTuple):
    """What was stored before `as_of` is in an exam's figures; None where that is not known yet.

    `due` sessions have figures that are older than what is stored of them, or none.
    """

    as_of: datetime | None
    due: int


class Figures(Connected):
    """The figures in a database. Whatever asks may raise StoreUnavailable, or CannotRun."""

    def __init__(self, database_url: str) -> None:
        url = conninfo(database_url, application_name="attemptlog-figures")
        self._database = Database(url, STATEMENT_TIMEOUT, grants={})

    async def refresh(self, most: int = BATCH, exam_id: UUID | None = None) -> Refreshed | None:
        """Look for what has changed, and work at most so many sessions out, those first that are due for longest.

        None where another is at it. It is one transaction: killed at any instant, nothing has happened.
        """
        async with self._database.transaction() as connection:
            found = await (await connection.execute(REFRESH, {"most": most, "exam": exam_id})).fetchone()
        return Refreshed(*found) if found else None

    async def freshness(self, exam_id: UUID) -> Freshness:
        """Say how fresh the figures of an exam are."""
        async with self._database.transaction() as connection:
            await connection.execute(AS_AUDITOR)
            [found] = await (await connection.execute(SELECT_FRESHNESS, {"exam": exam_id})).fetchall()
        return Freshness(*found)

    async def catch_up(self, progress: Progress, exam_id: UUID | None = None) -> int:
        """Work out what is due by now, of one exam or of all, whatever is stored meanwhile; return how many it was."""
        worked_out, target = 0, None
        while target is None or worked_out < target:
            if (done := await self.refresh(BATCH_OF_COMMAND, exam_id)) is None:
                await asyncio.sleep(TURN.total_seconds())
                continue
            progress(done.worked_out)
            worked_out += done.worked_out
            if target is None and done.is_caught_up and done.due < MOST_COUNTED:
                target = worked_out + done.due
            if target is not None and done.due == 0:
                break
        return worked_out

    async def keep_fresh(
        self, duty: float = DUTY, *, watch: Callable[[Refreshed], object] = lambda _: None
    ) -> NoReturn:
        """Work out what is due, for at most so large a share of the time, and tell `watch`; raises CannotRun."""
        while True:
            started = time.monotonic()
            try:
                if done := await self.refresh():
                    watch(done)
            except StoreUnavailable as error:
                logger.warning("figures wait for PostgreSQL", extra={"action": "figures_wait", "error": str(error)})
                done = None
            took = timedelta(seconds=time.monotonic() - started)
            await asyncio.sleep(pause_after(took, duty, is_idle=not done or done.worked_out == 0).total_seconds())


def pause_after(took: timedelta, duty: float, *, is_idle: bool) -> timedelta:
    """Return how long to do nothing after so long a work."""
    rest = took * (1 - duty) / duty
    return max(rest, IDLE) if is_idle else rest


async def bring_up_to_date(database_url: str, progress: Progress, exam_id: UUID | None = None) -> int:
    """Work out what is due by now, of one exam or of all, and return how many sessions it was.

    Raises OperatorError when that cannot be done.
    """
    try:
        async with Figures(database_url) as figures:
            return await figures.catch_up(progress, exam_id)
    except CannotRun as error:
        raise OperatorError(f"Figures cannot be worked out: {error}.") from error
    except StoreError as error:
        raise OperatorError(f"Figures could not be worked out: {error}. Run it again: it goes on.") from error
