"""Rows to export, and places to export them to, each looked at by other means than the exporter's own."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pyarrow as pa

from attemptlog.exporter.parquet import ParquetDirectory
from attemptlog.exporter.rows import SCHEMA, Chunk
from attemptlog.exporter.target import Target
from attemptlog.schemas import new_event_id

MONDAY = datetime(2026, 3, 2, 9, 14, 5, 123457, tzinfo=UTC)


@dataclass(frozen=True)
class Place:
    """A target's place for one test.

    `open` makes a new target there, as another process would; `rows` reads what is there, with a reader that people
    use, as dictionaries by the names of SCHEMA, times as aware datetimes and JSON as text.
    """

    open: Callable[[], Target]
    rows: Callable[[], list[dict[str, Any]]]


@contextmanager
def parquet_place(directory: Path) -> Iterator[Place]:
    root = directory / "events"
    yield Place(lambda: ParquetDirectory(root), lambda: read_with_duckdb(f"{root}/day=*/*.parquet"))


def read_with_duckdb(pattern: str) -> list[dict[str, Any]]:
    """Return every row of the files, without the column that is in their folders' names."""
    query = "SELECT * EXCLUDE day FROM read_parquet(?, hive_partitioning = true, union_by_name = true)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        if not connection.execute("SELECT count(*) FROM glob(?)", [pattern]).fetchall()[0][0]:
            return []
        return list(connection.sql(query, params=[pattern]).to_arrow_table().to_pylist())


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
