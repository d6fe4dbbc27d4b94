"""Forgetting in a DuckDB file: what is deleted there stays in it, until it is written anew."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb as reader
import pytest

from attemptlog.exporter import duckdb
from attemptlog.exporter.duckdb import DuckDBFile
from attemptlog.exporter.errors import TransientError
from tests.support.export import duckdb_file, event, read_duckdb_file
from tests.support.targets import write
from tests.support.whom import Whom

PERSON = "0f0f0f0f-0000-4000-8000-0000000f0f0f"

OF_SOMEBODY_ELSE = """
CREATE TABLE grades (id INTEGER PRIMARY KEY, grade VARCHAR NOT NULL);
INSERT INTO grades VALUES (1, 'A');
CREATE VIEW answers AS SELECT count(*) AS number FROM attempt_events;
CREATE INDEX by_user ON attempt_events (user_id);
CREATE SEQUENCE numbers START 7;
CREATE MACRO doubled(n) AS 2 * n;
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return duckdb_file(tmp_path)


@pytest.fixture
def target(file: Path) -> Iterator[DuckDBFile]:
    with DuckDBFile(file) as target:
        target.claim(1)
        yield target


def test_what_was_deleted_and_not_written_anew_is_gone_after_the_next(
    target: DuckDBFile, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(target, [event(user_id=PERSON), left := event()])
    with monkeypatch.context() as patch:
        patch.setattr(duckdb, "write_anew", lambda *_: None)
        target.forget(whom := Whom(PERSON))
    assert whom.rows == 1
    assert PERSON.encode() in file.read_bytes()
    target.forget(Whom(PERSON))
    assert PERSON.encode() not in file.read_bytes()
    assert read_duckdb_file(file) == [left]
    before = file.stat().st_ino
    target.forget(Whom(PERSON))
    assert file.stat().st_ino == before


def test_everything_else_in_the_file_stays(target: DuckDBFile, file: Path) -> None:
    write(target, [event(user_id=PERSON), event()])
    with reader.connect(file) as connection:
        connection.execute(OF_SOMEBODY_ELSE)
    file.chmod(0o640)
    target.forget(Whom(PERSON))
    with reader.connect(file) as connection:
        found = "SELECT number, (SELECT grade FROM grades), nextval('numbers'), doubled(4) FROM answers"
        assert connection.sql(found).fetchall() == [(1, "A", 7, 8)]
        assert connection.sql("SELECT index_name FROM duckdb_indexes()").fetchall() == [("by_user",)]
        with pytest.raises(reader.ConstraintException):
            connection.execute("INSERT INTO grades VALUES (1, 'B')")
    assert file.stat().st_mode & 0o777 == 0o640
    write(target, [event()])


def test_a_file_that_is_linked_to_stays_where_it_is(tmp_path: Path) -> None:
    place, link = tmp_path / "it's here.duckdb", tmp_path / "link.duckdb"
    with DuckDBFile(place) as target:
        target.claim(1)
    link.symlink_to(place)
    with DuckDBFile(link) as target:
        target.claim(2)
        write(target, [event(user_id=PERSON), event()])
        target.forget(Whom(PERSON))
    assert link.is_symlink()
    assert PERSON.encode() not in place.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] in (["link.duckdb", place.name], [place.name, "link.duckdb"])


def test_what_killed_processes_have_left_beside_the_file_goes_with_it(target: DuckDBFile, file: Path) -> None:
    write(target, [event(user_id=PERSON), event()])
    spilled, fresh = file.with_name(f"{file.name}.tmp"), file.with_name(f"{file.name}.fresh")
    spilled.mkdir()
    (spilled / "duckdb_temp_storage-0.tmp").write_text(PERSON)
    fresh.write_text(PERSON)
    target.forget(Whom(PERSON))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_while_somebody_reads_it_the_purge_waits(target: DuckDBFile, file: Path) -> None:
    write(target, [event(user_id=PERSON), event()])
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print('open', flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        with pytest.raises(TransientError, match="open"):
            target.forget(Whom(PERSON))
        process.communicate("\n")
    target.forget(Whom(PERSON))
    assert len(read_duckdb_file(file)) == 1
