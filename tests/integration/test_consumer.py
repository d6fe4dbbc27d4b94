"""The consumer as a real process between a real Kafka and a real PostgreSQL."""

import random

import psycopg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete

from attemptlog.local_stack import LocalStack
from tests.support.consumer import (
    ConsumerProcess,
    consumer,
    consumer_role,
    dead_letters,
    envelope,
    ledger,
    stored_ids,
)
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.kafka import (
    administration,
    column,
    end_offsets,
    exit_status,
    load,
    publish,
    until,
    until_drained,
)
from tests.support.services import create_topic

KILLS = 10
EVENTS_PER_KILL = 1_500


@pytest.fixture
def exams(database_url: str) -> list[Exam]:
    """Enough sessions to have some in nearly every partition."""
    return [insert_exam(database_url) for _ in range(30)]


async def test_what_is_published_is_stored_and_of_the_rest_it_is_said_what_is_wrong(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    events = load(exams, 10)
    foreign = envelope(exams[0], 11, user_id=exams[1].user)
    with consumer_role(database_url) as role_url, consumer(kafka_bootstrap, role_url, topic) as process:
        await publish(kafka_bootstrap, topic, [*events, foreign, events[0]])
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap) as producer:
            await producer.send_and_wait(topic, b"{broken", headers=[("not utf-8", b"\xff")])
        ends = await until_drained(kafka_bootstrap, topic, database_url)
        assert stored_ids(database_url) == {event.id for event in events}
        assert sorted(dead_letters(database_url).values()) == ["session_not_owned", "undecodable"]
        assert sum(column(database_url, "duplicates").values()) == 1
        assert column(database_url, "records") == ends
        await until(lambda: process.metric("records_total", outcome="inserted") == len(events))
        await until(lambda: process.metric("dead_letters_total", reason="undecodable") == 1)
        await until(lambda: process.metric("lag_records", partition=str(min(ends))) == 0)
        await until(process.is_ready)


