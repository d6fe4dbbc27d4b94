"""What the console says to operators, of a real Kafka, a real PostgreSQL and a real consumer."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import psycopg
import pytest
from aiokafka import AIOKafkaProducer

from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from attemptlog.schemas import Envelope, encode
from tests.support.console import bearer, client_of, console
from tests.support.consumer import ConsumerProcess, envelope, query
from tests.support.eventually import eventually
from tests.support.http import Exam, insert_exam
from tests.support.secured import login
from tests.support.services import create_topic, temporary_database, with_database

OPERATOR_ID = str(uuid.uuid4())
OPERATOR = bearer(OPERATOR_ID, "operator")
AUDITOR_ID = str(uuid.uuid4())
AUDITOR = bearer(AUDITOR_ID, "auditor")
JSON = {"content-type": "application/json"}
OPERATIONS = "/api/operations"
PARTITIONS = 3
SECRET = "swordfish"  # what a payload may say


@dataclass
class Pipeline:
    """Kafka, PostgreSQL, a consumer that runs, and logins for the console."""

    kafka: str
    topic: str
    database_url: str
    reader_url: str
    consumer_url: str
    consumer: ConsumerProcess
    exam: Exam

    async def publish(self, *values: Envelope | bytes) -> None:
        """Have Kafka take records, each of which is in a partition by its turn."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka) as producer:
            for turn, value in enumerate(values):
                record = encode(value) if isinstance(value, Envelope) else value
                await producer.send_and_wait(self.topic, record, partition=turn % PARTITIONS)

    def query(self, statement: str, *parameters: Any) -> list[Any]:
        return query(self.database_url, statement, *parameters)


@pytest.fixture(scope="module")
def migrated(private_stack: LocalStack) -> Iterator[str]:
    """Name of a migrated database without rows, to be copied."""
    with temporary_database(private_stack.postgres.url) as name:
        upgrade(with_database(private_stack.postgres.url, name))
        yield name


@pytest.fixture(scope="module")
def pipeline(private_stack: LocalStack, migrated: str) -> Iterator[Pipeline]:
    with temporary_database(private_stack.postgres.url, migrated) as name:
        url = with_database(private_stack.postgres.url, name)
        kafka = private_stack.kafka.bootstrap_servers
        topic = asyncio.run(create_topic(kafka, PARTITIONS))
        reader, consumer = login(url, "attemptlog_reader", "secret"), login(url, "attemptlog_consumer", "secret")
        settings = {"kafka_bootstrap_servers": kafka, "database_url": consumer, "topic": topic}
        process = ConsumerProcess(settings).start()
        try:
            yield Pipeline(kafka, topic, url, reader, consumer, process, insert_exam(url))
        finally:
            process.kill()


@pytest.fixture
async def client(pipeline: Pipeline) -> AsyncIterator[httpx.AsyncClient]:
    app = console(
        pipeline.reader_url,
        kafka_bootstrap_servers=pipeline.kafka,
        topic=pipeline.topic,
        console_replay_database_url=pipeline.consumer_url,
    )
    async with client_of(app) as it:
        it.headers = httpx.Headers(OPERATOR)
        yield it


@pytest.fixture(scope="module")
def written(private_stack: LocalStack, migrated: str) -> Iterator[str]:
    """A database into which tests write without a pipeline: its books do not balance."""
    with temporary_database(private_stack.postgres.url, migrated) as name:
        yield with_database(private_stack.postgres.url, name)


