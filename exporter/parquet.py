"""A directory of Parquet files, a folder a day: for DuckDB, Polars, Spark, and whatever reads Hive partitions.

A batch's files are written under a temporary name, synced and renamed; its manifest comes last and is what commits it.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import IO, Annotated, Any, Self
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.exporter.day_files import DayFile, DayFiles
from attemptlog.exporter.errors import DataError, Fenced, SetUpError, TransientError
from attemptlog.exporter.manifest import Manifest
from attemptlog.exporter.rows import IDENTITY, Chunk, DayTotal, total_of
from attemptlog.exporter.target import Batch, Receipt
from attemptlog.runtime.logs import first_line

BOOKS = "_attemptlog"  # readers leave out what begins with an underscore
IDS_AT_A_TIME = 256 * 1024  # rows

# Not allowed, not there, in the way, no room: it stays so until somebody sees to it.
FOR_AN_OPERATOR = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT
}  # fmt: skip


class ParquetSettings(BaseSettings):
    """Settings of the Parquet directory, `ATTEMPTLOG_` in front."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_EXPORT_PARQUET_", extra="ignore")

    directory: Annotated[Path, Field(description="Folder for the Parquet files; made when it is not there.")] = Path(
        "attemptlog-export"
    )


def from_environment() -> "ParquetDirectory":
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    return ParquetDirectory(ParquetSettings().directory)


class ParquetDirectory:
    """The target. One exporter at a time has a lock on the directory, from `claim` until `with` is left."""

    def __init__(self, directory: Path) -> None:
        self._root = directory
        self._books = directory / BOOKS
        self._batches = self._books / "batches"
        self._staged = self._books / "staged"
        self._fence_file = self._books / "fence"
        self._lock: IO[bytes] | None = None
        self._fence = 0
        self._is_unfinished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def claim(self, fence: int) -> None:
        """See Target.claim."""
        with _told(self._root):
            self._batches.mkdir(parents=True, exist_ok=True)
            self._hold_lock()
            self._refuse_if_fenced(fence)
            self._replace(self._fence_file, b"%d\n" % fence)
            self._fence = fence
            self._clear_away()

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        with _told(self._root):
            return self._receipt(batch_id)

    def latest(self) -> UUID | None:
        """See Target.latest."""
        with _told(self._root):
            names = self._names()
            return self._manifest(names[-1]).batch_id if names else None

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        with _told(self._root):
            self._refuse_if_fenced(self._fence)
            if (receipt := self._receipt(batch.id)) is not None:
                return receipt
            if self._is_unfinished:
                self._clear_away()
            self._is_unfinished = True
            total, files = self._stage(batch, chunks)
            for file in files:
                self._publish(file)
            _sync(self._root)
            receipt = self._commit(batch, total, files)
            self._is_unfinished = False
            return receipt

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        found: dict[date, DayTotal] = {}
        with _told(self._root):
            for day, path in self._listed():
                for chunk in _read(path, ["row_hash"]):
                    found[day] = found.get(day, DayTotal()) + total_of(chunk)
        return found

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        with _told(self._root):
            for of_day, path in self._listed():
                if of_day == day:
                    yield from _read(path, IDENTITY.names)

    def _stage(self, batch: Batch, chunks: Iterator[Chunk]) -> tuple[DayTotal, list[DayFile]]:
        """Write what is new under temporary names; return what came, and the files."""
        folder = self._staged / str(batch.id)
        folder.mkdir(parents=True)
        came = _Counted(chunks)
        rows = map(self._new_ones, came) if batch.repeats else came
        files = DayFiles(folder, f"{batch.id}-{batch.attempt}").write(iter(rows))
        return came.total, files

    def _new_ones(self, chunk: Chunk) -> Chunk:
        """Leave out the rows whose id is there."""
        ids = chunk.column("id")
        bounds = pc.min_max(ids)
        known = [found.column("id") for _, path in self._listed() for found in _read_between(path, bounds)]
        if not known:
            return chunk
        return chunk.filter(pc.invert(pc.is_in(ids, value_set=pa.chunked_array(known))))

    def _publish(self, file: DayFile) -> None:
        place = self._root / file.place
        place.parent.mkdir(exist_ok=True)
        _sync(file.path)
        file.path.rename(place)
        _sync(place.parent)

    def _commit(self, batch: Batch, total: DayTotal, files: list[DayFile]) -> Receipt:
        names = self._names()
        number = _number_of(names[-1]) + 1 if names else 1
        manifest = Manifest.of(batch, self._fence, number, total, files)
        self._refuse_if_fenced(self._fence)
        self._replace(self._batches / f"{number:010}-{batch.id}-{batch.attempt}.json", manifest.to_json())
        return manifest.receipt

    def _clear_away(self) -> None:
        """Remove the files of batches that are not in the ledger: an interrupted writer left them."""
        shutil.rmtree(self._staged, ignore_errors=True)
        committed = {name.removesuffix(".json").partition("-")[2] for name in self._names()}
        for path in self._root.glob("day=*/*.parquet"):
            if path.stem.rpartition("-")[0] not in committed:
                path.unlink()
        self._is_unfinished = False

    def _names(self) -> list[str]:
        """Return the names of the ledger's entries, NUMBER-BATCH-ATTEMPT.json, in their order."""
        return sorted(path.name for path in self._batches.glob("*.json"))

    def _listed(self) -> Iterator[tuple[date, Path]]:
        for name in self._names():
            for file in self._manifest(name).files:
                yield file.day, self._root / file.path

    def _receipt(self, batch_id: UUID) -> Receipt | None:
        for path in self._batches.glob(f"*-{batch_id}-*.json"):
            return self._manifest(path.name).receipt
        return None

    def _manifest(self, name: str) -> Manifest:
        path = self._batches / name
        try:
            return Manifest.from_json(path.read_bytes())
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} cannot be read as a manifest: put it back as it was") from error

    def _hold_lock(self) -> None:
        if self._lock is not None:
            return
        lock = (self._books / "lock").open("wb")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise TransientError(f"another exporter is at work in {self._root}") from None
        self._lock = lock

    def _refuse_if_fenced(self, fence: int) -> None:
        held = int(self._fence_file.read_bytes()) if self._fence_file.exists() else 0
        if held > fence:
            raise Fenced(f"another exporter has taken {self._root} over (fence {held}, ours is {fence})")

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        _sync(temporary)
        temporary.rename(path)
        _sync(path.parent)


