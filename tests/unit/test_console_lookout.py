"""Looks that everybody shares, without anything to look at."""

import asyncio
from collections.abc import Callable

from attemptlog.console.lookout import DEADLINE, HANGS, Lookout
from attemptlog.runtime.errors import OperatorError


class Place:
    """Something to look at: counts looks, and answers, fails or hangs as it is told."""

    def __init__(self) -> None:
        self.looks = 0
        self.count = 0
        self.error: Exception | None = None
        self.is_hanging = False

    async def look(self) -> int:
        self.looks += 1
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.error:
            raise self.error
        return self.count


def lookout(place: Place, explain: Callable[[Exception], str] = lambda _: "It is away.") -> Lookout[int]:
    return Lookout("The place", place.look, explain)


async def test_many_who_ask_share_a_look_and_a_second_later_there_is_another() -> None:
    place = Place()
    async with lookout(place) as watch:
        await asyncio.gather(*(watch.seen(1) for _ in range(100)))
        assert place.looks == 1
        await asyncio.sleep(1)
        await asyncio.gather(*(watch.seen(1) for _ in range(100)))
        assert place.looks == 2


async def test_nobody_looks_while_nobody_asks() -> None:
    place = Place()
    async with lookout(place) as watch:
        await watch.seen(1)
        await asyncio.sleep(3600)
    assert place.looks == 1


async def test_a_rate_takes_two_looks_and_goes_back_ten_seconds() -> None:
    place = Place()
    async with lookout(place) as watch:
        assert (await watch.seen(1)).rate(float) is None
        for _ in range(30):
            place.count += 50
            await asyncio.sleep(1)
            seen = await watch.seen(1)
        place.count += 1000
        await asyncio.sleep(1)
        later = await watch.seen(1)
    assert (rate := seen.rate(float)) is not None
    assert 45 < rate < 55
    assert (rate := later.rate(float)) is not None
    assert 100 < rate < 200


async def test_a_count_that_began_anew_has_no_rate_and_neither_has_one_of_long_ago() -> None:
    place = Place()
    async with lookout(place) as watch:
        place.count = 100
        await watch.seen(1)
        await asyncio.sleep(1)
        place.count = 5
        assert (await watch.seen(1)).rate(float) is None
        await asyncio.sleep(3600)
        place.count = 1_000_000
        assert (await watch.seen(1)).rate(float) is None


async def test_what_fails_keeps_what_was_seen_and_says_why() -> None:
    place = Place()
    place.count = 7
    async with lookout(place) as watch:
        known = (await watch.seen(1)).last
        place.error = OSError("no route")
        await asyncio.sleep(1)
        seen = await watch.seen(1)
        assert (seen.last, seen.fault, seen.rate(float)) == (known, "It is away.", None)
        place.error = OperatorError("Set the address.")
        await asyncio.sleep(1)
        assert (await watch.seen(1)).fault == "Set the address."
        place.error = None
        await asyncio.sleep(1)
        assert (await watch.seen(1)).fault is None


async def test_nobody_waits_longer_than_the_patience_for_what_hangs() -> None:
    place = Place()
    place.count = 7
    loop = asyncio.get_running_loop()
    async with lookout(place) as watch:
        await watch.seen(1)
        place.is_hanging = True
        await asyncio.sleep(1)
        began = loop.time()
        seen = await watch.seen(0.1)
        assert loop.time() - began < 1
        assert (seen.last is not None, seen.fault) == (True, None)  # it may only be slow
        await asyncio.sleep(HANGS + 0.1)
        hanging = await watch.seen(0.1)
        assert hanging.last == seen.last
        assert hanging.fault
        assert hanging.fault.startswith("The place has not answered for")
        assert place.looks == 2
        await asyncio.sleep(DEADLINE)
        assert watch.known().fault == f"The place does not answer within {DEADLINE:.0f} s."
        place.is_hanging = False
        assert (await watch.seen(1)).fault is None


async def test_what_was_never_seen_is_not_reached() -> None:
    place = Place()
    place.is_hanging = True
    async with lookout(place) as watch:
        seen = await watch.seen(0.1)
    assert (seen.last, seen.fault) == (None, "The place has not answered yet.")


async def test_an_old_sight_is_not_taken_for_what_is_there_now() -> None:
    place = Place()
    async with lookout(place) as watch:
        await watch.seen(1)
        await asyncio.sleep(3600)
        place.is_hanging = True
        assert (await watch.seen(0.1)).fault == "The place has not answered yet."
