"""Services on a Kafka and a PostgreSQL that demand TLS and a login: who gets in, who does not, and what is written."""

import asyncio
import base64
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import psycopg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from attemptlog.event_store.books import Books
from attemptlog.event_store.errors import StoreUnavailable
from attemptlog.publisher import KafkaPublisher, KafkaUnavailable
from attemptlog.runtime.kafka import KafkaSecurity, why_refused
from attemptlog.runtime.logs import log_config
from tests.integration.test_publisher import envelopes
from tests.support.consumer import dead_letters, query
from tests.support.eventually import eventually
from tests.support.http import Caller, Exam, insert_exam, token
from tests.support.secured import PASSWORD, SecuredStack, Service, login, run_command, service

TOPIC = "attempt-events.v1"
LOGIN_PASSWORD = "a-password-for-postgresql"
MARK = "nobody-may-read-this"


@pytest.fixture(scope="module")
def stack(stack_directory: Path) -> Iterator[SecuredStack]:
    with SecuredStack(stack_directory / uuid.uuid4().hex[:12]) as stack:
        created = run_command(stack.kafka_settings(), "topics")
        assert created.returncode == 0, created.stderr
        yield stack


@pytest.fixture(scope="module")
def database(stack: SecuredStack) -> str:
    """The owner's URL."""
    return stack.create_database("secured")


@dataclass
class Pipeline:
    """Both services, logged in as members of their group roles, at the level DEBUG."""

    gateway: Service
    consumer: Service
    database: str
    exam: Exam
    caller: Caller

    @property
    def written(self) -> str:
        return self.gateway.output + self.consumer.output


@pytest.fixture(scope="module")
def pipeline(stack: SecuredStack, database: str) -> Iterator[Pipeline]:
    # PLAIN is the mechanism that shows the password, so it is the one to look for in what is written
    kafka = stack.kafka_settings("PLAIN") | {"log_level": "DEBUG", "delivery_deadline": "2"}
    exam = insert_exam(database)
    with ExitStack() as running:
        gateway, consumer = (
            running.enter_context(service(command, stack.directory / f"{command}.log", kafka | {"database_url": url}))
            for command, url in (
                ("ingest", login(database, "attemptlog_gateway", LOGIN_PASSWORD)),
                ("consume", login(database, "attemptlog_consumer", LOGIN_PASSWORD)),
            )
        )
        asyncio.run(eventually(lambda: gateway.is_ready() and consumer.is_ready()))
        caller = Caller(gateway.url, exam.user)
        running.enter_context(caller.client)
        yield Pipeline(gateway, consumer, database, exam, caller)


async def is_connected(publisher: KafkaPublisher) -> None:
    await eventually(lambda: publisher.is_ready)


async def test_kafka_lets_in_who_has_the_password_and_trusts_the_right_authority(stack: SecuredStack) -> None:
    for mechanism in ("PLAIN", "SCRAM-SHA-256"):
        security = KafkaSecurity.model_validate(stack.kafka_settings(mechanism))
        async with KafkaPublisher(stack.login_servers, security=security) as publisher:
            await is_connected(publisher)
            await publisher.publish(envelopes(1))


async def test_a_clients_certificate_is_shown_to_a_broker_that_asks_for_one(stack: SecuredStack) -> None:
    trusting = KafkaSecurity(kafka_security_protocol="SSL", kafka_ca_file=stack.ca_file)
    known = trusting.model_copy(update={"kafka_client_cert_file": stack.client_file})
    async with KafkaPublisher(stack.mutual_servers, security=known) as publisher:
        await is_connected(publisher)
        await publisher.publish(envelopes(1))
    assert "ATTEMPTLOG_KAFKA_CLIENT_CERT_FILE" in await why_refused(stack.mutual_servers, trusting)


