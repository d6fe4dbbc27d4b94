"""The ledger's offsets are of one log: another one of the same name is refused, and accepted only when that is said."""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import TopicAlreadyExistsError, for_code

from attemptlog.event_store.acceptance import accept
from attemptlog.event_store.accounts import Audit
from attemptlog.event_store.audit import take_audit
from attemptlog.event_store.comparison import compare_logs
from attemptlog.local_stack import LocalStack
from attemptlog.runtime.admin import Cluster
from attemptlog.runtime.topic_log import FoundLog, find_log, record_at
from attemptlog.schemas import Envelope
from tests.support.command import Folder
from tests.support.consumer import ConsumerProcess, consumer, consumer_role, dead_letters, envelope, query, stored_ids
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.kafka import (
    administration,
    column,
    end_offsets,
    exit_status,
    publish,
    until,
    until_drained,
)
from tests.support.services import create_topic

REFUSAL = "is not the log that is stored"


@pytest.fixture
def exam(database_url: str) -> Exam:
    return insert_exam(database_url)


def events(exam: Exam, first_seq: int, last_seq: int) -> list[Envelope]:
    return [envelope(exam, seq) for seq in range(first_seq, last_seq + 1)]


@asynccontextmanager
async def reader(bootstrap_servers: str) -> AsyncIterator[AIOKafkaConsumer]:
    connected = AIOKafkaConsumer(bootstrap_servers=bootstrap_servers)
    await connected.start()
    try:
        await asyncio.sleep(0)
        yield connected
    finally:
        await connected.stop()


async def make_anew(bootstrap_servers: str, topic: str, partitions: int = 12) -> None:
    """Delete a topic and create one of the same name; return when the broker knows the new one."""
    async with administration(bootstrap_servers) as admin, reader(bootstrap_servers) as connected:
        old = await find_log(connected, topic)
        await admin.delete_topics([topic])

        async def is_created() -> bool:
            answer = await admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])
            error = for_code(answer.topic_errors[0][1])
            assert not error.errno or error is TopicAlreadyExistsError, error  # it takes a while to be gone
            return not error.errno

        async def is_known() -> bool:
            new = await find_log(connected, topic)
            return bool(old and new and new.topic_id != old.topic_id and len(new.ends) == partitions)

        await eventually(is_created)
        await eventually(is_known)


async def store(bootstrap_servers: str, topic: str, database_url: str, events: Sequence[Envelope]) -> None:
    """Publish events and have a consumer store them, which stops then."""
    with consumer(bootstrap_servers, database_url, topic) as process:
        await publish(bootstrap_servers, topic, events)
        await until_drained(bootstrap_servers, topic, database_url)
        assert process.stop() == 0


async def accept_log(bootstrap_servers: str, topic: str, database_url: str) -> None:
    await accept(database_url, topic, await compare_logs(Cluster(bootstrap_servers), database_url, topic), "the test")


async def audit(bootstrap_servers: str, topic: str, database_url: str) -> Audit:
    return await take_audit(Cluster(bootstrap_servers), database_url, topic)


async def is_refused(process: ConsumerProcess, capfd: pytest.CaptureFixture[str]) -> str:
    """Wait for the consumer to end, and return what it says."""
    assert await exit_status(process) == 1
    said = capfd.readouterr().err
    assert REFUSAL in said
    assert "attemptlog accept-log" in said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("count", [10, 25])
async def test_a_topic_made_anew_and_filled_past_the_ledger_is_refused_until_it_is_accepted(
    kafka_bootstrap: str, topic: str, database_url: str, count: int, capfd: pytest.CaptureFixture[str]
) -> None:
    exam, other = insert_exam(database_url), insert_exam(database_url)
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 10))
    await make_anew(kafka_bootstrap, topic)
    await publish(kafka_bootstrap, topic, events(exam, 101, 110))  # past its partition
    await publish(kafka_bootstrap, topic, events(other, 1, count))
    before = column(database_url, "next_offset")

    with consumer(kafka_bootstrap, database_url, topic) as process:
        assert "its topic id is" in await is_refused(process, capfd)
        assert column(database_url, "next_offset") == before
        [problem] = [each for each in (await audit(kafka_bootstrap, topic, database_url)).problems() if REFUSAL in each]
        assert "the topic was deleted and made anew" in problem

        await accept_log(kafka_bootstrap, topic, database_url)
        process.start()
        await until_drained(kafka_bootstrap, topic, database_url)
    found = await audit(kafka_bootstrap, topic, database_url)
    assert found.problems() == []
    assert (found.closed_logs, found.closed.inserted, found.total.inserted) == (1, 10, 10 + count)
    assert len(stored_ids(database_url)) == 20 + count
    assert query(database_url, "SELECT log, accepted_by FROM topic_logs ORDER BY log") == [(1, None), (2, "the test")]


