"""A batch into PostgreSQL: rows, dead letters and the offset reached, in one transaction."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from attemptlog.event_store import ledger_sql, sql
from attemptlog.event_store.books import Connection, entries
from attemptlog.event_store.database import STATEMENT_TIMEOUT, Connected
from attemptlog.event_store.decoding import Batch, DeadLetter
from attemptlog.event_store.errors import CannotRun, Hole, OffsetGap
from attemptlog.event_store.identity import FIRST_LOG, Entry, changed, other_log
from attemptlog.event_store.rows import Outcome
from attemptlog.event_store.sieve import Sieve
from attemptlog.runtime.pseudonyms import Pseudonyms


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch's records; `next_offsets` is where the ledger stands now, by partition."""

    inserted: int
    duplicates: int
    dead_letters: Counter[str]  # by reason
    suppressed: int  # records of persons and sessions that were purged
    skipped: int
    next_offsets: Mapping[int, int]
    seconds: float  # from the first insert to the commit, without the waiting before it
    lost: frozenset[Hole] = frozenset()  # what was passed over: Kafka no longer had it


class Store(Connected):
    """Writes the batches of one topic, over one connection: one at a time."""

    def __init__(
        self,
        database_url: str,
        topic: str,
        statement_timeout: timedelta = STATEMENT_TIMEOUT,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        super().__init__(database_url, statement_timeout)
        self._topic = topic
        self._log = FIRST_LOG
        self._sieve = Sieve(pseudonyms)

    @property
    def is_failing(self) -> bool:
        """True while PostgreSQL does not take the batch that it was given last."""
        return self._database.answers is False

    def follow(self, log: int) -> None:
        """Take batches to be of the topic's log of this number from now on."""
        self._log = log

    async def require_key(self) -> None:
        """Raise CannotRun where persons were purged under another key than ours; StoreUnavailable."""
        async with self._database.transaction() as connection:
            await self._sieve.require_key(connection)

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        """Store a batch, all of it or, when anything is raised, nothing; records accounted for before are skipped.

        Raises StoreUnavailable: try again. OffsetGap: offsets are missing that are not in `gone`. CannotRun: the ledger
        is about another log, or persons were purged under another key than ours.
        """
        async with self._database.transaction() as connection:
            locked = await self._lock_ledger(connection, batch.partitions)
            begun_at = time.perf_counter()
            self._refuse_other_log(batch, locked)
            ledger = {partition: entry.next_offset for partition, entry in locked.items()}
            holes = batch.holes(ledger)
            if holes - gone:
                raise OffsetGap(holes - gone)
            new = batch.after(ledger)
            outcome = await self._sieve.store(connection, new)
            await self._bury(connection, outcome.refused)
            await self._advance_ledger(connection, new, outcome)
        return _stored(batch, new, outcome, holes, time.perf_counter() - begun_at)

    async def _lock_ledger(self, connection: Connection, partitions: Sequence[int]) -> dict[int, Entry]:
        which = {"topic": self._topic, "partitions": partitions, "log": self._log}
        ledger = await entries(connection, ledger_sql.LOCK_LEDGER, which)
        if len(ledger) < len(partitions):
            await connection.execute(ledger_sql.OPEN_LEDGER, which)
            ledger = await entries(connection, ledger_sql.LOCK_LEDGER, which)
        return ledger

    def _refuse_other_log(self, batch: Batch, locked: Mapping[int, Entry]) -> None:
        for partition in batch.partitions:
            entry = locked.get(partition)
            if entry is None or entry.log != self._log:
                raise CannotRun(f"the ledger of {self._topic} is about another log by now: start the consumer again")
            if entry.mark is not None and batch.contradicts(partition, entry.mark):
                raise other_log(self._topic, changed(partition, entry.mark.offset))

    async def _bury(self, connection: Connection, letters: Sequence[DeadLetter]) -> None:
        if letters:
            await connection.cursor().executemany(
                sql.BURY, [(self._topic, self._log, *_letter(letter)) for letter in letters]
            )

    async def _advance_ledger(self, connection: Connection, batch: Batch, outcome: Outcome) -> None:
        records = Counter(row.record.partition for row in batch.rows)
        records.update(letter.record.partition for letter in batch.undecodable)
        duplicates = Counter(row.record.partition for row in outcome.duplicates)
        refused = Counter(letter.record.partition for letter in outcome.refused)
        suppressed = Counter(record.partition for record in outcome.suppressed)
        await connection.cursor().executemany(
            ledger_sql.ADVANCE_LEDGER,
            [
                {
                    "topic": self._topic,
                    "partition": partition,
                    "next_offset": next_offset,
                    "inserted": records[partition] - duplicates[partition] - refused[partition] - suppressed[partition],
                    "duplicates": duplicates[partition],
                    "dead_lettered": refused[partition],
                    "suppressed": suppressed[partition],
                    "mark_offset": mark.offset if (mark := batch.marks.get(partition)) else None,
                    "mark_digest": mark.digest if mark else None,
                }
                for partition, next_offset in batch.next_offsets.items()
            ],
        )


def _stored(batch: Batch, new: Batch, outcome: Outcome, lost: frozenset[Hole], seconds: float) -> Stored:
    return Stored(
        inserted=len(new) - len(outcome.duplicates) - len(outcome.refused) - len(outcome.suppressed),
        duplicates=len(outcome.duplicates),
        dead_letters=Counter(letter.reason for letter in outcome.refused),
        suppressed=len(outcome.suppressed),
        skipped=len(batch) - len(new),
        next_offsets=new.next_offsets,
        seconds=seconds,
        lost=lost,
    )


def _letter(letter: DeadLetter) -> tuple[object, ...]:
    record, columns = letter.record, letter.columns
    event = (columns.session_id.decode(), columns.user_id.decode()) if columns else (None, None)
    return record.partition, record.offset, letter.reason, letter.detail, *event, record.key, record.value
