"""The ledger of targets that are made of files: what says of a batch which files are in, and what they hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import orjson

from attemptlog.exporter.day_files import DayFile
from attemptlog.exporter.rows import DayTotal
from attemptlog.exporter.target import Batch, Receipt


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file by its path below the root; `size` in bytes."""

    path: str
    day: date
    rows: int
    sum: int
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """An entry of the ledger: a batch is committed when it is there. No file has rows that the target had before.

    `rows`, `checksum` and `size` are what was committed, and stay so; `files` are what is there now.
    """

    batch_id: UUID
    attempt: int
    fence: int
    number: int
    rows: int
    checksum: int
    size: int
    files: tuple[ListedFile, ...]

    @classmethod
    def of(cls, batch: Batch, fence: int, number: int, total: DayTotal, files: Iterable[DayFile]) -> "Manifest":
        """Return the entry of a batch of so many rows, the ledger's `number`th, with the files written for it."""
        listed = tuple(ListedFile(it.place, it.day, it.total.rows, it.total.sum, it.size) for it in files)
        size = sum(file.size for file in listed)
        return cls(batch.id, batch.attempt, fence, number, total.rows, total.sum, size, listed)

    @property
    def name(self) -> str:
        """What its file is called; they sort by number."""
        return f"{self.number:010}-{self.batch_id}-{self.attempt}.json"

    @property
    def receipt(self) -> Receipt:
        """What the exporter asks for."""
        return Receipt(self.rows, self.checksum, self.size)

    def to_json(self) -> bytes:
        """Return the entry as it is kept; from_json reads it."""
        return orjson.dumps(self, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def from_json(cls, text: bytes) -> "Manifest":
        """Read an entry; raises orjson.JSONDecodeError, KeyError or TypeError for what is none."""
        read = orjson.loads(text)
        files = tuple(ListedFile(**file | {"day": date.fromisoformat(file["day"])}) for file in read.pop("files"))
        return cls(**read | {"batch_id": UUID(read["batch_id"]), "files": files})