REFUSED: dict[str, tuple[dict[str, str | None], str]] = {
    "password": ({"kafka_password": "wrong"}, "refuses the login of services: check ATTEMPTLOG_KAFKA_USERNAME"),
    "user": ({"kafka_username": "nobody"}, "refuses the login of nobody: check ATTEMPTLOG_KAFKA_USERNAME"),
    "mechanism": ({"kafka_sasl_mechanism": "SCRAM-SHA-512"}, "does not offer SCRAM-SHA-512: set another"),
    "authority": ({"kafka_ca_file": "stranger.pem"}, "is not trusted (unable to get local issuer certificate): check"),
    "no TLS": ({"kafka_security_protocol": "SASL_PLAINTEXT", "kafka_ca_file": None}, "ends SASL_PLAINTEXT connections"),
    "no login": (
        {"kafka_security_protocol": "SSL", "kafka_username": None, "kafka_password": None},
        "ends SSL connections: check ATTEMPTLOG_KAFKA_SECURITY_PROTOCOL",
    ),
    "nothing": (
        dict.fromkeys(("kafka_security_protocol", "kafka_ca_file", "kafka_username", "kafka_password")),
        "ends PLAINTEXT connections: check ATTEMPTLOG_KAFKA_SECURITY_PROTOCOL",
    ),
}


def refused_settings(stack: SecuredStack, name: str) -> dict[str, str]:
    changes = REFUSED[name][0]
    files = {"kafka_ca_file": str(stack.other_ca_file)} if changes.get("kafka_ca_file") else {}
    return {name: value for name, value in (stack.kafka_settings() | changes | files).items() if value is not None}


@pytest.mark.parametrize("name", REFUSED)
async def test_who_is_refused_by_kafka_is_told_why_in_one_sentence(
    stack: SecuredStack, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    security = KafkaSecurity.model_validate(refused_settings(stack, name))

    def is_told() -> bool:
        return any(REFUSED[name][1] in record.getMessage() for record in caplog.records)

    async with KafkaPublisher(
        stack.login_servers, security=security, delivery_deadline=timedelta(seconds=1)
    ) as publisher:
        await eventually(is_told)
        with pytest.raises(KafkaUnavailable):
            await publisher.publish(envelopes(1))


async def test_services_that_kafka_refuses_say_503_and_why(stack: SecuredStack, database: str, tmp_path: Path) -> None:
    settings, told = refused_settings(stack, "password") | {"database_url": database}, REFUSED["password"][1]
    exam = insert_exam(database)
    with (
        ThreadPoolExecutor() as pool,
        service("ingest", tmp_path / "gateway.log", settings) as gateway,
        service("consume", tmp_path / "consumer.log", settings) as consumer,
    ):
        doctor = pool.submit(run_command, settings, "doctor")
        await eventually(lambda: told in gateway.output and told in consumer.output)
        await eventually(gateway.answers)
        caller = Caller(gateway.url, exam.user)
        with caller.client:
            assert caller.post_events(exam.event()).status_code == 503
            assert caller.client.get("/readyz").status_code == 503
        assert doctor.result().returncode == 1
        assert told in doctor.result().stdout


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("verify-full", "disable"), "no encryption"),
        (("authority.pem", "stranger.pem"), "certificate verify failed"),
        (("postgres:", "postgres:wrong"), "password authentication failed"),
    ],
    ids=["no TLS", "authority", "password"],
)
async def test_who_is_refused_by_postgresql_is_told_why(database: str, change: tuple[str, str], told: str) -> None:
    books = Books(database.replace(*change), TOPIC)
    with pytest.raises(StoreUnavailable, match=told) as raised:
        await books.ledger()
    assert "wrong" not in str(raised.value)


async def test_events_get_through_and_the_commands_work(stack: SecuredStack, pipeline: Pipeline) -> None:
    assert pipeline.caller.post_events(*[pipeline.exam.event(seq=seq) for seq in range(20)]).json()["accepted"] == 20
    stored = "SELECT count(*) FROM attempt_events WHERE session_id = %s"
    await eventually(lambda: query(pipeline.database, stored, pipeline.exam.session) == [20])
    settings = stack.kafka_settings() | {"database_url": pipeline.database}
    for command in (["doctor"], ["audit", "--wait", "20"]):
        result = run_command(settings, *command)
        assert result.returncode == 0, result.stdout + result.stderr


