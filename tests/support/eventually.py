import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def eventually(check: Callable[[], Any], *, timeout: float = 10.0, interval: float = 0.05) -> Any:  # noqa: ASYNC109
    """Call `check` every `interval` seconds until its result is true, and return that.

    Raises AssertionError with the last result or error when `timeout` seconds have passed.
    """
    deadline = time.monotonic() + timeout
    while True:
        result, error = await _attempt(check)
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s, last: {error or result!r}") from error
        await asyncio.sleep(interval)


async def _attempt(check: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        result = check()
        return (await result if inspect.isawaitable(result) else result), None
    except Exception as error:
        return None, error
