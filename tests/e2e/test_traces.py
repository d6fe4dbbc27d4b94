"""Traces through real processes: from a request, or a service, through Kafka, to the batch that stored it."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.sdk.trace import TracerProvider

from attemptlog.event_store.audit import take_audit
from attemptlog.publisher import EventLogger, KafkaPublisher
from attemptlog.runtime.admin import Cluster
from tests.support.collector import OtlpCollector, collecting
from tests.support.command import Folder
from tests.support.consumer import ConsumerProcess, consumer, query
from tests.support.eventually import eventually
from tests.support.http import PATH, Caller, Exam, gateway, insert_exam
from tests.support.letters import add_session

REQUEST, SEND, STORE = f"POST {PATH}", "send {}", "store {}"
CALLER = "00f067aa0ba902b7"
TRACED = {"ATTEMPTLOG_TRACING": "on", "OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture(scope="module")
def collector() -> Iterator[OtlpCollector]:
    with collecting() as it, pytest.MonkeyPatch.context() as environment:
        for name, value in (TRACED | {"OTEL_EXPORTER_OTLP_ENDPOINT": it.url}).items():
            environment.setenv(name, value)
        yield it


class Place(NamedTuple):
    """Where events go: Kafka's addresses, PostgreSQL's URL, the topic."""

    kafka: str
    database: str
    topic: str


@pytest.fixture(scope="module")
def place(kafka_bootstrap: str, database: str, module_topic: str) -> Place:
    return Place(kafka_bootstrap, database, module_topic)


@pytest.fixture(scope="module")
def url(place: Place, collector: OtlpCollector) -> Iterator[str]:
    with gateway(*place) as it:
        yield it


@pytest.fixture(scope="module")
def storing(place: Place, collector: OtlpCollector) -> Iterator[ConsumerProcess]:
    with consumer(*place, unknown_session_retry_for="0") as it:
        yield it


async def headers_of(place: Place, session: str, records: int) -> list[Sequence[tuple[str, bytes]]]:
    """Return the headers of each record of a session, once there are so many."""
    found: list[Sequence[tuple[str, bytes]]] = []
    reader = AIOKafkaConsumer(place.topic, bootstrap_servers=place.kafka, auto_offset_reset="earliest")
    await reader.start()
    try:
        while len(found) < records:
            record = await reader.getone()
            found += [record.headers] if record.key == session.encode() else []
        return found
    finally:
        await reader.stop()


def stored(database: str, session: str) -> int:
    [count] = query(database, "SELECT count(*) FROM attempt_events WHERE session_id = %s", session)
    return int(count)


async def test_the_trace_of_a_request_leads_to_the_batch_that_stored_it(
    caller: Caller, exam: Exam, place: Place, collector: OtlpCollector, storing: ConsumerProcess
) -> None:
    trace = uuid4().hex
    header = {"traceparent": f"00-{trace}-{CALLER}-01"}
    answer = caller.post({"source": "web", "events": [exam.event(seq=seq) for seq in (1, 2)]}, header)
    assert answer.status_code == 202

    request = await eventually(lambda: collector.named(REQUEST, trace))
    send = await eventually(lambda: collector.named(SEND.format(place.topic), trace))
    store = await eventually(lambda: collector.linked_to(send.span))
    assert (request.parent, send.parent, store.parent) == (CALLER, request.span, "")
    assert store.name == STORE.format(place.topic)
    assert [it.service for it in (request, send, store)] == [
        "attemptlog-gateway",
        "attemptlog-gateway",
        "attemptlog-consumer",
    ]
    told = request.text + send.text + store.text
    assert not [it for it in (exam.user, exam.session, exam.question) if it in told]


async def test_a_request_that_is_not_sampled_has_records_without_a_header(
    place: Place, url: str, collector: OtlpCollector
) -> None:
    kept, left, exam = uuid4().hex, uuid4().hex, insert_exam(place.database)
    caller = Caller(url, exam.user)
    with caller.client:
        for trace, is_sampled in ((left, 0), (kept, 1)):
            header = {"traceparent": f"00-{trace}-{CALLER}-0{is_sampled}"}
            assert caller.post({"events": [exam.event(seq=is_sampled + 1)]}, header).status_code == 202
    await eventually(lambda: collector.named(REQUEST, kept))

    without, traced = await headers_of(place, exam.session, 2)

    assert without == ()
    assert [(name, value[3:35].decode()) for name, value in traced] == [("traceparent", kept)]
    assert not [it for it in collector.spans if it.trace == left]


async def test_a_malformed_traceparent_begins_a_trace_of_its_own(
    caller: Caller, exam: Exam, collector: OtlpCollector
) -> None:
    trace, before = uuid4().hex, len(collector.spans)
    header = {"traceparent": f"00-{trace}-{CALLER}"}
    assert caller.post({"source": "web", "events": [exam.event(seq=20)]}, header).status_code == 202
    await eventually(lambda: [it for it in collector.spans[before:] if (it.name, it.parent) == (REQUEST, "")])
    assert not [it for it in collector.spans if it.trace == trace]


async def test_the_trace_of_a_service_leads_to_the_batch_that_stored_its_event(
    place: Place, exam: Exam, collector: OtlpCollector, storing: ConsumerProcess
) -> None:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("of the service")
    async with EventLogger(KafkaPublisher(place.kafka, topic=place.topic)) as events:
        with tracer.start_as_current_span("submit") as span:
            events.log_event("SESSION_SUBMITTED", session_id=exam.session, user_id=exam.user)
        await eventually(lambda: collector.linked_to(f"{span.get_span_context().span_id:016x}"))


async def test_dead_letters_of_a_trace_are_linked_to_and_replayed_and_the_books_agree(
    place: Place, exam: Exam, collector: OtlpCollector, storing: ConsumerProcess, tmp_path: Path
) -> None:
    late, tracer = str(uuid4()), TracerProvider(shutdown_on_exit=False).get_tracer("of the service")
    async with EventLogger(KafkaPublisher(place.kafka, topic=place.topic)) as events:
        with tracer.start_as_current_span("submit") as span:
            events.log_event("SESSION_CREATED", session_id=late, user_id=exam.user)
        await eventually(lambda: collector.linked_to(f"{span.get_span_context().span_id:016x}"))
    assert stored(place.database, late) == 0

    add_session(place.database, late, exam.user)
    operator = Folder(tmp_path / "of-an-operator", {"database_url": place.database, "topic": place.topic})
    replayed = operator.run("dead-letters", "replay", "--reason", "unknown_session", "--apply", "--json")
    assert replayed.returncode == 0, replayed.stderr
    assert (json.loads(replayed.stdout)["outcomes"], stored(place.database, late)) == ({"inserted": 1}, 1)

    async def is_balanced() -> bool:
        return not (await take_audit(Cluster(place.kafka), place.database, place.topic)).problems()

    await eventually(is_balanced)
