"""What works in the background and dies of something that nobody expected is logged, and ends the gateway."""

import asyncio
import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.local_stack.ports import free_port
from attemptlog.publisher import EventLogger, KafkaPublisher, MemoryPublisher
from attemptlog.publisher.lanes import Lanes
from attemptlog.runtime.ending import Ending
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, Exam
from tests.unit.test_lanes import LONG, FakeProducer

PROGRAM = """
import sys
from attemptlog.publisher import KafkaPublisher

async def fail(self):
    raise LookupError("nobody expected this")

KafkaPublisher._open = fail
from attemptlog.cli.app import main
main()
"""


def failing(error: BaseException) -> Any:
    async def fail(*_: object) -> None:
        raise error

    return fail


def test_a_gateway_whose_connecting_task_dies_says_so_and_ends_with_status_1() -> None:
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "JWT_SECRET": JWT_SECRET,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "ingest", "--port", str(free_port())],
        cwd=ROOT,
        env={f"ATTEMPTLOG_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    [last_words] = [line for line in lines if line.get("action") == "gateway_failed"]
    assert "nobody expected this" in last_words["message"]
    assert "LookupError" in last_words["exception"]


@pytest.mark.parametrize("error", [LookupError("no"), asyncio.CancelledError()])
async def test_a_publisher_hands_over_what_connecting_died_of(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(KafkaPublisher, "_open", failing(error))
    failures: list[BaseException] = []
    async with KafkaPublisher("127.0.0.1:1", failed=failures.append):
        await eventually(lambda: failures)
    assert failures == [error]
    assert "the connection to Kafka failed" in caplog.text


async def test_a_publisher_in_somebody_elses_service_tries_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(KafkaPublisher, "_open", failing(LookupError("no")))
    monkeypatch.setattr("attemptlog.publisher.kafka.FAILURE_PAUSE", timedelta(milliseconds=10))
    async with KafkaPublisher("127.0.0.1:1"):
        await eventually(lambda: caplog.messages.count("the connection to Kafka failed") > 2)


async def test_a_sender_that_dies_asks_for_another_producer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lanes = Lanes(FakeProducer(), "t", 1, LONG)
    monkeypatch.setattr(lanes, "_send", failing(LookupError("no")))
    [wait] = lanes.append(0, b"k", [b"1"])
    await asyncio.wait_for(lanes.broken.wait(), 5)
    assert "sending ended unexpectedly" in caplog.text
    lanes.close()
    assert await wait


async def test_what_a_session_lookup_dies_of_ends_the_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    signals: list[int] = []
    monkeypatch.setattr("signal.raise_signal", signals.append)
    monkeypatch.setattr(PostgresSessions, "_look_up", failing(LookupError("no")))
    ending, exam = Ending("gateway"), Exam()
    second = timedelta(seconds=1)
    sessions = PostgresSessions(
        "postgresql://127.0.0.1:1/none", lookup_timeout=second, cache_size=1, cache_ttl=second, watch=ending.watch
    )
    async with sessions:
        await sessions.find([exam.session], exam.user)
        await eventually(lambda: ending.failure is not None)
    assert len(signals) == 1


async def test_an_event_logger_goes_on_after_a_fault_of_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    exam, publisher = Exam(), MemoryPublisher()
    monkeypatch.setattr("attemptlog.publisher.logger.FAILURE_PAUSE", timedelta(milliseconds=10))
    async with EventLogger(publisher) as events:
        with monkeypatch.context() as broken:
            broken.setattr(events, "_deliver", failing(LookupError("no")))
            events.log_event("SESSION_CREATED", session_id=exam.session, user_id=exam.user)
            await eventually(lambda: "delivering events failed" in caplog.text)
        await eventually(lambda: publisher.envelopes)
