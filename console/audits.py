"""Audits of the topic, one at a time; the last one is kept while the process runs."""

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from typing import Self

from attemptlog.console.operations_models import Audit
from attemptlog.console.problems import NotSetUp, Unavailable
from attemptlog.event_store.accounts import Audit as Found
from attemptlog.event_store.audit import take_audit
from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.sentences import sentence

logger = logging.getLogger(__name__)

PATIENCE = 25.0  # seconds; a page waits for 30
DEADLINE = 600.0  # seconds; counting a billion events takes less
LOOK_AGAIN = 10.0  # seconds


class Audits:
    """Runs audits. Use as `async with`: one under way ends when it is left. Entering it connects to nothing."""

    def __init__(self, kafka: Cluster | None, database_url: str | None, topic: str) -> None:
        self.last: Audit | None = None
        self._kafka = kafka
        self._database_url = database_url
        self._topic = topic
        self._running: asyncio.Task[Audit] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._running

    async def run(self) -> Audit:
        """Return an audit that began now, or the one under way.

        Raises NotSetUp where the console may not, Unavailable when it takes longer than PATIENCE, and goes on then, or
        when it cannot be done.
        """
        if self._kafka is None or self._database_url is None:
            raise NotSetUp("this console may not audit: run `attemptlog audit`")
        if self._running is None:
            self._running = asyncio.create_task(self._take(self._kafka, self._database_url))
        done, _ = await asyncio.wait({self._running}, timeout=PATIENCE)
        if not done:
            raise Unavailable("the audit goes on: look again in a while", retry_after=LOOK_AGAIN)
        return done.pop().result()

    async def _take(self, kafka: Cluster, database_url: str) -> Audit:
        began = datetime.now(UTC)
        try:
            async with asyncio.timeout(DEADLINE):
                self.last = _told(await take_audit(kafka, database_url, self._topic), began)
            return self.last
        except Exception as error:
            raise _meaning(error) from error
        finally:
            self._running = None


def _meaning(error: Exception) -> Exception:
    if isinstance(error, TimeoutError):
        return Unavailable("the audit did not come to an end: run `attemptlog audit`", retry_after=LOOK_AGAIN)
    if (told := str(error) if isinstance(error, OperatorError) else sentence(error)) is None:
        return error
    logger.warning("there was no audit: %s", told, extra={"action": "audit_failed"})
    return Unavailable(told, retry_after=LOOK_AGAIN)


def _told(found: Found, began: datetime) -> Audit:
    problems = found.problems(allow_pending=True)
    total = found.total + found.closed
    return Audit(
        at=began,
        agrees=not problems,
        records=total.records,
        inserted=total.inserted,
        duplicates=total.duplicates,
        dead_lettered=total.dead_lettered,
        suppressed=total.suppressed,
        pending=found.pending,
        problems=problems,
    )
