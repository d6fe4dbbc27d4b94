"""Events as Arrow record batches: their columns, what is counted and summed of them, and their days. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from attemptlog.exporter.errors import DataError

Chunk = Any
"""A pyarrow.RecordBatch, which has no types: rows of SCHEMA, or of one that has more columns after these."""

TIME = pa.timestamp("us", "UTC")

# The calendar's ends stay out, as where events enter: a zone could move them out of it.
FIRST_TIME = datetime(2, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(9999, 1, 1, tzinfo=UTC)

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("event_version", pa.int16(), nullable=False),
        pa.field("event_type", pa.string(), nullable=False),
        pa.field("event_ts", TIME, nullable=False),
        pa.field("client_ts", TIME),
        pa.field("session_id", pa.string(), nullable=False),
        pa.field("stream_id", pa.string()),
        pa.field("seq", pa.int32()),
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("question_id", pa.string()),
        pa.field("source", pa.string()),
        pa.field("payload", pa.string(), nullable=False),
        pa.field("sent_at", TIME),
        pa.field("dropped", pa.string()),
        pa.field("stored_at", TIME, nullable=False),
        pa.field("row_hash", pa.int64(), nullable=False),
    ]
)
"""What every target gets, in this order. Ids are text, times microseconds in UTC, `payload` and `dropped` JSON text;
`row_hash` is computed by PostgreSQL, over what says which event it is and what it says: a target only keeps it."""

TIMES = [field.name for field in SCHEMA if field.type == TIME]
IDENTITY = pa.schema([SCHEMA.field("id"), SCHEMA.field("row_hash")])
"""What an audit compares of a row."""
HELD = pa.schema([*IDENTITY, SCHEMA.field("session_id"), SCHEMA.field("user_id")])
"""What a target tells of a row that it holds: what is compared, and whose it is."""


@dataclass(frozen=True, slots=True)
class DayTotal:
    """How many rows, and the sum of their hashes as `signed` gives it."""

    rows: int = 0
    sum: int = 0

    def __add__(self, other: "DayTotal") -> "DayTotal":
        return DayTotal(self.rows + other.rows, signed(self.sum + other.sum))


def signed(total: int) -> int:
    """Return a sum of hashes as the 64-bit integer that it is modulo 2^64, which every ledger can hold."""
    return (total + 2**63) % 2**64 - 2**63


def total_of(chunk: Chunk) -> DayTotal:
    """Count rows and sum their hashes."""
    return DayTotal(chunk.num_rows, signed(pc.sum(chunk.column("row_hash")).as_py() or 0))  # which wraps by itself


class Counted:
    """Chunks on their way, counted."""

    def __init__(self, chunks: Iterator[Chunk]) -> None:
        self._chunks = chunks
        self.total = DayTotal()

    def __iter__(self) -> Iterator[Chunk]:
        for chunk in self._chunks:
            self.total += total_of(chunk)
            yield chunk


def gathered(chunks: Iterator[Chunk], rows: int) -> Iterator[Chunk]:
    """Yield the same rows in chunks of at least so many, but for the last."""
    held: list[Chunk] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(each.num_rows for each in held) >= rows:
            yield pa.concat_batches(held)
            held = []
    if held:
        yield pa.concat_batches(held)


def by_day(chunk: Chunk) -> Iterator[tuple[date, Chunk]]:
    """Yield the rows of every day (of event_ts, in UTC), in the order of the days."""
    naive = pc.cast(chunk.column("event_ts"), pa.timestamp("us"))  # no time zones are needed, which images may lack
    days = pc.cast(naive, pa.date32())
    for day in pc.unique(days).sort():
        same = pc.equal(days, day)
        yield day.as_py(), chunk if pc.all(same).as_py() else chunk.filter(same)


def shaped(chunk: Chunk) -> Chunk:
    """Return the columns of SCHEMA as a chunk of it, and whatever else there is after these, without copying them."""
    schema = pa.schema([*SCHEMA, *(field for field in chunk.schema if field.name not in SCHEMA.names)])
    return pa.RecordBatch.from_arrays([chunk.column(name) for name in schema.names], schema=schema)


def check_times(chunk: Chunk) -> None:
    """Raise DataError, with the row's id, for a time out of the calendar, such as PostgreSQL's infinity."""
    for name in TIMES:
        column = chunk.column(name)
        is_off = pc.or_(pc.less(column, _time(FIRST_TIME)), pc.greater_equal(column, _time(LAST_TIME)))
        if (place := pc.index(is_off, True).as_py()) >= 0:
            raise DataError(
                f"{name} is not in the calendar, from year 2 to 9998: correct it", chunk.column("id")[place].as_py()
            )


def _time(moment: datetime) -> Any:
    return pa.scalar(moment, TIME)
