"""Every metric of the exporter; docs/observability.md says what to watch."""

import time
from datetime import datetime

from prometheus_client import CollectorRegistry, Gauge

from attemptlog.event_store.export_status import ExportStatus
from attemptlog.exporter.errors import ERROR_CLASSES
from attemptlog.exporter.target import OUTCOMES, Receipt
from attemptlog.runtime.counters import counter_from_zero


class Metrics:
    """The metrics of an exporter to one target, in a registry of their own."""

    def __init__(self, target: str) -> None:
        self.registry = CollectorRegistry()
        self._target = target
        self.rows = counter_from_zero(
            "attemptlog_exporter_rows", "Rows that the target has committed.", self.registry, target=[target]
        )
        self.batches = counter_from_zero(
            "attemptlog_exporter_batches", "Batches that the target has committed.", self.registry, target=[target]
        )
        self.written_bytes = counter_from_zero(
            "attemptlog_exporter_written_bytes", "Bytes written for them.", self.registry, target=[target]
        )
        self.rows_forgotten = counter_from_zero(
            "attemptlog_exporter_rows_forgotten",
            "Rows that went from the target because their person or session was purged.",
            self.registry,
            target=[target],
        )
        self.failures = counter_from_zero(
            "attemptlog_exporter_failures",
            "Passes that failed, by class: set_up, transient, data.",
            self.registry,
            target=[target],
            error_class=ERROR_CLASSES,
        )
        self.requests = counter_from_zero(
            "attemptlog_exporter_requests",
            "Requests that a record store has answered: taken, halved to be sent again, refused.",
            self.registry,
            target=[target],
            outcome=OUTCOMES,
        )
        self.pending_rows = self._gauge(
            "attemptlog_exporter_pending_rows", "Rows stored and not exported after the last pass that succeeded."
        )
        self.pending_purges = self._gauge(
            "attemptlog_exporter_pending_purges",
            "Purges that are done in PostgreSQL and were not in the target after the last pass, also one that failed.",
        )
        self.lag_seconds = self._gauge(
            "attemptlog_exporter_lag_seconds",
            "Age of the moment up to which everything stored is exported; it grows until a pass succeeds.",
        )
        self.horizon_held_seconds = self._gauge(
            "attemptlog_exporter_horizon_held_seconds",
            "Age of the oldest transaction that writes, of any database of the server: it holds the export back.",
        )
        self.up = self._gauge("attemptlog_exporter_up", "1 while the last pass succeeded, 0 before the first.")
        self.up.labels(target).set(0)

    def _gauge(self, name: str, documentation: str) -> Gauge:
        return Gauge(name, documentation, ["target"], registry=self.registry)

    def count(self, receipt: Receipt) -> None:
        """Count a batch that is committed."""
        self.rows.labels(self._target).inc(receipt.rows)
        self.batches.labels(self._target).inc()
        self.written_bytes.labels(self._target).inc(receipt.size)

    def count_request(self, outcome: str) -> None:
        """Count a request that was answered."""
        self.requests.labels(self._target, outcome).inc()

    def fail(self, error_class: str) -> None:
        """Count a pass that failed."""
        self.failures.labels(self._target, error_class).inc()
        self.up.labels(self._target).set(0)

    def succeed(self) -> None:
        """Note that a pass has succeeded."""
        self.up.labels(self._target).set(1)

    def show_purges(self, status: ExportStatus) -> None:
        """Show how many purges the target has to follow."""
        self.pending_purges.labels(self._target).set(status.pending_purges)

    def show(self, status: ExportStatus) -> None:
        """Show how far the target is."""
        self.show_purges(status)
        self.pending_rows.labels(self._target).set(status.pending_rows)
        if status.exported_until is not None:
            self._show_age_of(status.exported_until)
        held = status.held_back_by
        self.horizon_held_seconds.labels(self._target).set(held.age or 0 if held else 0)

    def _show_age_of(self, until: datetime) -> None:
        since = until.timestamp()
        self.lag_seconds.labels(self._target).set_function(lambda: time.time() - since)
