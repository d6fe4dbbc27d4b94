"""What pages say they have given up: each of their batches tells it anew and in full, and it is counted once."""

from collections.abc import Mapping

from cachetools import LRUCache
from prometheus_client import Counter

from attemptlog.schemas import PageDropReason

MAX_STREAMS = 10_000  # that dropped something, which few do; about 400 bytes each

Stream = tuple[str, str | None]  # the session, and the load of its page


class PageDrops:
    """Counts what a stream tells beyond what it told this process before."""

    def __init__(self, counter: Counter, max_streams: int = MAX_STREAMS) -> None:
        self._counter = counter
        self._told: LRUCache[Stream, dict[PageDropReason, int]] = LRUCache(max_streams)

    @property
    def streams(self) -> int:
        """How many streams are remembered."""
        return len(self._told)

    def count(self, stream: Stream, dropped: Mapping[PageDropReason, int]) -> None:
        """Count the events that a stream has dropped so far, by reason; less than it told before is old news."""
        told = self._told.setdefault(stream, {})
        for reason, events in dropped.items():
            if events > told.get(reason, 0):
                self._counter.labels(reason).inc(events - told.get(reason, 0))
                told[reason] = events
