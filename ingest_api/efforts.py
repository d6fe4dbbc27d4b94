"""What a page tells of its way to an accepted batch: whether it begins a flush, and what failed before."""

import re
from functools import lru_cache
from typing import NamedTuple

from attemptlog.runtime.headers import Headers

# Parameters of Accept, and no header of their own: a page of another origin has to be allowed each header by its name,
# and a gateway before this one, or a proxy that answers for it, would refuse all of its batches.
TOLD = re.compile(rb"application/json;flushes=(\d{1,4});retries=(\d{1,4})")


class Efforts(NamedTuple):
    """1 for the first batch of a flush that is accepted, and how many requests failed since one was accepted."""

    flushes: int
    retries: int


NOTHING = Efforts(0, 0)


def efforts_of(headers: Headers) -> Efforts:
    """Return what a request tells; nothing where it is of another client."""
    return _parsed(headers.get(b"accept", b""))


@lru_cache(maxsize=64)  # nearly all requests say one of two or three things
def _parsed(accept: bytes) -> Efforts:
    told = TOLD.fullmatch(accept)
    return Efforts(int(told[1]), int(told[2])) if told else NOTHING
