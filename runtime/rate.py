"""How much one caller may send: a token bucket per user (Turner, 1986), counted in events."""

from cachetools import LRUCache

MAX_CALLERS = 100_000  # buckets kept, about 200 bytes each; one that is dropped starts full again


class TokenBuckets:
    """Buckets of `burst` events, filled at `rate` events per second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: LRUCache[str, list[float]] = LRUCache(MAX_CALLERS)

    def wait_before(self, caller: str, events: int, now: float) -> float:
        """Take `events` from the caller's bucket and return 0.0, or take nothing and return the seconds to wait.

        `now` is a monotonic time in seconds.
        """
        try:
            bucket = self._buckets[caller]
        except KeyError:
            bucket = self._buckets[caller] = [self._burst, now]
        tokens = min(self._burst, bucket[0] + (now - bucket[1]) * self._rate)
        if tokens < events:
            return (events - tokens) / self._rate
        bucket[:] = tokens - events, now
        return 0.0
