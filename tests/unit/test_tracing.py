"""A request's trace, through a record's header, to the batch that stored it; and none of it when tracing is off."""

import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from pydantic import ValidationError

from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.reports import Reports
from attemptlog.consumer.traced import tell
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.store import Stored
from attemptlog.ingest_api.sessions import Session
from attemptlog.publisher import EventLogger, KafkaPublisher, MemoryPublisher, ThreadedEventLogger, lanes
from attemptlog.publisher.lanes import Lanes
from attemptlog.publisher.limits import MAX_BATCH_BYTES, Limits
from attemptlog.runtime import extras
from attemptlog.runtime.spans import MAX_LINKS, Spans
from attemptlog.runtime.trace_context import context_of
from attemptlog.runtime.tracing import TracingSettings, exporters
from attemptlog.schemas import Envelope, encode
from tests.support.consumer import FakeRecord, envelope
from tests.support.eventually import eventually
from tests.support.http import PATH, Exam, token
from tests.support.in_process import gateway_in_process
from tests.support.series import scraped
from tests.support.spans import SPAN_ID, TRACE_ID, Collector, collected, current_span, patient_flush, traceparent
from tests.unit.test_lanes import FakeProducer

EXAM = Exam()
OFF, ON = TracingSettings(tracing="off"), TracingSettings(tracing="on")
SESSIONS = {EXAM.session: Session(EXAM.user, None)}
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


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with patient_flush():
        yield collected(monkeypatch)


# Records