async def test_two_consumers_share_the_group(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as one, consumer(kafka_bootstrap, database_url, topic) as other:
        await until(lambda: partitions(one) == partitions(other) == 6)
        events = load(exams, 20)
        await publish(kafka_bootstrap, topic, events)
        await until_drained(kafka_bootstrap, topic, database_url)
        assert stored_ids(database_url) == {event.id for event in events}
        await until(lambda: all(process.metric("records_total", outcome="inserted") for process in (one, other)))


def partitions(process: ConsumerProcess) -> int:
    return process.get("/metrics").text.count("attemptlog_consumer_lag_records{")


async def test_killing_the_consumer_again_and_again_loses_nothing_and_doubles_nothing(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    events = load(exams, KILLS * EVENTS_PER_KILL // len(exams))
    # a name of its own brings its partitions back at once: a nameless one's stay with the dead for the session timeout
    settings = {"max_batch_records": "100", "consumer_instance_id": "the one"}
    with consumer(kafka_bootstrap, database_url, topic, **settings) as process:
        for start in range(0, len(events), EVENTS_PER_KILL):
            await publish(kafka_bootstrap, topic, events[start : start + EVENTS_PER_KILL])
            await progress(database_url, random.randrange(EVENTS_PER_KILL // 2))  # noqa: S311
            process.kill()
            process.start()
        ends = await until_drained(kafka_bootstrap, topic, database_url)
    assert stored_ids(database_url) == {event.id for event in events}
    assert dead_letters(database_url) == {}
    assert column(database_url, "records") == column(database_url, "inserted") == ends


async def progress(database_url: str, records: int) -> None:
    """Wait until more than `records` further records are accounted for, and not a moment longer."""
    goal = sum(column(database_url, "records").values()) + records
    await eventually(lambda: sum(column(database_url, "records").values()) > goal, interval=0.001)


async def test_a_stop_finishes_what_is_in_hand_and_the_next_one_goes_on_from_there(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    events = load(exams, 50)
    with consumer(kafka_bootstrap, database_url, topic, max_batch_records="50") as process:
        await publish(kafka_bootstrap, topic, events)
        await eventually(lambda: stored_ids(database_url), interval=0.001)
        assert process.stop() == 0
        process.start()
        ends = await until_drained(kafka_bootstrap, topic, database_url)
        await until(process.is_ready)
        assert not process.metric("records_total", outcome="skipped")
    assert stored_ids(database_url) == {event.id for event in events}
    assert column(database_url, "inserted") == ends


async def test_a_stop_does_not_wait_for_a_locked_table(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process, psycopg.connect(database_url) as connection:
        await until(process.is_ready)
        connection.execute("LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE")
        await publish(kafka_bootstrap, topic, [envelope(exams[0])])
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'attempt_events'::regclass"
        await until(lambda: connection.execute(waiting).fetchone() == (1,))
        assert process.stop() == 0
        connection.rollback()
        process.start()
        await until_drained(kafka_bootstrap, topic, database_url)
        assert len(stored_ids(database_url)) == 1


async def test_a_rebalance_waits_for_no_batch_that_postgresql_holds_up(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam], capfd: pytest.CaptureFixture[str]
) -> None:
    events = load(exams, 2)
    with consumer(kafka_bootstrap, database_url, topic) as one, psycopg.connect(database_url) as connection:
        await until(one.is_ready)
        connection.execute("LOCK TABLE attempt_events IN ACCESS EXCLUSIVE MODE")
        await publish(kafka_bootstrap, topic, events)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'attempt_events'::regclass"
        await until(lambda: connection.execute(waiting).fetchone() == (2,))
        with consumer(kafka_bootstrap, database_url, topic) as other:
            await until(lambda: partitions(one) == partitions(other) == 6)
            assert one.is_ready()
            connection.rollback()
            await until_drained(kafka_bootstrap, topic, database_url)
    assert "resuming at Kafka's offsets" not in capfd.readouterr().err
    assert stored_ids(database_url) == {event.id for event in events}
    assert sum(column(database_url, "inserted").values()) == len(events)


async def test_after_the_database_was_put_back_what_it_lacks_is_read_again(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        first, second = load(exams, 5), load(exams, 1, first_seq=6)
        await publish(kafka_bootstrap, topic, first)
        await until_drained(kafka_bootstrap, topic, database_url)
        forget_everything(database_url)
        await publish(kafka_bootstrap, topic, second)
        ends = await until_drained(kafka_bootstrap, topic, database_url)
        await until(lambda: process.metric("rewinds_total"))
        assert stored_ids(database_url) == {event.id for event in first + second}
        process.stop()
        forget_everything(database_url)
        process.start()
        await until_drained(kafka_bootstrap, topic, database_url)
    assert column(database_url, "inserted") == ends


async def test_records_that_expired_before_they_were_stored_show_as_lost(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    await publish(kafka_bootstrap, topic, [envelope(exams[0], seq) for seq in range(1, 11)])
    ((partition, _),) = (await end_offsets(kafka_bootstrap, topic)).items()
    async with administration(kafka_bootstrap) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=4)})
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until_drained(kafka_bootstrap, topic, database_url)
        await until(lambda: process.metric("records_lost_total") == 4)
    row = ledger(database_url)[partition]
    assert (row["next_offset"], row["records"], row["inserted"]) == (10, 6, 6)


async def test_a_topic_that_was_made_anew_is_refused(
    kafka_bootstrap: str, topic: str, database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO partition_ledger (topic, partition, next_offset) VALUES (%s, 3, 17)", [topic])
    with consumer(kafka_bootstrap, database_url, topic) as process:
        assert await exit_status(process) == 1
    assert f"partition 3 of {topic} ends at 0, but the ledger is at 17" in capfd.readouterr().err


async def test_a_database_that_is_not_migrated_is_refused(
    kafka_bootstrap: str, topic: str, empty_database_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with consumer(kafka_bootstrap, empty_database_url, topic) as process:
        assert await exit_status(process) == 1
    errors = capfd.readouterr().err
    assert "run `attemptlog migrate`" in errors
    assert "Traceback" not in errors


async def test_an_error_nobody_foresaw_ends_the_process_and_keeps_the_batch(
    kafka_bootstrap: str, topic: str, database_url: str, exams: list[Exam]
) -> None:
    with consumer(kafka_bootstrap, database_url, topic) as process:
        await until(process.is_ready)
        rename(database_url, "questions", "elsewhere")
        await publish(kafka_bootstrap, topic, [envelope(exams[0])])
        assert await exit_status(process) == 1
        rename(database_url, "elsewhere", "questions")
        process.start()
        await until_drained(kafka_bootstrap, topic, database_url)
    assert len(stored_ids(database_url)) == 1


def rename(database_url: str, table: str, name: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO {name}".encode())


def forget_everything(database_url: str) -> None:
    """Put the database back to before the first batch, as a restored backup would."""
    with psycopg.connect(database_url) as connection:
        connection.execute("SET LOCAL attemptlog.purge = 'on'")
        connection.execute("TRUNCATE attempt_events, dead_letters, partition_ledger")


async def test_it_waits_for_postgresql_and_for_kafka_and_ends_in_time_without_either(
    private_stack: LocalStack, private_database_url: str
) -> None:
    kafka, postgres, url = private_stack.kafka, private_stack.postgres, private_database_url
    topic = await create_topic(kafka.bootstrap_servers)
    exam = insert_exam(url)
    with consumer(kafka.bootstrap_servers, url, topic, consumer_instance_id="the one") as process:
        await until(process.is_ready)

        postgres.stop()
        await publish(kafka.bootstrap_servers, topic, [envelope(exam, 1)])
        await until(lambda: process.metric("database_retries_total"))
        await until(lambda: process.get("/readyz").json() == {"database": False, "kafka": True})
        assert process.get("/healthz").status_code == 200
        postgres.start()
        await until_drained(kafka.bootstrap_servers, topic, url)
        await until(process.is_ready)

        postgres.kill()
        await publish(kafka.bootstrap_servers, topic, [envelope(exam, 2)])
        await until(lambda: (process.metric("database_retries_total") or 0) > 1)
        assert process.stop() == 0

        process.start()
        await until(lambda: process.get("/readyz").status_code == 503)
        postgres.start()
        await until_drained(kafka.bootstrap_servers, topic, url)
        await until(process.is_ready)

        kafka.stop()
        await until(lambda: process.get("/readyz").json() == {"database": True, "kafka": False})
        assert process.stop() == 0

        process.start()
        await until(lambda: process.get("/readyz").json() == {"database": True, "kafka": False})
        kafka.start()
        await publish(kafka.bootstrap_servers, topic, [envelope(exam, 3)])
        await until_drained(kafka.bootstrap_servers, topic, url)
    assert sum(column(url, "inserted").values()) == len(stored_ids(url)) == 3
