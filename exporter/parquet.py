"""A directory of Parquet files, a folder a day: for DuckDB, Polars, Spark, and whatever reads Hive partitions."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter.directory import Directory
from attemptlog.exporter.formats import Mask
from attemptlog.exporter.rows import TIME, Chunk, DayTotal, total_of

ROW_GROUP = 128 * 1024  # rows; what a reader skips or takes as a whole
IDS_AT_A_TIME = 256 * 1024  # rows
ROWS_AT_A_TIME = 32 * 1024  # rows; some 16 MB of memory
COMPRESSION = "zstd"
NUMBERS = "DELTA_BINARY_PACKED"  # of numbers that are near each other

# Few values, many times. Every id is another, and a dictionary of them would be thrown away again.
REPEATED = ["event_version", "event_type", "session_id", "stream_id", "user_id", "question_id", "source", "dropped"]


class ParquetSettings(BaseSettings):
    """Settings of the Parquet directory, `ATTEMPTLOG_` in front."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore")

    export_parquet_directory: Annotated[
        Path, Field(description="Folder for the Parquet files; made when it is not there.")
    ] = Path("attemptlog-export")


def from_environment() -> "ParquetDirectory":
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    return ParquetDirectory(ParquetSettings().export_parquet_directory)


class ParquetWriter:
    """See Writer."""

    def __init__(self, path: Path, schema: Any) -> None:
        dictionary = [name for name in REPEATED if name in schema.names]
        encodings = {field.name: NUMBERS for field in schema if field.type == TIME or field.name == "seq"}
        self._writer = pq.ParquetWriter(
            path, schema, compression=COMPRESSION, use_dictionary=dictionary, column_encoding=encodings
        )

    def write(self, chunk: Chunk) -> None:
        """Add rows."""
        self._writer.write_batch(chunk, row_group_size=ROW_GROUP)

    def close(self) -> None:
        """Write what is left, and the footer."""
        self._writer.close()


class ParquetFormat:
    """See Format."""

    name = "Parquet"
    suffix = ".parquet"
    open = ParquetWriter

    def read(self, path: Path, columns: list[str]) -> Iterator[Chunk]:
        """See Format.read."""
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=IDS_AT_A_TIME, columns=columns)

    def ids_between(self, path: Path, low: str, high: str) -> Iterator[Chunk]:
        """See Format.ids_between; reads only where the statistics say that there may be some."""
        with pq.ParquetFile(path) as file:
            groups = [number for number in range(file.num_row_groups) if _may_hold(file, number, low, high)]
            for chunk in file.iter_batches(batch_size=IDS_AT_A_TIME, row_groups=groups, columns=["id"]):
                ids = chunk.column("id")
                yield chunk.filter(pc.and_(pc.greater_equal(ids, low), pc.less_equal(ids, high)))

    def copy(self, path: Path, to: Path, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """See Format.copy."""
        total = DayTotal()
        with pq.ParquetFile(path) as file, closing(self.open(to, file.schema_arrow)) as writer:
            for chunk in file.iter_batches(batch_size=ROWS_AT_A_TIME):
                if (kept := chunk.filter(keeps(chunk))).num_rows:
                    writer.write(kept)
                    total += total_of(kept)
        return total


def _may_hold(file: Any, group: int, low: str, high: str) -> bool:
    column = file.schema_arrow.get_field_index("id")
    found = file.metadata.row_group(group).column(column).statistics
    return found is None or (found.min <= high and found.max >= low)


class ParquetDirectory(Directory):
    """The target."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, ParquetFormat())
