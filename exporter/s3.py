"""A bucket of S3, or of what speaks its protocol, laid out as the Parquet directory is.

There is no renaming: a batch's files are there before its manifest, and `_attemptlog/head.json` commits it. That has
the fence and the latest manifest, and can be replaced only by who has seen what is in it (a conditional PUT), so of two
writers one is refused. Every manifest is in `_attemptlog/batches` as well, as in the directory.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Any, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter.day_files import DayFile, DayFiles
from attemptlog.exporter.directory import LOOKED_FOR
from attemptlog.exporter.errors import Fenced
from attemptlog.exporter.file_forget import forget
from attemptlog.exporter.manifest import ListedFile
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.parquet import ParquetFormat
from attemptlog.exporter.rows import HELD, Chunk, Counted, DayTotal, gathered, total_of
from attemptlog.exporter.s3_bucket import Bucket
from attemptlog.exporter.s3_files import BucketFiles
from attemptlog.exporter.s3_ledger import Ledger
from attemptlog.exporter.scratch import remove_left, scratch
from attemptlog.exporter.target import Batch, Receipt


class S3Settings(BaseSettings):
    """Settings of the bucket, `ATTEMPTLOG_` in front; who it logs in as is found as in every AWS tool."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    export_s3_bucket: Annotated[str, Field(description="Bucket for the Parquet files; it has to be there.")]
    export_s3_prefix: Annotated[str | None, Field(description="What their names begin with: `exams/events`.")] = None
    export_s3_endpoint_url: Annotated[str | None, Field(description="Where it is not AWS: URL of the service.")] = None
    export_s3_region: Annotated[str | None, Field(description="Region, where the AWS configuration names none.")] = None


def from_environment() -> "S3":
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    return S3(S3Settings())


class S3:
    """The target."""

    def __init__(self, settings: S3Settings) -> None:
        self._bucket = Bucket(
            settings.export_s3_bucket,
            settings.export_s3_prefix,
            settings.export_s3_endpoint_url,
            settings.export_s3_region,
        )
        self._ledger = Ledger(self._bucket)
        self._files = BucketFiles(self._bucket, self._ledger)
        self._bounds: dict[str, tuple[str, str]] = {}  # the least and the greatest id of a file, by its path
        self._is_unfinished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._bucket.close()

    def claim(self, fence: int) -> None:
        """See Target.claim."""
        remove_left()
        self._ledger.claim(fence)
        self._clear_away()

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        return self._ledger.receipt(batch_id)

    def latest(self) -> UUID | None:
        """See Target.latest."""
        return self._ledger.latest()

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        self._ledger.check_fence()
        if (receipt := self._ledger.receipt(batch.id)) is not None:
            return receipt
        if self._is_unfinished:
            self._clear_away()
        self._is_unfinished = True
        with scratch() as folder:
            came = Counted(chunks)
            rows = self._new_ones(iter(came)) if batch.repeats else iter(came)
            files = DayFiles(folder, f"{batch.id}-{batch.attempt}", ParquetFormat()).write(rows)
            receipt = self._publish(batch, came.total, files)
        self._is_unfinished = False
        return receipt

    def forget(self, choose: Choose) -> None:
        """See Target.forget."""
        self._ledger.check_fence()
        forget(self._files, choose)
        self._files.remove_unlisted()
        self._bounds.clear()

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        found: dict[date, DayTotal] = {}
        for file in self._ledger.files():
            for chunk in self._files.read(file, ["row_hash"]):
                found[file.day] = found.get(file.day, DayTotal()) + total_of(chunk)
        return found

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        for file in self._ledger.files():
            if file.day == day:
                yield from self._files.read(file, HELD.names)

    def _publish(self, batch: Batch, total: DayTotal, files: list[DayFile]) -> Receipt:
        for file in files:
            self._bucket.upload(file.path, file.place)
        try:
            return self._ledger.commit(batch, total, files)
        except Fenced:
            self._bucket.remove(file.place for file in files)  # nobody else knows of them before the next claim
            raise

    def _clear_away(self) -> None:
        """Remove the files of batches that are not in the ledger: an interrupted writer left them."""
        committed = self._ledger.attempts()
        files = (name for name in self._bucket.names("day=") if name.endswith(".parquet"))
        self._bucket.remove(name for name in files if PurePosixPath(name).stem.rpartition("-")[0] not in committed)
        self._is_unfinished = False

    def _new_ones(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Leave out the rows whose id is there."""
        files = list(self._ledger.files())
        for chunk in gathered(chunks, LOOKED_FOR):
            ids = chunk.column("id")
            bounds = pc.min_max(ids)
            known = list(self._ids_between(files, bounds["min"].as_py(), bounds["max"].as_py()))
            is_known = pc.is_in(ids, value_set=pa.chunked_array(known, pa.string()))
            yield chunk.filter(pc.invert(is_known))

    def _ids_between(self, files: list[ListedFile], low: str, high: str) -> Iterator[Any]:
        for file in files:
            least, greatest = self._bounds_of(file)
            if least <= high and greatest >= low:
                yield from self._files.ids_between(file, low, high)

    def _bounds_of(self, file: ListedFile) -> tuple[str, str]:
        """Return them from the file's end, which is read once."""
        if file.path not in self._bounds:
            self._bounds[file.path] = self._files.id_bounds(file)
        return self._bounds[file.path]
