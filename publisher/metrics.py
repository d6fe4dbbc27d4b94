"""Every metric of the event logger; docs/observability.md says what to watch."""

from collections.abc import Sized
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge

from attemptlog.publisher.port import Publisher

DropReason = Literal["invalid", "queue_full", "closed", "failed", "undelivered"]


class Metrics:
    """The event logger's metrics, in the registry of the process that uses it, or in one of their own.

    At any time, logged = published + dropped + queued.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = CollectorRegistry() if registry is None else registry
        self.logged = Counter("attemptlog_logger_events_logged", "Calls of log_event.", registry=self.registry)
        self.published = Counter(
            "attemptlog_logger_events_published", "Events acknowledged by Kafka.", registry=self.registry
        )
        self.dropped = Counter(
            "attemptlog_logger_events_dropped",
            "Events given up, by reason: invalid, queue_full, closed, failed, undelivered.",
            ["reason"],
            registry=self.registry,
        )
        for reason in get_args(DropReason):  # from 0 on, or the first drop is no increase
            self.dropped.labels(reason)
        self.retries = Counter(
            "attemptlog_logger_retries",
            "Times a batch was tried again because Kafka was away or the publisher failed.",
            registry=self.registry,
        )
        self.queued = Gauge(
            "attemptlog_logger_queued_events",
            "Events waiting for Kafka's acknowledgement, of max_queued.",
            registry=self.registry,
        )
        self.kafka_up = Gauge("attemptlog_logger_kafka_up", "1 while Kafka acknowledges.", registry=self.registry)

    def watch(self, backlog: Sized, publisher: Publisher) -> None:
        """Read the gauges from their sources at every scrape."""
        self.queued.set_function(lambda: len(backlog))
        self.kafka_up.set_function(lambda: publisher.is_ready)

    def begin_anew(self) -> None:
        """Count from 0 again: a process that was forked has logged nothing yet."""
        for counter in (self.logged, self.published, self.retries, *map(self.dropped.labels, get_args(DropReason))):
            counter.reset()
        self.queued.set_function(lambda: 0)
        self.kafka_up.set_function(lambda: 0)
