import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

TICK = 0.01  # seconds


@dataclass
class Lateness:
    """By how many seconds this process was late in all: what a busy machine adds to any wait of it, at most."""

    seconds: float = TICK


@asynccontextmanager
async def measuring_lateness() -> AsyncIterator[Lateness]:
    """Measure how late timers of this event loop are while the body runs."""
    it, clock = Lateness(), asyncio.get_running_loop().time

    async def measure() -> None:
        while True:
            due = clock() + TICK
            await asyncio.sleep(TICK)
            it.seconds += clock() - due

    measuring = asyncio.create_task(measure())
    try:
        yield it
    finally:
        await asyncio.sleep(TICK)  # or the last of it would not be counted
        measuring.cancel()
