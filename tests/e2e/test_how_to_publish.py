"""The pages on publishing do what they say; their `sh run` blocks are run by test_docs_commands.py."""

import json
import os
import re
import subprocess
import sys
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord

from attemptlog.event_store.decoding import decode_batch
from attemptlog.publisher import MemoryPublisher
from attemptlog.publisher.kafka import partition_for
from attemptlog.schemas import ATTEMPT_EVENTS, Envelope, decode, new_event_id
from tests.integration.test_event_logger import read
from tests.support.documents import ROOT, blocks, rows, table
from tests.support.eventually import PATIENCE, eventually
from tests.support.http import Exam

PYTHON_PAGE = ROOT / "docs/how-to/publish-from-python.md"
OTHER_PAGE = ROOT / "docs/how-to/publish-from-another-language.md"
PARTITIONS = ATTEMPT_EVENTS.partitions  # as the topic fixture has
PROGRAM = ROOT / "examples/publish_from_node/publish.mjs"
CHECKED_KEYS = {row[0].strip("`"): int(row[1]) for row in rows(table(OTHER_PAGE, "Check your client's partitioner"))}


def publish_from_node(bootstrap_servers: str, topic: str, session: str, user: str) -> dict[str, Any]:
    """Run the page's command for Node and return what it prints."""
    [command] = [block.text for block in blocks(OTHER_PAGE) if block.language == "sh" and block.mark != "run"]
    settings = {"ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "ATTEMPTLOG_TOPIC": topic}
    done = subprocess.run(
        ["sh", "-eu"],
        input=command,
        cwd=ROOT,
        env=os.environ | settings | {"SESSION": session, "CANDIDATE": user},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    printed: dict[str, Any] = json.loads(done.stdout)
    return printed


async def only_record(bootstrap_servers: str, topic: str) -> ConsumerRecord:
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap_servers, auto_offset_reset="earliest") as consumer:
        return await consumer.getone()


async def test_what_node_publishes_is_an_event_for_the_consumer(kafka_bootstrap: str, topic: str) -> None:
    exam = Exam()
    printed = publish_from_node(kafka_bootstrap, topic, exam.session.upper(), exam.user)
    record = await only_record(kafka_bootstrap, topic)
    assert len(decode_batch([record]).rows) == 1
    envelope = decode(record.value)
    assert (envelope.event_type, envelope.source) == ("SESSION_SUBMITTED", "api")
    assert (envelope.session_id, envelope.user_id) == (exam.session, exam.user)
    assert (envelope.id, uuid.UUID(envelope.id).version) == (printed["id"], 7)
    assert record.key == exam.session.encode()
    assert record.partition == printed["partition"] == partition_for(record.key, PARTITIONS)


@pytest.mark.parametrize("key", CHECKED_KEYS)
def test_the_keys_to_check_a_partitioner_with_lie_where_the_page_says(
    key: str, kafka_bootstrap: str, topic: str
) -> None:
    assert partition_for(key.encode(), PARTITIONS) == CHECKED_KEYS[key]
    assert publish_from_node(kafka_bootstrap, topic, key, str(uuid.uuid4()))["partition"] == CHECKED_KEYS[key]


def test_node_says_how_it_is_used() -> None:
    done = subprocess.run(["node", str(PROGRAM)], capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.match(r"Usage: node publish\.mjs SESSION_ID USER_ID\n", done.stderr)


def test_the_part_of_the_program_that_the_page_shows_is_in_the_program() -> None:
    [shown] = [block.text for block in blocks(OTHER_PAGE) if block.language == "js"]
    assert shown in PROGRAM.read_text()


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, MemoryPublisher]:
    """The Python of the page as a module, with the fake in Kafka's place."""
    fake, module = MemoryPublisher(), ModuleType("page")
    monkeypatch.setenv("ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setattr("attemptlog.publisher.KafkaPublisher", lambda _: fake)
    for block in blocks(PYTHON_PAGE):
        if block.language == "python":
            exec(compile(block.text, PYTHON_PAGE.name, "exec"), module.__dict__)  # noqa: S102
    return module, fake


async def test_the_service_that_the_page_shows_answers_and_logs(page: tuple[ModuleType, MemoryPublisher]) -> None:
    module, fake = page
    session = str(uuid.uuid4())
    async with (
        module.lifespan(module.app),
        httpx.AsyncClient(transport=httpx.ASGITransport(module.app), base_url="http://service") as client,
    ):
        answer = await client.post(f"/sessions/{session}/submit")
        assert answer.json() == {"state": "submitted"}
        await eventually(lambda: fake.envelopes)

        async def is_counted() -> bool:
            return "attemptlog_logger_events_published_total 1.0" in (await client.get("/metrics/")).text

        await eventually(is_counted)
    [envelope] = fake.envelopes
    assert (envelope.event_type, envelope.session_id) == ("SESSION_SUBMITTED", session)

    event = Envelope(**{name: getattr(envelope, name) for name in envelope.__slots__} | {"id": new_event_id()})
    assert not await module.publish_or_say_no(fake, event)
    fake.is_ready = True
    assert await module.publish_or_say_no(fake, event)
    assert fake.envelopes[-1] == event


TOPIC_OF_TEST = 'os.environ["ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"], topic=os.environ["ATTEMPTLOG_TOPIC"])'

# A master that imports the service, logs and forks, as gunicorn does with preload_app.
MASTER = """
import logging, os, sys
import service

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a topic that is new has no leader yet, and it says so

session = sys.argv[1]
service.app.test_client().post(f"/sessions/{session}/submit")
workers = []
for _ in range(2):
    if (worker := os.fork()) == 0:
        for _ in range(5):
            assert service.app.test_client().post(f"/sessions/{session}/submit").json == {"state": "submitted"}
        sys.exit(0)
    workers.append(worker)
sys.exit(max(os.waitpid(worker, 0)[1] for worker in workers))
"""

FILES_AS_BROKER = """
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue", "control_folder": "queue"}
"""


def write_shown(mark: str, file: Path, more: str = "") -> None:
    """Write the page's program as a reader would, but for the topic, which is the test's."""
    [shown] = [block.text for block in blocks(PYTHON_PAGE) if block.language == "py" and block.mark == mark]
    text = shown.replace('os.environ["ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS"])', TOPIC_OF_TEST)
    assert text != shown
    file.write_text(text + more)


def surroundings(bootstrap_servers: str, topic: str) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    settings = {"ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers, "ATTEMPTLOG_TOPIC": topic}
    return os.environ | settings | {"PYTHONPATH": str(ROOT), "PATH": path, "CELERY_BROKER_URL": "filesystem://"}


async def of_session(bootstrap_servers: str, topic: str, session: str) -> list[Envelope]:
    return [it for it in await read(bootstrap_servers, topic) if it.session_id == session]


async def test_the_flask_service_logs_in_its_master_and_in_every_worker(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    session = str(uuid.uuid4())
    write_shown("flask", tmp_path / "service.py")
    done = subprocess.run(
        [sys.executable, "-c", MASTER, session],
        cwd=tmp_path,
        env=surroundings(kafka_bootstrap, topic),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [it.event_type for it in await of_session(kafka_bootstrap, topic, session)] == ["SESSION_SUBMITTED"] * 11


async def test_the_celery_tasks_log_in_the_pools_processes(kafka_bootstrap: str, topic: str, tmp_path: Path) -> None:
    sessions = [str(uuid.uuid4()) for _ in range(20)]
    (tmp_path / "queue").mkdir()
    write_shown("celery", tmp_path / "exams.py", FILES_AS_BROKER)
    environment = surroundings(kafka_bootstrap, topic)
    command = [
        "celery",
        "--app=exams",
        "worker",
        "--pool=prefork",
        "--concurrency=2",
        "--without-mingle",
        "--loglevel=info",
    ]
    log = tmp_path / "worker.log"
    with log.open("wb") as output:
        worker = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=output, stderr=output)
    try:
        send = f"import exams; [exams.expire.delay(it, it) for it in {sessions}]"
        subprocess.run([sys.executable, "-c", send], cwd=tmp_path, env=environment, timeout=180, check=True)
        await eventually(lambda: log.read_text().count("succeeded in") == len(sessions))
        worker.terminate()
        assert worker.wait(PATIENCE) == 0, log.read_text()
    finally:
        worker.kill()
        worker.wait()
    logged = {it.session_id for it in await read(kafka_bootstrap, topic)}
    assert logged == set(sessions), log.read_text()
