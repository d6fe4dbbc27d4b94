"""A stream of rows as Parquet files, each of them of one day."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from attemptlog.exporter.rows import TIME, Chunk, DayTotal, by_day, total_of

ROW_GROUP = 128 * 1024  # rows; what a reader skips or takes as a whole
MAX_OPEN = 64  # files; each holds a row group in memory, and a batch's rows are rarely of more than two days
COMPRESSION = "zstd"
NUMBERS = "DELTA_BINARY_PACKED"  # of numbers that are near each other

# Few values, many times. Every id is another, and a dictionary of them would be thrown away again.
REPEATED = ["event_version", "event_type", "session_id", "stream_id", "user_id", "question_id", "source", "dropped"]


@dataclass(slots=True)
class DayFile:
    """A file and what is in it; `path` is where it was written."""

    day: date
    path: Path
    total: DayTotal
    size: int = 0  # bytes

    @property
    def place(self) -> str:
        """Its path below the target's root, as Hive names partitions."""
        return f"day={self.day}/{self.path.name}"


class DayFiles:
    """Writes files into a folder, named `NAME-PART.parquet`; parts are numbered from 1."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._open: OrderedDict[date, tuple[Any, DayFile]] = OrderedDict()
        self._finished: list[DayFile] = []

    def write(self, chunks: Iterator[Chunk]) -> list[DayFile]:
        """Write all of them and return the files, which are whole then but not yet synced to the disk."""
        try:
            for chunk in chunks:
                for day, rows in by_day(chunk):
                    self._add(day, rows)
            self._close_all()
        finally:
            for writer, _ in self._open.values():  # something was raised: nobody will read them
                writer.close()
        return self._finished

    def _add(self, day: date, rows: Chunk) -> None:
        if day not in self._open:
            self._make(day, rows.schema)
        self._open.move_to_end(day)
        writer, file = self._open[day]
        writer.write_batch(rows, row_group_size=ROW_GROUP)
        file.total += total_of(rows)

    def _make(self, day: date, schema: Any) -> None:
        if len(self._open) == MAX_OPEN:
            self._close(next(iter(self._open)))
        path = self._folder / f"{self._name}-{len(self._finished) + len(self._open) + 1}.parquet"
        dictionary = [name for name in REPEATED if name in schema.names]
        encodings = {field.name: NUMBERS for field in schema if field.type == TIME or field.name == "seq"}
        writer = pq.ParquetWriter(
            path, schema, compression=COMPRESSION, use_dictionary=dictionary, column_encoding=encodings
        )
        self._open[day] = writer, DayFile(day, path, DayTotal())

    def _close_all(self) -> None:
        while self._open:
            self._close(next(iter(self._open)))

    def _close(self, day: date) -> None:
        writer, file = self._open.pop(day)
        writer.close()
        file.size = file.path.stat().st_size
        self._finished.append(file)
