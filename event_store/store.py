"""A batch into PostgreSQL: rows, dead letters and the offset reached, in one transaction."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

import psycopg

from attemptlog.event_store import sql
from attemptlog.event_store.books import Connection, entries, is_accounted_for, read_ledger, read_log
from attemptlog.event_store.columns import ID_LENGTH
from attemptlog.event_store.database import Database, describe, is_refusal
from attemptlog.event_store.decoding import Batch, DeadLetter, Row, printable
from attemptlog.event_store.errors import CannotRun, Hole, OffsetGap
from attemptlog.event_store.identity import FIRST_LOG, Entry, KnownLog, changed, other_log
from attemptlog.runtime.topic_log import Content, FoundLog, Mark

# A row can be neither stored nor refused when its session appears between two statements; then the next pass stores it.
PASSES_WITHOUT_PROGRESS = 3
NOT_KEPT = "PostgreSQL takes the row and does not keep it: see the triggers and unique indexes added to attempt_events"


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch's records; `next_offsets` is where the ledger stands now, by partition."""

    inserted: int
    duplicates: int
    dead_letters: Counter[str]  # by reason
    skipped: int
    next_offsets: Mapping[int, int]
    lost: frozenset[Hole] = frozenset()  # what was passed over: Kafka no longer had it


@dataclass(slots=True)
class Outcome:
    """The rows that did not go in: true duplicates, and those refused for a reason."""

    duplicates: list[Row]
    refused: list[DeadLetter]


class Store:
    """Writes the batches of one topic."""

    def __init__(self, database_url: str, topic: str, statement_timeout: timedelta = timedelta(seconds=60)) -> None:
        self._database = Database(database_url, statement_timeout)
        self._topic = topic
        self._log = FIRST_LOG

    @property
    def is_available(self) -> bool:
        """True while the last thing asked of PostgreSQL worked."""
        return self._database.is_available

    async def close(self) -> None:
        """Close the connection, after the batch that is being written."""
        await self._database.close()

    def follow(self, log: int) -> None:
        """Take batches to be of the topic's log of this number from now on."""
        self._log = log

    async def ledger(self) -> dict[int, Entry]:
        """Return the ledger by partition. Raises StoreUnavailable; CannotRun when the schema is not there."""
        async with self._database.transaction() as connection:
            return await read_ledger(connection, self._topic)

    async def known_log(self) -> KnownLog | None:
        """Return the log that the ledger is about, None when it knows of none yet. Raises as `ledger` does."""
        async with self._database.transaction() as connection:
            return await read_log(connection, self._topic)

    async def enter(self, found: FoundLog) -> None:
        """Have the ledger be about the log that was found, unless it knows of one already. Raises as `ledger` does."""
        async with self._database.transaction() as connection:
            which = {"topic": self._topic, "topic_id": found.topic_id, "cluster_id": found.cluster_id}
            await connection.execute(sql.ENTER_LOG, which)

    async def mark(self, marks: Mapping[int, Mark]) -> None:
        """Have the ledger know its last records by these marks where it has none. Raises as `ledger` does."""
        if not marks:
            return
        async with self._database.transaction() as connection:
            await connection.cursor().executemany(
                sql.MARK_LEDGER,
                [
                    {"topic": self._topic, "partition": partition, "offset": mark.offset, "digest": mark.digest}
                    for partition, mark in marks.items()
                ],
            )

    async def is_accounted_for(self, partition: int, offset: int, record: Content) -> bool:
        """Return whether a record's event is stored or a dead letter. Raises as `ledger` does."""
        async with self._database.transaction() as connection:
            return await is_accounted_for(connection, self._topic, partition, offset, record)

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        """Store a batch, all of it or, when anything is raised, nothing; records accounted for before are skipped.

        Raises StoreUnavailable: try again. OffsetGap: offsets are missing that are not in `gone`. CannotRun: the ledger
        is about another log.
        """
        async with self._database.transaction() as connection:
            locked = await self._lock_ledger(connection, batch.partitions)
            self._refuse_other_log(batch, locked)
            ledger = {partition: entry.next_offset for partition, entry in locked.items()}
            holes = batch.holes(ledger)
            if holes - gone:
                raise OffsetGap(holes - gone)
            new = batch.after(ledger)
            outcome = await store_rows(connection, new.rows)
            outcome.refused += new.undecodable
            await self._bury(connection, outcome.refused)
            await self._advance_ledger(connection, new, outcome)
        return _stored(batch, new, outcome, holes)

    async def _lock_ledger(self, connection: Connection, partitions: Sequence[int]) -> dict[int, Entry]:
        which = {"topic": self._topic, "partitions": partitions, "log": self._log}
        ledger = await entries(connection, sql.LOCK_LEDGER, which)
        if len(ledger) < len(partitions):
            await connection.execute(sql.OPEN_LEDGER, which)
            ledger = await entries(connection, sql.LOCK_LEDGER, which)
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
        await connection.cursor().executemany(
            sql.ADVANCE_LEDGER,
            [
                {
                    "topic": self._topic,
                    "partition": partition,
                    "next_offset": next_offset,
                    "inserted": records[partition] - duplicates[partition] - refused[partition],
                    "duplicates": duplicates[partition],
                    "dead_lettered": refused[partition],
                    "mark_offset": mark.offset if (mark := batch.marks.get(partition)) else None,
                    "mark_digest": mark.digest if mark else None,
                }
                for partition, next_offset in batch.next_offsets.items()
            ],
        )


