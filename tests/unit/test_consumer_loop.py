"""What becomes of what is read while PostgreSQL or Kafka are not as they should be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from attemptlog.consumer.background import running
from attemptlog.consumer.loop import Loop
from attemptlog.consumer.losses import Losses
from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.reports import Reports
from attemptlog.consumer.writer import RereadFrom, Writer, store_all
from attemptlog.event_store.decoding import Batch, KafkaRecord
from attemptlog.event_store.errors import CannotRun, Hole, OffsetGap, StoreUnavailable
from attemptlog.event_store.identity import Entry
from attemptlog.event_store.store import Stored
from tests.support.consumer import Partition
from tests.support.eventually import eventually
from tests.support.series import assert_nothing_was_born


@dataclass
class FakeStore:
    """Keeps the ledger in memory and raises `errors` first, one at each attempt."""

    ledger: Counter[int] = field(default_factory=Counter)
    errors: list[Exception] = field(default_factory=list)
    batches: list[dict[int, tuple[int, int]]] = field(default_factory=list)  # from where to where, by partition
    attempts: int = 0

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        holes = batch.holes(self.ledger)
        if holes - gone:
            raise OffsetGap(holes - gone)
        self.ledger.update({number: end - self.ledger[number] for number, end in batch.next_offsets.items()})
        self.batches.append({number: (batch.first_offsets[number], self.ledger[number]) for number in batch.partitions})
        return Stored(0, 0, Counter(undecodable=len(batch)), 0, 0, dict(batch.next_offsets), 0.0, holes)


@dataclass
class SlowStore(FakeStore):
    """Writes when `goes_on` is set."""

    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        self.attempts += 1
        await self.goes_on.wait()
        return await super().write(batch, gone)


@dataclass
class FakeKafka:
    """Delivers records as AIOKafkaConsumer does: from where it stands, which seek changes."""

    begin: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    committed: dict[int, int] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)  # partitions that are another consumer's by now
    refusal: Exception | None = None  # of commits
    silences: list[Exception] = field(default_factory=list)  # instead of saying where the log begins
    poll_errors: list[Exception] = field(default_factory=list)
    log: dict[int, list[KafkaRecord]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def publish(self, partition: int, *offsets: int) -> None:
        for offset in offsets:
            self.log.setdefault(partition, []).extend(Partition(partition, offset).records(b"no envelope"))
        self.news.set()

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[TopicPartition, list[KafkaRecord]]:
        if self.poll_errors:
            raise self.poll_errors.pop(0)
        while not (polled := self._poll(max_records)):
            self.news.clear()
            await self.news.wait()
        return polled

    def _poll(self, max_records: int) -> dict[TopicPartition, list[KafkaRecord]]:
        polled = {}
        for number, records in self.log.items():
            if run := [it for it in records if it.offset >= self.positions.get(number, 0)][:max_records]:
                polled[TopicPartition("t", number)] = run
                self.positions[number] = run[-1].offset + 1
        return polled

    def assignment(self) -> Collection[TopicPartition]:
        return {TopicPartition("t", number) for number in self.log.keys() - self.lost}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition.partition in self.lost:
            raise IllegalStateError
        self.positions[partition.partition] = offset
        self.news.set()

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.silences:
            raise self.silences.pop(0)
        return dict.fromkeys(partitions, self.begin)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.refusal:
            raise self.refusal
        self.committed |= {place.partition: offset for place, offset in offsets.items()}

    async def position(self, partition: TopicPartition) -> int:
        if partition.partition in self.lost:
            raise IllegalStateError
        return self.positions[partition.partition]


@dataclass
class Scene:
    """The loop between stores and a Kafka, all fake."""

    stores: Sequence[FakeStore]
    kafka: FakeKafka
    metrics: Metrics
    stopping: asyncio.Event
    loop: Loop
    work: "asyncio.Task[None]"

    @property
    def store(self) -> FakeStore:
        [store] = self.stores
        return store

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"attemptlog_consumer_{name}")

    async def until(self, check: Callable[[], bool]) -> None:
        """Wait for something while the loop runs; raise what it raises."""

        def holds() -> bool:
            if self.work.done():
                self.work.result()
            return check()

        await eventually(holds)

    async def until_stored(self, **ends: int) -> None:
        """Wait until the ledger is at `ends`, named p0, p1, ..., and everything is told to Kafka."""
        wanted = {int(name[1:]): end for name, end in ends.items()}
        await self.until(
            lambda: (
                {number: end for store in self.stores for number, end in store.ledger.items() if end} == wanted
                and self.metric("batches_in_hand") == 0
            )
        )


@asynccontextmanager
async def scene(
    *stores: FakeStore,
    kafka: FakeKafka | None = None,
    max_records: int = 100,
    reread_from: RereadFrom = store_all,
) -> AsyncIterator[Scene]:
    """Have a loop run between the stores and Kafka; it is told to stop, and left, at the end."""
    kafka, metrics, stopping = kafka or FakeKafka(), Metrics(), asyncio.Event()
    writers = [Writer(store, "t", Reports(metrics), stopping, reread_from) for store in stores or [FakeStore()]]
    loop = Loop(writers, "t", max_records, stopping, metrics)
    async with loop, running(loop.run(kafka)) as work:
        yield Scene(stores, kafka, metrics, stopping, loop, work)
        assert_nothing_was_born(metrics.registry, Metrics().registry)
        stopping.set()


async def test_what_is_read_is_stored_and_then_told_to_kafka() -> None:
    async with scene(FakeStore()) as it:
        it.kafka.publish(0, 0, 1, 2)
        await it.until_stored(p0=3)
        assert it.kafka.committed == {0: 3}


async def test_a_batch_is_no_larger_than_it_may_be() -> None:
    async with scene(FakeStore(), max_records=2) as it:
        it.kafka.publish(0, *range(5))
        await it.until_stored(p0=5)
        assert it.store.batches == [{0: (0, 2)}, {0: (2, 4)}, {0: (4, 5)}]


@dataclass
class MeetingStore(FakeStore):
    """Goes on only when another store writes at the same time."""

    barrier: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        await self.barrier.wait()
        return await super().write(batch, gone)


async def test_two_stores_write_at_the_same_time() -> None:
    barrier = asyncio.Barrier(2)
    async with scene(MeetingStore(barrier=barrier), MeetingStore(barrier=barrier)) as it:
        it.kafka.publish(0, 0)
        it.kafka.publish(1, 0)
        await it.until_stored(p0=1, p1=1)


async def test_a_partition_keeps_to_its_store_and_stores_have_as_many_partitions() -> None:
    async with scene(FakeStore(), FakeStore()) as it:
        ends = Counter[int]()
        for numbers in ([0, 2, 4, 6], [6, 4], [2], [8, 0, 6]):
            for number in numbers:
                it.kafka.publish(number, ends[number])
                ends[number] += 1
            await it.until_stored(**{f"p{number}": end for number, end in ends.items()})
        assert [sorted(store.ledger) for store in it.stores] == [[0, 4, 8], [2, 6]]


async def test_a_store_that_is_done_goes_on_while_another_is_not() -> None:
    slow = SlowStore()
    async with scene(slow, FakeStore(), max_records=1) as it:
        it.kafka.publish(0, 0)
        await it.until(lambda: slow.attempts == 1)
        for offset in range(2):
            it.kafka.publish(1, offset)
            await it.until(lambda end=offset + 1: it.stores[1].ledger[1] == end)  # type: ignore[misc]
        slow.goes_on.set()
        await it.until_stored(p0=1, p1=2)


async def test_two_batches_wait_behind_the_one_that_is_stored_and_no_more_is_read() -> None:
    store = SlowStore()
    async with scene(store, max_records=1) as it:
        it.kafka.publish(0, *range(10))
        await it.until(lambda: it.metric("batches_in_hand") == 3)
        for _ in range(20):  # the loop may run on as it likes
            await asyncio.sleep(0)
        assert (it.kafka.positions, it.metric("batches_in_hand")) == ({0: 3}, 3)
        store.goes_on.set()
        await it.until_stored(p0=10)


@pytest.mark.parametrize("number", [0, 1])
async def test_what_goes_wrong_with_one_store_is_raised_at_once_and_the_other_may_finish(number: int) -> None:
    slow, failing = SlowStore(), FakeStore(errors=[RuntimeError("broken")])
    async with scene(*([slow, failing] if number else [failing, slow])) as it:
        it.kafka.publish(0, 0)
        it.kafka.publish(1, 0)
        await asyncio.wait({it.work})
        slow.goes_on.set()
    with pytest.raises(RuntimeError, match="broken"):
        it.work.result()
    assert slow.ledger == {1 - number: 1}
    assert failing.ledger == {}


async def test_a_stop_finishes_what_is_being_stored_and_leaves_the_rest_to_kafka() -> None:
    store = SlowStore()
    async with scene(store, max_records=1) as it:
        it.kafka.publish(0, 0, 1)
        await it.until(lambda: it.metric("batches_in_hand") == 2)
        it.stopping.set()
        await it.work
        asyncio.get_running_loop().call_soon(store.goes_on.set)
    assert (store.batches, it.kafka.committed) == ([{0: (0, 1)}], {0: 1})


async def test_a_stop_gives_up_what_takes_longer_than_its_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attemptlog.consumer.loop.GRACE", 0.01)
    store = SlowStore()
    async with scene(store) as it:
        it.kafka.publish(0, 0)
        await it.until(lambda: store.attempts == 1)
    assert (store.batches, it.kafka.committed) == ([], {})


async def test_what_goes_wrong_in_the_grace_is_raised() -> None:
    store = SlowStore(errors=[RuntimeError("a bug")])

    async def stop_while_storing() -> None:
        async with scene(store) as it:
            it.kafka.publish(0, 0)
            await it.until(lambda: store.attempts == 1)
            it.stopping.set()
            await it.work
            store.goes_on.set()

    with pytest.raises(RuntimeError, match="a bug"):
        await stop_while_storing()


async def test_a_batch_waits_until_postgresql_is_back() -> None:
    async with scene(FakeStore(errors=[StoreUnavailable("away"), StoreUnavailable("away")])) as it:
        it.kafka.publish(0, 0)
        await it.until_stored(p0=1)
        assert (it.store.attempts, it.kafka.committed) == (3, {0: 1})
        assert it.metric("database_retries_total") == 2


async def test_a_batch_that_waits_is_left_to_kafka_when_the_process_is_to_end() -> None:
    async with scene(FakeStore(errors=[StoreUnavailable("away")] * 1000)) as it:
        it.kafka.publish(0, 0)
        await it.until(lambda: it.store.attempts > 1)
        it.stopping.set()
        await asyncio.wait_for(it.work, 5)
    assert it.kafka.committed == {}


@pytest.mark.parametrize("refusal", [CommitFailedError(), IllegalStateError(), TimeoutError()])
async def test_kafka_refusing_the_offsets_does_not_matter(refusal: Exception) -> None:
    async with scene(FakeStore(), kafka=FakeKafka(refusal=refusal)) as it:
        it.kafka.publish(0, 0)
        await it.until_stored(p0=1)


async def test_offsets_of_a_partition_that_moved_away_are_not_committed() -> None:
    async with scene(FakeStore(), kafka=FakeKafka(lost={0})) as it:
        it.kafka.publish(0, 0)
        await it.until_stored(p0=1)
        assert it.kafka.committed == {}


# Kafka that lets nothing be read


async def test_what_kafka_refuses_for_now_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attemptlog.consumer.loop.REFUSED_PAUSE", 0.001)
    async with scene(FakeStore(), kafka=FakeKafka(poll_errors=[TopicAuthorizationFailedError("t")] * 3)) as it:
        it.kafka.publish(0, 0)
        await it.until_stored(p0=1)
        assert it.kafka.poll_errors == []


@pytest.mark.parametrize("error", [KafkaError("Unexpected error during coordination"), RuntimeError("a bug")])
async def test_what_aiokafka_has_died_of_is_raised(error: Exception) -> None:
    async with scene(FakeStore(), kafka=FakeKafka(poll_errors=[error])) as it:
        await asyncio.wait({it.work})
    with pytest.raises(type(error), match=str(error)):
        it.work.result()


# Holes


async def test_what_the_database_lacks_is_read_again_from_kafka() -> None:
    async with scene(FakeStore(Counter({0: 10})), kafka=FakeKafka(positions={0: 20})) as it:
        it.kafka.publish(0, *range(10, 21))
        await it.until_stored(p0=21)
        assert it.store.batches == [{0: (10, 21)}]
        assert (it.metric("records_lost_total"), it.metric("rewinds_total")) == (0, 1)


async def test_a_batch_in_hand_goes_after_what_is_read_again() -> None:
    store = SlowStore(Counter({0: 10}))
    async with scene(store, kafka=FakeKafka(positions={0: 20}), max_records=5) as it:
        it.kafka.publish(0, *range(10, 40))
        await it.until(lambda: it.metric("batches_in_hand") == 3)
        store.goes_on.set()
        await it.until_stored(p0=40)
        assert store.batches == [{0: (start, start + 5)} for start in range(10, 40, 5)]
        assert (it.metric("records_lost_total"), it.metric("rewinds_total")) == (0, 1)


async def test_other_partitions_of_the_store_are_read_again_from_where_they_were() -> None:
    store = SlowStore(Counter({0: 10}))
    async with scene(store, kafka=FakeKafka(positions={0: 20}), max_records=1) as it:
        it.kafka.publish(0, *range(10, 21))
        await it.until(lambda: it.metric("batches_in_hand") == 1)
        it.kafka.publish(1, 0, 1)
        await it.until(lambda: it.metric("batches_in_hand") == 3)
        store.goes_on.set()
        await it.until_stored(p0=21, p1=2)
        assert it.metric("records_lost_total") == 0


async def test_what_kafka_has_no_more_is_counted_as_lost() -> None:
    async with scene(FakeStore(Counter({0: 10})), kafka=FakeKafka(begin=20)) as it:
        it.kafka.publish(0, 20)
        await it.until_stored(p0=21)
        assert (it.metric("records_lost_total"), it.metric("rewinds_total")) == (10, 0)


async def test_what_kafka_still_has_is_read_before_the_rest_is_given_up() -> None:
    async with scene(FakeStore(Counter({0: 10})), kafka=FakeKafka(begin=15, positions={0: 20})) as it:
        it.kafka.publish(0, *range(15, 21))
        await it.until_stored(p0=21)
        assert it.store.batches == [{0: (15, 21)}]
        assert it.metric("records_lost_total") == 5


async def test_offsets_that_hold_no_record_are_passed_after_one_look() -> None:
    async with scene(FakeStore(Counter({0: 10}))) as it:
        it.kafka.publish(0, 12)
        await it.until_stored(p0=13)
        assert (it.metric("rewinds_total"), it.kafka.committed) == (1, {0: 13})


async def test_a_hole_is_looked_at_again_when_the_look_may_have_begun_elsewhere() -> None:
    async with scene(FakeStore(Counter({0: 10})), kafka=FakeKafka(refusal=CommitFailedError())) as it:
        it.kafka.publish(0, 12)
        await it.until(lambda: (it.metric("rewinds_total") or 0) > 3)
        assert it.store.ledger == {0: 10}
        it.kafka.refusal = None
        await it.until_stored(p0=13)


async def test_a_hole_waits_while_kafka_does_not_say_where_it_begins() -> None:
    silent = FakeKafka(begin=20, silences=[KafkaConnectionError()])
    async with scene(FakeStore(Counter({0: 10})), kafka=silent) as it:
        it.kafka.publish(0, 20)
        await it.until_stored(p0=21)
        assert it.kafka.silences == []


# Another log


@dataclass
class Suspicion:
    """Has the first batches read again from `ledger`, or raises `errors` first."""

    ledger: dict[int, Entry] | None = None
    errors: list[Exception] = field(default_factory=list)

    async def __call__(self, log: object, partitions: Collection[int]) -> dict[int, Entry] | None:
        if self.errors:
            raise self.errors.pop(0)
        ledger, self.ledger = self.ledger, None
        return ledger


async def test_what_came_through_a_connection_that_nobody_looked_through_is_read_again_with_all_that_is_behind_it() -> (
    None
):
    store, polled = FakeStore(Counter({0: 3})), asyncio.Event()
    suspicion = Suspicion({0: Entry(3)})

    async def reread_from(log: object, partitions: Collection[int]) -> dict[int, Entry] | None:
        await polled.wait()
        return await suspicion(log, partitions)

    async with scene(store, kafka=FakeKafka(positions={0: 3}), max_records=1, reread_from=reread_from) as it:
        it.kafka.publish(0, 3, 4)
        await it.until(lambda: it.metric("batches_in_hand") == 2)
        polled.set()
        await it.until_stored(p0=5)
        assert (store.batches, it.metric("rewinds_total")) == ([{0: (3, 4)}, {0: (4, 5)}], 0)


async def test_a_batch_waits_for_kafka_to_say_which_log_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attemptlog.consumer.pauses.FIRST_PAUSE", 0.001)
    suspicion = Suspicion(errors=[KafkaConnectionError(), TimeoutError()])
    async with scene(FakeStore(), reread_from=suspicion) as it:
        it.kafka.publish(0, 0)
        await it.until_stored(p0=1)
        assert suspicion.errors == []


async def test_a_batch_of_another_log_is_not_stored() -> None:
    async with scene(FakeStore(), reread_from=Suspicion(errors=[CannotRun("another log")])) as it:
        it.kafka.publish(0, 0)
        await asyncio.wait({it.work})
    with pytest.raises(CannotRun, match="another log"):
        it.work.result()
    assert it.store.attempts == 0


# Holes that no record comes to tell of


@dataclass
class Lossy:
    """Losses of a store that waits for offset 2 of partition 0, and what is counted."""

    store: FakeStore = field(default_factory=lambda: FakeStore(Counter({0: 2})))
    in_hand: bool = False
    metrics: Metrics = field(default_factory=Metrics)
    kafka: FakeKafka = field(default_factory=lambda: FakeKafka(positions={0: 7}))

    def __post_init__(self) -> None:
        self._losses = Losses("t", self.store, lambda _: self.in_hand, Reports(self.metrics))

    async def look(self, begin: int = 7, next_offset: int = 2) -> tuple[int, float | None]:
        """Return where the ledger stands after a look, and how many are lost."""
        await self._losses.look(self.kafka, {0: begin}, {0: next_offset})
        return self.store.ledger[0], self.metrics.registry.get_sample_value("attemptlog_consumer_records_lost_total")


async def test_a_hole_is_lost_once_it_was_there_at_two_looks_and_is_counted_once() -> None:
    it = Lossy()
    assert [await it.look() for _ in range(4)] == [(2, 0), (7, 5), (7, 5), (7, 5)]


async def test_a_hole_is_not_lost_while_the_client_has_something_of_before_it() -> None:
    it = Lossy()
    it.kafka.positions = {0: 6}
    assert [await it.look() for _ in range(3)][-1] == (2, 0)
    it.kafka.positions, it.kafka.lost = {0: 7}, {0}
    assert await it.look() == (2, 0)
    it.kafka.lost = set()
    assert await it.look() == (7, 5)


async def test_a_hole_is_not_lost_while_records_of_its_partition_are_in_hand() -> None:
    it = Lossy(in_hand=True)
    assert [await it.look() for _ in range(3)][-1] == (2, 0)
    it.in_hand = False
    assert await it.look() == (7, 5)


async def test_a_hole_that_was_not_there_before_is_not_lost_yet() -> None:
    it = Lossy()
    looks = [await it.look(next_offset=number) for number in (0, 1, 2)]  # what is before it is being stored
    assert (looks[-1], await it.look(begin=2)) == ((2, 0), (2, 0))


@pytest.mark.parametrize("error", [StoreUnavailable("away"), OffsetGap(frozenset())])
async def test_a_hole_that_cannot_be_passed_over_is_left_to_the_next_look(error: Exception) -> None:
    it = Lossy()
    it.store.errors = [error]
    assert [await it.look() for _ in range(3)] == [(2, 0), (2, 0), (7, 5)]


async def test_records_are_in_hand_from_when_they_are_read_until_they_are_stored() -> None:
    store = SlowStore()
    async with scene(store, max_records=1) as it:
        assert not it.loop.holds(0)
        it.kafka.publish(0, 0)
        await it.until(lambda: store.attempts == 1)
        it.kafka.publish(1, 0)
        await it.until(lambda: it.metric("batches_in_hand") == 2)
        assert [it.loop.holds(number) for number in range(3)] == [True, True, False]
        store.goes_on.set()
        await it.until_stored(p0=1, p1=1)
        assert not any(it.loop.holds(number) for number in range(3))