async def test_the_services_are_logged_in_with_their_roles_rights_only(pipeline: Pipeline) -> None:
    pipeline.caller.post_events(pipeline.exam.event())
    with psycopg.connect(pipeline.database) as connection:
        logins = connection.execute(
            """
            SELECT DISTINCT r.rolname, r.rolsuper,
                   ARRAY(SELECT roleid::regrole::text FROM pg_auth_members WHERE member = r.oid)
            FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
            WHERE a.datname = current_database() AND a.application_name LIKE 'attemptlog%'
            """
        ).fetchall()
    assert {(is_super, *groups) for _, is_super, groups in logins} == {
        (False, "attemptlog_gateway"),
        (False, "attemptlog_consumer"),
    }


async def write_to_topic(stack: SecuredStack, *values: bytes) -> None:
    security = KafkaSecurity.model_validate(stack.kafka_settings())
    producer = AIOKafkaProducer(bootstrap_servers=stack.login_servers, **security.client_arguments())
    await producer.start()
    try:
        for value in values:
            await producer.send_and_wait(TOPIC, value, key=MARK.encode(), headers=[(MARK, b"\xff" + MARK.encode())])
    finally:
        await producer.stop()


def bad_requests(pipeline: Pipeline) -> Iterator[httpx.Response]:
    """Everything that the gateway refuses, each with the mark in it."""
    exam, post = pipeline.exam, pipeline.caller.post
    marked = exam.event(payload={MARK: MARK})
    for fields in (
        {"seq": -1},
        {"client_ts": MARK},
        {"event_type": MARK},
        {"session_id": MARK},
        {"payload": {"a": f"{MARK}\0"}},
        {"payload": {"a": f"{MARK}\ud800"}},
        {"payload": {"a": MARK * 1000}},
        {"question_id": str(uuid.uuid4())},
    ):
        yield post({"events": [marked | fields]})
    yield post(f'{{"events": ["{MARK}"]}}'.encode())
    yield post(f"{MARK} is no JSON".encode())
    yield post(MARK.encode(), {"content-encoding": "gzip"})
    for secret in (f"{MARK}-that-is-long-enough-for-an-HMAC", None):
        bearer = token(MARK if secret is None else exam.user, **({} if secret is None else {"key": secret}))
        yield post({"events": [marked]}, {"authorization": f"Bearer {bearer}"})
    for header in ({"authorization": f"Bearer {MARK}"}, {"authorization": "x", "cookie": f"access_token={MARK}"}):
        yield post({"events": [marked]}, header)
    yield httpx.get(f"{pipeline.gateway.url}/{MARK}", headers={"cookie": MARK})


def is_secret_free(text: str, *tokens: str) -> bool:
    secrets = [MARK, PASSWORD, LOGIN_PASSWORD, *tokens]
    encoded = [base64.b64encode(secret.encode()).decode().rstrip("=") for secret in secrets]
    return not [secret for secret in secrets + encoded if secret in text]


async def test_kafkas_client_shows_no_record_and_no_password_on_any_level_that_can_be_set(
    stack: SecuredStack, caplog: pytest.LogCaptureFixture
) -> None:
    """Every line counts here; in the services' logs most of them are left out as repetitions."""
    for name, settings in {**log_config("DEBUG")["loggers"], "": {"level": "DEBUG"}}.items():
        caplog.set_level(settings["level"], name or None)
    security = KafkaSecurity.model_validate(stack.kafka_settings("PLAIN"))
    arguments = {"bootstrap_servers": stack.login_servers, **security.client_arguments()}
    async with KafkaPublisher(stack.login_servers, security=security) as publisher:
        await is_connected(publisher)
        await publisher.publish([replace(envelopes(1)[0], payload_json=b'{"a":"%s"}' % MARK.encode())])
    async with AIOKafkaConsumer(TOPIC, auto_offset_reset="earliest", **arguments) as consumer:
        assert await consumer.getone()
    assert any(record.levelname == "DEBUG" for record in caplog.records)
    assert is_secret_free(caplog.text)


