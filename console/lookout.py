"""Looks that everybody shares: at most one a second, however many ask, and nobody waits for what hangs."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, Self, TypeVar

from attemptlog.runtime.errors import OperatorError

T = TypeVar("T")

INTERVAL = 1.0  # seconds between the beginnings of two looks
DEADLINE = 8.0  # seconds for one look; connecting anew and being told why not takes up to 5
HANGS = 2.0  # seconds after which a look under way means that there is no answer
RATED = 10.0  # seconds that a rate goes back: consumers and publishers work in batches
MAX_SIGHTS = int(RATED / INTERVAL) + 1
STALE = 5.0  # seconds; a sight that is older, with a look under way, is not what is there now


@dataclass(frozen=True, slots=True)
class Sight(Generic[T]):
    """What was seen, and when: by the wall clock, and in seconds of the event loop's."""

    value: T
    at: datetime
    moment: float


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """The last sight, the oldest one that a rate may go back to, and why there is no newer one, as a sentence."""

    last: Sight[T] | None
    earlier: Sight[T] | None
    fault: str | None

    def rate(self, count: Callable[[T], float]) -> float | None:
        """Return how much a count grew per second; None while that is unknown, or where the count began anew."""
        if self.fault or self.last is None or self.earlier is None:
            return None
        grown = count(self.last.value) - count(self.earlier.value)
        return None if grown < 0 else grown / (self.last.moment - self.earlier.moment)


class Lookout(Generic[T]):
    """Looks when it is asked, and closes with `async with` what is under way.

    `look` may raise anything: `explain` makes a sentence of it. An OperatorError is one already.
    """

    def __init__(self, name: str, look: Callable[[], Awaitable[T]], explain: Callable[[Exception], str]) -> None:
        self._name = name
        self._look = look
        self._explain = explain
        self._sights: deque[Sight[T]] = deque(maxlen=MAX_SIGHTS)
        self._fault: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._began = float("-inf")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def seen(self, patience: float) -> Seen[T]:
        """Return what is known after `patience` seconds at most, with a new look if the last one began a second ago."""
        now = asyncio.get_running_loop().time()
        if self._task is None and now - self._began >= INTERVAL:
            self._began = now
            self._task = asyncio.create_task(self._take())
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=patience)
        return self.known()

    def known(self) -> Seen[T]:
        """Return what is known, without a look."""
        now = asyncio.get_running_loop().time()
        last = self._sights[-1] if self._sights else None
        first = next((it for it in self._sights if now - it.moment <= RATED + INTERVAL), None)
        return Seen(last, None if first is last else first, self._fault_at(now, last))

    def _fault_at(self, now: float, last: Sight[T] | None) -> str | None:
        if self._fault:
            return self._fault
        if self._task is not None and now - self._began > HANGS:
            return f"{self._name} has not answered for {now - self._began:.0f} s."
        if last is None or (self._task is not None and now - last.moment > STALE):
            return f"{self._name} has not answered yet."
        return None

    async def _take(self) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                value = await self._look()
        except TimeoutError:
            self._fault = f"{self._name} does not answer within {DEADLINE:.0f} s."
        except OperatorError as error:
            self._fault = str(error)
        except Exception as error:  # whatever it is that cannot be reached: it is told where the figures are
            self._fault = self._explain(error)
        else:
            self._fault = None
            self._sights.append(Sight(value, datetime.now(UTC), asyncio.get_running_loop().time()))
        finally:
            self._task = None
