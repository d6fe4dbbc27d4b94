"""What is special about the DuckDB file; what holds for every target is in test_export_targets.py."""

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import duckdb
import pyarrow as pa
import pytest

from attemptlog.exporter import duckdb as target_module
from attemptlog.exporter import duckdb_sql
from attemptlog.exporter.duckdb import DuckDBFile
from attemptlog.exporter.duckdb_session import told
from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.exporter.rows import SCHEMA, Chunk
from attemptlog.exporter.target import Batch
from tests.support.export import chunk_of, event, read_duckdb_file

OPEN = """
import sys
import duckdb

with duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "r"):
    print("open", flush=True)
    input()
"""
WRITE_AND_HANG = """
import sys
from uuid import UUID
from pathlib import Path
from attemptlog.exporter.duckdb import DuckDBFile
from attemptlog.exporter.target import Batch
from tests.support.export import chunk_of, event

def chunks():
    for _ in range(3):
        yield chunk_of([event() for _ in range(50_000)])
    print("written", flush=True)
    input()

with DuckDBFile(Path(sys.argv[1])) as target:
    target.claim(2)
    target.write(Batch(UUID(sys.argv[2])), chunks())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "events.duckdb"


@pytest.fixture
def target(file: Path) -> DuckDBFile:
    target = DuckDBFile(file)
    target.claim(1)
    target.write(Batch(uuid4()), iter([chunk_of([event(seq=1, payload='{"choice": 2, "text": "ä"}')])]))
    return target


@contextmanager
def process(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start one, wait for its first line, and kill it in the end as `kill -9` does."""
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        assert started.stdout is not None
        try:
            assert started.stdout.readline()
            yield started
        finally:
            started.kill()


def test_a_person_can_read_it_between_two_batches_and_the_exporter_says_who_is_in_its_way(
    file: Path, target: DuckDBFile
) -> None:
    with process(OPEN, str(file), "r") as reader:
        with pytest.raises(TransientError, match=f"open.*PID {reader.pid}"):
            target.write(Batch(uuid4()), iter([chunk_of([event()])]))
        assert sum(day.rows for day in target.days().values()) == 1
    target.write(Batch(uuid4()), iter([chunk_of([event()])]))
    assert len(read_duckdb_file(file)) == 2


def test_while_another_program_writes_it_is_asked_again_later(file: Path, target: DuckDBFile) -> None:
    with process(OPEN, str(file), "w"), pytest.raises(TransientError, match="another program has"):
        target.days()
    assert len(target.days()) == 1


def test_a_writer_that_is_killed_leaves_nothing_of_its_batch(file: Path, target: DuckDBFile) -> None:
    batch = uuid4()
    with process(WRITE_AND_HANG, str(file), str(batch)):
        pass
    target.claim(3)
    assert target.committed(batch) is None
    assert len(read_duckdb_file(file)) == 1
    target.write(Batch(batch, attempt=2), iter([chunk_of([event()])]))
    assert len(read_duckdb_file(file)) == 2


def test_rows_that_get_lost_on_the_way_in_are_noticed_before_the_commit(
    file: Path, target: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duckdb_sql, "INSERT", duckdb_sql.INSERT + " WHERE seq <> 2")
    batch = Batch(uuid4())
    with pytest.raises(DataError, match="took 2 of 3 rows"):
        target.write(batch, iter([chunk_of([event(seq=number) for number in (1, 2, 3)])]))
    assert target.committed(batch.id) is None
    assert len(read_duckdb_file(file)) == 1


def test_another_row_under_an_id_that_comes_again_is_noticed(file: Path, target: DuckDBFile) -> None:
    row = event(row_hash=5)
    target.write(Batch(uuid4()), iter([chunk_of([row])]))
    with pytest.raises(DataError, match="others under their ids"):
        target.write(Batch(uuid4(), repeats=True), iter([chunk_of([row | {"row_hash": 6}])]))


def test_a_table_that_was_changed_by_hand_is_for_an_operator(file: Path, target: DuckDBFile) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("ALTER TABLE attempt_events DROP COLUMN seq")
    with pytest.raises(SetUpError, match="seq"):
        target.write(Batch(uuid4()), iter([chunk_of([event()])]))


def test_a_row_that_the_table_does_not_take_is_not_quoted(file: Path, target: DuckDBFile) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("CREATE TABLE other AS SELECT * REPLACE (0 AS payload) FROM attempt_events")
        connection.execute("DROP TABLE attempt_events; ALTER TABLE other RENAME TO attempt_events")
    with pytest.raises(DataError, match="ConversionException") as raised:
        target.write(Batch(uuid4()), iter([chunk_of([event(payload='{"answer": "private"}')])]))
    assert "private" not in str(raised.value)


def test_a_column_of_a_type_that_no_event_has_is_refused(file: Path, target: DuckDBFile) -> None:
    with pytest.raises(DataError, match="weight is of the type double"):
        target.write(Batch(uuid4()), iter([chunk_of([event()], SCHEMA.append(pa.field("weight", pa.float64())))]))


@pytest.mark.parametrize("place", ["no database", "a folder", "below a file"])
def test_a_place_where_no_database_can_be_is_for_an_operator(tmp_path: Path, place: str) -> None:
    (tmp_path / "text").write_text("something else\n" * 1000)
    path = {"no database": tmp_path / "text", "a folder": tmp_path, "below a file": tmp_path / "text" / "file"}[place]
    with pytest.raises(SetUpError, match=str(tmp_path)):
        DuckDBFile(path).claim(1)


def test_a_database_that_has_other_tables_is_added_to(file: Path) -> None:
    with duckdb.connect(file) as connection:
        connection.execute("CREATE TABLE items AS SELECT 1 AS item")
    target = DuckDBFile(file)
    assert target.latest() is None
    assert target.days() == {}
    target.claim(1)
    target.write(Batch(uuid4()), iter([chunk_of([event()])]))
    with duckdb.connect(file) as connection:
        assert connection.sql("SELECT item, seq FROM items, attempt_events").fetchall() == [(1, 7)]


def test_json_is_queried_as_such(file: Path, target: DuckDBFile) -> None:
    with duckdb.connect(file) as connection:
        found = connection.sql("SELECT payload->>'text', (payload->'choice')::INTEGER FROM attempt_events").fetchall()
    assert found == [("ä", 2)]


def test_too_little_memory_is_said_with_the_setting_that_helps(
    target: DuckDBFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise duckdb.OutOfMemoryException("could not allocate block")

    monkeypatch.setattr(target_module, "add", exhausted)
    with pytest.raises(SetUpError, match="ATTEMPTLOG_EXPORT_DUCKDB_MEMORY_MB"):
        target.write(Batch(uuid4()), iter([chunk_of([event()])]))


def test_every_error_of_duckdb_has_a_class(file: Path) -> None:
    errors = [kind for kind in vars(duckdb).values() if isinstance(kind, type) and issubclass(kind, duckdb.Error)]
    assert len(errors) > 20
    assert all(isinstance(told(file, kind("why")), ExportError) for kind in errors)


@pytest.mark.parametrize("repeats", [False, True])
def test_chunks_are_let_go_long_before_the_commit(target: DuckDBFile, repeats: bool) -> None:
    held = []

    def chunks() -> Iterator[Chunk]:
        for _ in range(20):
            yield chunk_of([event(payload=json.dumps({"text": "x" * 1000})) for _ in range(500)])
            held.append(pa.total_allocated_bytes())

    gc.collect()  # or what other tests have left is let go meanwhile
    target.write(Batch(uuid4(), repeats=repeats), chunks())
    assert max(held) < min(held) + 4 * 500 * 1000