async def test_no_secret_and_no_payload_is_written_whatever_goes_wrong(stack: SecuredStack, pipeline: Pipeline) -> None:
    exam = pipeline.exam
    for answer in bad_requests(pipeline):
        assert 400 <= answer.status_code < 500
        assert is_secret_free(answer.text.replace(f"events.0.{MARK}", ""))
    await a_row_is_rejected_and_a_record_is_no_event(stack, pipeline)
    await the_consumer_fails(pipeline)
    stack.kafka.kill()
    unavailable = pipeline.caller.post_events(exam.event(seq=9, payload={"a": MARK}))
    assert unavailable.status_code == 503
    await eventually(lambda: "Unable connect to node" in pipeline.gateway.output)
    bearer = unavailable.request.headers["authorization"].removeprefix("Bearer ")
    assert is_secret_free(unavailable.text + pipeline.written, bearer, bearer.rpartition(".")[2])
    assert '"batches_refused"' in pipeline.written
    of_servers = "".join(server.log.read_text(errors="replace") for server in (stack.kafka, stack.postgres))
    assert "none_submitted" in of_servers, "PostgreSQL has refused a row and says so"
    names = [exam.session, exam.user, exam.session.replace("-", ""), exam.user.replace("-", "")]
    assert is_secret_free((of_servers + pipeline.written).lower(), MARK, *names)
    lines = [json.loads(line) for line in pipeline.written.splitlines()]
    assert {line["level"] for line in lines} >= {"debug", "info", "warning", "critical"}


async def a_row_is_rejected_and_a_record_is_no_event(stack: SecuredStack, pipeline: Pipeline) -> None:
    with psycopg.connect(pipeline.database) as connection:
        connection.execute(
            "ALTER TABLE attempt_events ADD CONSTRAINT none_submitted CHECK (event_type <> 'SESSION_SUBMITTED')"
        )
    event = pipeline.exam.event(seq=7, payload={"a": MARK}, event_type="SESSION_SUBMITTED", question_id=None)
    assert pipeline.caller.post_events(event).status_code == 202
    await write_to_topic(stack, MARK.encode(), json.dumps({MARK: MARK}).encode())
    expected = Counter(rejected_by_database=1, undecodable=2)
    await eventually(lambda: Counter(dead_letters(pipeline.database).values()) >= expected)


async def the_consumer_fails(pipeline: Pipeline) -> None:
    """First by an error that may pass, then by one that it does not know; the details of both quote the row."""
    raise_on_insert(pipeline.database, "57P03")
    with psycopg.connect(pipeline.database) as connection:
        connection.execute(
            "CREATE TRIGGER fail BEFORE INSERT ON attempt_events FOR EACH ROW EXECUTE FUNCTION fail_with_the_row()"
        )
    assert pipeline.caller.post_events(pipeline.exam.event(seq=8, payload={"a": MARK})).status_code == 202
    await eventually(lambda: '"batch_waits"' in pipeline.consumer.output)
    raise_on_insert(pipeline.database, "XX001")
    await eventually(lambda: pipeline.consumer.process.poll() is not None)
    assert pipeline.consumer.process.returncode == 1
    [ending] = [line for line in pipeline.consumer.output.splitlines() if '"consumer_failed"' in line]
    assert json.loads(ending)["message"] == "the consumer stops: a fault"
    assert "psycopg.errors.DataCorrupted: a fault" in json.loads(ending)["exception"]


def raise_on_insert(database: str, sqlstate: str) -> None:
    function = f"""
        CREATE OR REPLACE FUNCTION fail_with_the_row() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'a fault' USING ERRCODE = '{sqlstate}', DETAIL = NEW.payload_json::text;
        END
        $$
    """
    with psycopg.connect(database) as connection:
        connection.execute(function.encode())