def _stored(batch: Batch, new: Batch, outcome: Outcome, lost: frozenset[Hole]) -> Stored:
    return Stored(
        inserted=len(new) - len(outcome.duplicates) - len(outcome.refused),
        duplicates=len(outcome.duplicates),
        dead_letters=Counter(letter.reason for letter in outcome.refused),
        skipped=len(batch) - len(new),
        next_offsets=new.next_offsets,
        lost=lost,
    )


def _letter(letter: DeadLetter) -> tuple[object, ...]:
    record, columns = letter.record, letter.columns
    event = (columns.session_id.decode(), columns.user_id.decode()) if columns else (None, None)
    return record.partition, record.offset, letter.reason, letter.detail, *event, record.key, record.value


async def store_rows(connection: Connection, rows: Sequence[Row]) -> Outcome:
    """Insert the rows, of which the first of a kind wins, and say what became of those that did not go in."""
    outcome, idle = Outcome([], []), 0
    if rows:
        await _lay_staging(connection)
    while rows and idle < PASSES_WITHOUT_PROGRESS:
        unstored = await _store_or_halve(connection, rows, outcome)
        idle = idle + 1 if len(unstored) == len(rows) else 0
        if rows := unstored:
            await connection.execute(sql.EMPTY_STAGING)
    outcome.refused += [DeadLetter(row.record, "rejected_by_database", NOT_KEPT, row.columns) for row in rows]
    return outcome


async def _lay_staging(connection: Connection) -> None:
    """Have staging tables that nobody else has filled or shaped."""
    [[backend, is_there]] = await (await connection.execute(sql.LOOK_FOR_STAGING)).fetchall()
    if backend == connection.info.backend_pid:
        if not is_there:
            await connection.execute(sql.CREATE_STAGING)
        return
    if is_there:
        await connection.execute(sql.DROP_STAGING)
    await connection.execute(sql.CREATE_STAGING_FOR_NOW)


async def _store_or_halve(connection: Connection, rows: Sequence[Row], outcome: Outcome) -> list[Row]:
    """Store what PostgreSQL takes; find what it refuses by halving. Return what is to be stored still."""
    try:
        async with connection.transaction():  # a savepoint
            await _stage(connection, rows)
            return await _insert_staged(connection, rows, outcome)
    except psycopg.Error as error:
        if not is_refusal(error):
            raise
        if len(rows) == 1:
            row = rows[0]
            detail = printable(describe(error))
            outcome.refused.append(DeadLetter(row.record, "rejected_by_database", detail, row.columns))
            return []
    middle = len(rows) // 2
    unstored = await _store_or_halve(connection, rows[:middle], outcome)
    await connection.execute(sql.EMPTY_STAGING)
    return unstored + await _store_or_halve(connection, rows[middle:], outcome)


async def _stage(connection: Connection, rows: Sequence[Row]) -> None:
    async with connection.cursor().copy(sql.STAGE) as copy:
        await copy.write(b"".join(_lines(rows)))


def _lines(rows: Sequence[Row]) -> Iterator[bytes]:
    """Yield the rows as COPY takes them: the place among them, whether the id came before, and the columns."""
    seen: set[bytes] = set()
    for place, (_, line) in enumerate(rows):
        event_id = line[:ID_LENGTH]
        repeated = b"t" if event_id in seen else b"f"
        seen.add(event_id)
        yield b"%d\t%b\t%b\n" % (place, repeated, line)


async def _insert_staged(connection: Connection, rows: Sequence[Row], outcome: Outcome) -> list[Row]:
    stored = await connection.execute(sql.STORE_STAGED)
    if not stored.rowcount:
        return []
    unstored = []
    for place, reason, stored_id in await (await connection.execute(sql.CLASSIFY_LEFTOVERS)).fetchall():
        row = rows[place]
        if reason == "duplicate":
            outcome.duplicates.append(row)
        elif reason == "unstored":
            unstored.append(row)
        else:
            outcome.refused.append(DeadLetter(row.record, reason, _detail(reason, row, stored_id), row.columns))
    return unstored


def _detail(reason: str, row: Row, stored_id: str | None) -> str | None:
    if reason == "seq_conflict":
        return f"event {stored_id} is stored with other content"
    if reason in ("unknown_question", "question_not_in_session"):
        return f"question {row.columns.question_id.decode()}"
    return None
