"""The ledger of a target that has none: a folder with a lock, the fence and a manifest per batch, the last to come."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from uuid import UUID

from attemptlog.exporter.day_files import DayFile
from attemptlog.exporter.errors import DataError, Fenced, SetUpError, TransientError
from attemptlog.exporter.manifest import ListedFile, Manifest
from attemptlog.exporter.rows import DayTotal
from attemptlog.exporter.target import Batch, Receipt
from attemptlog.runtime.logs import first_line

BOOKS = "_attemptlog"  # readers leave out what begins with an underscore

# Not allowed, not there, in the way, no room: it stays so until somebody sees to it.
FOR_AN_OPERATOR = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC, errno.EDQUOT
}  # fmt: skip


class Ledger:
    """The ledger below `root`. One exporter at a time has a lock on it, from `claim` until `close`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._books = root / BOOKS
        self._batches = self._books / "batches"
        self._staged = self._books / "staged"
        self._fence_file = self._books / "fence"
        self._lock: IO[bytes] | None = None
        self._fence = 0

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def claim(self, fence: int) -> None:
        """Take the ledger over. Raises Fenced, and TransientError while another process has the lock."""
        self._batches.mkdir(parents=True, exist_ok=True)
        self._hold_lock()
        self._refuse_if_fenced(fence)
        self._replace(self._fence_file, b"%d\n" % fence)
        self._fence = fence

    def check_fence(self) -> None:
        """Raise Fenced when a greater number than ours has claimed the ledger."""
        self._refuse_if_fenced(self._fence)

    def new_stage(self, name: str) -> Path:
        """Return an empty folder for what is not committed yet; what was staged before is removed."""
        self.clear_stage()
        folder = self._staged / name
        folder.mkdir(parents=True)
        return folder

    def clear_stage(self) -> None:
        """Remove what is staged."""
        shutil.rmtree(self._staged, ignore_errors=True)

    def commit(self, batch: Batch, total: DayTotal, files: Iterable[DayFile]) -> Receipt:
        """Enter a batch of so many rows, which are in these files and, where it repeats some, in earlier ones."""
        names = self._names()
        number = _number_of(names[-1]) + 1 if names else 1
        manifest = Manifest.of(batch, self._fence, number, total, files)
        self.check_fence()
        self.replace(manifest)
        return manifest.receipt

    def replace(self, manifest: Manifest) -> None:
        """Enter a batch, in place of the entry that it has."""
        self._replace(self._batches / manifest.name, manifest.to_json())

    def manifests(self) -> Iterator[Manifest]:
        """Yield the entries in their order."""
        yield from map(self._manifest, self._names())

    def receipt(self, batch_id: UUID) -> Receipt | None:
        """Return the entry of a batch, None when there is none."""
        for path in self._batches.glob(f"*-{batch_id}-*.json"):
            return self._manifest(path.name).receipt
        return None

    def latest(self) -> UUID | None:
        """Return the batch that was entered last."""
        names = self._names()
        return self._manifest(names[-1]).batch_id if names else None

    def files(self) -> Iterator[ListedFile]:
        """Yield the files of every batch."""
        for manifest in self.manifests():
            yield from manifest.files

    def attempts(self) -> set[str]:
        """Return what the names of listed files begin with: BATCH-ATTEMPT."""
        return {name.removesuffix(".json").partition("-")[2] for name in self._names()}

    def _names(self) -> list[str]:
        """Return the names of the entries, NUMBER-BATCH-ATTEMPT.json, in their order."""
        return sorted(path.name for path in self._batches.glob("*.json"))

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
            raise TransientError(f"another exporter is at work in {self.root}") from None
        self._lock = lock

    def _refuse_if_fenced(self, fence: int) -> None:
        held = int(self._fence_file.read_bytes()) if self._fence_file.exists() else 0
        if held > fence:
            raise Fenced(f"another exporter has taken {self.root} over (fence {held}, ours is {fence})")

    def _replace(self, path: Path, content: bytes) -> None:
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(content)
        sync(temporary)
        temporary.rename(path)
        sync(path.parent)


def _number_of(name: str) -> int:
    return int(name.partition("-")[0])


def sync(path: Path) -> None:
    """Have the disk keep a file's content, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(root: Path) -> Iterator[None]:
    """Translate what the file system raises."""
    try:
        yield
    except OSError as error:
        kind = SetUpError if error.errno in FOR_AN_OPERATOR else TransientError
        raise kind(f"{error.filename or root}: {error.strerror or first_line(error)}") from error
