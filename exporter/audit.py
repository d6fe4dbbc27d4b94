"""PostgreSQL below the watermark beside what a target holds, day by day; and of the days that differ, row by row."""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import pyarrow as pa

from attemptlog.event_store.export_audit import count_day, read_expected, select_day
from attemptlog.event_store.export_purges import Reasons
from attemptlog.exporter.comparison import Difference, compare
from attemptlog.exporter.forgetting import PAIRS_AT_A_TIME
from attemptlog.exporter.pairs import PAIR
from attemptlog.exporter.reading import stream
from attemptlog.exporter.rows import DayTotal, signed
from attemptlog.exporter.target import Target
from attemptlog.runtime.postgres import conninfo
from attemptlog.runtime.pseudonyms import Pseudonyms

PIN = "SELECT set_config('row_security', 'off', true)"  # rather an error than rows that a policy hides


@dataclass(frozen=True, slots=True)
class TargetAudit:
    """An audit; `kept` are rows that a retention leaves in the target, which is no difference."""

    target: str
    rows: int
    days: int
    kept: int
    differences: list[Difference]

    @property
    def pending(self) -> int:
        """How many rows are of purges that are not done in the target yet."""
        return sum(each.pending for each in self.differences)

    def disagrees(self, *, allow_pending: bool = False) -> bool:
        """Say whether a day is not as it is to be."""
        return any(each.is_fault(allow_pending=allow_pending) for each in self.differences)


def audit_target(database_url: str, name: str, target: Target, pseudonyms: Pseudonyms | None = None) -> TargetAudit:
    """Compare all days. The exporter may go on meanwhile: what it adds, or forgets, is no difference.

    Raises OperatorError where nothing was exported yet, CannotRun where persons were purged under another key, and
    what targets and event_store.export_rows raise.
    """
    expected = read_expected(database_url, name)
    reasons = Reasons(database_url, name, expected.began, pseudonyms)

    def difference(day: date) -> Difference:
        stored = stream(conninfo(database_url), PIN, select_day(expected.horizon, day))
        rows = max(count_day(database_url, day), held.get(day, DayTotal()).rows)
        return compare(day, stored, target.rows_of(day), rows, partial(explained, reasons))

    with target:
        held = target.days()
        ours = {day: DayTotal(rows, signed(total)) for day, (rows, total) in expected.days.items()}
        suspects = sorted(day for day in ours.keys() | held.keys() if ours.get(day) != held.get(day))
        found = [difference(day) for day in suspects]
    rows = sum((it.rows for it in ours.values()), 0)
    kept = sum((it.kept for it in found), 0)
    return TargetAudit(name, rows, len(ours), kept, [it for it in found if it.is_fault(allow_pending=False)])


def explained(reasons: Reasons, pairs: Any) -> Any:
    """See comparison.Explain."""
    parts = [
        _explained(reasons, pairs.slice(start, PAIRS_AT_A_TIME)) for start in range(0, len(pairs), PAIRS_AT_A_TIME)
    ]
    return pa.array([reason for part in parts for reason in part])


def _explained(reasons: Reasons, pairs: Any) -> list[str]:
    users, sessions = (pairs.column(name).to_pylist() for name in PAIR.names)
    found = reasons.find(set(users), set(sessions))
    whose = zip(users, sessions, strict=True)
    return [max(found.of(user, session), default="foreign") for user, session in whose]  # a purge outdoes a retention
