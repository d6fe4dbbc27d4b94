"""PostgreSQL below the watermark beside what a target holds, day by day; and of the days that differ, row by row."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.event_store.export_audit import read_expected, select_day
from attemptlog.exporter.reading import stream
from attemptlog.exporter.rows import IDENTITY, DayTotal, signed
from attemptlog.exporter.target import Target
from attemptlog.runtime.postgres import conninfo

PIN = "SELECT set_config('row_security', 'off', true)"  # rather an error than rows that a policy hides
SAMPLE = 5  # ids of a kind that are named

EXPECTED = pa.schema([*IDENTITY, pa.field("is_exported", pa.bool_())])


@dataclass(frozen=True, slots=True)
class Difference:
    """What is wrong with a day: how many rows are missing, in the target twice or more, in it and not in PostgreSQL,
    or other than there; and some of their ids."""

    day: date
    missing: int
    doubled: int
    foreign: int
    changed: int
    sample: dict[str, list[str]] = field(default_factory=dict)


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

    def rows_of(day: date) -> Iterator[Any]:
        return stream(conninfo(database_url), PIN, select_day(expected.horizon, day))

    with target:
        held = target.days()
        ours = {day: DayTotal(rows, signed(total)) for day, (rows, total) in expected.days.items()}
        suspects = sorted(day for day in ours.keys() | held.keys() if ours.get(day) != held.get(day))
        found = [_compare(day, rows_of(day), target.rows_of(day)) for day in suspects]
    rows = sum((it.rows for it in ours.values()), 0)
    return TargetAudit(name, rows, len(ours), [it for it in found if it.sample])


def _compare(day: date, stored: Iterator[Any], held: Iterator[Any]) -> Difference:
    ours = pa.Table.from_batches((_as(chunk, EXPECTED) for chunk in stored), EXPECTED)
    theirs = pa.Table.from_batches((_as(chunk, IDENTITY) for chunk in held), IDENTITY)
    counted = theirs.group_by("id").aggregate([("id", "count"), ("row_hash", "min"), ("row_hash", "max")])
    both = ours.join(counted, "id", join_type="full outer", coalesce_keys=False, right_suffix="_held")
    is_held, is_stored = pc.is_valid(both["id_held"]), pc.is_valid(both["id"])
    is_other = pc.or_(
        pc.not_equal(both["row_hash"], both["row_hash_min"]), pc.not_equal(both["row_hash"], both["row_hash_max"])
    )
    kinds = {
        "missing": pc.and_(pc.invert(is_held), pc.equal(both["is_exported"], True)),
        "doubled": pc.greater(both["id_count"], 1),
        "foreign": pc.and_(is_held, pc.invert(is_stored)),
        "changed": pc.and_(is_held, is_other),
    }
    ids = pc.coalesce(both["id"], both["id_held"])
    found = {kind: ids.filter(pc.fill_null(mask, False)) for kind, mask in kinds.items()}
    sample = {kind: sorted(which.slice(0, SAMPLE).to_pylist()) for kind, which in found.items() if len(which)}
    return Difference(day=day, sample=sample, **{kind: len(which) for kind, which in found.items()})


def _as(chunk: Any, schema: Any) -> Any:
    return pa.RecordBatch.from_arrays([chunk.column(name) for name in schema.names], schema=schema)
