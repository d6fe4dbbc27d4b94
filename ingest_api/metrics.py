"""Every metric of the gateway; docs/observability.md says what to watch."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from attemptlog.ingest_api.connections import Connections
from attemptlog.ingest_api.drops import MAX_STREAMS
from attemptlog.ingest_api.problems import CALLER_LEFT
from attemptlog.ingest_api.sessions import SessionDirectory
from attemptlog.ingest_api.shedding import Gate
from attemptlog.publisher import Publisher
from attemptlog.runtime.keys import KeySource

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
BATCH_BUCKETS = (1, 2, 5, 10, 20, 30, 40, 50)  # events


class _Children(dict[int, Counter]):
    """A counter's children by their label: looking one up in the counter costs more than counting."""

    def __init__(self, counter: Counter) -> None:
        super().__init__()
        self._counter = counter

    def __missing__(self, label: int) -> Counter:
        child = self[label] = self._counter.labels(label)
        return child


class Metrics:
    """The gateway's metrics, in a registry of their own so that two applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "attemptlog_ingest_requests",
            "Requests answered, by status; 499 for those whose caller left first.",
            ["status"],
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "attemptlog_ingest_request_seconds",
            "Time to answer POST /v1/telemetry/events.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.accepted = Counter(
            "attemptlog_ingest_events_accepted", "Events acknowledged by Kafka.", registry=self.registry
        )
        self.rejected = Counter(
            "attemptlog_ingest_events_rejected", "Events not taken, by code.", ["code"], registry=self.registry
        )
        self.batch_events = Histogram(
            "attemptlog_ingest_batch_events", "Events in a batch.", buckets=BATCH_BUCKETS, registry=self.registry
        )
        self.unchecked = Counter(
            "attemptlog_ingest_events_unchecked",
            "Events let through to the consumer's check because their session could not be looked up.",
            registry=self.registry,
        )
        self.dropped_by_pages = Counter(
            "attemptlog_ingest_events_dropped_by_pages",
            "Events that pages say they gave up, by reason. What no batch told is not in it, and what one stream tells "
            "several processes, or one after a restart, each counts: the exact figures are in stream_completeness.",
            ["reason"],
            registry=self.registry,
        )
        self.dropping_streams = Gauge(
            "attemptlog_ingest_dropping_streams",
            f"Streams remembered because they dropped events, of {MAX_STREAMS:,}.",
            registry=self.registry,
        )
        self.buffered_bytes = Gauge(
            "attemptlog_ingest_buffered_bytes", "Envelopes waiting for Kafka, in bytes.", registry=self.registry
        )
        self.shed = Counter(
            "attemptlog_ingest_requests_shed",
            "Requests refused with 503 because the gateway was full.",
            registry=self.registry,
        )
        self.in_flight_requests = Gauge(
            "attemptlog_ingest_in_flight_requests",
            "Batches being worked on, of max_requests_in_flight.",
            registry=self.registry,
        )
        self.in_flight_bytes = Gauge(
            "attemptlog_ingest_in_flight_bytes",
            "Bytes of bodies that have arrived, of max_bytes_in_flight.",
            registry=self.registry,
        )
        self.connections = Gauge(
            "attemptlog_ingest_connections", "Connections that are open, of max_connections.", registry=self.registry
        )
        self.connections_ended = Counter(
            "attemptlog_ingest_connections_ended",
            "Connections that the gateway has ended, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.kafka_up = Gauge("attemptlog_ingest_kafka_up", "1 while Kafka acknowledges.", registry=self.registry)
        self.sessions_up = Gauge(
            "attemptlog_ingest_sessions_up", "1 while sessions can be looked up.", registry=self.registry
        )
        self.key_fetches = Counter(
            "attemptlog_ingest_key_fetches",
            "Fetches of the key set, by outcome: ok, failed.",
            ["outcome"],
            registry=self.registry,
        )
        self.keys_up = Gauge(
            "attemptlog_ingest_keys_up",
            "1 while the key set can be fetched; known keys are good without.",
            registry=self.registry,
        )
        self.sessions_cached = Gauge(
            "attemptlog_ingest_sessions_cached", "Sessions remembered, of session_cache_size.", registry=self.registry
        )

        self._requests_by_status = _Children(self.requests)

    def count_answer(self, status: int, seconds: float) -> None:
        """Count an answer to a batch, and how long it took; who has left was not answered."""
        self._requests_by_status[status].inc()
        if status != CALLER_LEFT:
            self.request_seconds.observe(seconds)

    def count_key_fetch(self, outcome: str) -> None:
        self.key_fetches.labels(outcome).inc()

    def watch(
        self,
        publisher: Publisher,
        sessions: SessionDirectory,
        keys: KeySource,
        *,
        gate: Gate,
        connections: Connections,
    ) -> None:
        """Read the gauges from their sources at every scrape."""
        self.connections.set_function(lambda: connections.open)
        self.in_flight_requests.set_function(lambda: gate.requests)
        self.in_flight_bytes.set_function(lambda: gate.body_bytes)
        self.buffered_bytes.set_function(lambda: publisher.buffered_bytes)
        self.kafka_up.set_function(lambda: publisher.is_ready)
        self.sessions_up.set_function(lambda: sessions.is_ready)
        self.keys_up.set_function(lambda: keys.is_ready)
        self.sessions_cached.set_function(lambda: sessions.cached)
