"""Every metric of the consumer; docs/observability.md says what to watch."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from attemptlog.event_store.store import Stored
from attemptlog.runtime.counters import counter_from_zero
from attemptlog.runtime.tracing import SPAN_OUTCOMES
from attemptlog.schemas.dead_letters import DUPLICATE, INSERTED, STORED, SUPPRESSED, DeadLetterReason

DEAD_LETTER, SKIPPED = "dead_letter", "skipped"
OUTCOMES = (*STORED, DEAD_LETTER, SUPPRESSED, SKIPPED)

BATCH_BUCKETS = (1, 10, 50, 100, 250, 500, 1_000, 2_000, 3_000, 5_000, 10_000)  # records
SECONDS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
FRESHNESS_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 7_200, 86_400)  # seconds


class Metrics:
    """The consumer's metrics, in a registry of their own so that two applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = counter_from_zero(
            "attemptlog_consumer_records",
            "Records by outcome: inserted, duplicate, dead_letter, suppressed (of a purged person); skipped ones were "
            "accounted for before.",
            self.registry,
            outcome=OUTCOMES,
        )
        self.dead_letters = counter_from_zero(
            "attemptlog_consumer_dead_letters",
            "Records kept as dead letters, by reason.",
            self.registry,
            reason=DeadLetterReason,
        )
        self.retried = counter_from_zero(
            "attemptlog_consumer_dead_letters_retried",
            "Dead letters retried once their session was there, by outcome: inserted, duplicate, suppressed, a reason.",
            self.registry,
            outcome=(*STORED, SUPPRESSED, *DeadLetterReason),
        )
        self.lost = Counter(
            "attemptlog_consumer_records_lost",
            "Offsets that Kafka no longer had when they were to be stored: expired by the topic's retention.",
            registry=self.registry,
        )
        self.rewinds = Counter(
            "attemptlog_consumer_rewinds",
            "Times the consumer went back in Kafka because the database was behind Kafka's committed offset.",
            registry=self.registry,
        )
        self.batches_in_hand = Gauge(
            "attemptlog_consumer_batches_in_hand",
            "Batches being stored, and up to two more for each connection that wait for that.",
            registry=self.registry,
        )
        self.batch_records = Histogram(
            "attemptlog_consumer_batch_records", "Records in a batch.", buckets=BATCH_BUCKETS, registry=self.registry
        )
        self.batch_seconds = Histogram(
            "attemptlog_consumer_batch_seconds",
            "Time from a batch's arrival to its commit, waiting for PostgreSQL included.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.insert_seconds = Histogram(
            "attemptlog_consumer_insert_seconds",
            "Time of a batch's transaction, from its first insert to its commit, without any waiting before it.",
            buckets=SECONDS_BUCKETS,
            registry=self.registry,
        )
        self.freshness_seconds = Histogram(
            "attemptlog_consumer_freshness_seconds",
            "Age (now - event_ts) of a batch's oldest event when it is committed: no event of the batch took longer.",
            buckets=FRESHNESS_BUCKETS,
            registry=self.registry,
        )
        self.lag_records = Gauge(
            "attemptlog_consumer_lag_records",
            "Records in Kafka that are not in the database yet, by partition assigned to this consumer.",
            ["partition"],
            registry=self.registry,
        )
        self.database_up = Gauge(
            "attemptlog_consumer_database_up", "1 while PostgreSQL takes batches.", registry=self.registry
        )
        self.database_retries = Counter(
            "attemptlog_consumer_database_retries",
            "Attempts to store a batch that PostgreSQL was not there for.",
            registry=self.registry,
        )
        self.spans = counter_from_zero(
            "attemptlog_consumer_spans",
            "Spans, with tracing on, by outcome: kept, sent, failed. What is kept and neither waits or was dropped.",
            self.registry,
            outcome=SPAN_OUTCOMES,
        )
        self.kafka_up = Gauge("attemptlog_consumer_kafka_up", "1 while Kafka answers.", registry=self.registry)

    def count_batch(self, stored: Stored, records: int, seconds: float, age_of_oldest: float | None) -> None:
        for outcome, count in outcomes_of(stored).items():
            self.records.labels(outcome).inc(count)
        for reason, count in stored.dead_letters.items():
            self.dead_letters.labels(reason).inc(count)
        self.batch_records.observe(records)
        self.batch_seconds.observe(seconds)
        self.insert_seconds.observe(stored.seconds)
        if age_of_oldest is not None:
            self.freshness_seconds.observe(age_of_oldest)

    def show_lag(self, lag: Mapping[int, int]) -> None:
        """Replace the lag, by partition: a partition that moved to another consumer must not stay behind."""
        self.lag_records.clear()
        for partition, records in lag.items():
            self.lag_records.labels(partition).set(records)


def outcomes_of(stored: Stored) -> dict[str, int]:
    """Return how many records of a batch had each outcome."""
    return {
        INSERTED: stored.inserted,
        DUPLICATE: stored.duplicates,
        DEAD_LETTER: stored.dead_letters.total(),
        SUPPRESSED: stored.suppressed,
        SKIPPED: stored.skipped,
    }