async def test_a_topic_made_anew_under_a_running_consumer_ends_it(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam, capfd: pytest.CaptureFixture[str]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await publish(kafka_bootstrap, topic, events(exam, 1, 3))
        await until_drained(kafka_bootstrap, topic, database_url)
        await make_anew(kafka_bootstrap, topic)
        await publish(kafka_bootstrap, topic, events(exam, 101, 110))
        await is_refused(process, capfd)
    await accept_log(kafka_bootstrap, topic, database_url)
    with consumer(kafka_bootstrap, database_url, topic):
        await until_drained(kafka_bootstrap, topic, database_url)
    assert len(stored_ids(database_url)) == 13
    assert (await audit(kafka_bootstrap, topic, database_url)).problems() == []


async def test_nothing_of_a_topic_made_anew_is_stored_before_it_is_accepted_not_even_by_one_that_was_frozen(
    kafka_bootstrap: str, database_url: str, exam: Exam, capfd: pytest.CaptureFixture[str]
) -> None:
    topic, other = await create_topic(kafka_bootstrap, partitions=1), insert_exam(database_url)
    with consumer(kafka_bootstrap, database_url, topic) as process:
        assert process.process is not None
        await publish(kafka_bootstrap, topic, events(exam, 1, 10))
        await until_drained(kafka_bootstrap, topic, database_url)
        process.process.send_signal(signal.SIGSTOP)
        await make_anew(kafka_bootstrap, topic, partitions=1)
        await publish(kafka_bootstrap, topic, events(other, 1, 25))
        process.process.send_signal(signal.SIGCONT)
        await is_refused(process, capfd)
    assert column(database_url, "next_offset") == {0: 10}
    assert len(stored_ids(database_url)) == 10


async def test_a_topic_deleted_under_a_running_consumer_ends_it_in_a_sentence(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam, capfd: pytest.CaptureFixture[str]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(process.is_ready)
        async with administration(kafka_bootstrap) as admin:
            await admin.delete_topics([topic])
        await until(lambda: not process.is_ready())
        assert await exit_status(process) == 1
        said = capfd.readouterr().err
        assert f"the topic {topic} is gone from Kafka" in said
        assert "Traceback" not in said


async def test_neither_added_partitions_nor_records_that_expire_make_it_another_log(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam
) -> None:
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 5))
    [(partition, _)] = (await end_offsets(kafka_bootstrap, topic)).items()
    async with administration(kafka_bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=5)})
        await admin.create_partitions({topic: NewPartitions(total_count=24)})
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(process.is_ready)
        await publish(kafka_bootstrap, topic, events(exam, 6, 8))
        await eventually(lambda: len(stored_ids(database_url)) == 8)
        assert process.stop() == 0
    assert (await audit(kafka_bootstrap, topic, database_url)).problems() == []


async def test_partitions_that_are_added_are_read_within_seconds(
    kafka_bootstrap: str, topic: str, database_url: str
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(process.is_ready)
        async with administration(kafka_bootstrap) as admin:
            await admin.create_partitions({topic: NewPartitions(total_count=13)})
        await eventually(lambda: process.metric("lag_records", partition="12") == 0)


async def test_expired_records_of_a_quiet_partition_are_counted_once_and_at_once(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam
) -> None:
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 3))
    [(partition, _)] = (await end_offsets(kafka_bootstrap, topic)).items()
    await publish(kafka_bootstrap, topic, events(exam, 4, 7))
    async with administration(kafka_bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=7)})
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(lambda: process.metric("records_lost_total") == 4)
        assert column(database_url, "next_offset") == {partition: 7}
        await until(lambda: process.metric("lag_records", partition=str(partition)) == 0)
        await publish(kafka_bootstrap, topic, [envelope(exam, 8)])
        await until_drained(kafka_bootstrap, topic, database_url)
        assert process.metric("records_lost_total") == 4
    found = await audit(kafka_bootstrap, topic, database_url)
    assert found.problems() == [f"partition {partition}: 4 records expired in Kafka before they were stored"]
    assert len(stored_ids(database_url)) == 4


