"""Work beside other work, for as long as a context lasts."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(work: Coroutine[Any, Any, Any]) -> AsyncIterator["asyncio.Task[Any]"]:
    """Have work done until the context is left, which cancels it; what it raises is for whoever looks at the task."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        await cancelled(task)


async def cancelled(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and return when they have ended, however they do."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
