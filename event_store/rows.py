"""Rows into the table, in one transaction with whatever is theirs: stored, known already, or refused for a reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from attemptlog.event_store import sql
from attemptlog.event_store.books import Connection
from attemptlog.event_store.columns import id_of
from attemptlog.event_store.database import describe, is_refusal
from attemptlog.event_store.decoding import DeadLetter, EventRow, KafkaRecord, printable
from attemptlog.schemas.dead_letters import DUPLICATE, DeadLetterReason

# A row can be neither stored nor refused when its session appears between two statements; then the next pass stores it.
PASSES_WITHOUT_PROGRESS = 3
NOT_KEPT = "PostgreSQL takes the row and does not keep it: see the triggers and unique indexes added to attempt_events"


@dataclass(slots=True)
class Outcome:
    """What did not go in: true duplicates, what is refused for a reason, and what nobody may keep."""

    duplicates: list[EventRow]
    refused: list[DeadLetter]
    suppressed: list[KafkaRecord] = field(default_factory=list)


async def store_rows(connection: Connection, rows: Sequence[EventRow]) -> Outcome:
    """Insert the rows, of which the first of a kind wins, and say what became of those that did not go in."""
    outcome, idle = Outcome([], []), 0
    if rows:
        await _lay_staging(connection)
    while rows and idle < PASSES_WITHOUT_PROGRESS:
        unstored = await _store_or_halve(connection, rows, outcome)
        idle = idle + 1 if len(unstored) == len(rows) else 0
        if rows := unstored:
            await connection.execute(sql.EMPTY_STAGING)
    outcome.refused += [
        DeadLetter(row.record, DeadLetterReason.REJECTED_BY_DATABASE.value, NOT_KEPT, row.columns) for row in rows
    ]
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


async def _store_or_halve(connection: Connection, rows: Sequence[EventRow], outcome: Outcome) -> list[EventRow]:
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
            outcome.refused.append(
                DeadLetter(row.record, DeadLetterReason.REJECTED_BY_DATABASE.value, detail, row.columns)
            )
            return []
    middle = len(rows) // 2
    unstored = await _store_or_halve(connection, rows[:middle], outcome)
    await connection.execute(sql.EMPTY_STAGING)
    return unstored + await _store_or_halve(connection, rows[middle:], outcome)


async def _stage(connection: Connection, rows: Sequence[EventRow]) -> None:
    async with connection.cursor().copy(sql.STAGE) as copy:
        await copy.write(b"".join(_lines(rows)))


def _lines(rows: Sequence[EventRow]) -> Iterator[bytes]:
    """Yield the rows as COPY takes them: the place among them, whether the id came before, and the columns."""
    seen: set[bytes] = set()
    for place, (_, line) in enumerate(rows):
        event_id = id_of(line)
        repeated = b"t" if event_id in seen else b"f"
        seen.add(event_id)
        yield b"%d\t%b\t%b\n" % (place, repeated, line)


async def _insert_staged(connection: Connection, rows: Sequence[EventRow], outcome: Outcome) -> list[EventRow]:
    stored = await connection.execute(sql.STORE_STAGED)
    if not stored.rowcount:
        return []
    unstored = []
    for place, reason, stored_id in await (await connection.execute(sql.CLASSIFY_LEFTOVERS)).fetchall():
        row = rows[place]
        if reason == DUPLICATE:
            outcome.duplicates.append(row)
        elif reason == "unstored":
            unstored.append(row)
        else:
            outcome.refused.append(DeadLetter(row.record, reason, _detail(reason, row, stored_id), row.columns))
    return unstored


def _detail(reason: str, row: EventRow, stored_id: str | None) -> str | None:
    if reason == DeadLetterReason.SEQ_CONFLICT:
        return f"event {stored_id} is stored with other content"
    if reason in (DeadLetterReason.UNKNOWN_QUESTION, DeadLetterReason.QUESTION_NOT_IN_SESSION):
        return f"question {row.columns.question_id.decode()}"
    return None
