"""Records as they come from Kafka, into what is to be stored. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple, Protocol

from attemptlog.event_store.columns import Columns, Line, Owner, columns_of, line_of, owner_of, usual_lines
from attemptlog.event_store.errors import Hole
from attemptlog.runtime.topic_log import Mark, digest_of
from attemptlog.schemas import Undecodable
from attemptlog.schemas.dead_letters import DeadLetterReason

MAX_DETAIL = 300  # characters
BY_PARTITION = attrgetter("partition")


class KafkaRecord(Protocol):
    """The part of aiokafka's ConsumerRecord that is used here."""

    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class EventRow(NamedTuple):
    """A record that holds an event."""

    record: KafkaRecord
    line: Line

    @property
    def owner(self) -> Owner:
        return owner_of(self.line)

    @property
    def columns(self) -> Columns:
        return columns_of(self.line)


class DeadLetter(NamedTuple):
    """A record that is kept aside; `reason` is a DeadLetterReason's value, `detail` holds no payload."""

    record: KafkaRecord
    reason: str
    detail: str | None
    columns: Columns | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Decoded records, in the order of their partitions and offsets."""

    rows: list[EventRow]
    undecodable: list[DeadLetter]
    first_offsets: Mapping[int, int]
    next_offsets: Mapping[int, int]
    marks: Mapping[int, Mark] = field(default_factory=dict)  # of each partition's last record

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
            {partition: mark for partition, mark in self.marks.items() if mark.offset >= ledger[partition]},
        )

    def contradicts(self, partition: int, mark: Mark) -> bool:
        """Return whether the batch has another record where the mark is."""
        if not self.first_offsets[partition] <= mark.offset < self.next_offsets[partition]:
            return False
        records = chain((row.record for row in self.rows), (letter.record for letter in self.undecodable))
        return any(
            record.partition == partition and record.offset == mark.offset and digest_of(record) != mark.digest
            for record in records
        )


def decode_batch(records: Iterable[KafkaRecord]) -> Batch:
    """Decode the records, a partition's in order; one that is no envelope never fails its neighbours."""
    rows: list[EventRow] = []
    undecodable: list[DeadLetter] = []
    first_offsets: dict[int, int] = {}
    next_offsets: dict[int, int] = {}
    marks: dict[int, Mark] = {}
    for partition, run in groupby(sorted(records, key=BY_PARTITION), key=BY_PARTITION):
        ordered = list(run)
        first_offsets[partition], next_offsets[partition] = ordered[0].offset, ordered[-1].offset + 1
        marks[partition] = Mark(ordered[-1].offset, digest_of(ordered[-1]))
        for record, line in zip(ordered, usual_lines([record.value for record in ordered]), strict=True):
            try:
                rows.append(EventRow(record, line or line_of(record.value)))
            except Undecodable as error:
                undecodable.append(DeadLetter(record, DeadLetterReason.UNDECODABLE.value, printable(str(error))))
    return Batch(rows, undecodable, first_offsets, next_offsets, marks)


def printable(text: str) -> str:
    """Return text that any column and any terminal can hold: a field's name in a record may be anything."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text[:MAX_DETAIL])
