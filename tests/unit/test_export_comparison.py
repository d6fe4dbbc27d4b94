"""What an audit finds when it compares a day's rows, and what it needs for that."""

import uuid
from collections.abc import Iterator, Sequence
from datetime import date
from random import Random

import pyarrow as pa
import pytest

from attemptlog.exporter import comparison
from attemptlog.exporter.comparison import EXPECTED, Difference, compare
from attemptlog.exporter.rows import HELD, IDENTITY, Chunk

DAY = date(2026, 3, 2)
CHUNK = 1_000  # rows
USER, SESSION = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"

Row = tuple[str, int]


def rows_of(number: int) -> list[Row]:
    dice = Random(number)  # noqa: S311
    return [
        (str(uuid.UUID(int=dice.getrandbits(128), version=4)), dice.randint(-(2**63), 2**63 - 1)) for _ in range(number)
    ]


def stored(rows: Sequence[Row], *, exported: bool = True) -> Iterator[Chunk]:
    for chunk in held(rows):
        columns = [*(chunk.column(name) for name in IDENTITY.names), pa.array([exported] * len(chunk))]
        yield pa.RecordBatch.from_arrays(columns, schema=EXPECTED)


def held(rows: Sequence[Row]) -> Iterator[Chunk]:
    for start in range(0, len(rows), CHUNK):
        ids, hashes = zip(*rows[start : start + CHUNK], strict=True)
        whose = [pa.array([SESSION] * len(ids)), pa.array([USER] * len(ids))]
        yield pa.RecordBatch.from_arrays([pa.array(ids), pa.array(hashes), *whose], schema=HELD)


@pytest.fixture(params=[1, 7, 40])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many parts the rows of a test are compared in."""
    monkeypatch.setattr(comparison, "PART_ROWS", 10_000 // request.param + 1)
    return int(request.param)


@pytest.mark.usefixtures("parts")
def test_every_kind_of_difference_is_counted_whichever_part_it_is_in() -> None:
    rows = rows_of(10_000)
    kept, gone, twice = rows[:9_000], rows[9_000:], rows[:700]
    others = [(name, number ^ 1) for name, number in rows[700:800]]
    nobodys = [*rows_of(50), ("", 1), ("no UUID \N{SNOWMAN}", 2), ("x" * 100, 3)]
    there = [*kept[:700], *others, *kept[800:], *twice, *nobodys]
    found = compare(DAY, stored(rows), held(there), len(rows))
    assert (found.missing, found.doubled, found.foreign, found.changed) == (len(gone), 700, 53, 100)
    assert {kind: len(ids) for kind, ids in found.sample.items()} == dict.fromkeys(
        ("missing", "doubled", "foreign", "changed"), 5
    )
    assert set(found.sample["missing"]) <= {name for name, _ in gone}
    assert set(found.sample["changed"]) <= {name for name, _ in others}


@pytest.mark.usefixtures("parts")
def test_what_was_exported_while_the_audit_ran_is_no_difference_whether_it_is_there_yet() -> None:
    rows = rows_of(10_000)
    assert compare(DAY, stored(rows, exported=False), held(rows[:5_000]), len(rows)) == Difference(DAY)


@pytest.mark.usefixtures("parts")
def test_what_only_the_target_has_is_told_apart_by_whose_it_is() -> None:
    rows = rows_of(10_000)

    def explain(pairs: pa.Table) -> pa.Array:
        assert set(pairs["user_id"].to_pylist()) == {USER}
        assert set(pairs["session_id"].to_pylist()) == {SESSION}
        kinds = ("kept", "pending", "foreign")
        return pa.array([kinds[min(row, 2)] for row in range(pairs.num_rows)])

    found = compare(DAY, stored(rows[:100]), held(rows), len(rows), explain)
    parts = found.kept
    assert (found.pending, found.foreign, found.missing) == (parts, 9_900 - 2 * parts, 0)
    assert found.is_fault(allow_pending=True)


def test_what_a_retention_keeps_is_no_fault_and_what_a_purge_leaves_is_one_unless_it_is_allowed() -> None:
    assert not Difference(DAY, kept=3).is_fault(allow_pending=False)
    assert Difference(DAY, pending=3).is_fault(allow_pending=False)
    assert not Difference(DAY, pending=3, kept=1).is_fault(allow_pending=True)
    assert Difference(DAY, pending=3, missing=1).is_fault(allow_pending=True)


@pytest.mark.usefixtures("parts")
def test_a_side_may_be_empty() -> None:
    rows = rows_of(10_000)
    assert compare(DAY, stored(rows), held([]), len(rows)).missing == len(rows)
    assert compare(DAY, stored([]), held(rows), len(rows)).foreign == len(rows)
    assert compare(DAY, stored([]), held([]), 0) == Difference(DAY)


def peak(parts: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the most bytes that Arrow had at a time."""
    rows = rows_of(100_000)
    monkeypatch.setattr(comparison, "PART_ROWS", len(rows) // parts + 1)
    before, pool = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(pool)
    try:
        assert compare(DAY, stored(rows), held([]), len(rows)).missing == len(rows)
    finally:
        pa.set_memory_pool(before)
    return int(pool.max_memory())


def test_memory_grows_with_a_part_and_not_with_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    assert peak(20, monkeypatch) < peak(1, monkeypatch) / 8
