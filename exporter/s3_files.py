"""The files that the manifests of a bucket list, how one is read, and how one is written anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from attemptlog.exporter.errors import DataError, TransientError
from attemptlog.exporter.formats import Mask
from attemptlog.exporter.manifest import ListedFile, Manifest
from attemptlog.exporter.parquet import ParquetFormat
from attemptlog.exporter.rows import Chunk, DayTotal
from attemptlog.exporter.s3_bucket import Bucket, Taken
from attemptlog.exporter.s3_ledger import Ledger
from attemptlog.exporter.scratch import scratch

# Of a file that has no rows: no id lies between them.
NOWHERE = "\U0010ffff", ""
ANYWHERE = "", "\U0010ffff"


class BucketFiles:
    """See file_forget.Files. Whatever reads raises DataError for what is no Parquet file."""

    def __init__(self, bucket: Bucket, ledger: Ledger) -> None:
        self._bucket = bucket
        self._ledger = ledger
        self._form = ParquetFormat()

    def manifests(self) -> Iterator[Manifest]:
        """See Files.manifests."""
        return self._ledger.manifests()

    def replace(self, manifest: Manifest) -> None:
        """See Files.replace."""
        self._ledger.replace(manifest)

    def read(self, file: ListedFile, columns: list[str]) -> Iterator[Chunk]:
        """See Files.read."""
        with self._opened(file) as source:
            yield from self._form.read(source, columns)

    def ids_between(self, file: ListedFile, low: str, high: str) -> Iterator[Any]:
        """Yield the ids that are neither below `low` nor above `high`."""
        with self._opened(file) as source:
            yield from (found.column("id") for found in self._form.ids_between(source, low, high))

    def id_bounds(self, file: ListedFile) -> tuple[str, str]:
        """Return the least and the greatest id, or what may lie between if the file does not say."""
        with self._opened(file) as source:
            return id_bounds(source)

    def rewrite(self, file: ListedFile, keeps: Callable[[Chunk], Mask]) -> DayTotal:
        """See Files.rewrite. Whoever was frozen before this, and has read what was there then, replaces nothing."""
        with scratch() as folder, self._opened(file) as source:
            written = folder / "rewritten.parquet"
            total = self._form.copy(source, written, keeps)
            try:
                self._bucket.put(file.path, written, source.raw.version)
            except Taken as error:
                raise TransientError(f"another exporter is at work in {self._bucket}") from error
        return total

    def size(self, file: ListedFile) -> int:
        """See Files.size."""
        with self._opened(file) as source:
            return int(source.raw.size)

    def remove_unlisted(self) -> None:
        """Remove the files that no manifest lists."""
        listed = {file.path for file in self._ledger.files()}
        self._bucket.remove(name for name in self._bucket.names("day=") if name not in listed)

    @contextmanager
    def _opened(self, file: ListedFile) -> Iterator[Any]:
        try:
            with self._bucket.open(file.path) as source:
                yield source
        except pa.ArrowInvalid as error:
            raise DataError(f"{self._bucket}{file.path} cannot be read as Parquet: put it back as it was") from error


def id_bounds(source: BufferedReader) -> tuple[str, str]:
    """Return the least and the greatest id of a Parquet file, or what may lie between if it does not say."""
    with pq.ParquetFile(source) as file:
        column = file.schema_arrow.get_field_index("id")
        groups = [file.metadata.row_group(number).column(column) for number in range(file.num_row_groups)]
        if not groups:
            return NOWHERE
        if not all(group.is_stats_set for group in groups):
            return ANYWHERE
        return min(group.statistics.min for group in groups), max(group.statistics.max for group in groups)
