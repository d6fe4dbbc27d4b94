"""How far a target is, for whoever asks: read without its lock."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import dict_row

from attemptlog.event_store.export_purges import IS_PENDING
from attemptlog.event_store.export_windows import Holder, holder
from attemptlog.runtime.transactions import transaction

READ = f"""
SELECT
    name AS target,
    horizon::text::numeric AS horizon,
    exported_until,
    backfill_done_at IS NOT NULL AS is_backfilled,
    failures,
    error_class,
    error,
    failed_at,
    succeeded_at,
    (
        SELECT count(*)
        FROM export_batches
        WHERE target = name AND state = 'committed' AND number > began_after AND kind <> 'resend'
    ) AS batches,
    (
        SELECT coalesce(sum(rows), 0)::bigint
        FROM export_batches
        WHERE target = name AND state = 'committed' AND number > began_after AND kind <> 'resend'
    ) AS exported_rows,
    (SELECT state FROM export_batches WHERE target = name AND state IN ('planned', 'sent')) AS open_batch,
    (SELECT attempts FROM export_batches WHERE target = name AND state IN ('planned', 'sent')) AS attempts,
    (
        SELECT count(*)
        FROM attempt_events
        WHERE export_xid >= greatest(horizon, backfill_below)
    ) + CASE WHEN backfill_done_at IS NULL THEN (
        SELECT count(*)
        FROM attempt_events
        WHERE (export_xid IS NULL OR export_xid < backfill_below) AND (backfill_after IS NULL OR id > backfill_after)
    ) ELSE (
        SELECT count(*)
        FROM attempt_events
        WHERE export_xid >= horizon AND export_xid < backfill_below
    ) END AS pending_rows,
    (SELECT count(*) FROM purges WHERE {IS_PENDING}) AS pending_purges,
    (SELECT coalesce(sum(rows), 0)::bigint FROM purge_targets WHERE target = name) AS forgotten_rows
FROM export_targets
WHERE %(target)s::text IS NULL OR name = %(target)s
ORDER BY name
"""  # noqa: S608 (a condition of ours)


@dataclass(frozen=True, slots=True)
class ExportStatus:
    """A target. `horizon` is the first transaction that is not exported, and everything that was stored in
    transactions which began before `exported_until` is. `exported_rows` were sent, of which `forgotten_rows` went with
    purges. `failures` are those since the last success."""

    target: str
    horizon: int
    exported_until: datetime | None
    lag_seconds: float | None
    is_backfilled: bool
    exported_rows: int
    forgotten_rows: int
    pending_rows: int
    pending_purges: int
    batches: int
    open_batch: str | None
    attempts: int | None
    succeeded_at: datetime | None
    failures: int
    error_class: str | None
    error: str | None
    failed_at: datetime | None
    held_back_by: Holder | None

    def as_data(self) -> Mapping[str, Any]:
        """Return it for JSON."""
        return asdict(self) | {"held_back_by": self.held_back_by and self.held_back_by._asdict()}


def read_status(database_url: str, target: str | None = None) -> list[ExportStatus]:
    """Return the status of one target, or of all that were ever exported to; raises psycopg.Error and OperatorError."""
    with transaction(database_url, row_factory=dict_row) as connection:
        rows = connection.execute(READ, {"target": target}).fetchall()
        held = holder(connection)
    return [_status(row, held, datetime.now(UTC)) for row in rows]


def _status(row: Mapping[str, Any], held: Holder | None, now: datetime) -> ExportStatus:
    until = row["exported_until"]
    lag = (now - until).total_seconds() if until else None
    return ExportStatus(**{**row, "horizon": int(row["horizon"])}, lag_seconds=lag, held_back_by=held)
