"""What is said and counted of batches: one line each."""

import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from attemptlog.consumer.holes import ReadAgain
from attemptlog.consumer.metrics import Metrics
from attemptlog.event_store.columns import event_ts_of
from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.errors import Hole, StoreUnavailable
from attemptlog.event_store.store import Stored

logger = logging.getLogger(__name__)


class Reports:
    """Counts and logs the same numbers; `trace`, where there is one, makes a span of each stored batch."""

    def __init__(self, metrics: Metrics, trace: Callable[[Batch, Stored, float], None] | None = None) -> None:
        self._metrics = metrics
        self._trace = trace

    def stored(self, batch: Batch, stored: Stored, seconds: float) -> None:
        """Report a batch that is committed, `seconds` after it was read."""
        self._metrics.count_batch(stored, len(batch), seconds, _age_of_oldest(batch))
        logger.info(
            "batch stored",
            extra={
                "action": "batch_stored",
                "inserted": stored.inserted,
                "duplicates": stored.duplicates,
                "dead_letters": dict(stored.dead_letters),
                "suppressed": stored.suppressed,
                "skipped": stored.skipped,
                "next_offsets": dict(stored.next_offsets),
                "seconds": round(seconds, 3),
            },
        )
        if self._trace is not None:
            self._trace(batch, stored, seconds)
        self.lost(stored.lost)

    def lost(self, holes: Iterable[Hole]) -> None:
        """Report offsets that the ledger has passed over."""
        for hole in holes:
            lost = hole.first_offset - hole.next_offset
            self._metrics.lost.inc(lost)
            logger.error(
                "Kafka no longer has records that were never stored",
                extra={"action": "records_lost", "lost": lost, **hole._asdict()},
            )

    def waits(self, batch: Batch, error: Exception, pause: float) -> None:
        """Report that a batch is tried again after `pause` seconds."""
        if not isinstance(error, StoreUnavailable):
            logger.warning("Kafka does not answer", extra={"action": "kafka_away", "error": repr(error)})
            return
        self._metrics.database_retries.inc()
        logger.warning(
            "PostgreSQL is not available, the batch waits",
            extra={"action": "batch_waits", "records": len(batch), "error": str(error), "pause": round(pause, 1)},
        )

    def rewound(self, again: ReadAgain) -> None:
        """Report that Kafka's offsets were ahead of the ledger."""
        self._metrics.rewinds.inc()
        logger.warning(
            "the database is behind Kafka's offsets, reading again",
            extra={"action": "rewound", "holes": sorted(again.holes)},
        )


def _age_of_oldest(batch: Batch) -> float | None:
    if not batch.rows:
        return None
    oldest = min(event_ts_of(row.line) for row in batch.rows)
    return (datetime.now(UTC) - datetime.fromisoformat(oldest.decode())).total_seconds()
