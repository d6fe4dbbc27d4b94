"""PostgreSQL below the watermark beside what a target holds, day by day; and of the days that differ, row by row."""

from dataclasses import dataclass
from datetime import date

from attemptlog.event_store.export_audit import count_day, read_expected, select_day
from attemptlog.exporter.comparison import Difference, compare
from attemptlog.exporter.reading import stream
from attemptlog.exporter.rows import DayTotal, signed
from attemptlog.exporter.target import Target
from attemptlog.runtime.postgres import conninfo

PIN = "SELECT set_config('row_security', 'off', true)"  # rather an error than rows that a policy hides


@dataclass(frozen=True, slots=True)
class TargetAudit:
    """An audit; it agrees where there are no differences."""

    target: str
    rows: int
    days: int
    differences: list[Difference]


def audit_target(database_url: str, name: str, target: Target) -> TargetAudit:
    """Compare all days. The exporter may go on meanwhile: what it adds is no difference.

    Raises OperatorError where nothing was exported yet, and what targets and event_store.export_rows raise.
    """
    expected = read_expected(database_url, name)

    def difference(day: date) -> Difference:
        stored = stream(conninfo(database_url), PIN, select_day(expected.horizon, day))
        rows = max(count_day(database_url, day), held.get(day, DayTotal()).rows)
        return compare(day, stored, target.rows_of(day), rows)

    with target:
        held = target.days()
        ours = {day: DayTotal(rows, signed(total)) for day, (rows, total) in expected.days.items()}
        suspects = sorted(day for day in ours.keys() | held.keys() if ours.get(day) != held.get(day))
        found = [difference(day) for day in suspects]
    rows = sum((it.rows for it in ours.values()), 0)
    return TargetAudit(name, rows, len(ours), [it for it in found if it.sample])