def _number_of(name: str) -> int:
    return int(name.partition("-")[0])


class _Counted:
    """Chunks on their way, counted."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self.total = DayTotal()

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.total += total_of(chunk)
            yield chunk


def _read(path: Path, columns: list[str]) -> Iterator[Chunk]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=IDS_AT_A_TIME, columns=columns)


def _read_between(path: Path, bounds: Any) -> Iterator[Chunk]:
    """Yield the ids of a file that lie between two, where the statistics say that there may be some."""
    low, high = bounds["min"].as_py(), bounds["max"].as_py()
    with pq.ParquetFile(path) as file:
        column = file.schema_arrow.get_field_index("id")
        groups = [
            number
            for number in range(file.num_row_groups)
            if (found := file.metadata.row_group(number).column(column).statistics) is None
            or (found.min <= high and found.max >= low)
        ]
        for chunk in file.iter_batches(batch_size=IDS_AT_A_TIME, row_groups=groups, columns=["id"]):
            ids = chunk.column("id")
            yield chunk.filter(pc.and_(pc.greater_equal(ids, low), pc.less_equal(ids, high)))


@contextmanager
def _told(root: Path) -> Iterator[None]:
    """Translate what the file system and Arrow raise."""
    try:
        yield
    except pa.ArrowInvalid as error:
        raise DataError(f"a file in {root} cannot be read as Parquet: put it back as it was") from error
    except OSError as error:
        kind = SetUpError if error.errno in FOR_AN_OPERATOR else TransientError
        raise kind(f"{error.filename or root}: {error.strerror or first_line(error)}") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
