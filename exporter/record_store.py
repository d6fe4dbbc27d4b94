"""A learning record store: statements are sent over HTTP in requests of bounded size (xAPI 1.0.3, part three, 2.1.2).

A store has neither transactions nor a ledger. A statement's id is its event's, so what is sent twice is held once;
which batches are in is kept in a folder here, where a batch's manifest comes after its last request was answered.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Self
from uuid import UUID

from attemptlog.exporter.day_files import DayFile, DayFiles
from attemptlog.exporter.errors import DataError, NotAvailable, Stopped
from attemptlog.exporter.ledger import Ledger, told
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.rows import Chunk, Counted, DayTotal
from attemptlog.exporter.statement_files import StatementLines
from attemptlog.exporter.statement_requests import StatementRequests, requests_of
from attemptlog.exporter.statements import Statements
from attemptlog.exporter.target import Batch, Receipt

NOT_COUNTED = (
    "a learning record store cannot be counted, because xAPI has no request for it: what it has acknowledged is in "
    "the manifests in the export's directory, and that is no audit"
)

NOT_REMOVED = (
    "a learning record store removes nothing when it is asked, because xAPI has no request for it: have whoever runs "
    "the store delete the person's statements there"
)


class RecordStore:
    """The target: statements are made into files below `books` first, and sent when all rows of a batch have come.

    So PostgreSQL's transaction does not wait for the store, and a batch that breaks off while it is read leaves nothing
    in it. One that breaks off while it is sent is there in part, until it is sent again.
    """

    wants_exams = True

    def __init__(self, books: Path, statements: Statements, requests: StatementRequests) -> None:
        # a store of another address has books of its own: what one holds says nothing of the other
        self._root = books / f"lrs-{sha256(requests.url.encode()).hexdigest()[:12]}"
        self._ledger = Ledger(self._root)
        self._form = StatementLines(statements)
        self._requests = requests
        self._is_stopping: Callable[[], bool] = lambda: False

    def __enter__(self) -> Self:
        self._requests.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._requests.__exit__(*exc_info)
        self._ledger.close()

    def heed(self, is_stopping: Callable[[], bool], requested: Callable[[str], None]) -> None:
        """See SendsLong.heed."""
        self._is_stopping = is_stopping
        self._requests.requested = requested

    def claim(self, fence: int) -> None:
        """See Target.claim; it is the folder that is claimed, because a record store has nothing to hold a fence."""
        with told(self._root):
            self._ledger.claim(fence)
            self._ledger.clear_stage()

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed; None may mean that a part of it was sent, which is sent again and held once."""
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
            came = Counted(chunks)
            folder = self._ledger.new_stage(str(batch.id))
            files = DayFiles(folder, f"{batch.id}-{batch.attempt}", self._form).write(iter(came))
            self._send(files, came.total.rows)
            receipt = self._ledger.commit(batch, came.total, files)
            self._ledger.clear_stage()
            return receipt

    def forget(self, choose: Choose) -> None:
        """Raise NotAvailable; nothing of anybody stays in the folder here."""
        with told(self._root):
            self._ledger.clear_stage()
        raise NotAvailable(NOT_REMOVED)

    def days(self) -> Mapping[date, DayTotal]:
        """Raise NotAvailable."""
        raise NotAvailable(NOT_COUNTED)

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """Raise NotAvailable."""
        raise NotAvailable(NOT_COUNTED)

    def _send(self, files: list[DayFile], rows: int) -> None:
        acknowledged = 0
        for file in files:
            with file.path.open("rb") as lines:
                for request in requests_of(lines):
                    if self._is_stopping():
                        raise Stopped
                    self._ledger.check_fence()
                    acknowledged += self._requests.send(request)
        if acknowledged != rows:
            raise DataError(f"{rows} rows came, and {acknowledged} statements were acknowledged")
