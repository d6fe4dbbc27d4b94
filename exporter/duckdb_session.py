"""A connection to a DuckDB file, and what its errors mean."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from attemptlog.exporter.errors import DataError, ExportError, SetUpError, TransientError
from attemptlog.runtime.logs import first_line

Database = duckdb.DuckDBPyConnection

THREADS = 4  # more would want more memory, and write no faster


@contextmanager
def connected(file: Path, memory_mb: int, *, read_only: bool) -> Iterator[Database]:
    """Open the file, in UTC; no other process can while this is open for writing."""
    with duckdb.connect(file, read_only=read_only) as database:
        database.execute(f"SET memory_limit = '{memory_mb:d}MB'")
        database.execute(f"SET threads = {THREADS:d}")
        database.execute("SET TimeZone = 'UTC'")
        yield database


@contextmanager
def transaction(database: Database) -> Iterator[None]:
    """Commit what is done meanwhile, or nothing: after an error the connection is of no more use."""
    database.begin()
    yield
    database.commit()


@contextmanager
def telling(file: Path) -> Iterator[None]:
    """Translate what DuckDB and the file system raise."""
    try:
        yield
    except (duckdb.Error, OSError) as error:
        raise told(file, error) from error


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
