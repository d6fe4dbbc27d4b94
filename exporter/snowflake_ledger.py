"""What the tables of a Snowflake schema say: who may write, what was committed, and what is there."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from attemptlog.exporter import snowflake_sql as sql
from attemptlog.exporter.errors import Fenced
from attemptlog.exporter.rows import DayTotal, signed
from attemptlog.exporter.snowflake_session import Session
from attemptlog.exporter.target import Receipt


def total_in(row: Mapping[str, Any]) -> DayTotal:
    """Return the total of a query that counts rows and sums their hashes."""
    return DayTotal(row["ROW_COUNT"], signed(int(row["HASH_SUM"] or 0)))


def is_claimed(session: Session) -> bool:
    """Whether there are tables yet."""
    return bool(session.rows(sql.IS_CLAIMED))


def find(session: Session, batch_id: UUID) -> Receipt | None:
    """Return the ledger's entry of a batch."""
    found = session.rows(sql.FIND, str(batch_id))
    return Receipt(found[0]["ROW_COUNT"], found[0]["CHECKSUM"], found[0]["BYTES"]) if found else None


def require_held(session: Session, fence: int) -> None:
    """Raise Fenced where another exporter has taken the schema over by now."""
    if not session.rows(sql.IS_HELD, fence):
        raise fenced(fence)


def hold(session: Session, fence: int) -> None:
    """Keep every other exporter from taking the schema over until the transaction has ended, or raise Fenced."""
    if session.run(sql.HOLD, fence) != 1:
        raise fenced(fence)


def fenced(fence: int) -> Fenced:
    """Return the error of an exporter that was replaced."""
    return Fenced(f"another exporter has taken this Snowflake schema over (our fence is {fence})")
