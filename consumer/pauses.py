"""How long to wait before the next attempt at something that is away for now."""

import random
from collections.abc import Iterator

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 5.0  # seconds


def pauses() -> Iterator[float]:
    """Yield, for ever, the seconds before the next attempt: doubling up to LONGEST_PAUSE, with jitter."""
    pause = FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE)
