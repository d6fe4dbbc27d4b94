"""A DuckDB file with a table attempt_events, for whoever wants to query at once.

The file is open only while something is done with it, because one program that writes keeps every other one out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter import duckdb_sql as sql
from attemptlog.exporter.duckdb_forget import clear_spill, delete, has_traces, write_anew
from attemptlog.exporter.duckdb_session import Database, connected, telling, transaction
from attemptlog.exporter.errors import DataError, Fenced
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.rows import HELD, SCHEMA, Chunk, DayTotal, signed, total_of
from attemptlog.exporter.target import Batch, Receipt

IDS_AT_A_TIME = 64 * 1024  # rows


class DuckDBSettings(BaseSettings):
    """Settings of the DuckDB file, `ATTEMPTLOG_` in front."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    export_duckdb_file: Annotated[Path, Field(description="DuckDB file for the events; made when it is not there.")]
    export_duckdb_memory_mb: Annotated[int, Field(description="What DuckDB may use of memory.", ge=64)] = 128


def from_environment() -> "DuckDBFile":
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    settings = DuckDBSettings()
    return DuckDBFile(settings.export_duckdb_file, settings.export_duckdb_memory_mb)


class DuckDBFile:
    """The target."""

    def __init__(self, file: Path, memory_mb: int = 128) -> None:
        self._file = file
        self._memory_mb = memory_mb
        self._fence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def claim(self, fence: int) -> None:
        """See Target.claim."""
        with telling(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._opened() as database, transaction(database):
            database.execute(sql.CREATE)
            if not database.execute(sql.CLAIM, {"fence": fence}).fetchall():
                raise self._fenced(fence)
        self._fence = fence

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        with self._reading() as database:
            return find(database, batch_id) if database else None

    def latest(self) -> UUID | None:
        """See Target.latest."""
        with self._reading() as database:
            found = database.execute(sql.LATEST).fetchone() if database else None
            return found[0] if found else None

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        with self._opened() as database, self._held(database):
            return find(database, batch.id) or self._insert(database, batch, chunks)

    def forget(self, choose: Choose) -> None:
        """See Target.forget. Needs as much room on the disk as the file takes, for as long as that is written anew."""
        with self._opened() as database:
            clear_spill(self._file)
            with self._held(database):
                delete(database, choose)
            if has_traces(database):
                write_anew(database, self._file)

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        with self._reading() as database:
            found = database.execute(sql.DAYS).fetchall() if database else []
            return {day: DayTotal(rows, signed(int(total))) for day, rows, total in found}

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        with self._reading() as database:
            if database:
                rows = database.sql(sql.ROWS_OF_DAY, params=[day, day]).to_arrow_reader(IDS_AT_A_TIME)
                yield from (chunk.cast(HELD) for chunk in rows)

    def _insert(self, database: Database, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        came, counted, size = DayTotal(), DayTotal(), 0
        for chunk in chunks:
            if not came.rows:
                add_columns(database, chunk.schema)
            came += total_of(chunk)
            size += chunk.nbytes
            counted += add(database, batch, chunk)
        if not batch.repeats:
            counted = counted_by(database.execute(sql.COUNT_OF_BATCH, [batch.id]))
        if came != counted:
            raise DataError(f"{self._file} took {counted.rows} of {came.rows} rows, or has others under their ids")
        receipt = Receipt(counted.rows, counted.sum, size)
        database.execute(
            sql.COMMIT, [batch.id, batch.attempt, self._fence, receipt.rows, receipt.checksum, receipt.size]
        )
        return receipt

    @contextmanager
    def _opened(self) -> Iterator[Database]:
        with telling(self._file), connected(self._file, self._memory_mb, read_only=False) as database:
            yield database

    @contextmanager
    def _held(self, database: Database) -> Iterator[None]:
        """Everything that is done is one transaction of the exporter that has the fence."""
        with transaction(database):
            if not database.execute(sql.HOLD, {"fence": self._fence}).fetchall():
                raise self._fenced(self._fence)
            yield

    @contextmanager
    def _reading(self) -> Iterator[Database | None]:
        """Yield None where nobody has claimed it yet."""
        if not self._file.exists():
            yield None
            return
        with telling(self._file), connected(self._file, self._memory_mb, read_only=True) as database:
            yield database if database.execute(sql.IS_CLAIMED).fetchall() else None

    def _fenced(self, fence: int) -> Fenced:
        return Fenced(f"another exporter has taken {self._file} over (our fence is {fence})")


def add_columns(database: Database, schema: Any) -> None:
    """Take up the columns of a schema that are not there."""
    for field in schema:
        if field not in SCHEMA:
            database.execute(f"ALTER TABLE attempt_events ADD COLUMN IF NOT EXISTS {sql.column(field)}")


def add(database: Database, batch: Batch, chunk: Chunk) -> DayTotal:
    """Insert rows; where some may have been there, leave those out and return what is there of all of them."""
    loaded = pa.Table.from_batches([chunk])  # which DuckDB finds by its name: registered, it is kept until the commit
    if not batch.repeats:
        database.execute(sql.INSERT, {"batch": batch.id})
        return DayTotal()
    bounds = pc.min_max(loaded["id"]).as_py()
    between = {"low": bounds["min"], "high": bounds["max"]}  # which lets DuckDB leave out what lies elsewhere
    database.execute(sql.INSERT_NEW, {"batch": batch.id} | between)
    return counted_by(database.execute(sql.COUNT_OF_CHUNK, between))


def counted_by(result: Database) -> DayTotal:
    """Return the total of a query that counts rows and sums their hashes."""
    rows, total = result.fetchall()[0]
    return DayTotal(rows, signed(int(total or 0)))


def find(database: Database, batch_id: UUID) -> Receipt | None:
    """Return the ledger's entry of a batch."""
    found = database.execute(sql.FIND, [batch_id]).fetchone()
    return Receipt(*found) if found else None
