"""A Kafka that creates topics by itself: nobody makes one by looking at it, and a name that is wrong is an error."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from attemptlog.cli.doctor import examine
from attemptlog.local_stack import KafkaBroker
from attemptlog.publisher import EventLogger, KafkaPublisher, KafkaUnavailable
from attemptlog.runtime.admin import Cluster, offsets
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.settings import OperatorSettings
from attemptlog.runtime.topics import check_topic
from tests.integration.test_publisher import DEADLINE, LONG, envelopes
from tests.support.command import Folder
from tests.support.consumer import consumer
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, Caller, Exam, gateway


@pytest.fixture(scope="module")
def creating_kafka(stack_directory: Path) -> Iterator[KafkaBroker]:
    kafka = KafkaBroker(
        stack_directory / uuid4().hex[:12], None, properties="auto.create.topics.enable=true\nnum.partitions=1\n"
    )
    kafka.start()
    yield kafka
    kafka.stop()


@pytest.fixture
def typo() -> str:
    return f"typo-{uuid4().hex[:12]}"


@pytest.fixture
async def nobody_made_it(creating_kafka: KafkaBroker, typo: str) -> AsyncIterator[None]:
    """Fail the test when the topic is there after it."""
    yield
    assert typo not in await topics_of(creating_kafka)


async def topics_of(kafka: KafkaBroker) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        return list(await admin.list_topics())
    finally:
        await admin.close()


async def create(kafka: KafkaBroker, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=12, replication_factor=1)])
    finally:
        await admin.close()


async def test_this_kafka_does_create_topics_for_who_asks(creating_kafka: KafkaBroker, typo: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=creating_kafka.bootstrap_servers) as producer:
        await producer.partitions_for(typo)
    assert typo in await topics_of(creating_kafka)


@pytest.mark.usefixtures("nobody_made_it")
async def test_a_publisher_says_so_until_somebody_creates_the_topic(
    creating_kafka: KafkaBroker, typo: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with KafkaPublisher(creating_kafka.bootstrap_servers, topic=typo, delivery_deadline=DEADLINE) as publisher:
        said = f"there is no topic {typo}: run `attemptlog topics`, or mend ATTEMPTLOG_TOPIC"
        await eventually(lambda: caplog.messages.count(said) >= 2)
        assert not publisher.is_ready
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(1))


async def test_a_publisher_goes_on_once_the_topic_is_there(creating_kafka: KafkaBroker) -> None:
    topic = f"late-{uuid4().hex[:12]}"
    async with KafkaPublisher(creating_kafka.bootstrap_servers, topic=topic, delivery_deadline=LONG) as publisher:
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(1))
        await create(creating_kafka, topic)
        await eventually(lambda: publisher.is_ready)
        await publisher.publish(envelopes(20))
    assert len(await offsets(Cluster(creating_kafka.bootstrap_servers), topic)) == 12


@pytest.mark.usefixtures("nobody_made_it")
async def test_an_event_logger_keeps_events_for_the_topic(
    creating_kafka: KafkaBroker, typo: str, caplog: pytest.LogCaptureFixture
) -> None:
    exam = Exam()
    async with EventLogger(KafkaPublisher(creating_kafka.bootstrap_servers, topic=typo), stop_deadline=DEADLINE) as it:
        it.log_event("SESSION_CREATED", session_id=exam.session, user_id=exam.user)
        await eventually(lambda: "there is no topic" in caplog.text)
    assert "1 undelivered" in caplog.text


@pytest.mark.usefixtures("nobody_made_it")
async def test_a_gateway_is_not_ready_and_answers_503(
    creating_kafka: KafkaBroker, typo: str, capfd: pytest.CaptureFixture[str]
) -> None:
    exam = Exam()
    # no PostgreSQL: sessions are not what this is about
    servers, database = creating_kafka.bootstrap_servers, "postgresql://127.0.0.1:1/none"
    with gateway(servers, database, typo, serving="/healthz") as url:
        caller = Caller(url, exam.user)
        assert caller.post_events(exam.event()).status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert caller.client.get("/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE
        log = ""

        def is_said() -> bool:
            nonlocal log
            log += capfd.readouterr().err
            return f"there is no topic {typo}: run `attemptlog topics`" in log

        await eventually(is_said)
        caller.client.close()


@pytest.mark.usefixtures("nobody_made_it")
async def test_a_consumer_waits_and_says_why(
    creating_kafka: KafkaBroker, typo: str, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    log = ""
    with consumer(creating_kafka.bootstrap_servers, database_url, typo):

        def is_said() -> bool:
            nonlocal log
            log += capfd.readouterr().err
            return f"there is no topic {typo}: run `attemptlog topics`" in log

        await eventually(is_said)


@pytest.mark.usefixtures("nobody_made_it")
async def test_commands_end_with_a_sentence_and_status_1(
    creating_kafka: KafkaBroker, typo: str, database_url: str, tmp_path: Path
) -> None:
    folder = Folder(
        tmp_path / "folder",
        {
            "kafka_bootstrap_servers": creating_kafka.bootstrap_servers,
            "database_url": database_url,
            "topic": typo,
            "jwt_secret": JWT_SECRET,
        },
    )
    for command in (["audit"], ["audit", "--wait", "1", "--json"], ["doctor"]):
        done = await asyncio.to_thread(folder.run, *command)
        assert done.returncode == 1
        assert f"There is no topic {typo}: run `attemptlog topics`" in " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("nobody_made_it")
async def test_looking_at_offsets_or_the_layout_makes_nothing(creating_kafka: KafkaBroker, typo: str) -> None:
    assert await offsets(Cluster(creating_kafka.bootstrap_servers), typo) == {}
    with pytest.raises(OperatorError, match="There is no topic"):
        await check_topic(Cluster(creating_kafka.bootstrap_servers), typo)
    settings = OperatorSettings(kafka_bootstrap_servers=creating_kafka.bootstrap_servers, topic=typo)
    assert [it.is_ok for it in await examine(settings) if it.check == "topic"] == [False]


async def test_brokers_that_cannot_be_reached_where_they_say_are_told_apart(
    stack_directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="publisher")
    monkeypatch.setattr("attemptlog.publisher.destination.CONNECT_DEADLINE", DEADLINE)
    kafka = KafkaBroker(stack_directory / uuid4().hex[:12], None, advertised_port=1)
    kafka.start()
    try:
        async with KafkaPublisher(f"127.0.0.1:{kafka.port}"):
            await eventually(lambda: "are its advertised.listeners right?" in caplog.text)
    finally:
        kafka.stop()
