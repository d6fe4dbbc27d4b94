"""Rows to export, and places to export them to, each looked at by other means than the exporter's own."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql
from psycopg.rows import dict_row

from attemptlog.event_store.export_rows import COLUMNS
from attemptlog.exporter.audit import audit_target
from attemptlog.exporter.duckdb import DuckDBFile
from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.passes import Hooks, open_pass
from attemptlog.exporter.rows import SCHEMA, Chunk
from attemptlog.exporter.target import Receipt, Target
from attemptlog.schemas import new_event_id
from tests.support.http import Exam

MONDAY = datetime(2026, 3, 2, 9, 14, 5, 123457, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """A target's place for one test.

    `open` makes a new target there, as another process would; `rows` reads what is there, with a reader that people
    use, as dictionaries by the names of SCHEMA, times as aware datetimes and JSON as text. Where
    `can_be_counted` is false, the target has to say that it cannot tell. `traces` returns, of the texts that it is
    given, those that are anywhere in what is kept there, as bytes or in what these are read as, and where.
    `address` is its name in tests.support.killed_exports.
    """

    open: Callable[[], Target]
    rows: Callable[[], list[dict[str, Any]]]
    traces: Callable[..., dict[str, list[str]]]
    address: str = ""
    can_be_counted: bool = True


@contextmanager
def parquet_place(directory: Path) -> Iterator[Place]:
    root = directory / "events"
    yield Place(
        lambda: ParquetDirectory(root),
        lambda: read_with_duckdb(f"{root}/day=*/*.parquet"),
        lambda *texts: traces_in(root, *texts),
        str(root),
    )


@contextmanager
def duckdb_place(directory: Path) -> Iterator[Place]:
    file = duckdb_file(directory)
    yield Place(
        lambda: DuckDBFile(file),
        lambda: read_duckdb_file(file),
        lambda *texts: traces_in(file.parent, *texts),
        f"duckdb:{file}",
    )


def duckdb_file(directory: Path) -> Path:
    return directory / "exams" / "events.duckdb"


def read_duckdb_file(file: Path) -> list[dict[str, Any]]:
    with duckdb.connect(file) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return list(connection.sql("SELECT * EXCLUDE export_batch FROM attempt_events").to_arrow_table().to_pylist())


def read_with_duckdb(pattern: str) -> list[dict[str, Any]]:
    """Return every row of the files, without the column that is in their folders' names."""
    query = "SELECT * EXCLUDE day FROM read_parquet(?, hive_partitioning = true, union_by_name = true)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if not connection.execute("SELECT count(*) FROM glob(?)", [pattern]).fetchall()[0][0]:
            return []
        return list(connection.sql(query, params=[pattern]).to_arrow_table().to_pylist())


def traces_in(folder: Path, *texts: str) -> dict[str, list[str]]:
    """Return which files have a text in their bytes, or in the rows that these are."""
    files = {str(path.relative_to(folder)): content_of(path) for path in folder.rglob("*") if path.is_file()}
    return traces_of(files, *texts)


def traces_of(contents: Mapping[str, str], *texts: str) -> dict[str, list[str]]:
    """Return by text what has it in its content; leaves out what nothing has."""
    found = {text: [name for name, content in contents.items() if text in content] for text in texts}
    return {text: names for text, names in found.items() if names}


def content_of(path: Path) -> str:
    bytes_as_they_are = path.read_bytes().decode("latin-1")
    if path.suffix == ".parquet":
        return bytes_as_they_are + str(pq.read_table(path, partitioning=None).to_pylist())
    return bytes_as_they_are + str(read_duckdb_file(path) if path.suffix == ".duckdb" else "")


