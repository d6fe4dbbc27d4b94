"""Whether a topic's log is the one that the ledger is about: the offsets of another one mean other records."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from aiokafka import AIOKafkaConsumer

from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.topic_log import Content, FoundLog, Mark, digest_of, record_at

FIRST_LOG = 1


class KnownLog(NamedTuple):
    """A row of topic_logs: the log of a topic's name that is read, by its number among those of that name."""

    number: int
    topic_id: UUID | None
    cluster_id: str | None


class Entry(NamedTuple):
    """A row of the ledger: the offset that is waited for, the number of its log, a record to know it by."""

    next_offset: int
    log: int = FIRST_LOG
    mark: Mark | None = None


NOTHING_YET = Entry(0)

Ledger = Mapping[int, Entry]  # by partition
AccountedFor = Callable[[int, int, Content], Awaitable[bool]]  # of a record, given with its partition and offset


def differences(known: KnownLog | None, ledger: Ledger, found: FoundLog) -> Iterator[str]:
    """Yield a sentence for everything that shows without reading records that it is another log."""
    if known and _differ(known.topic_id, found.topic_id):
        yield f"its topic id is {found.topic_id} and the ledger's is {known.topic_id}{_elsewhere(known, found)}"
    elif known and not (known.topic_id and found.topic_id) and _differ(known.cluster_id, found.cluster_id):
        yield f"it is in the cluster {found.cluster_id} and the ledger's is in {known.cluster_id}"
    for partition, entry in sorted(ledger.items()):
        if found.ends.get(partition, entry.next_offset) < entry.next_offset:
            end = found.ends[partition]
            yield f"partition {partition} of {found.topic} ends at {end}, but the ledger is at {entry.next_offset}"


def _differ(one: object | None, other: object | None) -> bool:
    """Return whether both are known and not the same."""
    return None not in (one, other) and one != other


def _elsewhere(known: KnownLog, found: FoundLog) -> str:
    if known.cluster_id == found.cluster_id:
        return ": the topic was deleted and made anew"
    return f": this is the Kafka cluster {found.cluster_id}, the ledger's is {known.cluster_id}"


async def changed_marks(
    consumer: AIOKafkaConsumer, found: FoundLog, marks: Iterable[tuple[int, Mark | None]]
) -> AsyncIterator[str]:
    """Yield a sentence for every mark, given with its partition, in whose place there is another record.

    A record that Kafka no longer has (expired, compacted) proves nothing. Raises KafkaError.
    """
    for partition, mark in marks:
        if mark is None or not found.holds(partition, mark.offset):
            continue
        record = await record_at(consumer, found, partition, mark.offset)
        if record is not None and digest_of(record) != mark.digest:
            yield changed(partition, mark.offset)


async def marks_of(consumer: AIOKafkaConsumer, found: FoundLog, ledger: Ledger) -> dict[int, Mark]:
    """Return marks for the entries of a ledger that have none and whose last record is there. Raises KafkaError."""
    marks: dict[int, Mark] = {}
    for partition, entry in ledger.items():
        last = entry.next_offset - 1
        if entry.mark is None and found.holds(partition, last):
            record = await record_at(consumer, found, partition, last)
            marks |= {partition: Mark(last, digest_of(record))} if record else {}
    return marks


async def doubts(
    consumer: AIOKafkaConsumer, found: FoundLog, ledger: Ledger, is_accounted_for: AccountedFor
) -> AsyncIterator[str]:
    """Yield a sentence for everything against a ledger that knows of no log, and has no marks, being about this one.

    The record before the one that a partition waits for has to be accounted for; where it has expired, the log has to
    begin no later than the ledger ends, or other records have to speak for it. Raises KafkaError.
    """
    is_proven, gaps = False, []
    for partition, entry in ledger.items():
        last = entry.next_offset - 1
        record = await record_at(consumer, found, partition, last) if found.holds(partition, last) else None
        if record is None:
            gaps += [partition] if found.begins.get(partition, 0) > entry.next_offset else []
        elif await is_accounted_for(partition, last, record):
            is_proven = True
        else:
            yield changed(partition, last)
    if gaps and not is_proven:
        yield f"nothing that was stored is left in it to know it by, and partitions {gaps} begin after the ledger's end"


async def objections(
    consumer: AIOKafkaConsumer,
    found: FoundLog,
    known: KnownLog | None,
    ledger: Ledger,
    is_accounted_for: AccountedFor,
) -> AsyncIterator[str]:
    """Yield a sentence for everything against the log that was found being the ledger's. Raises KafkaError."""
    is_other = False
    for why in differences(known, ledger, found):
        is_other = True
        yield why
    if is_other:
        return
    async for why in changed_marks(consumer, found, [(number, entry.mark) for number, entry in ledger.items()]):
        yield why
    if known is None:
        unmarked = {number: entry for number, entry in ledger.items() if entry.mark is None}
        async for why in doubts(consumer, found, unmarked, is_accounted_for):
            yield why


def changed(partition: int, offset: int) -> str:
    """Return what to say of a record that is not the one that was stored."""
    return f"partition {partition} has another record at offset {offset} than the one that was stored from there"


def other_log(topic: str, why: str) -> CannotRun:
    """Return the error that says why the log is another one, and what to do."""
    return CannotRun(
        f"{topic} is not the log that is stored: {why}. Bring the old one back, "
        "or see with `attemptlog accept-log` what going on with this one means"
    )
