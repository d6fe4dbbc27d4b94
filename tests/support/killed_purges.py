"""`python -m tests.support.killed_purges URL SEED USER…`: purges that die at any step, each until it is done.

A step is a line of the event store's code about purges, so that every instant between two of what they do has its
turn. Every attempt is a process of its own, forked so that none has to import anything. Prints how many were killed.
"""

import asyncio
import random
import sys
import time
from uuid import UUID

from attemptlog.event_store import purges
from attemptlog.event_store.accesses import USER
from attemptlog.event_store.purge_subjects import Request, Subject
from tests.support.killed_processes import run
from tests.support.purge import PSEUDONYMS

FOLDERS = ("/event_store/purge",)
REQUEST = Request("test", "test", PSEUDONYMS)


def main(url: str, seed: str, *users: str) -> None:
    """Purge the first without a kill, which says how long it takes, and kill the others as often as it comes."""
    purges.BATCH_EVENTS, purges.BATCH_LETTERS = 3, 2
    dice, killed, began = random.Random(int(seed)), 0, time.monotonic()  # noqa: S311
    lines = purged(url, users[0])
    seconds = time.monotonic() - began
    for user in users[1:]:
        while purged(url, user, dice.choice([dice.randint(1, lines), dice.uniform(0.001, seconds)])) == -1:
            killed += 1
        purged(url, user)
    sys.stdout.write(f"{killed}\n")


def purged(url: str, user: str, end: float | None = None) -> int:
    """Purge in a process of its own; see `run`."""
    subject = Subject(USER, UUID(user))
    return run(lambda: asyncio.run(purges.purge_subject(url, subject, REQUEST, lambda _: None)), FOLDERS, end)


if __name__ == "__main__":
    main(*sys.argv[1:])
