"""What the exporter asks of a warehouse. One file per target, and tests/integration/test_export_targets.py for all."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self, runtime_checkable
from uuid import UUID

from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.rows import Chunk, DayTotal


@dataclass(frozen=True, slots=True)
class Batch:
    """What is sent and committed as one.

    `attempt` counts from 1 and is part of the names of files, so that no two writers ever have one name. Where
    `repeats` is true, some of the rows may be in the target from an earlier batch: it keeps those, and adds the others.
    """

    id: UUID
    attempt: int = 1
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the target holds of a batch, counted by the target: rows, and the sum of their hashes as `signed` gives it.

    Rows that it had before are among them; `size`, in bytes, is of what was written for this batch.
    """

    rows: int
    checksum: int
    size: int


class Target(Protocol):
    """A place that keeps events, and a ledger of the batches they came in. Used by one thread.

    The constructor stores, `with` connects. Every method may raise SetUpError and TransientError, or DataError for what
    will never fit; after any of them the target can be used again, and so it can after an interruption at any
    instant: what was not committed is cleared away by `claim` or the next `write`.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def claim(self, fence: int) -> None:
        """Take the target over: from now on whoever claimed with a smaller number is refused. Comes before `write`.

        Creates what the target needs (tables, folders) and clears away what an interrupted writer left. Raises Fenced
        when a greater number has claimed it.
        """

    def committed(self, batch_id: UUID) -> Receipt | None:
        """Return the ledger's entry of a batch, None when there is none: then nothing of it is in the target."""

    def latest(self) -> UUID | None:
        """Return the batch that was committed last, None when there is none: does the database know of it?"""

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """Commit all rows and the ledger's entry together, or nothing, and return what `committed` will from then on.

        A batch that the ledger has is not read, and its entry returned. `chunks` have one schema, rows.SCHEMA or one
        with more nullable columns after these, which the target takes up; there may be none. What `chunks` raises is
        raised on, and nothing is committed then, nor when it stops the process. Raises Fenced.
        """

    def forget(self, choose: Choose) -> None:
        """Remove every row of the pairs that `choose` picks of those that are here, so that nothing can be read of it.

        Comes after `claim`. Every pair is shown to `choose` with its rows before one of these goes, in parts where it
        suits; what it has picked is gone when this returns. Receipts stay what they are. After an interruption at any
        instant it has to be called again, and ends what was begun, which is not shown anew. Raises Fenced, what
        `choose` raises, and NotAvailable where the target has no way to remove anything.
        """

    def days(self) -> Mapping[date, DayTotal]:
        """Return what is there by day of event_ts in UTC, counted anew from the rows and not from the ledger.

        Raises NotAvailable where the target has no way to tell, and so does `rows_of`: then there is no audit of it.
        """

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """Yield rows.HELD of every row of a day, in any order."""


@runtime_checkable
class WantsExams(Protocol):
    """A target whose chunks are to have the session's `exam_id` (text, null where unknown) after rows.SCHEMA."""

    wants_exams: bool


OUTCOMES = TAKEN, HALVED, REFUSED = ("taken", "halved", "refused")  # what becomes of a request that is answered


@runtime_checkable
class SendsLong(Protocol):
    """A target that sends many requests after the last chunk has come."""

    def heed(self, is_stopping: Callable[[], bool], requested: Callable[[str], None]) -> None:
        """From now on, ask `is_stopping` before each request, and raise Stopped; tell `requested` its outcome."""
