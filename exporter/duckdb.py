"""A DuckDB file with a table attempt_events, for whoever wants to query at once.

The file is open only while something is done with it, because one program that writes keeps every other one out.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self
from uuid import UUID

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter.errors import DataError, ExportError, Fenced, SetUpError, TransientError
from attemptlog.exporter.rows import IDENTITY, SCHEMA, TIME, Chunk, DayTotal, signed, total_of
from attemptlog.exporter.target import Batch, Receipt
from attemptlog.runtime.logs import first_line

Database = duckdb.DuckDBPyConnection

THREADS = 4  # more would want more memory, and write no faster
IDS_AT_A_TIME = 64 * 1024  # rows

# JSON stays text, which DuckDB's JSON functions read as well: what PostgreSQL has kept can always be stored.
TYPES = {
    pa.string(): "VARCHAR",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    TIME: "TIMESTAMPTZ",
}


def column(field: Any) -> str:
    """Return the definition of an Arrow field's column; raises DataError for one of a type that no event has."""
    if field.type not in TYPES:
        raise DataError(f"the column {field.name} is of the type {field.type}, which is not exported to DuckDB")
    return f'"{field.name}" {TYPES[field.type]}{"" if field.nullable else " NOT NULL"}'


CREATE = f"""
CREATE SCHEMA IF NOT EXISTS attemptlog;

CREATE TABLE IF NOT EXISTS attempt_events ({", ".join(map(column, SCHEMA))}, export_batch UUID NOT NULL);

CREATE TABLE IF NOT EXISTS attemptlog.export_batches (
    number BIGINT PRIMARY KEY,
    id UUID UNIQUE NOT NULL,
    attempt INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    rows BIGINT NOT NULL,
    checksum BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    committed_at TIMESTAMPTZ NOT NULL DEFAULT current_timestamp
);

CREATE TABLE IF NOT EXISTS attemptlog.fence AS SELECT 0::BIGINT AS number, 0::BIGINT AS uses;
"""

IS_CLAIMED = "FROM duckdb_tables() WHERE schema_name = 'attemptlog' AND table_name = 'fence'"

# Of two that change a row's column at the same time, DuckDB refuses one; to write what is there already is no change.
CLAIM = "UPDATE attemptlog.fence SET number = $fence, uses = uses + 1 WHERE number <= $fence RETURNING number"
HOLD = "UPDATE attemptlog.fence SET uses = uses + 1 WHERE number = $fence RETURNING number"

FIND = "SELECT rows, checksum, bytes FROM attemptlog.export_batches WHERE id = ?"
LATEST = "SELECT id FROM attemptlog.export_batches ORDER BY number DESC LIMIT 1"
COMMIT = """
INSERT INTO attemptlog.export_batches (number, id, attempt, fence, rows, checksum, bytes)
SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ?, ?
FROM attemptlog.export_batches
"""

