"""What PostgreSQL knows of a topic's log: which one it is, and how far it is accounted for."""

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection

from attemptlog.event_store import sql
from attemptlog.event_store.identity import FIRST_LOG, Entry, KnownLog
from attemptlog.runtime.topic_log import Content, Mark
from attemptlog.schemas import Undecodable, decode

Connection = AsyncConnection[Any]

NAMES = ("id", "session_id", "stream_id", "seq")


async def read_ledger(connection: Connection, topic: str) -> dict[int, Entry]:
    """Return the ledger of a topic by partition."""
    return await entries(connection, sql.READ_LEDGER, {"topic": topic})


async def entries(connection: Connection, statement: str, which: Mapping[str, Any]) -> dict[int, Entry]:
    """Return the rows of the ledger that a statement selects, by partition."""
    cursor = await connection.execute(statement.encode(), which)
    return {
        partition: Entry(next_offset, log, None if offset is None else Mark(offset, digest))
        for partition, next_offset, log, offset, digest in await cursor.fetchall()
    }


async def read_log(connection: Connection, topic: str) -> KnownLog | None:
    """Return the log that the ledger of a topic is about; None when it knows of none yet."""
    row = await (await connection.execute(sql.READ_LOG, {"topic": topic})).fetchone()
    return KnownLog(*row) if row else None


async def is_accounted_for(connection: Connection, topic: str, partition: int, offset: int, record: Content) -> bool:
    """Return whether a record of the topic's first log is stored, the repeat of one that is, or a dead letter."""
    which = {"topic": topic, "log": FIRST_LOG, "partition": partition, "offset": offset, "value": record.value}
    cursor = await connection.execute(sql.IS_ACCOUNTED_FOR, which | _names(record.value))
    return await cursor.fetchone() == (True,)


def _names(value: bytes | None) -> dict[str, object]:
    """Return what an event is stored under; nothing for a value that is no envelope."""
    try:
        event = decode(value)
    except Undecodable:
        return dict.fromkeys(NAMES)
    return {name: getattr(event, name) for name in NAMES}
