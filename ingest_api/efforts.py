"""What a page tells of its way to an accepted batch: whether it begins a flush, and what failed before."""

import re
from typing import NamedTuple

from attemptlog.runtime.headers import Headers

# Parameters of Accept, and no header of their own: a page of another origin has to be allowed each header by its name,
# and a gateway before this one, or a proxy that answers for it, would refuse all of its batches.
TOLD = re.compile(rb"application/json;flushes=(\d{1,4});retries=(\d{1,4})")


class Efforts(NamedTuple):
    """1 for the first batch of a flush that is accepted, and how many requests failed since one was accepted."""

    flushes: int
    retries: int


def efforts_of(headers: Headers) -> Efforts | None:
    """Return what a request tells; None where it tells nothing, as one of another client does."""
    told = TOLD.fullmatch(headers.get(b"accept", b""))
    return Efforts(int(told[1]), int(told[2])) if told else None
