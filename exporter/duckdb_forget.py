"""Rows of a DuckDB file that are to go.

What is deleted stays readable in the file, as free space. So the file is written anew without it, and takes the other's
name in one step; `attemptlog.traces` has a row from the deletion until then.
"""

from collections.abc import Iterator
from pathlib import Path
from shutil import copymode, rmtree

import pyarrow as pa

from attemptlog.exporter import duckdb_sql as sql
from attemptlog.exporter.duckdb_session import Database
from attemptlog.exporter.ledger import sync
from attemptlog.exporter.pairs import PAIRS, Choose, Pairs

PAIRS_AT_A_TIME = 64 * 1024


def delete(database: Database, choose: Choose) -> None:
    """Delete the rows of whom `choose` picks; goes with the transaction."""
    chosen = pa.concat_tables([PAIRS.empty_table(), *map(choose, _pairs(database))])
    if chosen.num_rows:
        database.register("chosen", chosen)
        database.execute(sql.DELETE)
        database.execute(sql.NOTE_TRACES)


def has_traces(database: Database) -> bool:
    """Say whether something was deleted and the file was not written anew since."""
    return bool(database.execute(sql.FIND_TRACES).fetchall())


def write_anew(database: Database, file: Path) -> None:
    """Put a file in the place of the one that `database` has open, with all that can be queried and nothing else.

    Nobody else can write meanwhile. Whoever has the file open to read keeps the one that was.
    """
    file = file.resolve()
    fresh = file.with_name(f"{file.name}.fresh")
    for left in (fresh, _log_of(fresh)):
        left.unlink(missing_ok=True)
    database.execute("CHECKPOINT")  # or the log would be taken for the new file's
    database.execute(sql.attach(fresh))
    database.execute(sql.copy_from(_name_of(database)))
    database.execute(sql.FORGET_TRACES)
    database.execute(sql.DETACH)
    copymode(file, fresh)
    sync(fresh)
    fresh.rename(file)
    sync(file.parent)


def clear_spill(file: Path) -> None:
    """Remove what a process that was killed had no room for in its memory; nobody else may have the file open."""
    rmtree(file.with_name(f"{file.name}.tmp"), ignore_errors=True)


def _pairs(database: Database) -> Iterator[Pairs]:
    for chunk in database.sql(sql.PAIRS).to_arrow_reader(PAIRS_AT_A_TIME):
        yield pa.Table.from_batches([chunk]).cast(PAIRS)


def _name_of(database: Database) -> str:
    return str(database.execute("SELECT current_database()").fetchall()[0][0])


def _log_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")
