"""Every metric of the exporter; docs/observability.md says what to watch."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from attemptlog.event_store.export_status import ExportStatus
from attemptlog.exporter.target import Receipt


class Metrics:
    """The exporter's metrics, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = Counter(
            "attemptlog_exporter_rows", "Rows that the target has committed.", ["target"], registry=self.registry
        )
        self.batches = Counter(
            "attemptlog_exporter_batches", "Batches that the target has committed.", ["target"], registry=self.registry
        )
        self.written_bytes = Counter(
            "attemptlog_exporter_written_bytes", "Bytes written for them.", ["target"], registry=self.registry
        )
        self.failures = Counter(
            "attemptlog_exporter_failures",
            "Passes that failed, by class: set_up, transient, data.",
            ["target", "error_class"],
            registry=self.registry,
        )
        self.pending_rows = Gauge(
            "attemptlog_exporter_pending_rows", "Rows stored and not exported yet.", ["target"], registry=self.registry
        )
        self.lag_seconds = Gauge(
            "attemptlog_exporter_lag_seconds",
            "Age of the moment up to which everything stored is exported.",
            ["target"],
            registry=self.registry,
        )
        self.horizon_held_seconds = Gauge(
            "attemptlog_exporter_horizon_held_seconds",
            "Age of the oldest transaction that writes, of any database of the server: it holds the export back.",
            ["target"],
            registry=self.registry,
        )
        self.up = Gauge(
            "attemptlog_exporter_up", "1 while the last pass succeeded.", ["target"], registry=self.registry
        )

    def count(self, target: str, receipt: Receipt) -> None:
        """Count a batch that is committed."""
        self.rows.labels(target).inc(receipt.rows)
        self.batches.labels(target).inc()
        self.written_bytes.labels(target).inc(receipt.size)

    def fail(self, target: str, error_class: str) -> None:
        """Count a pass that failed."""
        self.failures.labels(target, error_class).inc()
        self.up.labels(target).set(0)

    def show(self, status: ExportStatus) -> None:
        """Show how far the target is."""
        self.pending_rows.labels(status.target).set(status.pending_rows)
        if status.lag_seconds is not None:
            self.lag_seconds.labels(status.target).set(status.lag_seconds)
        held = status.held_back_by
        self.horizon_held_seconds.labels(status.target).set(held.age or 0 if held else 0)