async def test_a_ledger_from_before_takes_the_log_for_its_own_when_what_it_stored_last_is_in_it(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam, capfd: pytest.CaptureFixture[str]
) -> None:
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 5))
    forget_log(database_url)
    await store(kafka_bootstrap, topic, database_url, events(exam, 6, 6))
    assert query(database_url, "SELECT log FROM topic_logs WHERE topic = %s", topic) == [1]

    forget_log(database_url)
    await make_anew(kafka_bootstrap, topic)
    await publish(kafka_bootstrap, topic, events(exam, 101, 110))
    with consumer(kafka_bootstrap, database_url, topic) as process:
        assert "has another record at offset 5" in await is_refused(process, capfd)
    assert any(REFUSAL in problem for problem in (await audit(kafka_bootstrap, topic, database_url)).problems())
    await accept_log(kafka_bootstrap, topic, database_url)
    with consumer(kafka_bootstrap, database_url, topic):
        await until_drained(kafka_bootstrap, topic, database_url)
    assert len(stored_ids(database_url)) == 16
    assert (await audit(kafka_bootstrap, topic, database_url)).problems() == []


async def test_a_ledger_from_before_knows_its_records_again_from_the_first_start_on(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam
) -> None:
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 5))
    marks = "SELECT mark_offset, mark_digest FROM partition_ledger"
    before = query(database_url, marks)
    forget_log(database_url)
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(process.is_ready)
    assert query(database_url, marks) == before


