"""The audit of a target names what is missing, doubled, foreign or other than in PostgreSQL."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from attemptlog.exporter import comparison
from attemptlog.exporter.audit import audit_target
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.runtime.errors import OperatorError
from tests.support.export import MONDAY, difference, event, export, store
from tests.support.http import insert_exam


@pytest.fixture
def target(database_url: str, tmp_path: Path) -> ParquetDirectory:
    """A target that holds three days of ten events each."""
    exam, target = insert_exam(database_url), ParquetDirectory(tmp_path / "events")
    with psycopg.connect(database_url) as connection:
        for day in range(3):
            store(connection, exam, 10, event_ts=MONDAY + timedelta(days=day))
    export(database_url, target)
    return target


def change(directory: Path, how: Callable[[pa.Table], pa.Table]) -> None:
    """Change the file of the second day, as somebody might."""
    [path] = (directory / "events").glob("day=2026-03-03/*.parquet")
    pq.write_table(how(pq.read_table(path, partitioning=None)), path)


def with_hash(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("row_hash")
    return table.set_column(place, table.schema.field(place), pc.subtract(table["row_hash"], 1))


FAULTS: dict[str, tuple[Callable[[pa.Table], pa.Table], dict[str, int]]] = {
    "rows that are missing": (lambda table: table.slice(3), {"missing": 3}),
    "rows that are there twice": (lambda table: pa.concat_tables([table, table.slice(8)]), {"doubled": 2}),
    "rows of nobody": (
        lambda table: pa.concat_tables([table, pa.Table.from_pylist([event()], table.schema)]),
        {"foreign": 1},
    ),
    "rows with another content": (with_hash, {"changed": 10}),
    "one for another": (
        lambda table: pa.concat_tables([table.slice(1), table.slice(9)]),
        {"missing": 1, "doubled": 1},
    ),
}


@pytest.fixture(params=[comparison.PART_ROWS, 3])
def part_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many rows are compared at a time, of ten a day."""
    monkeypatch.setattr(comparison, "PART_ROWS", request.param)


@pytest.mark.usefixtures("part_rows")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_day(database_url: str, target: ParquetDirectory, tmp_path: Path, fault: str) -> None:
    how, expected = FAULTS[fault]
    change(tmp_path, how)
    assert difference(database_url, target) == expected
    assert [str(each.day) for each in audit_target(database_url, "here", target).differences] == ["2026-03-03"]


def test_a_target_that_holds_what_is_exported_agrees_whatever_is_stored_since(
    database_url: str, target: ParquetDirectory
) -> None:
    with psycopg.connect(database_url) as connection:
        store(connection, insert_exam(database_url), 5)
    found = audit_target(database_url, "here", target)
    assert (found.rows, found.days, found.differences) == (30, 3, [])


def test_what_is_exported_while_the_audit_runs_is_no_difference(
    database_url: str, target: ParquetDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = target.days

    def exported_meanwhile() -> object:
        with psycopg.connect(database_url) as connection:
            store(connection, insert_exam(database_url), 5)
        export(database_url, ParquetDirectory(target._root))
        return days()

    monkeypatch.setattr(target, "days", exported_meanwhile)
    assert difference(database_url, target) == {}


def test_a_file_that_was_removed_is_told_in_a_sentence(
    database_url: str, target: ParquetDirectory, tmp_path: Path
) -> None:
    [manifest] = (tmp_path / "events/_attemptlog/batches").glob("*.json")
    listed = [file["path"] for file in json.loads(manifest.read_bytes())["files"]]
    (tmp_path / "events" / listed[0]).unlink()
    with pytest.raises(Exception, match="No such file"):
        difference(database_url, target)


def test_nothing_is_said_before_anything_was_exported(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="Nothing was exported"):
        audit_target(database_url, "here", ParquetDirectory(tmp_path))
