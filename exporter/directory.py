"""A directory of files, a folder a day, as Hive names partitions.

A batch's files are written under a temporary name, synced and renamed; its manifest comes last and is what commits it.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.exporter.day_files import DayFile, DayFiles
from attemptlog.exporter.directory_files import DirectoryFiles
from attemptlog.exporter.file_forget import forget
from attemptlog.exporter.formats import Format, read, reading
from attemptlog.exporter.ledger import Ledger, sync, told
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.rows import HELD, Chunk, Counted, DayTotal, gathered, total_of
from attemptlog.exporter.target import Batch, Receipt

LOOKED_FOR = 64 * 1024  # rows; about 30 MB, for which all files are looked through once


class Directory:
    """The target. One exporter at a time has a lock on the directory, from `claim` until `with` is left."""

    def __init__(self, directory: Path, form: Format) -> None:
        self._root = directory
        self._form = form
        self._ledger = Ledger(directory)
        self._is_unfinished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ledger.close()

    def claim(self, fence: int) -> None:
        """See Target.claim."""
        with told(self._root):
            self._ledger.claim(fence)
            self._clear_away()

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        with told(self._root):
            return self._ledger.receipt(batch_id)

    def latest(self) -> UUID | None:
        """See Target.latest."""
        with told(self._root):
            return self._ledger.latest()

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        with told(self._root):
            self._ledger.check_fence()
            if (receipt := self._ledger.receipt(batch.id)) is not None:
                return receipt
            if self._is_unfinished:
                self._clear_away()
            self._is_unfinished = True
            total, files = self._stage(batch, chunks)
            for file in files:
                self._publish(file)
            sync(self._root)
            receipt = self._ledger.commit(batch, total, files)
            self._is_unfinished = False
            return receipt

    def forget(self, choose: Choose) -> None:
        """See Target.forget."""
        with told(self._root):
            self._ledger.check_fence()
            self._is_unfinished = True
            files = DirectoryFiles(self._root, self._form, self._ledger)
            forget(files, choose)
            files.remove_unlisted()
            self._is_unfinished = False

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        found: dict[date, DayTotal] = {}
        with told(self._root):
            for day, path in self._listed():
                for chunk in read(self._form, path, ["row_hash"]):
                    found[day] = found.get(day, DayTotal()) + total_of(chunk)
        return found

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        with told(self._root):
            for of_day, path in self._listed():
                if of_day == day:
                    yield from read(self._form, path, HELD.names)

    def _stage(self, batch: Batch, chunks: Iterator[Chunk]) -> tuple[DayTotal, list[DayFile]]:
        """Write what is new under temporary names; return what came, and the files."""
        folder = self._ledger.new_stage(str(batch.id))
        came = Counted(chunks)
        rows = map(self._new_ones, gathered(iter(came), LOOKED_FOR)) if batch.repeats else came
        files = DayFiles(folder, f"{batch.id}-{batch.attempt}", self._form).write(iter(rows))
        return came.total, files

    def _new_ones(self, chunk: Chunk) -> Chunk:
        """Leave out the rows whose id is there."""
        ids = chunk.column("id")
        bounds = pc.min_max(ids)
        known = list(self._ids_between(bounds["min"].as_py(), bounds["max"].as_py()))
        if not known:
            return chunk
        return chunk.filter(pc.invert(pc.is_in(ids, value_set=pa.chunked_array(known))))

    def _ids_between(self, low: str, high: str) -> Iterator[Any]:
        for _, path in self._listed():
            with reading(self._form, path):
                yield from (found.column("id") for found in self._form.ids_between(path, low, high))

    def _publish(self, file: DayFile) -> None:
        place = self._root / file.place
        place.parent.mkdir(exist_ok=True)
        sync(file.path)
        file.path.rename(place)
        sync(place.parent)

    def _clear_away(self) -> None:
        """Remove the files of batches that are not in the ledger: an interrupted writer left them."""
        self._ledger.clear_stage()
        committed = self._ledger.attempts()
        for path in self._root.glob(f"day=*/*{self._form.suffix}"):
            if path.stem.rpartition("-")[0] not in committed:
                path.unlink()
        self._is_unfinished = False

    def _listed(self) -> Iterator[tuple[date, Path]]:
        for file in self._ledger.files():
            yield file.day, self._root / file.path
