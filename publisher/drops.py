"""What the event logger gave up: counted at once, told in one line a minute."""

import logging
from collections import Counter
from threading import RLock

from attemptlog.publisher.metrics import DropReason, Metrics

logger = logging.getLogger(__name__)


class Drops:
    """Counts by reason, on whichever thread; `tell` logs what came since the last time."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = RLock()  # as in the backlog
        self._untold: Counter[DropReason] = Counter()
        self._fault = ""

    def count(self, reason: DropReason, events: int = 1, *, fault: str = "") -> None:
        """Count events that are given up; `fault` says what was wrong with them, without a value of theirs."""
        if not events:
            return
        self._metrics.dropped.labels(reason).inc(events)
        with self._lock:
            self._untold[reason] += events
            self._fault = fault or self._fault

    def tell(self) -> None:
        """Log the counts, and the last fault, unless there is nothing to tell."""
        with self._lock:
            untold, self._untold = self._untold, Counter()
            fault, self._fault = self._fault, ""
        if untold:
            counts = ", ".join(f"{count} {reason}" for reason, count in untold.items())
            logger.warning(
                "events were dropped: %s%s",
                counts,
                f" ({fault})" if fault else "",
                extra={"action": "events_dropped", "dropped": dict(untold), "fault": fault or None},
            )