def event(**fields: Any) -> dict[str, Any]:
    """Return a row, with `fields` in place of what it would be; its hash is some number."""
    usual = {
        "id": new_event_id(),
        "event_version": 1,
        "event_type": "ANSWER_SELECTED",
        "event_ts": MONDAY,
        "client_ts": MONDAY - timedelta(seconds=2),
        "session_id": str(uuid4()),
        "stream_id": str(uuid4()),
        "seq": 7,
        "user_id": str(uuid4()),
        "question_id": str(uuid4()),
        "source": "web",
        "payload": '{"choice": 2}',
        "sent_at": MONDAY - timedelta(seconds=1),
        "dropped": '{"expired": 3}',
        "stored_at": MONDAY + timedelta(seconds=1),
    }
    row = usual | fields
    return {"row_hash": hash(row["id"]), **row}


def chunk_of(rows: Sequence[dict[str, Any]], schema: Any = SCHEMA) -> Chunk:
    return pa.RecordBatch.from_pylist(rows, schema=schema)


INSERT = """
INSERT INTO attempt_events (
    id, event_version, event_type, event_ts, client_ts, session_id, stream_id, seq, user_id, question_id, source,
    payload_json, sent_at, dropped
)
SELECT
    gen_random_uuid(), 1, 'ANSWER_SELECTED', %(event_ts)s::timestamptz + n * interval '1 millisecond', now(),
    %(session)s, %(stream)s, n, %(user)s, %(question)s, 'web', jsonb_build_object('choice', n), now(), NULL
FROM generate_series(1, %(rows)s::integer) AS n
"""


def store(
    connection: "psycopg.Connection[Any]", exam: Exam, rows: int = 1, event_ts: datetime = MONDAY, stream: Any = None
) -> None:
    """Store events as a consumer does, of a stream of their own."""
    names = {"session": exam.session, "user": exam.user, "question": exam.question, "stream": stream or uuid4()}
    connection.execute(INSERT.encode(), {**names, "rows": rows, "event_ts": event_ts})


def stored_rows(database_url: str) -> list[dict[str, Any]]:
    """Return what is stored, as the target is to hold it but for the hash."""
    columns = sql.SQL(", ").join(sql.SQL(f"{it} AS {name}") for name, it in COLUMNS.items() if name != "row_hash")
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(sql.SQL("SELECT {} FROM attempt_events").format(columns)).fetchall()


def export(
    database_url: str,
    target: Target,
    batch_rows: int = 1_000_000,
    hooks: Hooks | None = None,
    name: str = "here",
) -> list[Receipt]:
    """Export once to the target of that name."""
    with open_pass(database_url, name, target, hooks, batch_rows) as one:
        return list(one.export())


def kill_exports(
    database_url: str, place: str, exam: Exam, *, seed: int, kills: int, environment: Mapping[str, str] | None = None
) -> None:
    """Export to a place of tests.support.killed_exports in processes that die; the last one exports to the end.

    ATTEMPTLOG_EXPORT_KILLS=200 has so many of them die instead, and at other instants in every run.
    """
    if by_hand := os.environ.get("ATTEMPTLOG_EXPORT_KILLS"):
        seed, kills = random.SystemRandom().randrange(10**6), int(by_hand)
    arguments = [database_url, place, str(seed), str(kills), exam.user, exam.session, exam.question]
    found = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.support.killed_exports", *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 0, f"seed {seed}: {found.stderr}"


def assert_equal(database_url: str, found: list[dict[str, Any]]) -> None:
    """The target holds every stored row exactly once, to the last column."""
    expected = {row["id"]: row for row in stored_rows(database_url)}
    assert len(found) == len(expected)
    assert {row["id"]: {k: v for k, v in row.items() if k != "row_hash"} for row in found} == expected


def difference(database_url: str, target: Target) -> dict[str, int]:
    """Return how many rows an audit finds fault with, by kind."""
    found = audit_target(database_url, "here", target)
    kinds = ("missing", "doubled", "foreign", "changed")
    return {kind: n for kind in kinds if (n := sum(getattr(day, kind) for day in found.differences))}