class ClockedBuilder(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    """A batch whose records are all of one time, so that two can be compared."""

    def append(self, **record: Any) -> Any:
        return super().append(**record | {"timestamp": 1})


class Taking(FakeProducer):
    """Acknowledges every batch, and keeps its bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[bytes] = []

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> Any:
        batch.close()
        self.batches.append(bytes(batch._build()))
        answer = await super().send_batch(batch, topic, partition=partition)
        answer.set_result(None)
        return answer


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Taking:
    monkeypatch.setattr(lanes, "BatchBuilder", ClockedBuilder)
    return Taking()


def connected(producer: FakeProducer, tracing: TracingSettings | None, limits: Limits | None = None) -> KafkaPublisher:
    """Return a publisher to a topic of one partition that is there."""
    publisher = KafkaPublisher("127.0.0.1:1", tracing=tracing)
    publisher._lanes = Lanes(producer, "t", 1, timedelta(seconds=60), limits)
    return publisher


class Through(MemoryPublisher):
    """Publishes by way of Kafka's publisher, which has a connection already."""

    def __init__(self, producer: FakeProducer) -> None:
        super().__init__()
        self._producer = producer

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await connected(self._producer, ON).publish(envelopes)


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


@pytest.mark.parametrize("given", [OFF, None])
async def test_off_records_are_byte_for_byte_as_without_the_feature(
    producer: Taking, given: TracingSettings | None
) -> None:
    envelopes = [envelope(Exam() if seq % 3 else EXAM, seq) for seq in range(20)]
    with current_span():
        await connected(producer, given).publish(envelopes)
    assert producer.batches == [untouched(envelopes)]


@pytest.mark.parametrize("within", [nullcontext, partial(current_span, is_sampled=False)])
async def test_on_records_of_no_sampled_span_are_the_same(producer: Taking, within: Any) -> None:
    envelopes = [envelope(EXAM, seq) for seq in range(20)]
    with within():
        await connected(producer, ON).publish(envelopes)
    assert producer.batches == [untouched(envelopes)]


async def test_on_every_record_has_the_trace_of_the_current_span_and_the_value_it_had(producer: Taking) -> None:
    envelopes = [envelope(EXAM, seq) for seq in range(3)]
    with current_span():
        await connected(producer, ON).publish(envelopes)
    [batch] = producer.batches
    assert headers_in(batch) == [{"traceparent": traceparent().encode()}] * 3
    assert all(encode(it) in batch for it in envelopes)


async def test_where_a_topic_takes_only_small_records_they_have_no_header(producer: Taking) -> None:
    it = envelope(EXAM)
    takes = len(untouched([it]))
    with current_span():
        await connected(producer, ON, Limits(takes, takes)).publish([it])
    assert producer.batches == [untouched([it])]


async def test_an_event_that_is_logged_belongs_to_the_trace_of_its_caller(producer: Taking) -> None:
    publisher = MemoryPublisher()
    with current_span(trace_id=7):  # which is long over when events are published
        events = EventLogger(publisher, tracing=ON)
        async with events:
            for number in (1, 2, None, 2):
                with nullcontext() if number is None else current_span(number):
                    events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
            with current_span(3, is_sampled=False):
                events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    assert len(publisher.envelopes) == 5

    await connected(producer, ON).publish(publisher.envelopes)

    traces = [it.get("traceparent", b"").decode() for it in headers_in(producer.batches[0])]
    assert traces == [*map(traceparent, (1, 2, 7, 2)), ""]


def test_the_thread_that_publishes_has_no_part_in_that() -> None:
    publisher = MemoryPublisher()
    events = ThreadedEventLogger(lambda: publisher)
    events._events = EventLogger(publisher, tracing=ON)
    with current_span():
        events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    events.close()
    assert [getattr(it, "traceparent", None) for it in publisher.envelopes] == [traceparent().encode()]


async def test_off_an_event_that_is_logged_is_an_envelope_and_no_more() -> None:
    publisher = MemoryPublisher()
    with current_span():
        async with EventLogger(publisher) as events:
            events.log_event("SESSION_CREATED", session_id=EXAM.session, user_id=EXAM.user)
    assert [type(it) for it in publisher.envelopes] == [Envelope]


# Requests


async def post(client: httpx.AsyncClient, *headers: tuple[str, bytes], **fields: Any) -> int:
    given = {"authorization": f"Bearer {token(EXAM.user)}", "content-type": "application/json"}
    sent = [(name.encode(), value.encode()) for name, value in given.items()]
    sent += [(name.encode(), value) for name, value in headers]
    answer = await client.post(PATH, json={"source": "web", "events": [EXAM.event(**fields)]}, headers=sent)
    return answer.status_code


async def test_a_request_is_a_span_in_the_trace_that_it_names_and_sending_one_within_it(collector: Collector) -> None:
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, ("traceparent", traceparent().encode())) == HTTPStatus.ACCEPTED
    request, sending = collector.spans[f"POST {PATH}"], collector.spans["send attempt-events.v1"]
    assert (request.context.trace_id, request.parent and request.parent.span_id) == (TRACE_ID, SPAN_ID)
    assert (sending.context.trace_id, sending.parent) == (TRACE_ID, request.context)
    assert (request.kind, sending.kind) == (SpanKind.SERVER, SpanKind.PRODUCER)
    assert dict(request.attributes or {}) == {
        "http.request.method": "POST",
        "http.route": PATH,
        "http.response.status_code": HTTPStatus.ACCEPTED,
        "url.path": PATH,
        "url.scheme": "http",
    }
    assert dict(sending.attributes or {}) == {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "attempt-events.v1",
        "messaging.batch.message_count": 1,
    }


async def test_a_record_belongs_to_the_span_that_sends_it(collector: Collector, producer: Taking) -> None:
    async with gateway_in_process(SESSIONS, Through(producer), tracing="on") as client:
        assert await post(client) == HTTPStatus.ACCEPTED
    sending = collector.spans["send attempt-events.v1"].context
    [headers] = headers_in(producer.batches[0])
    assert headers["traceparent"][3:52].decode() == f"{sending.trace_id:032x}-{sending.span_id:016x}"


@pytest.mark.parametrize("header", MALFORMED)
async def test_a_traceparent_that_is_malformed_is_ignored(collector: Collector, header: bytes) -> None:
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, ("traceparent", header)) == HTTPStatus.ACCEPTED
    request = collector.spans[f"POST {PATH}"]
    assert request.parent is None
    assert request.context.trace_id != TRACE_ID
    assert not context_of(header)


