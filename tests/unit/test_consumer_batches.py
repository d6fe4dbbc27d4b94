"""What is done with a batch while PostgreSQL or Kafka are not as they should be."""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import islice

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError

from attemptlog.consumer.batches import LONGEST_PAUSE, Batches, pauses
from attemptlog.consumer.losses import Losses
from attemptlog.consumer.metrics import Metrics
from attemptlog.event_store.decoding import Batch
from attemptlog.event_store.errors import CannotRun, Hole, OffsetGap, StoreUnavailable
from attemptlog.event_store.identity import Entry
from attemptlog.event_store.store import Stored
from tests.support.consumer import FakeRecord, Partition
from tests.support.eventually import eventually

ZERO = TopicPartition("t", 0)


@dataclass
class FakeStore:
    """Keeps the ledger in memory and raises `errors` first, one at each attempt."""

    next_offset: int = 0
    errors: list[Exception] = field(default_factory=list)
    attempts: int = 0

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        self.attempts += 1
        if self.errors:
            raise self.errors.pop(0)
        holes = batch.holes({0: self.next_offset})
        if holes - gone:
            raise OffsetGap(holes - gone)
        self.next_offset = batch.next_offsets[0]
        return Stored(0, 0, Counter(undecodable=len(batch)), 0, {0: self.next_offset}, holes)


@dataclass
class FakeLog:
    """One partition of Kafka's log, `position` being what it delivers next."""

    begin: int = 0
    position: int | None = None
    committed: int | None = None
    assigned: frozenset[TopicPartition] = frozenset([ZERO])
    refusal: Exception | None = None
    errors: list[Exception] = field(default_factory=list)

    def assignment(self) -> Collection[TopicPartition]:
        return self.assigned

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self.assigned:
            raise IllegalStateError
        self.position = offset

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        if self.errors:
            raise self.errors.pop(0)
        return dict.fromkeys(partitions, self.begin)

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if self.refusal:
            raise self.refusal
        self.committed = offsets[ZERO]


@dataclass
class Scene:
    """Batches between a store and a log, both fake."""

    store: FakeStore = field(default_factory=FakeStore)
    log: FakeLog = field(default_factory=FakeLog)
    metrics: Metrics = field(default_factory=Metrics)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.batches = Batches([self.store], "t", self.metrics, self.stopping)

    async def take(self, first_offset: int, count: int = 1) -> None:
        """Hand over a batch and wait until it is stored, or left to Kafka."""
        await self.begin(first_offset, count)
        await self.batches.finish()

    async def begin(self, first_offset: int, count: int = 1) -> None:
        """Hand over a batch."""
        records: list[FakeRecord] = Partition(next_offset=first_offset).records(*[b""] * count)
        await self.batches.take(records, self.log)

    async def finish(self) -> None:
        await self.batches.finish()

    async def pass_over(self, hole: Hole) -> None:
        await self.batches.pass_over(hole)

    def raise_failure(self) -> None:
        self.batches.raise_failure()

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"attemptlog_consumer_{name}")


def test_attempts_come_at_growing_distances_with_jitter_and_without_end() -> None:
    waits = list(islice(pauses(), 50))
    assert waits[0] <= 0.1
    assert LONGEST_PAUSE / 2 <= waits[-1] <= LONGEST_PAUSE
    assert len(set(waits[20:])) > 1


@dataclass
class MeetingStore(FakeStore):
    """Goes on only when another store writes at the same time."""

    barrier: asyncio.Barrier = field(default_factory=lambda: asyncio.Barrier(2))

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        async with asyncio.timeout(5):
            await self.barrier.wait()
        return Stored(len(batch), 0, Counter(), 0, batch.next_offsets)


async def take_two_partitions(*stores: MeetingStore) -> Metrics:
    metrics = Metrics()
    batches = Batches(stores, "t", metrics, asyncio.Event())
    await batches.take([*Partition(0).records(b""), *Partition(1).records(b"")], FakeLog())
    await batches.finish()
    return metrics