INSERT = "INSERT INTO attempt_events BY NAME SELECT *, $batch::UUID AS export_batch FROM chunk"
INSERT_NEW = """
INSERT INTO attempt_events BY NAME
SELECT *, $batch::UUID AS export_batch
FROM chunk
WHERE id NOT IN (SELECT id FROM attempt_events WHERE id BETWEEN $low AND $high)
"""
COUNT_OF_CHUNK = """
SELECT count(*), sum(row_hash)
FROM attempt_events
WHERE id BETWEEN $low AND $high AND id IN (SELECT id FROM chunk)
"""
COUNT_OF_BATCH = "SELECT count(*), sum(row_hash) FROM attempt_events WHERE export_batch = ?"
DAYS = "SELECT event_ts::DATE, count(*), sum(row_hash) FROM attempt_events GROUP BY ALL"
ROWS_OF_DAY = "SELECT id, row_hash FROM attempt_events WHERE event_ts >= ? AND event_ts < ?::DATE + 1"


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
        with self._told():
            self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as database:
            database.execute(CREATE)
            if not database.execute(CLAIM, {"fence": fence}).fetchall():
                raise self._fenced(fence)
        self._fence = fence

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        with self._reading() as database:
            return find(database, batch_id) if database else None

    def latest(self) -> UUID | None:
        """See Target.latest."""
        with self._reading() as database:
            found = database.execute(LATEST).fetchone() if database else None
            return found[0] if found else None

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        with self._writing() as database:
            if not database.execute(HOLD, {"fence": self._fence}).fetchall():
                raise self._fenced(self._fence)
            return find(database, batch.id) or self._insert(database, batch, chunks)

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        with self._reading() as database:
            found = database.execute(DAYS).fetchall() if database else []
            return {day: DayTotal(rows, signed(int(total))) for day, rows, total in found}

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        with self._reading() as database:
            if database:
                rows = database.sql(ROWS_OF_DAY, params=[day, day]).to_arrow_reader(IDS_AT_A_TIME)
                yield from (chunk.cast(IDENTITY) for chunk in rows)

    def _insert(self, database: Database, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        came, counted, size = DayTotal(), DayTotal(), 0
        for chunk in chunks:
            if not came.rows:
                add_columns(database, chunk.schema)
            came += total_of(chunk)
            size += chunk.nbytes
            counted += add(database, batch, chunk)
        if not batch.repeats:
            counted = counted_by(database.execute(COUNT_OF_BATCH, [batch.id]))
        if came != counted:
            raise DataError(f"{self._file} took {counted.rows} of {came.rows} rows, or has others under their ids")
        receipt = Receipt(counted.rows, counted.sum, size)
        database.execute(COMMIT, [batch.id, batch.attempt, self._fence, receipt.rows, receipt.checksum, receipt.size])
        return receipt

    @contextmanager
    def _writing(self) -> Iterator[Database]:
        """Everything that is done is one transaction."""
        with self._told(), self._connected(read_only=False) as database:
            database.begin()
            yield database
            database.commit()

    @contextmanager
    def _reading(self) -> Iterator[Database | None]:
        """Yield None where nobody has claimed it yet."""
        if not self._file.exists():
            yield None
            return
        with self._told(), self._connected(read_only=True) as database:
            yield database if database.execute(IS_CLAIMED).fetchall() else None

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[Database]:
        with duckdb.connect(self._file, read_only=read_only) as database:
            database.execute(f"SET memory_limit = '{self._memory_mb:d}MB'")
            database.execute(f"SET threads = {THREADS:d}")
            database.execute("SET TimeZone = 'UTC'")
            yield database

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Translate what DuckDB raises."""
        try:
            yield
        except (duckdb.Error, OSError) as error:
            raise told(self._file, error) from error

    def _fenced(self, fence: int) -> Fenced:
        return Fenced(f"another exporter has taken {self._file} over (our fence is {fence})")


def add_columns(database: Database, schema: Any) -> None:
    """Take up the columns of a schema that are not there."""
    for field in schema:
        if field not in SCHEMA:
            database.execute(f"ALTER TABLE attempt_events ADD COLUMN IF NOT EXISTS {column(field)}")


def add(database: Database, batch: Batch, chunk: Chunk) -> DayTotal:
    """Insert rows; where some may have been there, leave those out and return what is there of all of them."""
    database.register("chunk", pa.Table.from_batches([chunk]))  # in place of the one before
    if not batch.repeats:
        database.execute(INSERT, {"batch": batch.id})
        return DayTotal()
    bounds = pc.min_max(chunk.column("id")).as_py()
    between = {"low": bounds["min"], "high": bounds["max"]}  # which lets DuckDB leave out what lies elsewhere
    database.execute(INSERT_NEW, {"batch": batch.id} | between)
    return counted_by(database.execute(COUNT_OF_CHUNK, between))


def counted_by(result: Database) -> DayTotal:
    """Return the total of a query that counts rows and sums their hashes."""
    rows, total = result.fetchall()[0]
    return DayTotal(rows, signed(int(total or 0)))


def find(database: Database, batch_id: UUID) -> Receipt | None:
    """Return the ledger's entry of a batch."""
    found = database.execute(FIND, [batch_id]).fetchone()
    return Receipt(*found) if found else None


def told(file: Path, error: duckdb.Error | OSError) -> ExportError:
    """Return what it means that DuckDB or the file system has raised this, without what may quote a row."""
    match error:
        case duckdb.TransactionException():
            return TransientError(f"another exporter is at work in {file}")
        case duckdb.IOException() if "Could not set lock" in str(error):
            return TransientError(f"another program has {file} open: {first_line(error)}")
        case duckdb.DataError() | duckdb.IntegrityError():
            return DataError(f"{file} cannot take a row ({type(error).__name__}): was its table changed?")
        case duckdb.OutOfMemoryException():
            return SetUpError(f"{file}: give DuckDB more memory (ATTEMPTLOG_EXPORT_DUCKDB_MEMORY_MB)")
        case duckdb.FatalException() | duckdb.InternalException():
            return TransientError(f"{file}: {first_line(error)}")
        case _:
            return SetUpError(f"{file}: {first_line(error)}")