async def test_two_traceparents_are_malformed(collector: Collector) -> None:
    both = [("traceparent", traceparent(span_id=number).encode()) for number in (1, 2)]
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, *both) == HTTPStatus.ACCEPTED
    assert collector.spans[f"POST {PATH}"].parent is None


async def test_a_request_that_is_not_to_be_sampled_is_no_span(collector: Collector) -> None:
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, ("traceparent", traceparent(is_sampled=False).encode())) == HTTPStatus.ACCEPTED
    assert not collector.spans


async def test_off_nothing_is_a_span(collector: Collector) -> None:
    async with gateway_in_process(SESSIONS) as client:
        assert await post(client, ("traceparent", traceparent().encode())) == HTTPStatus.ACCEPTED
    assert not collector.spans


async def test_only_batches_are_spans(collector: Collector) -> None:
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        for method, path in (("GET", "/healthz"), ("GET", "/metrics"), ("GET", PATH), ("POST", "/elsewhere")):
            await client.request(method, path)
    assert not collector.spans


async def test_what_fails_says_so_and_not_why(collector: Collector) -> None:
    publisher = MemoryPublisher()
    publisher.is_ready = False
    async with gateway_in_process(SESSIONS, publisher, tracing="on") as client:
        assert await post(client) == HTTPStatus.SERVICE_UNAVAILABLE
    request, sending = collector.spans[f"POST {PATH}"], collector.spans["send attempt-events.v1"]
    assert (request.attributes or {})["http.response.status_code"] == HTTPStatus.SERVICE_UNAVAILABLE
    assert (sending.attributes or {})["error.type"] == "KafkaUnavailable"
    assert [(it.status.status_code, it.status.description, it.events) for it in (request, sending)] == [
        (StatusCode.ERROR, None, ())
    ] * 2


async def test_a_refusal_is_no_failure(collector: Collector) -> None:
    async with gateway_in_process({}, tracing="on") as client:
        assert await post(client) == HTTPStatus.FORBIDDEN
    assert collector.spans[f"POST {PATH}"].status.status_code == StatusCode.UNSET


# Batches


class Headed(FakeRecord):
    """A record with headers."""

    headers: Sequence[tuple[str, bytes | None]] = ()


def record(offset: int, *headers: tuple[str, bytes | None], value: bytes | None = None) -> FakeRecord:
    made = Headed(offset % 2, offset, encode(envelope(EXAM, offset)) if value is None else value)
    object.__setattr__(made, "headers", headers)
    return made


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


# What is said to whom


async def test_no_span_names_a_person_a_session_or_what_they_did(collector: Collector, producer: Taking) -> None:
    async with gateway_in_process(SESSIONS, Through(producer), tracing="on") as client:
        assert await post(client, payload={"choice": 123454321}) == HTTPStatus.ACCEPTED
        assert await post(client, session_id=Exam().session) == HTTPStatus.FORBIDDEN
    told = "".join(span.to_json() for span in collector.exporter.get_finished_spans())
    told += "".join(span.to_json() for span in await batch_spans(record(0, sampled(1))))
    assert "store t" in told
    for secret in (EXAM.user, EXAM.session, EXAM.question, "123454321", "Bearer"):
        assert secret not in told


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, "attemptlog-gateway"),
        ({"OTEL_SERVICE_NAME": "ours"}, "ours"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=theirs,a=b"}, "theirs"),
    ],
)
async def test_a_service_has_a_name_of_its_own_unless_it_is_given_one(
    monkeypatch: pytest.MonkeyPatch, collector: Collector, environment: Mapping[str, str], name: str
) -> None:
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        await post(client)
    assert {span.resource.attributes["service.name"] for span in collector.spans.values()} == {name}