def forget_log(database_url: str) -> None:
    """Bring the ledger to where a migration from an older version leaves it."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE partition_ledger SET mark_offset = NULL, mark_digest = NULL")
        connection.execute("DELETE FROM topic_logs")


async def test_dead_letters_of_two_logs_may_have_the_same_offset(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam
) -> None:
    stranger = insert_exam(database_url)
    foreign = envelope(exam, 1, user_id=stranger.user)
    with consumer_role(database_url) as role_url:
        for _ in range(2):
            with consumer(kafka_bootstrap, role_url, topic) as process:
                await publish(kafka_bootstrap, topic, [foreign])
                await until_drained(kafka_bootstrap, topic, database_url)
                assert process.stop() == 0
            await make_anew(kafka_bootstrap, topic)
            await accept_log(kafka_bootstrap, topic, database_url)
    assert query(database_url, "SELECT log, kafka_offset FROM dead_letters ORDER BY log") == [(1, 0), (2, 0)]
    assert (await audit(kafka_bootstrap, topic, database_url)).problems() == []


async def test_the_command_says_what_accepting_means_before_it_does_it(
    kafka_bootstrap: str, topic: str, database_url: str, exam: Exam, tmp_path: Path
) -> None:
    settings = {"kafka_bootstrap_servers": kafka_bootstrap, "database_url": database_url, "topic": topic}
    command = Folder(tmp_path / "here", settings)
    await store(kafka_bootstrap, topic, database_url, events(exam, 1, 2))
    same = command.run("accept-log", "--apply")
    assert (same.returncode, "there is nothing to accept" in same.stdout) == (0, True), same

    await make_anew(kafka_bootstrap, topic)
    first = command.run("accept-log")
    assert (first.returncode, "Nothing was changed" in first.stdout) == (0, True), first
    assert query(database_url, "SELECT count(*) FROM topic_logs") == [1]
    refused = command.run("audit")
    assert (refused.returncode, "attemptlog accept-log" in refused.stdout) == (1, True), refused

    assert command.run("accept-log", "--apply", "--by", "somebody").returncode == 0
    assert query(database_url, "SELECT accepted_by FROM topic_logs WHERE log = 2") == ["somebody"]
    audited = command.run("audit")
    assert (audited.returncode, "In 1 earlier logs: 2 records, 2 inserted" in audited.stdout) == (0, True), audited


async def test_two_consumers_of_one_instance_id_do_not_share_it_in_silence(
    kafka_bootstrap: str, topic: str, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with (
        consumer(kafka_bootstrap, database_url, topic, consumer_instance_id="the one") as one,
        consumer(kafka_bootstrap, database_url, topic, consumer_instance_id="the one") as other,
    ):
        await until(lambda: any(has_ended(process) for process in (one, other)))
        [fenced] = [process for process in (one, other) if has_ended(process)]
        [left] = [process for process in (one, other) if process is not fenced]
        assert await exit_status(fenced) == 1
        said = capfd.readouterr().err
        assert f"another consumer has joined the group {topic} as the one" in said
        assert "ATTEMPTLOG_CONSUMER_INSTANCE_ID" in said
        await until(left.is_ready)


def has_ended(process: ConsumerProcess) -> bool:
    return process.process is not None and process.process.poll() is not None


# Kafka put back from a copy


async def test_a_kafka_put_back_from_an_older_copy_is_refused_and_the_same_one_started_again_is_not(
    private_stack: LocalStack, private_database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    kafka, url = private_stack.kafka, private_database_url
    topic = await create_topic(kafka.bootstrap_servers)
    exam = insert_exam(url)
    await store(kafka.bootstrap_servers, topic, url, events(exam, 1, 5))
    kafka.stop()
    copy = shutil.copytree(kafka.directory, kafka.directory.parent / "copy")
    kafka.start()
    with consumer(kafka.bootstrap_servers, url, topic) as process:
        await publish(kafka.bootstrap_servers, topic, events(exam, 6, 8))
        await until_drained(kafka.bootstrap_servers, topic, url)

        kafka.stop()
        shutil.rmtree(kafka.directory / "data")
        shutil.copytree(copy / "data", kafka.directory / "data")
        kafka.start()
        await publish(kafka.bootstrap_servers, topic, events(exam, 101, 110))
        said = await is_refused(process, capfd)
        assert "has another record at offset 7" in said or "ends at" in said
        process.start()
        assert "has another record at offset 7" in await is_refused(process, capfd)
        problems = (await audit(kafka.bootstrap_servers, topic, url)).problems()
        assert any("has another record at offset 7" in problem for problem in problems)

        await accept_log(kafka.bootstrap_servers, topic, url)
        process.start()
        await until_drained(kafka.bootstrap_servers, topic, url)
    assert len(stored_ids(url)) == 18
    assert dead_letters(url) == {}
    found = await audit(kafka.bootstrap_servers, topic, url)
    assert (found.problems(), found.total.duplicates, found.total.inserted) == ([], 5, 10)


# What is asked of Kafka


async def log_of(connected: AIOKafkaConsumer, topic: str) -> FoundLog:
    found = await find_log(connected, topic)
    assert found is not None
    return found


async def test_a_log_is_described_and_its_records_are_found_by_offset(kafka_bootstrap: str, topic: str) -> None:
    exam = Exam()
    await publish(kafka_bootstrap, topic, events(exam, 1, 3))
    async with reader(kafka_bootstrap) as connected:
        found = await log_of(connected, topic)
        [partition] = [number for number, end in found.ends.items() if end]
        assert (len(found.ends), found.ends[partition], found.begins[partition]) == (12, 3, 0)
        assert found.topic_id is not None
        assert found.cluster_id
        assert set(found.epochs.values()) == {0}
        records = [await record_at(connected, found, partition, offset) for offset in range(4)]
        assert [record.key.decode() for record in records[:3] if record and record.key] == [exam.session] * 3
        assert records[3] is None
        assert await find_log(connected, f"{topic}.nosuch") is None
        assert (await log_of(connected, topic)).topic_id == found.topic_id
        await make_anew(kafka_bootstrap, topic, partitions=3)
        anew = await log_of(connected, topic)
        assert anew.topic_id != found.topic_id
        assert anew.ends == dict.fromkeys(range(3), 0)
