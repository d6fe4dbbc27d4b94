"""What PostgreSQL knows of a topic's log: which one it is, and how far it is accounted for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from psycopg import AsyncConnection

from attemptlog.event_store import ledger_sql
from attemptlog.event_store.database import STATEMENT_TIMEOUT, Connected
from attemptlog.event_store.identity import FIRST_LOG, Entry, KnownLog
from attemptlog.runtime.topic_log import Content, FoundLog, Mark
from attemptlog.schemas import Undecodable, decode

Connection = AsyncConnection[Any]

NAMES = ("id", "session_id", "stream_id", "seq")


class Books(Connected):
    """The ledger of one topic, over a connection of its own: whoever reads it waits for no batch.

    Every method raises StoreUnavailable while PostgreSQL is away, and CannotRun when the schema is not there.
    """

    def __init__(self, database_url: str, topic: str, statement_timeout: timedelta = STATEMENT_TIMEOUT) -> None:
        super().__init__(database_url, statement_timeout)
        self._topic = topic

    @property
    def is_available(self) -> bool:
        """True while the last thing asked of PostgreSQL worked."""
        return self._database.answers is True

    async def ledger(self) -> dict[int, Entry]:
        """Return the ledger by partition."""
        async with self._database.transaction() as connection:
            return await read_ledger(connection, self._topic)

    async def known_log(self) -> KnownLog | None:
        """Return the log that the ledger is about, None when it knows of none yet."""
        async with self._database.transaction() as connection:
            return await read_log(connection, self._topic)

    async def enter(self, found: FoundLog) -> None:
        """Have the ledger be about the log that was found, unless it knows of one already."""
        async with self._database.transaction() as connection:
            which = {"topic": self._topic, "topic_id": found.topic_id, "cluster_id": found.cluster_id}
            await connection.execute(ledger_sql.ENTER_LOG, which)

    async def mark(self, marks: Mapping[int, Mark]) -> None:
        """Have the ledger know its last records by these marks where it has none."""
        if not marks:
            return
        async with self._database.transaction() as connection:
            await connection.cursor().executemany(
                ledger_sql.MARK_LEDGER,
                [
                    {"topic": self._topic, "partition": partition, "offset": mark.offset, "digest": mark.digest}
                    for partition, mark in marks.items()
                ],
            )

    async def is_accounted_for(self, partition: int, offset: int, record: Content) -> bool:
        """Return whether a record's event is stored or a dead letter."""
        async with self._database.transaction() as connection:
            return await is_accounted_for(connection, self._topic, partition, offset, record)


async def read_ledger(connection: Connection, topic: str) -> dict[int, Entry]:
    """Return the ledger of a topic by partition."""
    return await entries(connection, ledger_sql.READ_LEDGER, {"topic": topic})


async def entries(connection: Connection, statement: str, which: Mapping[str, Any]) -> dict[int, Entry]:
    """Return the rows of the ledger that a statement selects, by partition."""
    cursor = await connection.execute(statement.encode(), which)
    return {
        partition: Entry(next_offset, log, None if offset is None else Mark(offset, digest))
        for partition, next_offset, log, offset, digest in await cursor.fetchall()
    }


async def read_log(connection: Connection, topic: str) -> KnownLog | None:
    """Return the log that the ledger of a topic is about; None when it knows of none yet."""
    row = await (await connection.execute(ledger_sql.READ_LOG, {"topic": topic})).fetchone()
    return KnownLog(*row) if row else None


async def is_accounted_for(connection: Connection, topic: str, partition: int, offset: int, record: Content) -> bool:
    """Return whether a record of the topic's first log is stored, the repeat of one that is, or a dead letter."""
    which = {"topic": topic, "log": FIRST_LOG, "partition": partition, "offset": offset, "value": record.value}
    cursor = await connection.execute(ledger_sql.IS_ACCOUNTED_FOR, which | _names(record.value))
    return await cursor.fetchone() == (True,)


def _names(value: bytes | None) -> dict[str, object]:
    """Return what an event is stored under; nothing for a value that is no envelope."""
    try:
        event = decode(value)
    except Undecodable:
        return dict.fromkeys(NAMES)
    return {name: getattr(event, name) for name in NAMES}
