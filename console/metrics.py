"""Every metric of the console; docs/observability.md says what to watch."""

from http import HTTPStatus

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from attemptlog.event_store.figures import Refreshed
from attemptlog.runtime.counters import counter_from_zero

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2.5, 5, 15)  # seconds
STATUSES = (
    HTTPStatus.OK,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class Metrics:
    """The console's metrics, in a registry of their own so that two applications can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = counter_from_zero(
            "attemptlog_console_requests",
            "Requests answered, by status.",
            self.registry,
            status=[status.value for status in STATUSES],
        )
        self.request_seconds = Histogram(
            "attemptlog_console_request_seconds",
            "Time to answer a request under /api.",
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self.figures_worked_out = Counter(
            "attemptlog_console_figures_worked_out",
            "Sessions whose figures this process has worked out.",
            registry=self.registry,
        )
        self.figures_due = Gauge(
            "attemptlog_console_figures_due",
            "Sessions whose figures are older than what is stored of them, when this process last looked.",
            registry=self.registry,
        )
        self.figures_failures = Counter(
            "attemptlog_console_figures_failures",
            "Times that figures could not be worked out until an operator acts.",
            registry=self.registry,
        )

    def refreshed(self, done: Refreshed) -> None:
        """Count what was worked out, and note what is due."""
        self.figures_worked_out.inc(done.worked_out)
        self.figures_due.set(done.due)

    def answered(self, status: int, seconds: float | None) -> None:
        """Count an answer, and the seconds that it took where it is the API's."""
        self.requests.labels(status).inc()
        if seconds is not None:
            self.request_seconds.observe(seconds)