async def test_two_stores_write_at_the_same_time() -> None:
    barrier = asyncio.Barrier(2)
    metrics = await take_two_partitions(MeetingStore(barrier=barrier), MeetingStore(barrier=barrier))
    assert metrics.registry.get_sample_value("attemptlog_consumer_records_total", {"outcome": "inserted"}) == 2


@dataclass
class RecordingStore(FakeStore):
    """Notes the partitions of each batch."""

    partitions: list[list[int]] = field(default_factory=list)

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        self.partitions.append(batch.partitions)
        return Stored(len(batch), 0, Counter(), 0, batch.next_offsets)


async def test_a_partition_keeps_to_its_store_and_stores_have_as_many_partitions() -> None:
    stores = [RecordingStore(), RecordingStore()]
    batches = Batches(stores, "t", Metrics(), asyncio.Event())
    for numbers in ([0, 2, 4, 6], [6, 4], [2], [8, 0, 6], []):
        await batches.take([record for number in numbers for record in Partition(number).records(b"")], FakeLog())
    await batches.finish()
    assert stores[0].partitions == [[0, 4], [4], [0, 8]]
    assert stores[1].partitions == [[2, 6], [6], [2], [6]]


@dataclass
class SlowStore(FakeStore):
    """Writes when `goes_on` is set."""

    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def write(self, batch: Batch, gone: Set[Hole] = frozenset()) -> Stored:
        await self.goes_on.wait()
        return await super().write(batch, gone)


async def test_what_goes_wrong_with_one_share_is_raised_once_the_other_is_stored() -> None:
    failing, slow = FakeStore(errors=[RuntimeError("broken")]), SlowStore()
    batches = Batches([failing, slow], "t", Metrics(), asyncio.Event())
    # the store keeps the ledger of partition 0, which is the second one here
    await batches.take([*Partition(1).records(b""), *Partition(0).records(b"")], FakeLog())
    finishing = asyncio.create_task(batches.finish())
    await eventually(lambda: failing.attempts == 1)
    assert not finishing.done()
    slow.goes_on.set()
    with pytest.raises(RuntimeError, match="broken"):
        await finishing
    assert slow.next_offset == 1


async def test_one_batch_is_in_hand_while_another_is_stored_and_no_more() -> None:
    store = SlowStore()
    scene = Scene(store)
    await scene.begin(0)
    await scene.begin(1)
    third = asyncio.create_task(scene.begin(2))
    done, _ = await asyncio.wait({third}, timeout=0.05)
    assert not done, "a fourth would be polled from Kafka"
    assert scene.metric("batches_in_hand") == 2
    store.goes_on.set()
    await third
    await scene.take(3)
    assert scene.metric("batches_in_hand") == 0
    assert (store.next_offset, store.attempts, scene.log.committed) == (4, 4, 4)


async def test_what_goes_wrong_with_the_last_batch_is_found_without_another_one() -> None:
    scene = Scene(FakeStore(errors=[RuntimeError("a bug")]))
    await scene.begin(0)

    def has_failed() -> bool:
        try:
            scene.raise_failure()
        except RuntimeError:
            return True
        return False

    await eventually(has_failed)


async def test_a_batch_in_hand_goes_after_what_is_read_again() -> None:
    scene = Scene(FakeStore(next_offset=10))
    await scene.begin(20, count=5)
    await scene.take(25, count=5)  # polled before the first was found to have a hole before it
    assert (scene.log.position, scene.store.next_offset) == (10, 10)
    for first_offset, count in ((10, 10), (20, 5), (25, 5)):
        await scene.take(first_offset, count)
    assert scene.store.next_offset == 30
    assert scene.metric("records_lost_total") == 0


async def test_kafka_learns_of_a_batch_once_it_is_stored() -> None:
    scene = Scene()
    await scene.take(0, count=3)
    assert (scene.store.next_offset, scene.log.committed) == (3, 3)


async def test_a_batch_waits_until_postgresql_is_back() -> None:
    scene = Scene(FakeStore(errors=[StoreUnavailable("away"), StoreUnavailable("away")]))
    await scene.take(0)
    assert (scene.store.attempts, scene.log.committed) == (3, 1)
    assert scene.metric("database_retries_total") == 2


