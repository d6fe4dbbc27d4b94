"""`python -m tests.support.killed_purges URL SEED USER…`: purges that die at any step, each until it is done.

A step is a line of the event store's code about purges, so that every instant between two of what they do has its
turn. Every attempt is a process of its own, forked so that none has to import anything. Prints how many were killed.
"""

import asyncio
import os
import random
import signal
import sys
import time
from types import FrameType
from typing import Any
from uuid import UUID

from attemptlog.event_store import purges
from attemptlog.event_store.accesses import USER
from attemptlog.event_store.purge_subjects import Request, Subject
from tests.support.purge import PSEUDONYMS

CODE = "/event_store/purge"
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
    """Purge in a process that dies at a line, an int, or after so many seconds, a float.

    Return how many lines it ran, -1 where it died.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        steps = Steps(end if isinstance(end, int) else None)
        if isinstance(end, float):
            signal.setitimer(signal.ITIMER_REAL, end)  # whose signal ends a process wherever it is, as SIGKILL does
        else:
            sys.settrace(steps.trace)
        asyncio.run(purges.purge_subject(url, Subject(USER, UUID(user)), REQUEST, lambda _: None))
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(None)
        os.write(writing, str(steps.count).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM):
        return -1
    assert status == 0, "a purge failed"
    return int(said)


class Steps:
    """Counts lines, and kills the process at one of them."""

    def __init__(self, kill_at: int | None) -> None:
        self.count = 0
        self._kill_at = kill_at

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """See sys.settrace."""
        if CODE not in frame.f_code.co_filename:
            return None
        if event == "line":
            self.count += 1
            if self.count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace


if __name__ == "__main__":
    main(*sys.argv[1:])
