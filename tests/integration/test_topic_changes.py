"""A topic that is changed, deleted or too narrow while a publisher writes to it, and a Kafka that is slow."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client import CollectorRegistry

from attemptlog.local_stack import KafkaBroker
from attemptlog.local_stack.ports import free_port
from attemptlog.publisher import EnvelopeTooLarge, EventLogger, KafkaPublisher, KafkaUnavailable
from attemptlog.publisher.kafka import partition_for
from attemptlog.publisher.metrics import Metrics
from attemptlog.runtime.admin import Cluster, admin_client, offsets, topic_configs
from attemptlog.schemas import Envelope
from chaos.proxy import Proxy
from tests.integration.test_publisher import DEADLINE, envelopes, read_topic
from tests.support.consumer import consumer, ledger
from tests.support.eventually import eventually
from tests.support.http import Caller, gateway, insert_exam
from tests.support.lateness import measuring_lateness
from tests.support.services import create_topic

LARGE = b'{"a":"' + b"x" * 4000 + b'"}'
QUICKLY_LOOKING_CONSUMER = """
from attemptlog.consumer import kafka
kafka.METADATA_AGE_MS = 300
from attemptlog.consumer.app import run
raise SystemExit(run())
"""
NARROW = 3_000  # bytes; below an envelope with a large payload


@pytest.fixture(scope="module")
def distant_kafka(stack_directory: Path) -> Iterator[tuple[KafkaBroker, int]]:
    """A Kafka that is to be reached by another port than its own."""
    port = free_port()
    kafka = KafkaBroker(stack_directory / uuid.uuid4().hex[:12], None, advertised_port=port)
    kafka.start()
    yield kafka, port
    kafka.stop()


@pytest.fixture
async def slow_kafka(distant_kafka: tuple[KafkaBroker, int]) -> AsyncIterator[tuple[Proxy, str]]:
    """A Kafka behind a network that can be slow, and a topic in it."""
    kafka, port = distant_kafka
    async with Proxy(port, kafka.port) as proxy:
        yield proxy, await create_topic(kafka.bootstrap_servers)


async def publish_and_time(publisher: KafkaPublisher, start: float) -> float:
    """Publish `start` seconds from now and return how long the answer took, whatever it was."""
    await asyncio.sleep(start)
    started = time.monotonic()
    with contextlib.suppress(KafkaUnavailable):
        await publisher.publish(envelopes(5))
    return time.monotonic() - started


async def configure(bootstrap_servers: str, topic: str, **configs: str) -> None:
    named = {name.replace("_", "."): value for name, value in configs.items()}
    async with admin_client(Cluster(bootstrap_servers)) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, named)])

        async def are_known() -> bool:
            return named.items() <= (await topic_configs(client, topic)).items()

        await eventually(are_known)


async def publish_with_patience(publisher: KafkaPublisher, sent: list[Envelope]) -> None:
    """Publish as a client does: the same again after a 503."""

    async def is_published() -> bool:
        await publisher.publish(sent)
        return True

    await eventually(is_published)


async def test_batches_are_as_small_as_the_topic_wants_them(kafka_bootstrap: str, topic: str) -> None:
    await configure(kafka_bootstrap, topic, max_message_bytes="20000")
    sent = [replace(it, payload_json=LARGE) for it in envelopes(200)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        await asyncio.gather(*(publisher.publish(sent[start : start + 50]) for start in range(0, 200, 50)))
    read = [it for part in (await read_topic(kafka_bootstrap, topic)).values() for it in part]
    assert [it.seq for it in read] == list(range(200)), "each once: none was refused"


async def test_a_limit_that_may_not_be_asked_for_is_found_by_halving(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def hidden(*_: object) -> None: ...

    monkeypatch.setattr("attemptlog.publisher.destination.max_message_bytes", hidden)
    await configure(kafka_bootstrap, topic, max_message_bytes="20000")
    sent = [replace(it, payload_json=LARGE) for it in envelopes(50)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        await publish_with_patience(publisher, sent)
        await publish_with_patience(publisher, envelopes(50))
    read = [it.id for part in (await read_topic(kafka_bootstrap, topic)).values() for it in part]
    assert {it.id for it in sent} <= set(read)
    assert f"{topic} takes no batch of" in caplog.text
    assert "raise its max.message.bytes" in caplog.text


@pytest.mark.parametrize("may_ask", [True, False])
async def test_one_envelope_that_is_too_large_is_refused_by_name(
    kafka_bootstrap: str, topic: str, may_ask: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hidden(*_: object) -> None: ...

    if not may_ask:
        monkeypatch.setattr("attemptlog.publisher.destination.max_message_bytes", hidden)
    await configure(kafka_bootstrap, topic, max_message_bytes=str(NARROW))
    small, large = envelopes(2), [replace(it, payload_json=LARGE) for it in envelopes(1)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)

        async def refused() -> frozenset[str]:
            try:
                await publisher.publish([small[0], *large, small[1]])
            except EnvelopeTooLarge as error:
                return error.ids
            return frozenset()

        assert await eventually(refused) == {large[0].id}
        await publisher.publish(small)
        assert publisher.is_ready


async def test_the_gateway_refuses_the_event_and_takes_its_neighbours(
    kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    await configure(kafka_bootstrap, topic, max_message_bytes=str(NARROW))
    exam = insert_exam(database_url)
    events = [exam.event(seq=seq) for seq in range(5)]
    events[0]["payload"] = {"a": 1, "b": []}
    events[0]["client_ts"] = "no time"
    events[3]["payload"] = {"a": "x" * 4000}
    with gateway(kafka_bootstrap, database_url, topic) as url:
        caller = Caller(url, exam.user)
        reply = caller.post_events(*events)
        alone = caller.post_events(events[3])
        again = caller.post_events(exam.event(seq=9))
        caller.client.close()
    assert (reply.status_code, reply.json()["accepted"], reply.json()["rejected"]) == (202, 3, 2)
    reasons = {it["index"]: it["code"] for it in reply.json()["rejected_reasons_sample"]}
    assert reasons == {0: "invalid_field", 3: "payload_too_large"}
    assert (alone.status_code, alone.json()["code"]) == (400, "every_event_invalid")
    assert again.status_code == 202


async def test_the_event_logger_drops_it_and_goes_on(kafka_bootstrap: str, topic: str) -> None:
    await configure(kafka_bootstrap, topic, max_message_bytes=str(NARROW))
    session, registry = uuid.uuid4(), CollectorRegistry()
    logger = EventLogger(KafkaPublisher(kafka_bootstrap, topic=topic), metrics=Metrics(registry))
    async with logger as events:
        for text in ("a", "x" * 4000, "b"):
            events.log_event("PAUSE_BLUR", session_id=session, user_id=session, payload={"state": "blur", "text": text})
    assert registry.get_sample_value("attemptlog_logger_events_published_total") == 2
    assert registry.get_sample_value("attemptlog_logger_events_dropped_total", {"reason": "failed"}) == 1


async def test_a_limit_that_was_raised_is_known_within_the_interval(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attemptlog.publisher.kafka.LOOK_INTERVAL", timedelta(milliseconds=100))
    await configure(kafka_bootstrap, topic, max_message_bytes=str(NARROW))
    large = [replace(it, payload_json=LARGE) for it in envelopes(1)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        with pytest.raises(EnvelopeTooLarge):
            await publisher.publish(large)
        await configure(kafka_bootstrap, topic, max_message_bytes="1000000")
        await publish_with_patience(publisher, large)


async def are_all_written(kafka_bootstrap: str, topic: str, *, partitions: int) -> bool:
    """A broker shows partitions that were added a moment later than it says that they are there."""
    ends = [it.end for it in (await offsets(Cluster(kafka_bootstrap), topic)).values()]
    return len(ends) == partitions and all(ends)


async def test_added_partitions_are_written_to(
    kafka_bootstrap: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attemptlog.publisher.destination.METADATA_MAX_AGE_MS", 200)
    sent = [it for _ in range(100) for it in envelopes(1)]
    async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
        await eventually(lambda: publisher.is_ready)
        async with admin_client(Cluster(kafka_bootstrap)) as client:
            await client.create_partitions({topic: NewPartitions(24)})

        async def all_are_written() -> bool:
            assert publisher.is_ready, "adding partitions is no interruption"
            await publisher.publish([it for _ in range(200) for it in envelopes(1)])
            return await are_all_written(kafka_bootstrap, topic, partitions=24)

        await eventually(all_are_written)
        before = {partition: it.end for partition, it in (await offsets(Cluster(kafka_bootstrap), topic)).items()}
        await publisher.publish(sent)
        after = {partition: it.end for partition, it in (await offsets(Cluster(kafka_bootstrap), topic)).items()}
    expected = dict.fromkeys(range(24), 0)
    for it in sent:
        expected[partition_for(it.session_id.encode(), 24)] += 1
    assert {partition: after[partition] - before[partition] for partition in after} == expected


async def test_added_partitions_are_read(kafka_bootstrap: str, topic: str, database_url: str) -> None:
    with consumer(kafka_bootstrap, database_url, topic, program=QUICKLY_LOOKING_CONSUMER) as worker:
        await eventually(worker.is_ready)
        async with admin_client(Cluster(kafka_bootstrap)) as client:
            await client.create_partitions({topic: NewPartitions(24)})

        async def is_published() -> bool:
            async with KafkaPublisher(kafka_bootstrap, topic=topic) as publisher:
                await eventually(lambda: publisher.is_ready)
                await publisher.publish([it for _ in range(500) for it in envelopes(1)])
            return await are_all_written(kafka_bootstrap, topic, partitions=24)

        await eventually(is_published)
        ends = {partition: it.end for partition, it in (await offsets(Cluster(kafka_bootstrap), topic)).items()}
        await eventually(lambda: {partition: it["records"] for partition, it in ledger(database_url).items()} == ends)


async def test_a_topic_that_is_deleted_is_missed_and_one_that_is_made_anew_is_found(
    kafka_bootstrap: str, caplog: pytest.LogCaptureFixture
) -> None:
    topic = await create_topic(kafka_bootstrap)
    async with KafkaPublisher(kafka_bootstrap, topic=topic, delivery_deadline=DEADLINE) as publisher:
        await eventually(lambda: publisher.is_ready)
        await publisher.publish(envelopes(3))
        async with admin_client(Cluster(kafka_bootstrap)) as client:
            await client.delete_topics([topic])

        async def is_missed() -> bool:
            await publish_and_time(publisher, 0)
            return not publisher.is_ready

        await eventually(is_missed)
        await eventually(lambda: f"there is no topic {topic}: run `attemptlog topics`" in caplog.text)
        assert not publisher.is_ready
        assert topic not in await topics_of(kafka_bootstrap)
        await create_topic(kafka_bootstrap, partitions=6, name=topic)
        sent = envelopes(3)
        await publish_with_patience(publisher, sent)
    assert sum(it.end for it in (await offsets(Cluster(kafka_bootstrap), topic)).values()) >= 3
    async with admin_client(Cluster(kafka_bootstrap)) as client:
        await client.delete_topics([topic])


async def topics_of(bootstrap_servers: str) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


@pytest.mark.parametrize("delay", [0.3, 1.0, 3.0, 10.0])
async def test_however_slow_kafka_is_an_answer_comes_within_the_deadline(
    delay: float, slow_kafka: tuple[Proxy, str]
) -> None:
    proxy, topic = slow_kafka
    async with KafkaPublisher(f"127.0.0.1:{proxy.port}", topic=topic, delivery_deadline=DEADLINE) as publisher:
        await eventually(lambda: publisher.is_ready)
        proxy.delay = delay
        async with measuring_lateness() as late:
            waits = await asyncio.gather(*(publish_and_time(publisher, start / 20) for start in range(100)))
        assert max(waits) < DEADLINE.total_seconds() + 0.1 + late.seconds
        proxy.heal()
        await publish_with_patience(publisher, envelopes(3))
        await eventually(lambda: publisher.buffered_bytes == 0)
