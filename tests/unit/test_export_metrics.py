"""What the exporter shows between two passes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from attemptlog.event_store.export_status import ExportStatus
from attemptlog.exporter.metrics import Metrics

UNTIL = datetime(2026, 3, 2, 9, tzinfo=UTC)
STATUS = ExportStatus(
    target="parquet",
    horizon=7,
    exported_until=UNTIL,
    lag_seconds=0.0,
    is_backfilled=True,
    exported_rows=9,
    forgotten_rows=0,
    pending_rows=3,
    pending_purges=2,
    batches=1,
    open_batch=None,
    attempts=None,
    succeeded_at=None,
    failures=0,
    error_class=None,
    error=None,
    failed_at=None,
    held_back_by=None,
)


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"attemptlog_exporter_{name}", {"target": "parquet"})


def test_the_lag_grows_while_no_pass_succeeds(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics("parquet")
    metrics.show(STATUS)
    metrics.fail("transient")
    for hours in (1, 2):
        now = (UNTIL + timedelta(hours=hours)).timestamp()
        monkeypatch.setattr("time.time", lambda now=now: now)
        assert value(metrics, "lag_seconds") == hours * 3600


def test_a_target_that_nothing_was_exported_to_has_no_lag_and_is_not_up() -> None:
    metrics = Metrics("parquet")
    metrics.show(replace(STATUS, exported_until=None))
    assert (value(metrics, "lag_seconds"), value(metrics, "up")) == (None, 0)
    metrics.succeed()
    assert value(metrics, "up") == 1
