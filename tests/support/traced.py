"""Records with a trace: made, sent to nobody, and looked at."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from attemptlog.publisher import KafkaPublisher, MemoryPublisher, lanes
from attemptlog.publisher.lanes import Lanes
from attemptlog.publisher.limits import MAX_BATCH_BYTES, Limits
from attemptlog.runtime.tracing import TracingSettings
from attemptlog.schemas import Envelope, encode
from tests.support.spans import traceparent

MALFORMED = [
    b"",
    b"\xff",
    b"00",
    traceparent().encode()[:-1],
    traceparent().encode() + b"-00",
    traceparent().encode() + b", " + traceparent(span_id=1).encode(),
    traceparent().upper().encode(),
    traceparent(trace_id=0).encode(),
    traceparent(span_id=0).encode(),
    b"ff" + traceparent().encode()[2:],
    b"01" + traceparent().encode()[2:] + b"-" + b"x" * 1000,
]


class ClockedBuilder(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch whose records are all of one time, so that two can be compared."""

    def append(self, **record: Any) -> Any:
        return super().append(**record | {"timestamp": 1})


class Taking:
    """A producer that acknowledges every batch, and keeps its bytes."""

    def __init__(self) -> None:
        self.batches: list[bytes] = []

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> "asyncio.Future[None]":
        batch.close()
        self.batches.append(bytes(batch._build()))
        acknowledged = asyncio.get_running_loop().create_future()
        acknowledged.set_result(None)
        return acknowledged


def taking(monkeypatch: pytest.MonkeyPatch) -> Taking:
    """Return a producer; batches are of one time from here on."""
    monkeypatch.setattr(lanes, "BatchBuilder", ClockedBuilder)
    return Taking()


def connected(producer: Taking, tracing: TracingSettings | None, limits: Limits | None = None) -> KafkaPublisher:
    """Return a publisher to a topic of one partition that is there."""
    publisher = KafkaPublisher("127.0.0.1:1", tracing=tracing)
    publisher._lanes = Lanes(producer, "t", 1, timedelta(seconds=60), limits)
    return publisher


class Through(MemoryPublisher):
    """Publishes by way of Kafka's publisher, which has a connection already."""

    def __init__(self, producer: Taking) -> None:
        super().__init__()
        self._producer = producer

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await connected(self._producer, TracingSettings(tracing="on")).publish(envelopes)


def untouched(envelopes: Sequence[Envelope]) -> bytes:
    """Return the batch that is sent by code that knows nothing of headers."""
    builder = ClockedBuilder(MAX_BATCH_BYTES, 0)
    for it in envelopes:
        builder.append(key=it.session_id.encode(), value=encode(it))
    builder.close()
    return bytes(builder._build())


def headers_in(batch: bytes) -> list[dict[str, bytes]]:
    """Return the headers of each record."""
    records = MemoryRecords(batch)
    found = []
    while (part := records.next_batch()) is not None:
        found += [dict(record.headers) for record in part]
    return found
