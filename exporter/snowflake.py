"""Snowflake, by its official connector: PUT into a stage, then COPY, INSERT and the ledger's entry in one transaction.

Snowflake enforces no key, so every count is asked for before the commit. A COMMIT without an answer is settled by the
ledger: the row in attemptlog_export_fence lets nobody look into it before the lost transaction has ended.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from logging import getLogger
from typing import Self
from uuid import UUID

from snowflake.connector.errors import Error

from attemptlog.exporter import snowflake_sql as sql
from attemptlog.exporter.pairs import Choose
from attemptlog.exporter.rows import HELD, Chunk, DayTotal
from attemptlog.exporter.scratch import remove_left, scratch
from attemptlog.exporter.snowflake_forget import forget
from attemptlog.exporter.snowflake_ledger import fenced, find, hold, is_claimed, require_held, total_in
from attemptlog.exporter.snowflake_load import Staged, add_columns, load, put, write_file
from attemptlog.exporter.snowflake_session import Session, SnowflakeSettings, told
from attemptlog.exporter.target import Batch, Receipt

logger = getLogger(__name__)


def from_environment() -> "Snowflake":
    """Return the target as the environment describes it; raises pydantic's ValidationError."""
    return Snowflake(SnowflakeSettings())


class Snowflake:
    """The target."""

    def __init__(self, settings: SnowflakeSettings) -> None:
        self._settings = settings
        self._session: Session | None = None
        self._fence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._close()

    def claim(self, fence: int) -> None:
        """See Target.claim."""
        with self._connected() as session:
            for statement in sql.CREATE:
                session.run(statement)
            if session.run(sql.CLAIM, fence, fence) != 1:
                raise fenced(fence)
            self._fence = fence
            remove_left()
            remove(session, f"@{sql.STAGE}/")

    def committed(self, batch_id: UUID) -> Receipt | None:
        """See Target.committed."""
        with self._connected() as session:
            return find(session, batch_id) if is_claimed(session) else None

    def latest(self) -> UUID | None:
        """See Target.latest."""
        with self._connected() as session:
            found = session.rows(sql.LATEST) if is_claimed(session) else []
            return UUID(found[0]["BATCH_ID"]) if found else None

    def write(self, batch: Batch, chunks: Iterator[Chunk]) -> Receipt:
        """See Target.write."""
        with self._connected() as session, scratch() as folder:
            require_held(session, self._fence)
            if (receipt := find(session, batch.id)) is not None:
                return receipt
            file = write_file(folder, batch, chunks)
            put(session, file)
            add_columns(session, file.schema)
            receipt = self._commit(session, batch, file)
            remove(session, f"@{sql.STAGE}/{batch.id}/")
            return receipt

    def forget(self, choose: Choose) -> None:
        """See Target.forget. What Snowflake keeps for Time Travel and Fail-safe is not ours to remove."""
        with self._connected() as session:
            require_held(session, self._fence)
            session.run(f"REMOVE @{sql.STAGE}/")
            forget(session, self._fence, choose)

    def days(self) -> Mapping[date, DayTotal]:
        """See Target.days."""
        with self._connected() as session:
            found = session.rows(sql.DAYS) if is_claimed(session) else []
            return {row["DAY"]: total_in(row) for row in found}

    def rows_of(self, day: date) -> Iterator[Chunk]:
        """See Target.rows_of."""
        with self._connected() as session:
            if is_claimed(session):
                for table in session.tables(sql.ROWS_OF_DAY, day):
                    yield from table.rename_columns(HELD.names).cast(HELD).to_batches()

    def _commit(self, session: Session, batch: Batch, file: Staged) -> Receipt:
        with session.transaction():
            hold(session, self._fence)
            if (receipt := find(session, batch.id)) is not None:  # an earlier COMMIT went through after all
                return receipt
            if file.total.rows:
                load(session, batch, file)
            receipt = Receipt(file.total.rows, file.total.sum, file.size)
            entry = (str(batch.id), batch.attempt, self._fence, receipt.rows, receipt.checksum, receipt.size)
            session.run(sql.ENTER, *entry)
        return receipt

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        """Connect where there is no connection. After an error there is none any more, and no transaction either."""
        try:
            if self._session is None:
                self._session = Session.connect(self._settings)
            yield self._session
        except BaseException as error:
            self._close()
            if isinstance(error, Error):
                raise told(error) from error
            raise

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def remove(session: Session, place: str) -> None:
    """Remove files of the stage that nobody will load any more; what stays costs storage, until the next claim."""
    try:
        session.run(f"REMOVE {place}")
    except Error as error:
        logger.warning(
            "staged files were not removed", extra={"action": "export_stage_kept", "error": str(told(error))}
        )