@pytest.fixture
def silent_collector() -> Iterator[str]:
    """The address of one that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


async def test_a_collector_that_is_silent_holds_up_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, silent_collector: str, caplog: pytest.LogCaptureFixture
) -> None:
    asked, queue = 50, 4
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", silent_collector)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "300")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", str(queue))
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    async with gateway_in_process(SESSIONS, tracing="on", rate_limit_burst=10_000) as client:
        assert [await post(client) for _ in range(asked)] == [HTTPStatus.ACCEPTED] * asked
        told = outcomes_in(await client.get("/metrics"))
        stopping = time.monotonic()
    assert time.monotonic() - stopping < 20, "the last spans were waited for: its thread would take 30 s"
    assert "Queue full, dropping Span" in caplog.text
    assert told["kept"] == 2 * asked
    assert told["sent"] + told["failed"] == 0


def outcomes_in(scrape: httpx.Response) -> dict[str, float]:
    """Return how many spans a gateway has told of, by outcome."""
    [family] = (it for name, it in scraped(scrape.text).items() if name == "attemptlog_ingest_spans")
    return {it.labels["outcome"]: it.value for it in family.samples if it.name.endswith("_total")}


async def test_spans_are_counted_by_what_becomes_of_them(monkeypatch: pytest.MonkeyPatch, collector: Collector) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client) == HTTPStatus.ACCEPTED
        assert await post(client, ("traceparent", traceparent(is_sampled=False).encode())) == HTTPStatus.ACCEPTED

        async def outcomes() -> dict[str, float]:
            return outcomes_in(await client.get("/metrics"))

        await eventually(lambda: has(outcomes, {"kept": 2, "sent": 2, "failed": 0}))
        monkeypatch.setattr(collector.exporter, "export", lambda _: SpanExportResult.FAILURE)
        assert await post(client) == HTTPStatus.ACCEPTED
        await eventually(lambda: has(outcomes, {"kept": 4, "sent": 2, "failed": 2}))


async def has(outcomes: Callable[[], Awaitable[dict[str, float]]], wanted: dict[str, float]) -> bool:
    return await outcomes() == wanted


async def test_a_collector_that_is_away_fails_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client) == HTTPStatus.ACCEPTED


# Settings


def test_it_is_off_unless_it_is_turned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert TracingSettings().tracing == "off"
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "on")
    assert TracingSettings().tracing == "on"
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "yes")
    with pytest.raises(ValidationError, match="'off' or 'on'"):
        TracingSettings()


@pytest.mark.parametrize(
    ("hidden", "missing"),
    [
        ("opentelemetry.sdk", "opentelemetry.sdk.trace"),
        ("opentelemetry.exporter", "opentelemetry.exporter.otlp.proto.http"),
        ("opentelemetry", "opentelemetry.trace, opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http"),
    ],
)
def test_where_the_extra_is_missing_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, hidden: str, missing: str
) -> None:
    def find(name: str) -> object:
        if name.startswith(hidden):
            raise ModuleNotFoundError(name)
        return object()

    monkeypatch.setattr(extras, "find_spec", find)
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "on")
    for make in (TracingSettings, partial(KafkaPublisher, "kafka:9092"), partial(EventLogger, MemoryPublisher())):
        with pytest.raises(ValueError, match=rf"tracing needs {missing}: run pip install 'attemptlog\[tracing\]'"):
            make()
    monkeypatch.setenv("ATTEMPTLOG_TRACING", "off")
    KafkaPublisher("kafka:9092")


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "smoke"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"},
        {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "smoke", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"},
        {"OTEL_TRACES_EXPORTER": "otlp,smoke"},
    ],
)
def test_an_exporter_that_is_not_installed_is_told_at_the_start(
    monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="no exporter smoke is installed"):
        TracingSettings(tracing="on")


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("", ["otlp_proto_http"]),
        ("otlp", ["otlp_proto_http"]),
        ("none", []),
        ("console", ["console"]),
        ("console, otlp", ["console", "otlp_proto_http"]),
    ],
)
def test_spans_go_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, said: str, found: list[str]) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", said)
    assert [it.name for it in exporters()] == found
