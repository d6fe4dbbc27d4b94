"""A stream of rows as files, each of them of one day."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from attemptlog.exporter.rows import Chunk, DayTotal, by_day, total_of

MAX_OPEN = 64  # files; each holds a row group in memory, and a batch's rows are rarely of more than two days


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


class Writer(Protocol):
    """A file that is being written."""

    def write(self, chunk: Chunk) -> None:
        """Add rows."""

    def close(self) -> None:
        """Write what is left; a second time does nothing."""


class Opens(Protocol):
    """How files are made; `suffix` is what their names end with."""

    suffix: str

    def open(self, path: Path, schema: Any) -> Writer:
        """Begin a new file for chunks of this schema."""


class DayFiles:
    """Writes files into a folder, named `NAME-PART` and a suffix; parts are numbered from 1."""

    def __init__(self, folder: Path, name: str, form: Opens) -> None:
        self._folder = folder
        self._name = name
        self._form = form
        self._open: OrderedDict[date, tuple[Writer, DayFile]] = OrderedDict()
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
        writer.write(rows)
        file.total += total_of(rows)

    def _make(self, day: date, schema: Any) -> None:
        if len(self._open) == MAX_OPEN:
            self._close(next(iter(self._open)))
        number = len(self._finished) + len(self._open) + 1
        path = self._folder / f"{self._name}-{number}{self._form.suffix}"
        self._open[day] = self._form.open(path, schema), DayFile(day, path, DayTotal())

    def _close_all(self) -> None:
        while self._open:
            self._close(next(iter(self._open)))

    def _close(self, day: date) -> None:
        writer, file = self._open.pop(day)
        writer.close()
        file.size = file.path.stat().st_size
        self._finished.append(file)
