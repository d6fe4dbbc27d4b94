"""Records as they come from Kafka, into what is to be stored. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from consumer.columns import Columns, Line, columns_of, line_of
from consumer.errors import CannotRun, Hole
from schemas import Undecodable

MAX_DETAIL = 300  # characters
BY_PARTITION = attrgetter("partition")


class Record(Protocol):
    """The part of aiokafka's ConsumerRecord that is used here."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class Row(NamedTuple):
    """A record that holds an event."""

    record: Record
    line: Line

    @property
    def columns(self) -> Columns:
        return columns_of(self.line)


class DeadLetter(NamedTuple):
    """A record that is kept aside; `reason` is one of DESIGN's, `detail` holds no payload."""

    record: Record
    reason: str
    detail: str | None
    columns: Columns | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded records, in the order of their partitions and offsets."""

    rows: list[Row]
    undecodable: list[DeadLetter]
    first_offsets: Mapping[int, int]
    next_offsets: Mapping[int, int]

    def __len__(self) -> int:
        return len(self.rows) + len(self.undecodable)

    @property
    def partitions(self) -> list[int]:
        return sorted(self.next_offsets)

    def holes(self, ledger: Mapping[int, int]) -> frozenset[Hole]:
        """Return the partitions whose first record lies beyond the next one that the ledger waits for."""
        return frozenset(
            Hole(partition, ledger[partition], first)
            for partition, first in self.first_offsets.items()
            if first > ledger[partition]
        )

    def after(self, ledger: Mapping[int, int]) -> "Batch":
        """Return the batch without the records that the ledger has accounted for."""
        if all(ledger[partition] <= first for partition, first in self.first_offsets.items()):
            return self
        return Batch(
            [row for row in self.rows if row.record.offset >= ledger[row.record.partition]],
            [letter for letter in self.undecodable if letter.record.offset >= ledger[letter.record.partition]],
            {partition: max(first, ledger[partition]) for partition, first in self.first_offsets.items()},
            {partition: max(after, ledger[partition]) for partition, after in self.next_offsets.items()},
        )


def decode_batch(records: Iterable[Record]) -> Batch:
    """Decode the records, a partition's in order; one that is no envelope never fails its neighbours."""
    rows: list[Row] = []
    undecodable: list[DeadLetter] = []
    first_offsets: dict[int, int] = {}
    next_offsets: dict[int, int] = {}
    for partition, run in groupby(sorted(records, key=BY_PARTITION), key=BY_PARTITION):
        ordered = list(run)
        first_offsets[partition], next_offsets[partition] = ordered[0].offset, ordered[-1].offset + 1
        for record in ordered:
            try:
                rows.append(Row(record, line_of(record.value)))
            except Undecodable as error:
                undecodable.append(DeadLetter(record, "undecodable", printable(str(error))))
    return Batch(rows, undecodable, first_offsets, next_offsets)


def printable(text: str) -> str:
    """Return text that any column and any terminal can hold: a field's name in a record may be anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:MAX_DETAIL])


def refuse_other_log(topic: str, ledger: Mapping[int, int], ends: Mapping[int, int]) -> None:
    """Raise CannotRun when a partition ends before what the ledger has accounted for: its records would be skipped."""
    for partition, next_offset in ledger.items():
        if ends.get(partition, next_offset) < next_offset:
            raise CannotRun(
                f"partition {partition} of {topic} ends at {ends[partition]}, but the ledger is at {next_offset}: "
                "the topic was made anew or lost records; use a topic of another name, or another database"
            )