@pytest.fixture
async def reader(written: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a console that reads what tests have written."""
    async with client_of(console(login(written, "attemptlog_reader", "secret"))) as it:
        it.headers = httpx.Headers(OPERATOR)
        yield it


async def look(client: httpx.AsyncClient) -> dict[str, Any]:
    answer = await client.get(OPERATIONS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def lag_of(looked: dict[str, Any]) -> int | None:
    """Return how many records wait; None while that is not known."""
    lags = [each["lag"] for each in looked["partitions"]]
    return None if None in lags or not lags else sum(lags)


async def post(client: httpx.AsyncClient, path: str, body: Any = None, **more: Any) -> httpx.Response:
    return await client.post(f"{OPERATIONS}{path}", json={} if body is None else body, **more)


async def until_stored(client: httpx.AsyncClient) -> dict[str, Any]:
    """Wait until nothing waits, and each partition has a consumer."""

    async def stored() -> dict[str, Any] | None:
        looked = await look(client)
        held = all(each["consumer"] for each in looked["partitions"])
        return looked if looked["kafka"]["is_reached"] and held and lag_of(looked) == 0 else None

    found: dict[str, Any] = await eventually(stored)
    return found


async def test_what_comes_and_what_is_stored_is_said_with_its_consumer(
    pipeline: Pipeline, client: httpx.AsyncClient
) -> None:
    before = await until_stored(client)
    await pipeline.publish(*(envelope(pipeline.exam, None) for _ in range(60)))

    async def rated() -> bool:
        looked = await look(client)
        return bool(looked["events_in_per_s"] and looked["events_stored_per_s"])

    await eventually(rated)
    after = await until_stored(client)
    ends = [sum(each["end"] for each in looked["partitions"]) for looked in (before, after)]
    assert ends[1] - ends[0] == 60
    assert after["stored_late_by_s"] == 0
    assert after["last_event_at"] is not None
    assert {each["consumer"] for each in after["partitions"]} == {after["partitions"][0]["consumer"]}
    assert "127.0.0.1" in after["partitions"][0]["consumer"]
    assert after["database"]["is_reached"]


async def test_with_the_consumer_stopped_it_says_how_late_it_is(pipeline: Pipeline, client: httpx.AsyncClient) -> None:
    await until_stored(client)
    pipeline.consumer.stop()
    written = datetime.now(UTC)
    await pipeline.publish(*(envelope(pipeline.exam, None) for _ in range(5)))

    async def late() -> dict[str, Any] | None:
        looked = await look(client)
        nobody = all(each["consumer"] is None for each in looked["partitions"])
        return looked if nobody and lag_of(looked) == 5 and looked["stored_late_by_s"] else None

    looked = await eventually(late)
    assert 0 < looked["stored_late_by_s"] <= (datetime.now(UTC) - written).total_seconds() + 1
    later = await eventually(late)
    assert later["stored_late_by_s"] >= looked["stored_late_by_s"]
    pipeline.consumer.start()
    assert (await until_stored(client))["stored_late_by_s"] == 0


async def make_letter(pipeline: Pipeline, value: bytes) -> int:
    """Have the consumer keep a record as a dead letter, and return its id."""
    newest = "SELECT coalesce(max(id), 0) FROM dead_letters"
    [before] = pipeline.query(newest)
    await pipeline.publish(value)
    [found] = await eventually(lambda: pipeline.query("SELECT id FROM dead_letters WHERE id > %s", before))
    return int(found)


def broken(exam: Exam) -> bytes:
    """Return an envelope with faults, a payload that tells something, and names that do."""
    event = orjson.loads(encode(envelope(exam, 1, payload_json=orjson.dumps({"said": SECRET}))))
    return orjson.dumps(event | {"seq": "one", "event_ts": f"the {SECRET} hour", exam.user: SECRET, SECRET.upper(): 1})


async def test_a_dead_letter_is_shown_beside_the_contract_tried_and_replayed(
    pipeline: Pipeline, client: httpx.AsyncClient
) -> None:
    letter = await make_letter(pipeline, broken(pipeline.exam))
    page = (await client.get(f"{OPERATIONS}/dead-letters?reason=undecodable&state=open")).json()
    assert letter in [each["id"] for each in page["letters"]]
    shown = (await client.get(f"{OPERATIONS}/dead-letters/{letter}")).json()
    assert shown["event_type"] == "ANSWER_SELECTED"
    assert shown["shape"]["seq"] == "string"
    assert shown["shape"]["payload_json.said"] == "string"
    assert {"seq", "event_ts", "(a name that is not shown)", "payload_json.pos"} <= set(shown["faults"])
    assert "session_id" not in shown["faults"]
    assert shown["value"] is None

    mended = encode(envelope(pipeline.exam, None))
    pipeline.query("UPDATE dead_letters SET value = %s WHERE id = %s RETURNING id", mended, letter)
    tried = (await post(client, "/replays", {"ids": [letter]})).json()
    outcomes = [{"id": letter, "outcome": "inserted", "detail": None}]
    assert tried == {"applied": False, "outcomes": outcomes, "by_outcome": {"inserted": 1}}
    assert pipeline.query("SELECT replay_outcome FROM dead_letters WHERE id = %s", letter) == [None]

    applied = (await post(client, "/replays", {"ids": [letter], "apply": True})).json()
    assert applied["by_outcome"] == {"inserted": 1}
    shown = (await client.get(f"{OPERATIONS}/dead-letters/{letter}")).json()
    assert (shown["outcome"], shown["replayed_at"] is None) == ("inserted", False)
    settled = (await client.get(f"{OPERATIONS}/dead-letters?state=settled")).json()
    assert letter in [each["id"] for each in settled["letters"]]
    assert pipeline.query("SELECT replayed_by FROM dead_letter_replays") == [OPERATOR_ID]
    assert (await post(client, "/replays", {"ids": [letter], "apply": True})).json()["outcomes"] == []


async def test_letters_are_listed_page_by_page(written: str, reader: httpx.AsyncClient) -> None:
    query(
        written,
        "INSERT INTO dead_letters (topic, log, partition, kafka_offset, reason) "
        "SELECT 'another', 1, 0, it, 'seq_conflict' FROM generate_series(1, 120) AS it RETURNING id",
    )
    path, seen = f"{OPERATIONS}/dead-letters?reason=seq_conflict", list[int]()
    page = (await reader.get(path)).json()
    assert page["by_reason"] == {"seq_conflict": 120}
    while True:
        seen += [each["id"] for each in page["letters"]]
        if page["next"] is None:
            break
        page = (await reader.get(f"{path}&after={page['next']}")).json()
    assert seen == sorted(seen, reverse=True)
    assert len(set(seen)) == 120


async def test_live_events_are_listed_once_each_whatever_order_they_are_committed_in(
    written: str, reader: httpx.AsyncClient
) -> None:
    """A transaction that began first and ends last holds the list back, and nothing is missing afterwards."""
    one, other = insert_exam(written), insert_exam(written)  # the first event of a session locks what refers to it
    cursor = (await reader.get(f"{OPERATIONS}/live")).json()["cursor"]
    seen: list[str] = []

    async def follow() -> dict[str, Any]:
        nonlocal cursor
        page: dict[str, Any] = (await reader.get(f"{OPERATIONS}/live?after={cursor}")).json()
        cursor = page["cursor"]
        seen.extend(each["id"] for each in page["events"])
        return page

    with psycopg.connect(written) as slow, psycopg.connect(written) as quick:
        first = _insert(slow, one)
        second = _insert(quick, other)
        quick.commit()
        held = await follow()
        assert (held["events"], held["late_by_s"] is not None) == ([], True)
        slow.commit()
    await eventually(lambda: _reached(follow, seen, {first, second}))
    await follow()
    assert sorted(seen) == sorted({first, second})


async def _reached(follow: Any, seen: list[str], wanted: set[str]) -> bool:
    await follow()
    return wanted <= set(seen)


def _insert(connection: psycopg.Connection[Any], exam: Exam, event_type: str = "PAUSE_BLUR") -> str:
    event = str(uuid.uuid4())
    connection.execute(
        "INSERT INTO attempt_events (id, event_version, event_type, event_ts, session_id, user_id, source) "
        "VALUES (%s, 1, %s, now(), %s, %s, 'web')",
        [event, event_type, exam.session, exam.user],
    )
    return event


async def test_live_events_are_filtered_and_what_is_not_listed_is_counted(
    written: str, reader: httpx.AsyncClient
) -> None:
    cursor = (await reader.get(f"{OPERATIONS}/live")).json()["cursor"]
    many, one = insert_exam(written), insert_exam(written)
    with psycopg.connect(written) as connection:
        for _ in range(130):
            _insert(connection, many, "REVIEW_OPENED")
        _insert(connection, one, "REVIEW_OPENED")
        connection.commit()
        [[ended]] = connection.execute("SELECT pg_current_xact_id()").fetchall()

    async def counted(query: str) -> tuple[int, int, set[str]] | None:
        page = (await reader.get(f"{OPERATIONS}/live?after={cursor}&{query}")).json()
        exams = {each["exam_id"] for each in page["events"]}
        return (len(page["events"]), page["skipped"], exams) if int(page["cursor"]) >= int(ended) else None

    listed, skipped, exams = await eventually(lambda: counted("event_type=REVIEW_OPENED"))
    assert (listed, skipped, exams <= {many.exam, one.exam}) == (100, 31, True)
    assert await counted(f"exam={one.exam}") == (1, 0, {one.exam})
    assert await counted("source=api") == (0, 0, set())
    assert (await reader.get(f"{OPERATIONS}/live?after=x")).status_code == 422


async def test_no_answer_to_an_operator_names_a_person(pipeline: Pipeline, client: httpx.AsyncClient) -> None:
    exam = pipeline.exam
    await pipeline.publish(envelope(exam, None, payload_json=orjson.dumps({"said": SECRET})))
    stranger = Exam()
    unknown = await make_letter(pipeline, encode(envelope(stranger, 1, payload_json=b'{"said":"swordfish"}')))
    letters = [unknown, await make_letter(pipeline, broken(exam)), await make_letter(pipeline, SECRET.encode())]
    await until_stored(client)
    answers = [
        *[await client.get(f"{OPERATIONS}{path}") for path in ("", "/dead-letters", "/live")],
        *[await client.get(f"{OPERATIONS}/dead-letters/{letter}") for letter in letters],
        await post(client, "/replays", {"ids": letters}),
        await post(client, "/audit"),
        await client.get(f"{OPERATIONS}/audit"),
    ]
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    everything = b"".join(answer.content for answer in answers).lower()
    named = [SECRET, exam.session, exam.user, stranger.session, stranger.user]
    assert [name for name in named if name.encode() in everything] == []


async def test_an_auditor_sees_the_value_which_is_kept_and_changes_nothing(
    pipeline: Pipeline, client: httpx.AsyncClient
) -> None:
    letter = await make_letter(pipeline, broken(pipeline.exam))
    shown = (await client.get(f"{OPERATIONS}/dead-letters/{letter}", headers=AUDITOR)).json()
    assert SECRET in shown["value"]
    kept = "SELECT accessed_by, command, subject_kind FROM data_accesses"
    assert pipeline.query(kept) == [(AUDITOR_ID, "console", "everybody")]
    assert (await post(client, "/replays", {"ids": [letter]}, headers=AUDITOR)).status_code == 404


async def test_an_audit_says_that_all_is_accounted_for(pipeline: Pipeline, client: httpx.AsyncClient) -> None:
    await until_stored(client)
    one, other = await asyncio.gather(post(client, "/audit"), post(client, "/audit"))
    assert one.json() == other.json() == (await client.get(f"{OPERATIONS}/audit")).json()
    found = one.json()
    assert (found["agrees"], found["problems"], found["pending"]) == (True, [], 0)
    assert found["records"] == found["inserted"] + found["duplicates"] + found["dead_lettered"]


@pytest.mark.parametrize("role", ["candidate", "examiner"])
async def test_operations_are_not_there_for_others(client: httpx.AsyncClient, role: str) -> None:
    headers = bearer(OPERATOR_ID, role)
    paths = ("", "/dead-letters", "/dead-letters/1", "/live", "/audit")
    answers = [await client.get(f"{OPERATIONS}{path}", headers=headers) for path in paths]
    answers += [await post(client, path, {"ids": [1]}, headers=headers) for path in ("/replays", "/audit")]
    assert [answer.status_code for answer in answers] == [404] * 7


def test_the_readers_login_reads_no_value_and_no_person(pipeline: Pipeline) -> None:
    """Whoever has the console's password and says that they are an operator."""
    refused = ("SELECT value FROM dead_letters", "SELECT session_id FROM attempt_events")
    with psycopg.connect(pipeline.reader_url, autocommit=True) as connection:
        for statement in refused:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM readable_letters")
        connection.execute("SELECT set_config('attemptlog.viewer_role', 'operator', false)")
        shown = connection.execute("SELECT DISTINCT value, session_id, user_id FROM readable_letters").fetchall()
        assert shown == [(None, None, None)]
        connection.execute("SELECT set_config('attemptlog.viewer_role', 'examiner', false)")
        for view in (b"readable_letters", b"readable_ledger"):
            assert connection.execute(b"SELECT * FROM " + view).fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM stored_events('0', NULL, NULL, NULL, 1, 1)")


async def test_with_kafka_gone_it_says_so_at_once_and_keeps_what_it_knew(
    pipeline: Pipeline, client: httpx.AsyncClient, private_stack: LocalStack
) -> None:
    known = await until_stored(client)
    private_stack.kafka.kill()

    async def away() -> dict[str, Any] | None:
        looked = await look(client)
        return None if looked["kafka"]["is_reached"] else looked

    looked = await eventually(away)
    assert looked["kafka"]["detail"]
    assert looked["kafka"]["as_of"] >= known["kafka"]["as_of"]
    assert looked["events_in_per_s"] is None
    assert [each["end"] for each in looked["partitions"]] == [each["end"] for each in known["partitions"]]
    assert looked["database"]["is_reached"]
    answer = await post(client, "/audit")
    assert (answer.status_code, "Kafka" in answer.json()["detail"]) == (503, True)
    private_stack.kafka.start()
    await eventually(lambda: _is_reached(client))


async def _is_reached(client: httpx.AsyncClient) -> bool:
    return bool((await look(client))["kafka"]["is_reached"])
