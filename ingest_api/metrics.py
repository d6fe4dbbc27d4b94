"""Every metric of the gateway; docs/observability.md says what to watch."""

from http import HTTPStatus
from typing import get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from attemptlog.ingest_api.connections import END_REASONS, Connections
from attemptlog.ingest_api.drops import MAX_STREAMS
from attemptlog.ingest_api.efforts import Efforts
from attemptlog.ingest_api.problems import AT_THE_DOOR, BEFORE_THE_DOOR, CALLER_LEFT, REFUSED_WHOLE
from attemptlog.ingest_api.sessions import SessionDirectory
from attemptlog.ingest_api.shedding import Gate
from attemptlog.publisher import Publisher
from attemptlog.runtime.counters import counter_from_zero
from attemptlog.runtime.key_set import FETCH_OUTCOMES
from attemptlog.runtime.keys import KeySource
from attemptlog.runtime.tracing import SPAN_OUTCOMES
from attemptlog.schemas import PageDropReason, RejectionCode

STATUSES = sorted({HTTPStatus.ACCEPTED.value, CALLER_LEFT, *(kind.status.value for kind in AT_THE_DOOR)})
LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds
BATCH_BUCKETS = (1, 2, 5, 10, 20, 30, 40, 50)  # events


class Metrics:
    """The gateway's metrics, in a registry of their own so that two applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = counter_from_zero(
            "attemptlog_ingest_requests",
            "Requests answered, by status; 499 for those whose caller left first.",
            self.registry,
            status=STATUSES,
        )
        self.refused_early = counter_from_zero(
            "attemptlog_ingest_requests_refused",
            "Requests refused by the protocol, before they came to the application, by code.",
            self.registry,
            code=[kind.code for kind in BEFORE_THE_DOOR],
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
        self.rejected = counter_from_zero(
            "attemptlog_ingest_events_rejected",
            "Events not taken, by code.",
            self.registry,
            code=get_args(RejectionCode),
        )
        self.refused_whole = counter_from_zero(
            "attemptlog_ingest_events_refused",
            "Events of batches that were read and refused whole, to be sent again, by the code of the answer.",
            self.registry,
            code=[kind.code for kind in REFUSED_WHOLE],
        )
        self.batch_events = Histogram(
            "attemptlog_ingest_batch_events", "Events in a batch.", buckets=BATCH_BUCKETS, registry=self.registry
        )
        self.unchecked = Counter(
            "attemptlog_ingest_events_unchecked",
            "Events let through to the consumer's check because their session could not be looked up.",
            registry=self.registry,
        )
        self.client_flushes = Counter(
            "attemptlog_ingest_client_flushes",
            "Times that pages sent what waited, as far as they tell, counted when the first batch of it is accepted.",
            registry=self.registry,
        )
        self.client_retries = Counter(
            "attemptlog_ingest_client_retries",
            "Requests of pages that failed and were tried again, come here or not; counted as the flushes are.",
            registry=self.registry,
        )
        self.dropped_by_pages = counter_from_zero(
            "attemptlog_ingest_events_dropped_by_pages",
            "Events that pages say they gave up, by reason. What no batch told is not in it, and what one stream tells "
            "several processes, or one after a restart, each counts: the exact figures are in stream_completeness.",
            self.registry,
            reason=get_args(PageDropReason),
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
        self.connections_ended = counter_from_zero(
            "attemptlog_ingest_connections_ended",
            "Connections that the gateway has ended, by reason.",
            self.registry,
            reason=END_REASONS,
        )
        self.kafka_up = Gauge("attemptlog_ingest_kafka_up", "1 while Kafka acknowledges.", registry=self.registry)
        self.sessions_up = Gauge(
            "attemptlog_ingest_sessions_up", "1 while sessions can be looked up.", registry=self.registry
        )
        self.session_query_seconds = Histogram(
            "attemptlog_ingest_session_query_seconds",
            "Time of a query for sessions that PostgreSQL answered; batches share one, and most need none.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.key_fetches = counter_from_zero(
            "attemptlog_ingest_key_fetches",
            "Fetches of the key set, by outcome: ok, failed.",
            self.registry,
            outcome=FETCH_OUTCOMES,
        )
        self.keys_up = Gauge(
            "attemptlog_ingest_keys_up",
            "1 while the key set can be fetched; known keys are good without.",
            registry=self.registry,
        )
        self.spans = counter_from_zero(
            "attemptlog_ingest_spans",
            "Spans, with tracing on, by outcome: kept, sent, failed. What is kept and neither waits or was dropped.",
            self.registry,
            outcome=SPAN_OUTCOMES,
        )
        self.sessions_cached = Gauge(
            "attemptlog_ingest_sessions_cached", "Sessions remembered, of session_cache_size.", registry=self.registry
        )

        # looking a child up costs more than counting
        self._requests_by_status = {status: self.requests.labels(status) for status in STATUSES}

    def count_answer(self, status: int, seconds: float) -> None:
        """Count an answer to a batch, and how long it took; who has left was not answered."""
        self._requests_by_status[status].inc()
        if status != CALLER_LEFT:
            self.request_seconds.observe(seconds)

    def count_efforts(self, told: Efforts) -> None:
        """Count what a page tells of its way to an accepted batch."""
        if told.flushes:
            self.client_flushes.inc(told.flushes)
        if told.retries:
            self.client_retries.inc(told.retries)

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
