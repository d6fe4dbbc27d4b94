"""Figures are worked out beside the answers, for a bounded share of the time; answers wait for none of it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import NoReturn

from attemptlog.console.metrics import Metrics
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.figures import Figures
from attemptlog.runtime.ending import Ending

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAULT = timedelta(minutes=1)  # an operator has to act first; meanwhile the answers say how late they are


@asynccontextmanager
async def figures_kept_fresh(database_url: str, metrics: Metrics, ending: Ending) -> AsyncIterator[None]:
    """Work figures out while this is open. What it dies of ends the process."""
    async with Figures(database_url) as figures:
        work = asyncio.create_task(_keep_fresh(figures, metrics), name="figures")
        ending.watch(work)
        try:
            yield
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def _keep_fresh(figures: Figures, metrics: Metrics) -> NoReturn:
    while True:
        try:
            await figures.keep_fresh(watch=metrics.refreshed)
        except CannotRun as error:
            metrics.figures_failures.inc()
            logger.error("figures are not worked out: %s", error, extra={"action": "figures_failed"})
        await asyncio.sleep(PAUSE_AFTER_FAULT.total_seconds())