async def test_a_batch_that_waits_is_left_to_kafka_when_the_process_is_to_end() -> None:
    scene = Scene(FakeStore(errors=[StoreUnavailable("away")] * 1000))
    taking = asyncio.create_task(scene.take(0))
    await eventually(lambda: scene.store.attempts > 1)
    scene.stopping.set()
    await asyncio.wait_for(taking, 1)
    assert scene.log.committed is None


async def test_no_batch_is_begun_once_the_process_is_to_end() -> None:
    scene = Scene()
    scene.stopping.set()
    await scene.take(0)
    assert scene.store.attempts == 0


@pytest.mark.parametrize("refusal", [CommitFailedError(), IllegalStateError()])
async def test_kafka_refusing_the_offsets_does_not_matter(refusal: Exception) -> None:
    scene = Scene(log=FakeLog(refusal=refusal))
    await scene.take(0)
    assert scene.store.next_offset == 1


async def test_offsets_of_a_partition_that_moved_away_are_not_committed() -> None:
    scene = Scene(log=FakeLog(assigned=frozenset()))
    await scene.take(0)
    assert (scene.store.next_offset, scene.log.committed) == (1, None)


async def test_what_the_database_lacks_is_read_again_from_kafka() -> None:
    scene = Scene(FakeStore(next_offset=10))
    await scene.take(20)
    assert (scene.log.position, scene.log.committed, scene.store.next_offset) == (10, 10, 10)
    await scene.take(10, count=11)
    assert scene.store.next_offset == 21
    assert scene.metric("records_lost_total") == 0


async def test_what_kafka_has_no_more_is_counted_as_lost() -> None:
    scene = Scene(FakeStore(next_offset=10), FakeLog(begin=20))
    await scene.take(20)
    assert scene.store.next_offset == 21
    assert scene.metric("records_lost_total") == 10


async def test_what_kafka_still_has_is_read_before_the_rest_is_given_up() -> None:
    scene = Scene(FakeStore(next_offset=10), FakeLog(begin=15))
    await scene.take(20)
    assert scene.log.position == 15
    await scene.take(15)
    assert scene.store.next_offset == 16
    assert scene.metric("records_lost_total") == 5


async def test_offsets_that_hold_no_record_are_passed_after_one_look() -> None:
    scene = Scene(FakeStore(next_offset=10))
    await scene.take(12)
    assert scene.log.position == 10
    await scene.take(12)
    assert scene.store.next_offset == 13


async def test_a_hole_is_looked_at_again_when_the_look_may_have_begun_elsewhere() -> None:
    scene = Scene(FakeStore(next_offset=10), FakeLog(refusal=CommitFailedError()))
    for _ in range(3):
        await scene.take(12)
    assert scene.store.next_offset == 10
    scene.log.refusal = None
    await scene.take(12)
    await scene.take(12)
    assert scene.store.next_offset == 13


async def test_a_hole_waits_while_kafka_does_not_say_where_it_begins() -> None:
    scene = Scene(FakeStore(next_offset=10), FakeLog(begin=20, errors=[KafkaConnectionError()]))
    await scene.take(20)
    assert scene.store.next_offset == 21


async def test_what_is_not_expected_is_raised() -> None:
    scene = Scene(FakeStore(errors=[RuntimeError("a bug")]))
    with pytest.raises(RuntimeError):
        await scene.take(0)
    assert scene.log.committed is None


@dataclass
class Admission:
    """Has the log looked up before the first batches, and then read again from `ledger`."""

    ledger: dict[int, Entry]
    lets_in: bool = False
    errors: list[Exception] = field(default_factory=list)

    async def __call__(self, log: object, partitions: Collection[int]) -> dict[int, Entry] | None:
        if self.errors:
            raise self.errors.pop(0)
        lets_in, self.lets_in = self.lets_in, True
        return None if lets_in else self.ledger


