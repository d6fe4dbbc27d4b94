import asyncio
import inspect
from collections.abc import Callable
from typing import Any

PATIENCE = 60.0  # seconds; only what is broken takes as long, however busy the machine is


async def eventually(check: Callable[[], Any], *, timeout: float = PATIENCE, interval: float = 0.05) -> Any:  # noqa: ASYNC109
    """Call `check` every `interval` seconds until its result is true, and return that.

    Raises AssertionError with the last result or error when `timeout` seconds have passed.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    while True:
        result, error = await _attempt(check)
        if result:
            return result
        if loop.time() > deadline:
            raise AssertionError(f"not within {timeout} s, last: {error or result!r}") from error
        await asyncio.sleep(interval)


async def _attempt(check: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        result = check()
        return (await result if inspect.isawaitable(result) else result), None
    except Exception as error:
        return None, error
