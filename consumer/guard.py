"""Keeps the consumer to the log that its ledger is about."""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import UnknownTopicOrPartitionError

from attemptlog.consumer.errors import TopicUnavailable
from attemptlog.event_store.books import Books
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.identity import (
    FIRST_LOG,
    KnownLog,
    Ledger,
    changed_marks,
    differences,
    marks_of,
    objections,
    other_log,
)
from attemptlog.event_store.store import Store
from attemptlog.runtime.aiokafka_private import client_of, connection_to
from attemptlog.runtime.topic_log import FoundLog, Mark, find_log, topic_id_of

CHECK_DEADLINE = 5.0  # seconds
LOOKS_WITHOUT_TOPIC = 5  # a broker that has just started may not have heard of every topic yet


Line = tuple[int, object]  # what a partition is read through: its leader, and the connection to it


NOT_READ: Line = (-1, None)


class Guard:
    """Raises CannotRun once the topic's log is another one than the ledger's; every method may raise KafkaError.

    The topic's id is looked up before anything is stored. A mark is, when its partition has a new leader epoch, when
    Kafka was away, and before anything is stored that may have come through another connection than the one it was
    looked up through last: nothing is cut off or put back while a connection to the leader lasts.
    """

    def __init__(self, topic: str, books: Books, stores: Sequence[Store]) -> None:
        self._topic = topic
        self._books = books
        self._stores = stores
        self._known: KnownLog | None = None
        self._epochs: Mapping[int, int] = {}
        self._marks: Mapping[int, Mark | None] = {}
        self._lines: dict[int, Line] = {}  # which marks were looked up through last
        self._turn = asyncio.Lock()
        self._looks_without_topic = 0

    async def recognise(self, consumer: AIOKafkaConsumer) -> None:
        """Compare Kafka's log with the ledger's, and enter it where the ledger knows of none yet.

        Raises StoreUnavailable; TopicUnavailable when there is no such topic.
        """
        books = self._books
        known, ledger = await books.known_log(), await books.ledger()
        found = await find_log(consumer, self._topic)
        if found is None:
            raise TopicUnavailable(
                f"there is no topic {self._topic}: run `attemptlog topics`, or mend ATTEMPTLOG_TOPIC"
            )
        async for why in objections(consumer, found, known, ledger, books.is_accounted_for):
            raise other_log(self._topic, why)
        if known is None:
            await books.enter(found)
            known = await books.known_log()
            self._refuse_another(known, ledger, found)  # somebody else may have entered theirs
        await books.mark(await marks_of(consumer, found, ledger))
        self._known = known
        for each in self._stores:
            each.follow(known.number if known else FIRST_LOG)

    async def check(self, consumer: AIOKafkaConsumer, ledger: Ledger, partitions: Collection[int]) -> None:
        """Look up the marks of some partitions."""
        found = await find_log(consumer, self._topic)
        if found is None:
            raise UnknownTopicOrPartitionError(self._topic)
        lines = {number: line for number in partitions if (line := self._line(consumer, number))}
        entries = {number: entry for number, entry in ledger.items() if number in partitions}
        self._refuse_another(self._known, entries, found)
        await self._refuse_changed(consumer, found, {(number, entry.mark) for number, entry in entries.items()})
        self._lines |= lines

    async def reread_from(self, consumer: AIOKafkaConsumer, partitions: Collection[int]) -> Ledger | None:
        """Return None when what was read of these partitions may be stored, else the ledger to read them again from.

        Raises StoreUnavailable.
        """
        if await self._is_made_anew(consumer):
            self._lines.clear()  # to look at everything, and say what is different
        async with self._turn:
            moved = {each for each in partitions if self._lines.get(each) != (self._line(consumer, each) or NOT_READ)}
            if not moved:
                return None
            ledger = await self._books.ledger()
            async with asyncio.timeout(CHECK_DEADLINE):
                await self.check(consumer, ledger, moved)
            return ledger

    async def look(self, consumer: AIOKafkaConsumer, ledger: Ledger) -> FoundLog | None:
        """Return the log as it is now, None when Kafka knows of no such topic for the moment."""
        found = await find_log(consumer, self._topic)
        if found is None:
            self._miss_topic()
            return None
        self._looks_without_topic = 0
        self._refuse_another(self._known, ledger, found)
        marks = {partition: entry.mark for partition, entry in ledger.items()}
        moved = [number for number, epoch in found.epochs.items() if epoch != self._epochs.get(number)]
        # those of the last look too: what was cut off may have been written over, and stored, since
        due = {(number, seen.get(number)) for number in moved for seen in (self._marks, marks)}
        await self._refuse_changed(consumer, found, due)
        self._epochs, self._marks = found.epochs, marks
        return found

    def kafka_was_away(self) -> None:
        """Look up every mark the next time: who knows what it comes back with."""
        self._epochs = {}

    def _miss_topic(self) -> None:
        self.kafka_was_away()
        self._looks_without_topic += 1
        if self._looks_without_topic == LOOKS_WITHOUT_TOPIC:
            raise CannotRun(
                f"the topic {self._topic} is gone from Kafka: bring it back; or, if it was deleted for good, make it "
                "anew with `attemptlog topics` and see what `attemptlog accept-log` says"
            )

    def _line(self, consumer: AIOKafkaConsumer, partition: int) -> Line | None:
        client = client_of(consumer)
        leader = client.cluster.leader_for_partition(TopicPartition(self._topic, partition))
        connection = connection_to(client, leader)
        return None if connection is None else (leader, connection)

    async def _is_made_anew(self, consumer: AIOKafkaConsumer) -> bool:
        if self._known is None or self._known.topic_id is None:
            return False
        async with asyncio.timeout(CHECK_DEADLINE):
            return await topic_id_of(consumer, self._topic) not in (None, self._known.topic_id)

    def _refuse_another(self, known: KnownLog | None, ledger: Ledger, found: FoundLog) -> None:
        for why in differences(known, ledger, found):
            raise other_log(self._topic, why)

    async def _refuse_changed(
        self, consumer: AIOKafkaConsumer, found: FoundLog, marks: Collection[tuple[int, Mark | None]]
    ) -> None:
        async for why in changed_marks(consumer, found, marks):
            raise other_log(self._topic, why)