async def test_what_came_through_a_connection_that_nobody_looked_through_is_read_again_with_all_that_is_behind_it() -> (
    None
):
    store, log, admission = FakeStore(next_offset=3), FakeLog(), Admission({0: Entry(3)})
    batches = Batches([store], "t", Metrics(), asyncio.Event(), admission)
    await batches.take(Partition(next_offset=3).records(b""), log)
    await batches.take(Partition(next_offset=4).records(b""), log)
    await batches.finish()
    assert (store.attempts, log.position) == (0, 3)
    await batches.take(Partition(next_offset=3).records(b"", b""), log)
    await batches.finish()
    assert (store.attempts, store.next_offset) == (1, 5)


async def test_a_batch_waits_for_kafka_to_say_which_log_it_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attemptlog.consumer.batches.FIRST_PAUSE", 0.001)
    store, admission = FakeStore(), Admission({}, lets_in=True, errors=[KafkaConnectionError(), TimeoutError()])
    batches = Batches([store], "t", Metrics(), asyncio.Event(), admission)
    await batches.take(Partition().records(b""), FakeLog())
    await batches.finish()
    assert (store.next_offset, admission.errors) == (1, [])


async def test_a_batch_of_another_log_is_not_stored() -> None:
    store, admission = FakeStore(), Admission({}, errors=[CannotRun("another log")])
    batches = Batches([store], "t", Metrics(), asyncio.Event(), admission)
    await batches.take(Partition().records(b""), FakeLog())
    with pytest.raises(CannotRun, match="another log"):
        await batches.finish()
    assert store.attempts == 0


async def test_a_hole_that_kafka_cannot_fill_is_passed_over_and_counted_once() -> None:
    scene = Scene(FakeStore(next_offset=2))
    await scene.pass_over(Hole(0, 2, 7))
    await scene.pass_over(Hole(0, 2, 7))
    await scene.take(7)
    assert (scene.store.next_offset, scene.metric("records_lost_total")) == (8, 5)


async def test_a_hole_is_not_passed_over_while_records_of_its_partition_are_in_hand() -> None:
    scene = Scene(FakeStore(errors=[StoreUnavailable("away")]))
    await scene.begin(0, count=3)
    await scene.pass_over(Hole(0, 0, 5))
    assert (scene.store.next_offset, scene.metric("records_lost_total")) == (0, 0)
    await scene.finish()
    assert scene.store.next_offset == 3


async def test_another_hole_than_the_one_that_was_seen_is_left_to_the_next_look() -> None:
    scene = Scene(FakeStore(next_offset=4))
    await scene.pass_over(Hole(0, 2, 7))
    assert (scene.store.next_offset, scene.metric("records_lost_total")) == (4, 0)


@dataclass
class Position:
    """Where Kafka's client reads partition 0."""

    offset: int = 0
    error: Exception | None = None

    async def position(self, partition: TopicPartition) -> int:
        if self.error:
            raise self.error
        return self.offset


async def test_a_hole_is_lost_once_it_was_there_at_two_looks_and_the_client_is_past_it() -> None:
    scene, reader = Scene(FakeStore(next_offset=2)), Position()
    losses = Losses("t", scene.batches)
    await losses.look(reader, {0: 7}, {0: 2})
    await losses.look(reader, {0: 7}, {0: 2})  # the client has records of before it still
    reader.error = KafkaConnectionError()
    await losses.look(reader, {0: 7}, {0: 2})
    assert scene.store.next_offset == 2
    reader.error, reader.offset = None, 7
    await losses.look(reader, {0: 7}, {0: 2})
    assert (scene.store.next_offset, scene.metric("records_lost_total")) == (7, 5)


async def test_a_hole_that_was_not_there_before_is_not_lost_yet() -> None:
    scene = Scene(FakeStore(next_offset=2))
    losses = Losses("t", scene.batches)
    for next_offset in (0, 1, 2):  # what is before it is being stored
        await losses.look(Position(7), {0: 7}, {0: next_offset})
    await losses.look(Position(7), {0: 2}, {0: 2})
    assert (scene.store.next_offset, scene.metric("records_lost_total")) == (2, 0)
