"""The way of a batch: planned in the books, read, committed by the target, committed in the books.

Whatever goes wrong at whatever instant, the next pass begins where the books and the target's ledger say that this one
was; so an error and a killed process are the same to it.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from attemptlog.event_store.export_books import Books
from attemptlog.event_store.export_entries import Entry
from attemptlog.event_store.export_rows import select_rows
from attemptlog.event_store.export_sql import EXAM_GRANTS, GRANTS
from attemptlog.event_store.export_windows import Keys, Selection
from attemptlog.exporter.errors import DataError, SetUpError, Stopped, TransientError
from attemptlog.exporter.forgetting import follow_purges
from attemptlog.exporter.reading import stream
from attemptlog.exporter.rows import Chunk, DayTotal, check_times, shaped, total_of
from attemptlog.exporter.settings import BATCH_ROWS
from attemptlog.exporter.target import Batch, Receipt, SendsLong, Target, WantsExams
from attemptlog.runtime.pseudonyms import Pseudonyms


@dataclass(frozen=True, slots=True)
class Hooks:
    """What a pass tells and asks meanwhile: how many rows came, how many went with a purge, whether to stop, and what
    a request became."""

    progress: Callable[[int], None] = lambda _: None
    forgotten: Callable[[int], None] = lambda _: None
    is_stopping: Callable[[], bool] = lambda: False
    requested: Callable[[str], None] = lambda _: None


class Pass:
    """One look at what there is to export, with books and target open; `read` yields the rows of a selection."""

    def __init__(
        self,
        books: Books,
        target: Target,
        read: Callable[[Selection], Iterator[Chunk]],
        hooks: Hooks | None = None,
        batch_rows: int = BATCH_ROWS,
    ) -> None:
        self._books = books
        self._target = target
        self._read = read
        self._hooks = hooks or Hooks()
        self._batch_rows = batch_rows

    def begin(self) -> None:
        """Take the target over, and have it forget; raise SetUpError where it and the books are not of each other."""
        self._target.claim(self._books.fence)
        if objection := objection_to(self._books, self._target):
            raise SetUpError(f"{objection}: if so it shall be, run `attemptlog export resync`")
        self._forget()

    def export(self) -> Iterator[Receipt]:
        """Export everything that can be exported now, batch by batch."""
        if (batch := self._books.open_batch()) is not None:
            yield self._settle(batch)
        while (batch := self._books.plan(self._batch_rows)) is not None:
            yield self._settle(batch)

    def send_again(self, since: datetime) -> Iterator[Receipt]:
        """Send what is exported and not older than `since` (event_ts) once more: the target adds what it lacks."""
        after: UUID | None = None
        while (batch := self._books.plan_resend(since, after, self._batch_rows)) is not None:
            yield self._settle(batch)
            after = batch.selection.last if isinstance(batch.selection, Keys) else None

    def _settle(self, batch: Entry) -> Receipt:
        """Have the target commit the batch, unless it has, and then the books."""
        if self._hooks.is_stopping():
            raise Stopped
        # Whoever was purged, let back in, and is in a batch: what was exported of them before goes first.
        self._forget()
        receipt = self._target.committed(batch.id)
        if receipt is None:
            batch, receipt = self._send(batch)
        compare(batch, receipt)
        self._books.commit(batch, receipt.rows, receipt.checksum, receipt.size)
        return receipt

    def _forget(self) -> None:
        self._hooks.forgotten(follow_purges(self._books, self._target, self._hooks.is_stopping))

    def _send(self, batch: Entry) -> tuple[Entry, Receipt]:
        sending = Sending(self._books.begin_attempt(batch), self._read, self._books.mark_sent, self._hooks)
        batch = sending.batch
        receipt = self._target.write(Batch(batch.id, batch.attempts, batch.repeats), iter(sending))
        return sending.batch, receipt


@contextmanager
def open_pass(
    database_url: str,
    name: str,
    target: Target,
    hooks: Hooks | None = None,
    batch_rows: int = BATCH_ROWS,
    *,
    pseudonyms: Pseudonyms | None = None,
) -> Iterator[Pass]:
    """Open the books and the target, and begin; one exporter of a target at a time has this open."""
    with_exam = isinstance(target, WantsExams) and target.wants_exams
    grants = GRANTS | EXAM_GRANTS if with_exam else GRANTS
    if hooks is not None and isinstance(target, SendsLong):
        target.heed(hooks.is_stopping, hooks.requested)
    with Books(database_url, name, grants, pseudonyms) as books, target:

        def read(selection: Selection) -> Iterator[Chunk]:
            return stream(books.conninfo, books.pin, select_rows(selection, with_exam=with_exam))

        one = Pass(books, target, read, hooks, batch_rows)
        one.begin()
        yield one


class Sending:
    """The rows of a batch on their way to the target, checked and counted; `batch` says at the end what they were."""

    def __init__(
        self,
        batch: Entry,
        read: Callable[[Selection], Iterator[Chunk]],
        mark_sent: Callable[[Entry, int, int], Entry],
        hooks: Hooks,
    ) -> None:
        self.batch = replace(batch, rows=None, checksum=None)
        self._read = read
        self._mark_sent = mark_sent
        self._hooks = hooks

    def __iter__(self) -> Iterator[Chunk]:
        total = DayTotal()
        for came in self._read(self.batch.selection):
            if self._hooks.is_stopping():
                raise Stopped
            chunk = shaped(came)
            check_times(chunk)
            total += total_of(chunk)
            self._hooks.progress(chunk.num_rows)
            yield chunk
        if total.rows != self.batch.planned_rows:  # before the target commits
            raise TransientError(f"{total.rows} rows were read where {self.batch.planned_rows} were counted")
        self.batch = self._mark_sent(self.batch, total.rows, total.sum)


def compare(batch: Entry, receipt: Receipt) -> None:
    """Raise DataError where the target does not hold what was sent."""
    if batch.rows is None:  # the target had it already, or did not read to the end
        if receipt.rows != batch.planned_rows:
            raise DataError(
                f"batch {batch.id} has {batch.planned_rows} rows, and the target holds {receipt.rows} of it"
            )
        return
    if receipt.rows != batch.rows:
        raise DataError(f"{batch.rows} rows of batch {batch.id} were sent, and the target holds {receipt.rows}")
    if receipt.checksum != batch.checksum:
        raise DataError(f"the target holds other rows of batch {batch.id} than were sent: their hashes differ")


def objection_to(books: Books, target: Target) -> str | None:
    """Return why the books and the target are not of each other, None when they are: one of them was restored, say."""
    at = books.position()
    if at.objection:
        return at.objection
    latest = target.latest()
    if latest is not None and latest != at.accepted_latest and not books.knows(latest):
        return f"the target holds batch {latest}, of which this database knows nothing: it was restored, or is another"
    last = books.last_batch()
    if last is not None and target.committed(last) is None:
        return f"the target does not hold batch {last}, which was committed last: it was emptied, or is another"
    return None
