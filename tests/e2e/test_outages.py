"""What the callers see, and what is stored in the end, while a part of the pipeline is away."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest

from attemptlog.local_stack import LocalStack
from attemptlog.migrations import upgrade
from tests.support.consumer import ConsumerProcess, consumer, ledger, query
from tests.support.eventually import eventually
from tests.support.http import Caller, Exam, gateway, insert_exam
from tests.support.services import create_topic, temporary_database, with_database

DEADLINE = 5.0  # seconds; the gateway's delivery deadline here
LOOKUPS = 3.0  # seconds; one takes 0.25 at most, one that waited for PostgreSQL would take 5
LATE = 3.0  # seconds that an answer may be late on a busy machine
BUSY = 10  # times what an answer usually takes, measured in the same test, is what a busy machine may add


@dataclass
class Pipeline:
    """A gateway and a consumer on servers that a test may stop."""

    stack: LocalStack
    database_url: str
    caller: Caller
    exam: Exam
    worker: ConsumerProcess
    seq: int = 0

    def post(self, count: int = 10) -> int:
        """Send `count` new events; return the status."""
        events = [self.exam.event(seq=seq) for seq in range(self.seq, self.seq + count)]
        status = self.caller.post_events(*events).status_code
        if status == 202:
            self.seq += count
        return status

    def post_and_time(self) -> tuple[int, float]:
        """Send new events; return the status, and after how many seconds it came."""
        started = time.monotonic()
        return self.post(), time.monotonic() - started

    def usual_seconds(self) -> float:
        """Send new events while all is well; return how long the slowest answer took."""
        answers = [self.post_and_time() for _ in range(5)]
        assert {status for status, _ in answers} == {202}
        return max(seconds for _, seconds in answers)

    def stored(self) -> list[int]:
        return sorted(query(self.database_url, "SELECT seq FROM attempt_events"))

    async def everything_is_stored(self) -> None:
        await eventually(lambda: self.stored() == list(range(self.seq)))


@pytest.fixture
async def pipeline(private_stack: LocalStack) -> AsyncIterator[Pipeline]:
    topic = await create_topic(private_stack.kafka.bootstrap_servers)
    with temporary_database(private_stack.postgres.url) as name:
        url = with_database(private_stack.postgres.url, name)
        upgrade(url)
        exam = insert_exam(url)
        for it in _running(private_stack, url, topic, exam):
            yield it


def _running(stack: LocalStack, url: str, topic: str, exam: Exam) -> Iterator[Pipeline]:
    servers = stack.kafka.bootstrap_servers
    with (
        gateway(servers, url, topic, delivery_deadline=str(DEADLINE), session_lookup_timeout="0.25") as address,
        consumer(servers, url, topic) as worker,
    ):
        caller = Caller(address, exam.user)
        with caller.client:
            yield Pipeline(stack, url, caller, exam, worker)


async def test_with_the_consumer_away_events_are_accepted_and_stored_when_it_comes(pipeline: Pipeline) -> None:
    assert pipeline.post() == 202
    await pipeline.everything_is_stored()
    pipeline.worker.stop()
    assert [pipeline.post() for _ in range(5)] == [202] * 5
    assert pipeline.stored() == list(range(10))
    pipeline.worker.start()
    await pipeline.everything_is_stored()


async def test_with_postgresql_away_events_are_accepted_and_stored_when_it_comes(pipeline: Pipeline) -> None:
    usual = pipeline.usual_seconds()
    await pipeline.everything_is_stored()
    await asyncio.to_thread(pipeline.stack.postgres.stop, "immediate")
    answers = [pipeline.post_and_time() for _ in range(5)]
    assert {status for status, _ in answers} == {202}
    assert max(seconds for _, seconds in answers) < LOOKUPS + BUSY * usual
    await eventually(lambda: not pipeline.worker.is_ready())
    await asyncio.to_thread(pipeline.stack.postgres.start)
    await pipeline.everything_is_stored()
    assert sum(row["dead_lettered"] for row in ledger(pipeline.database_url).values()) == 0


async def test_with_kafka_away_the_answer_is_503_within_the_deadline_and_it_recovers_by_itself(
    pipeline: Pipeline,
) -> None:
    usual = pipeline.usual_seconds()
    await asyncio.to_thread(pipeline.stack.kafka.kill)
    for _ in range(3):
        started = time.monotonic()
        reply = pipeline.caller.post_events(pipeline.exam.event(seq=pipeline.seq))
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) >= 1
        assert time.monotonic() - started < DEADLINE + LATE + BUSY * usual
    assert pipeline.caller.client.get("/readyz").status_code == 503
    assert pipeline.caller.client.get("/healthz").status_code == 200
    await asyncio.to_thread(pipeline.stack.kafka.start)
    await eventually(lambda: pipeline.post() == 202)
    await pipeline.everything_is_stored()


async def test_what_the_gateway_accepts_at_the_edge_of_the_contract_the_consumer_can_store(pipeline: Pipeline) -> None:
    payloads = [{"a": "é" * 2044}, {"a": "\\u0000"}, {"a": [1.5, 2**64 - 1, None]}, {"": ""}, {}]
    events = [pipeline.exam.event(seq=seq, payload=payload) for seq, payload in enumerate(payloads)]
    events.append(pipeline.exam.event(seq=len(payloads), client_ts="0002-01-01T00:00:00-12:00"))
    events.append(pipeline.exam.event(seq=len(payloads) + 1, client_ts="9998-12-31T23:59:59.999999+14:00"))
    assert pipeline.caller.post_events(*events).json()["accepted"] == len(events)
    pipeline.seq = len(events)
    await pipeline.everything_is_stored()
    kept = query(pipeline.database_url, "SELECT payload_json FROM attempt_events ORDER BY seq")
    assert kept[: len(payloads)] == payloads


async def test_a_batch_sent_again_is_stored_once_and_counted(pipeline: Pipeline) -> None:
    events = [pipeline.exam.event(seq=seq) for seq in range(20)]
    for _ in range(3):
        assert pipeline.caller.post_events(*events).status_code == 202
    pipeline.seq = 20

    def duplicates() -> int:
        return sum(int(row["duplicates"]) for row in ledger(pipeline.database_url).values())

    await eventually(lambda: duplicates() == 40)
    await pipeline.everything_is_stored()
