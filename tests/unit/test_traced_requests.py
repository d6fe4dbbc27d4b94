"""A request as a span; the collector that spans go to, and that none of it matters to the request."""

import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import SpanKind, StatusCode

from attemptlog.ingest_api.sessions import Session
from attemptlog.publisher import MemoryPublisher
from attemptlog.runtime.trace_context import context_of
from tests.support.eventually import eventually
from tests.support.http import PATH, Exam, token
from tests.support.in_process import gateway_in_process
from tests.support.series import scraped
from tests.support.spans import SPAN_ID, TRACE_ID, Collector, traceparent
from tests.support.traced import MALFORMED, Through, headers_in, taking

EXAM = Exam()
SESSIONS = {EXAM.session: Session(EXAM.user, None)}


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


async def test_a_record_belongs_to_the_span_that_sends_it(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    producer = taking(monkeypatch)
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


async def test_no_span_names_a_person_a_session_or_what_they_did(collector: Collector) -> None:
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, payload={"choice": 123454321}) == HTTPStatus.ACCEPTED
        assert await post(client, session_id=Exam().session) == HTTPStatus.FORBIDDEN
    told = "".join(span.to_json() for span in collector.exporter.get_finished_spans())
    assert told.count(PATH) > 2
    for secret in (EXAM.user, EXAM.session, EXAM.question, "123454321", "Bearer"):
        assert secret not in told


async def test_a_page_of_another_origin_may_send_the_header() -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "traceparent"}
    async with gateway_in_process(SESSIONS, cors_origins=["https://exam.example"]) as client:
        allowed = await client.options(PATH, headers=asked | {"origin": "https://exam.example"})
    assert allowed.status_code == HTTPStatus.OK
    assert "traceparent" in allowed.headers["access-control-allow-headers"]


async def test_where_the_sdk_is_disabled_requests_are_served(
    monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with gateway_in_process(SESSIONS, tracing="on") as client:
        assert await post(client, ("traceparent", traceparent().encode())) == HTTPStatus.ACCEPTED
    assert not collector.spans


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
