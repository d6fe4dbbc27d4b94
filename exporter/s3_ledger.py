"""The ledger of the S3 target: one object that only the latest writer can replace, and a manifest per batch."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from uuid import UUID

import orjson

from attemptlog.exporter.day_files import DayFile
from attemptlog.exporter.errors import DataError, Fenced, SetUpError, TransientError
from attemptlog.exporter.ledger import BOOKS
from attemptlog.exporter.manifest import ListedFile, Manifest
from attemptlog.exporter.rows import DayTotal
from attemptlog.exporter.s3_bucket import Bucket, Taken
from attemptlog.exporter.target import Batch, Receipt

HEAD = f"{BOOKS}/head.json"
PROBE = f"{BOOKS}/probe"
BATCHES = f"{BOOKS}/batches/"
READ_AT_A_TIME = 16  # manifests


@dataclass(frozen=True, slots=True)
class Head:
    """Who may write, and what was committed last; `version` is the object's, None before there is one."""

    fence: int = 0
    latest: Manifest | None = None
    version: str | None = None

    def to_json(self) -> bytes:
        """Return it as it is kept."""
        return orjson.dumps({"fence": self.fence, "latest": self.latest}, option=orjson.OPT_INDENT_2)


class Ledger:
    """A commit is that the head is replaced. Its manifest is filed then, by whoever next has to do with it."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._fence = 0
        self._head = Head()  # as this writer has left it

    def claim(self, fence: int) -> None:
        """Take the ledger over; raises Fenced, and SetUpError where the service ignores conditions."""
        require_conditions(self._bucket)
        head = self._read_head()
        if head.fence > fence:
            raise self._fenced(fence, head)
        self._file(head)
        self._fence = fence
        self._replace(head, replace(head, fence=fence))

    def check_fence(self) -> None:
        """Raise Fenced when a greater number than ours has claimed the ledger."""
        self._head = self._read_head()
        if self._head.fence != self._fence:
            raise self._fenced(self._fence, self._head)

    def commit(self, batch: Batch, total: DayTotal, files: Iterable[DayFile]) -> Receipt:
        """Enter a batch of so many rows, unless somebody else has written since check_fence."""
        number = self._head.latest.number + 1 if self._head.latest else 1
        manifest = Manifest.of(batch, self._fence, number, total, files)
        self._replace(self._head, replace(self._head, latest=manifest))
        self._file(self._head)
        return manifest.receipt

    def receipt(self, batch_id: UUID) -> Receipt | None:
        """Return the entry of a batch, None when there is none."""
        latest = self._read_head().latest
        if latest is not None and latest.batch_id == batch_id:
            return latest.receipt
        for name in self._bucket.names(BATCHES):
            if str(batch_id) in name:
                return self._manifest(name).receipt
        return None

    def latest(self) -> UUID | None:
        """Return the batch that was entered last."""
        latest = self._read_head().latest
        return latest.batch_id if latest else None

    def files(self) -> Iterator[ListedFile]:
        """Yield the files of every batch."""
        for manifest in self.manifests():
            yield from manifest.files

    def manifests(self) -> Iterator[Manifest]:
        """Yield the entries in their order."""
        latest = self._read_head().latest
        names = [name for name in self._bucket.names(BATCHES) if latest is None or name != place_of(latest)]
        with ThreadPoolExecutor(READ_AT_A_TIME) as threads:
            yield from threads.map(self._manifest, names)
        if latest is not None:
            yield latest

    def replace(self, manifest: Manifest) -> None:
        """Put an entry in the place of the one that its batch has. Raises Fenced."""
        self.check_fence()
        if self._head.latest is not None and self._head.latest.number == manifest.number:
            self._replace(self._head, replace(self._head, latest=manifest))
        self._bucket.upload(manifest.to_json(), place_of(manifest))

    def attempts(self) -> set[str]:
        """Return what the names of listed files begin with: BATCH-ATTEMPT."""
        return {
            name.removeprefix(BATCHES).removesuffix(".json").partition("-")[2] for name in self._bucket.names(BATCHES)
        }

    def _file(self, head: Head) -> None:
        """Put the manifest of the head beside the others, where it stays when the head is replaced."""
        if head.latest is not None:
            self._bucket.upload(head.latest.to_json(), place_of(head.latest))

    def _replace(self, seen: Head, new: Head) -> None:
        """Replace the head as it was seen. Where it is what was to be written, an earlier answer has got lost."""
        try:
            version: str | None = self._bucket.put(HEAD, new.to_json(), seen.version)
        except Taken:
            found = self._read_head()
            if found.fence > self._fence:
                raise self._fenced(self._fence, found) from None
            if replace(found, version=None) != replace(new, version=None):
                raise TransientError(f"another exporter is at work in {self._bucket}") from None
            version = found.version
        self._head = replace(new, version=version)

    def _read_head(self) -> Head:
        found = self._bucket.get(HEAD)
        if found is None:
            return Head()
        try:
            head = orjson.loads(found[0])
            latest = Manifest.from_json(orjson.dumps(head["latest"])) if head["latest"] else None
            return Head(head["fence"], latest, found[1])
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(HEAD) from error

    def _manifest(self, name: str) -> Manifest:
        found = self._bucket.get(name)
        try:
            return Manifest.from_json(found[0] if found else b"")
        except (ValueError, KeyError, TypeError) as error:
            raise self._unreadable(name) from error

    def _unreadable(self, name: str) -> DataError:
        return DataError(f"{self._bucket}{name} cannot be read as a manifest: put it back as it was")

    def _fenced(self, fence: int, head: Head) -> Fenced:
        return Fenced(f"another exporter has taken {self._bucket} over (fence {head.fence}, ours is {fence})")


def place_of(manifest: Manifest) -> str:
    """Return a manifest's name, as in the directory."""
    return f"{BATCHES}{manifest.name}"


def require_conditions(bucket: Bucket) -> None:
    """Raise SetUpError where a service writes though the condition does not hold: what else keeps two writers apart?"""
    bucket.upload(b"may this be replaced?", PROBE)
    for version in (None, '"another"'):
        try:
            bucket.put(PROBE, b"it is", version)
        except Taken:
            continue
        raise SetUpError(f"{bucket}: the service ignores If-Match and If-None-Match when it writes, which S3 does not")
