"""A stored batch as a span that links to the traces of its records."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.reports import Reports
from attemptlog.consumer.traced import tell
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.store import Stored
from attemptlog.runtime.spans import MAX_LINKS, Spans
from attemptlog.schemas import encode
from tests.support.consumer import FakeRecord, envelope
from tests.support.http import Exam
from tests.support.spans import patient_flush, traceparent
from tests.support.traced import MALFORMED

EXAM = Exam()


@dataclass(frozen=True)
class Headed(FakeRecord):
    """A record with headers."""

    headers: Sequence[tuple[str, bytes | None]] = ()


def record(offset: int, *headers: tuple[str, bytes | None], value: bytes | None = None) -> FakeRecord:
    return Headed(offset % 2, offset, value or encode(envelope(EXAM, offset)), headers=headers)


def sampled(number: int) -> tuple[str, bytes]:
    return "traceparent", traceparent(number).encode()


async def batch_spans(*records: FakeRecord) -> tuple[ReadableSpan, ...]:
    """Return what is told of a batch; a record that is no envelope is a dead letter."""
    exporter, batch = InMemorySpanExporter(), decode_batch(records)
    stored = Stored(len(batch.rows), 0, Counter(undecodable=1), 0, 0, {}, 0.1)
    with patient_flush():
        async with Spans("consumer", [exporter], lambda *_: None) as spans:
            Reports(Metrics(), partial(tell, spans, "t")).stored(batch, stored, 2.5)
    return exporter.get_finished_spans()


async def test_a_batch_links_to_the_traces_of_its_records_each_once() -> None:
    [span] = await batch_spans(
        record(0, sampled(1)),
        record(1, ("other", b"header"), sampled(2)),
        record(2),
        record(3, sampled(1)),
        record(4, sampled(3), value=b"no envelope"),
    )
    assert sorted(link.context.trace_id for link in span.links) == [1, 2, 3]
    assert (span.name, span.kind, span.parent) == ("store t", SpanKind.CONSUMER, None)
    assert (span.end_time or 0) - (span.start_time or 0) == timedelta(seconds=2.5) / timedelta(microseconds=1) * 1000
    assert dict(span.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "store",
        "messaging.operation.type": "process",
        "messaging.destination.name": "t",
        "messaging.batch.message_count": 5,
        "attemptlog.inserted": 4,
        "attemptlog.duplicate": 0,
        "attemptlog.dead_letter": 1,
        "attemptlog.suppressed": 0,
        "attemptlog.skipped": 0,
        "attemptlog.links_left_off": 0,
    }


async def test_more_traces_than_a_span_may_link_to_are_linked_to_from_all_over_the_batch() -> None:
    [span] = await batch_spans(*(record(offset, sampled(offset + 1)) for offset in range(3 * MAX_LINKS)))
    partitions = [link.context.trace_id % 2 for link in span.links]
    assert len(span.links) == MAX_LINKS
    assert partitions.count(0) == partitions.count(1)
    assert (span.attributes or {})["attemptlog.links_left_off"] == 2 * MAX_LINKS


@pytest.mark.parametrize("header", [*MALFORMED, None, traceparent(is_sampled=False).encode()])
async def test_a_record_of_no_sampled_trace_is_not_linked_to(header: bytes | None) -> None:
    assert not await batch_spans(record(0, ("traceparent", header)))
    [span] = await batch_spans(record(0, ("traceparent", header)), record(2, sampled(9)))
    assert [link.context.trace_id for link in span.links] == [9]


@pytest.mark.parametrize(
    ("sampler", "argument", "spans"),
    [
        ("parentbased_traceidratio", "0", 1),
        ("parentbased_always_off", "", 1),
        ("traceidratio", "0", 0),
        ("always_off", "", 0),
        ("always_on", "", 1),
    ],
)
async def test_a_batch_is_sampled_as_a_child_of_its_record_would_be(
    monkeypatch: pytest.MonkeyPatch, sampler: str, argument: str, spans: int
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    assert len(await batch_spans(record(0, sampled(1)))) == spans


def test_off_a_batch_is_reported_as_ever() -> None:
    metrics, stored = Metrics(), Stored(1, 0, Counter(), 0, 0, {}, 0.1)
    Reports(metrics).stored(decode_batch([record(0, sampled(1))]), stored, 1)
    assert metrics.registry.get_sample_value("attemptlog_consumer_records_total", {"outcome": "inserted"}) == 1
