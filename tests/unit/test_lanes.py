"""What waits for Kafka, and who is told what, with a producer that answers when it is told to."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder

from attemptlog.publisher import KafkaUnavailable
from attemptlog.publisher.lanes import Lanes
from tests.support.eventually import eventually

LONG = timedelta(seconds=60)
SHORT = timedelta(milliseconds=50)


@dataclass
class FakeProducer:
    """Keeps what it is to send: the partition, how many records, and the answer that is waited for."""

    sent: list[tuple[int, int, "asyncio.Future[Any]"]] = field(default_factory=list)

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(1_000_000, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[Any]":
        answer = asyncio.get_running_loop().create_future()
        self.sent.append((partition, batch.record_count(), answer))
        return answer

    @property
    def counts(self) -> list[tuple[int, int]]:
        return [(partition, records) for partition, records, _ in self.sent]


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


async def test_the_next_batch_of_a_partition_collects_while_one_is_on_its_way(producer: FakeProducer) -> None:
    lanes = Lanes(producer, "t", 2, LONG)
    [first] = lanes.append(0, b"k", [b"1"])
    await eventually(lambda: producer.counts == [(0, 1)])
    waits = [wait for value in (b"2", b"3") for wait in lanes.append(0, b"k", [value])]
    [other] = lanes.append(1, b"k", [b"4"])
    await eventually(lambda: len(producer.sent) == 2)
    assert producer.counts == [(0, 1), (1, 1)], "the other partition does not wait"

    producer.sent[0][2].set_result(None)
    assert await first is None
    await eventually(lambda: producer.counts == [(0, 1), (1, 1), (0, 2)])
    for _, _, answer in producer.sent[1:]:
        answer.set_result(None)
    assert [await wait for wait in (*waits, other)] == [None] * 3
    assert lanes.buffered_bytes == 0


async def test_what_comes_close_together_leaves_together(producer: FakeProducer) -> None:
    lanes = Lanes(producer, "t", 3, LONG)
    for turn in range(30):
        lanes.append(turn % 3, b"k", [b"1"])
    await eventually(lambda: len(producer.sent) == 3)
    assert producer.counts == [(0, 10), (1, 10), (2, 10)]


async def test_whoever_waits_too_long_is_told_while_it_is_still_tried(producer: FakeProducer) -> None:
    lanes = Lanes(producer, "t", 1, SHORT)
    [wait] = lanes.append(0, b"k", [b"1"])
    await eventually(lambda: lanes.is_stalled)
    lanes.give_up_late()
    assert "did not acknowledge" in (await wait or "")
    with pytest.raises(KafkaUnavailable):
        lanes.append(0, b"k", [b"2"])
    assert lanes.buffered_bytes == 1, "it is still there"

    producer.sent[0][2].set_result(None)
    await eventually(lambda: lanes.buffered_bytes == 0)
    lanes.append(0, b"k", [b"2"])


async def test_a_batch_that_fails_asks_for_another_producer(
    producer: FakeProducer, caplog: pytest.LogCaptureFixture
) -> None:
    lanes = Lanes(producer, "t", 1, LONG)
    [wait] = lanes.append(0, b"k", [b"1"])
    await eventually(lambda: len(producer.sent) == 1)
    producer.sent[0][2].set_exception(KafkaTimeoutError())
    assert await wait == "partition 0: KafkaTimeoutError"
    assert lanes.broken.is_set()
    assert "a batch was not delivered" in caplog.text


async def test_closing_tells_all_who_wait(producer: FakeProducer) -> None:
    lanes = Lanes(producer, "t", 1, LONG)
    [on_its_way] = lanes.append(0, b"k", [b"1"])
    await eventually(lambda: len(producer.sent) == 1)
    [waiting] = lanes.append(0, b"k", [b"2"])
    lanes.close()
    assert await on_its_way == await waiting == "the connection to Kafka was closed"
    assert lanes.buffered_bytes == 0
