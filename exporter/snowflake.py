"""Snowflake, by its official connector: PUT into a stage, then COPY, INSERT and the ledger's entry in one transaction.

Snowflake enforces no key, so every count is asked for before the commit. A COMMIT without an answer is settled by the
ledger: the row in attemptlog_export_fence lets nobody look into it before the lost transaction has ended.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from logging import getLogger
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import pyarrow.parquet as pq
from snowflake.connector.errors import Error

from attemptlog.exporter import snowflake_sql as sql
from attemptlog.exporter.errors import DataError, Fenced, TransientError
from attemptlog.exporter.parquet import COMPRESSION, ROW_GROUP
from attemptlog.exporter.rows import IDENTITY, SCHEMA, Chunk, DayTotal, signed, total_of
from attemptlog.exporter.scratch import scratch
from attemptlog.exporter.snowflake_session import Session, SnowflakeSettings, told
from attemptlog.exporter.target import Batch, Receipt

logger = getLogger(__name__)


@dataclass(slots=True)
class Staged:
    """A batch's file, on this machine and in the stage."""

    path: Path
    place: str
    schema: Any = SCHEMA
    total: DayTotal = field(default_factory=DayTotal)
    size: int = 0  # bytes


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
            if not session.rows(sql.IS_HELD, self._fence):
                raise fenced(self._fence)
            if (receipt := find(session, batch.id)) is not None:
                return receipt
            file = write_file(folder, batch, chunks)
            put(session, file)
            add_columns(session, file.schema)
            receipt = self._commit(session, batch, file)
            remove(session, f"@{sql.STAGE}/{batch.id}/")
            return receipt

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
                    yield from table.rename_columns(IDENTITY.names).cast(IDENTITY).to_batches()

    def _commit(self, session: Session, batch: Batch, file: Staged) -> Receipt:
        with session.transaction():
            if session.run(sql.HOLD, self._fence) != 1:
                raise fenced(self._fence)
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


def write_file(folder: Path, batch: Batch, chunks: Iterator[Chunk]) -> Staged:
    """Write all rows into one Parquet file, whose place has the batch and the attempt in it."""
    name = f"{batch.id}-{batch.attempt}.parquet"
    file = Staged(folder / name, f"@{sql.STAGE}/{batch.id}/{batch.attempt}")
    writer: Any = None  # encodings are the plain ones: what else Snowflake reads, nothing that we run can show
    try:
        for chunk in chunks:
            file.total += total_of(chunk)
            if writer is None:
                file.schema = chunk.schema
                writer = pq.ParquetWriter(file.path, chunk.schema, compression=COMPRESSION)
            writer.write_batch(chunk, row_group_size=ROW_GROUP)
    finally:
        if writer is not None:
            writer.close()
    file.size = file.path.stat().st_size if writer is not None else 0
    return file


def put(session: Session, file: Staged) -> None:
    """Upload a file, unless it has no rows."""
    if file.total.rows:
        require_uploaded(session.rows(f"PUT 'file://{file.path}' {file.place} {sql.PUT_OPTIONS}"))


def require_uploaded(rows: list[dict[str, Any]]) -> None:
    """Raise TransientError for a PUT that has not put its one file there: one that was there is not ours."""
    statuses = [row["status"] for row in rows]
    if statuses != ["UPLOADED"]:
        said = ", ".join(statuses) or "nothing"
        raise TransientError(f"Snowflake's stage did not take the batch's file: PUT says {said}")


def add_columns(session: Session, schema: Any) -> None:
    """Take up the columns that the tables do not have; each is a transaction of its own, as all of Snowflake's DDL."""
    new = [added for added in schema if added not in SCHEMA]
    for table in (sql.LOAD, sql.EVENTS):
        for added in new:
            session.run(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {sql.column(added, table)}")


def load(session: Session, batch: Batch, file: Staged) -> None:
    """Bring a file's rows into the table; raises DataError unless every one of them is there once, as it was sent."""
    session.run(sql.CLEAR)
    require_loaded(session.rows(sql.copy(f"{file.place}/{file.path.name}")), file.total)
    require("COPY", file.total, total_in(session.rows(sql.COUNT_LOADED)[0]))
    if unreadable := session.rows(sql.UNREADABLE):
        raise DataError("Snowflake cannot read its JSON", unreadable[0]["ID"])
    session.run(sql.insert(file.schema.names), str(batch.id))
    require("INSERT", file.total, total_in(session.rows(sql.COUNT_STORED)[0]))
    session.run(sql.CLEAR)


def require_loaded(rows: list[dict[str, Any]], sent: DayTotal) -> None:
    """Raise for a COPY that has not loaded its one file as a whole."""
    if [row["status"] for row in rows] != ["LOADED"]:
        statuses = ", ".join(row["status"] for row in rows)
        raise TransientError(f"Snowflake did not load the batch's file: COPY says {statuses or 'nothing'}")
    if rows[0]["rows_loaded"] != sent.rows:
        raise DataError(f"Snowflake's COPY loaded {rows[0]['rows_loaded']} of {sent.rows} rows")


def require(step: str, sent: DayTotal, found: DayTotal) -> None:
    """Raise DataError where Snowflake has not what was sent."""
    if found.rows != sent.rows:
        raise DataError(f"after {step} Snowflake has {found.rows} rows of {sent.rows}")
    if found != sent:
        raise DataError(f"after {step} Snowflake has other rows under some of the batch's ids")


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


def remove(session: Session, place: str) -> None:
    """Remove files of the stage that nobody will load any more; what stays costs storage, until the next claim."""
    try:
        session.run(f"REMOVE {place}")
    except Error as error:
        logger.warning(
            "staged files were not removed", extra={"action": "export_stage_kept", "error": str(told(error))}
        )


def fenced(fence: int) -> Fenced:
    """Return the error of an exporter that was replaced."""
    return Fenced(f"another exporter has taken this Snowflake schema over (our fence is {fence})")
