"""The way of a batch's rows into Snowflake: a file, the stage, the table."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attemptlog.exporter import snowflake_sql as sql
from attemptlog.exporter.errors import DataError, TransientError
from attemptlog.exporter.parquet import COMPRESSION, ROW_GROUP
from attemptlog.exporter.rows import SCHEMA, Chunk, DayTotal, total_of
from attemptlog.exporter.snowflake_ledger import total_in
from attemptlog.exporter.snowflake_session import Session
from attemptlog.exporter.target import Batch


@dataclass(slots=True)
class Staged:
    """A batch's file, on this machine and in the stage."""

    path: Path
    place: str
    schema: Any = SCHEMA
    total: DayTotal = field(default_factory=DayTotal)
    size: int = 0  # bytes


def write_file(folder: Path, batch: Batch, chunks: Iterator[Chunk]) -> Staged:
    """Write all rows into one Parquet file, whose place has the batch and the attempt in it."""
    name = f"{batch.id}-{batch.attempt}.parquet"
    file = Staged(folder / name, f"@{sql.STAGE}/{batch.id}/{batch.attempt}")
    writer: Any = None  # encodings are the plain ones: what else Snowflake reads, nothing that we run can show
    try:
        for chunk in chunks:
            file.total += total_of(chunk)
            if writer is None:
                file.schema = chunk.schema
                writer = pq.ParquetWriter(file.path, chunk.schema, compression=COMPRESSION)
            writer.write_batch(chunk, row_group_size=ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()
    file.size = file.path.stat().st_size if writer is not None else 0
    return file


def put(session: Session, file: Staged) -> None:
    """Upload a file, unless it has no rows."""
    if file.total.rows:
        require_uploaded(session.rows(f"PUT 'file://{file.path}' {file.place} {sql.PUT_OPTIONS}"))


def require_uploaded(rows: list[dict[str, Any]]) -> None:
    """Raise TransientError for a PUT that has not put its one file there: one that was there is not ours."""
    statuses = [row["status"] for row in rows]
    if statuses != ["UPLOADED"]:
        said = ", ".join(statuses) or "nothing"
        raise TransientError(f"Snowflake's stage did not take the batch's file: PUT says {said}")


def add_columns(session: Session, schema: Any) -> None:
    """Take up the columns that the tables do not have; each is a transaction of its own, as all of Snowflake's DDL."""
    new = [added for added in schema if added not in SCHEMA]
    for table in (sql.LOAD, sql.EVENTS):
        for added in new:
            session.run(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {sql.column(added, table)}")


def load(session: Session, batch: Batch, file: Staged) -> None:
    """Bring a file's rows into the table; raises DataError unless every one of them is there once, as it was sent."""
    session.run(sql.CLEAR)
    require_loaded(session.rows(sql.copy(f"{file.place}/{file.path.name}")), file.total)
    require("COPY", file.total, total_in(session.rows(sql.COUNT_LOADED)[0]))
    if unreadable := session.rows(sql.UNREADABLE):
        raise DataError("Snowflake cannot read its JSON", unreadable[0]["ID"])
    session.run(sql.insert(file.schema.names), str(batch.id))
    require("INSERT", file.total, total_in(session.rows(sql.COUNT_STORED)[0]))
    session.run(sql.CLEAR)


def require_loaded(rows: list[dict[str, Any]], sent: DayTotal) -> None:
    """Raise for a COPY that has not loaded its one file as a whole."""
    if [row["status"] for row in rows] != ["LOADED"]:
        statuses = ", ".join(row["status"] for row in rows)
        raise TransientError(f"Snowflake did not load the batch's file: COPY says {statuses or 'nothing'}")
    if rows[0]["rows_loaded"] != sent.rows:
        raise DataError(f"Snowflake's COPY loaded {rows[0]['rows_loaded']} of {sent.rows} rows")


def require(step: str, sent: DayTotal, found: DayTotal) -> None:
    """Raise DataError where Snowflake has not what was sent."""
    if found.rows != sent.rows:
        raise DataError(f"after {step} Snowflake has {found.rows} rows of {sent.rows}")
    if found != sent:
        raise DataError(f"after {step} Snowflake has other rows under some of the batch's ids")
