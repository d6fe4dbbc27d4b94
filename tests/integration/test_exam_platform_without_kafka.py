"""The session service answers the same, and as fast, whatever becomes of its events."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest

from attemptlog.local_stack.ports import free_port
from attemptlog.publisher import MemoryPublisher, Publisher
from tests.support.eventually import PATIENCE, eventually
from tests.support.exam_platform import (
    NOBODY_LISTENS,
    Guest,
    HangingPublisher,
    RaisingPublisher,
    browser,
    counted,
    let_expire,
    platform,
    settings,
)
from tests.support.http import JWT_SECRET

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)")

Answers = list[tuple[int, str]]


async def sit(service: httpx.AsyncBaseTransport, owner_url: str) -> Answers:
    """Ask every endpoint, in every state of a session; return what was answered, without what is new each time."""
    guest = await Guest.enter(service)
    answers: Answers = []

    def note(*replies: httpx.Response) -> None:
        answers.extend((reply.status_code, _without_what_is_new(reply.text, guest)) for reply in replies)

    note(*[await guest.client.get(path) for path in ("/v1/me", "/v1/config", "/v1/exams", "/healthz", "/readyz")])
    for ending in ("submitted", "expired"):
        await guest.begin()
        note(await guest.answer(1, choice=0), await guest.answer(1, choice=2, marked=True))
        note(await guest.answer(2, choice=9), await guest.review(), await guest.events())
        if ending == "expired":
            let_expire(owner_url, guest.session)
        note(await guest.submit(), await guest.submit(), await guest.answer(1, choice=3))
        note(await guest.read(), await guest.review(), await guest.events())
    return answers


def _without_what_is_new(text: str, guest: Guest) -> str:
    return TIMESTAMP.sub("a time", text).replace(guest.user, "a user").replace(guest.session, "a session")


@pytest.mark.parametrize(
    ("make_publisher", "max_queued"),
    [
        pytest.param(RaisingPublisher, 10_000, id="raising"),
        pytest.param(HangingPublisher, 10_000, id="hanging"),
        pytest.param(HangingPublisher, 1, id="queue_full"),
        pytest.param(lambda: None, 10_000, id="kafka_away"),
    ],
)
async def test_every_endpoint_answers_as_with_a_healthy_publisher(
    platform_url: str, owner_url: str, make_publisher: Callable[[], Publisher | None], max_queued: int
) -> None:
    async with platform(settings(platform_url), MemoryPublisher()) as service:
        expected = await sit(service, owner_url)
    publisher = make_publisher()
    given = settings(platform_url, max_queued_events=max_queued, kafka_bootstrap_servers=NOBODY_LISTENS)
    async with platform(given, publisher) as service:
        async with asyncio.timeout(PATIENCE):  # who waits for a publisher that hangs waits for ever
            assert await sit(service, owner_url) == expected
        if isinstance(publisher, HangingPublisher):
            publisher.go_on.set()


async def test_what_does_not_fit_into_the_queue_is_counted(platform_url: str) -> None:
    publisher = HangingPublisher()
    async with platform(settings(platform_url, max_queued_events=1), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await guest.answer(1, choice=1)
        await guest.submit()
        metrics = (await browser(service).get("/metrics")).text
        publisher.go_on.set()
    assert 'attemptlog_logger_events_dropped_total{reason="queue_full"} 2.0' in metrics
    assert counted(publisher.envelopes, guest.session) == {"SESSION_CREATED": 1}


async def test_what_happened_while_the_publisher_was_away_arrives_when_it_is_back(platform_url: str) -> None:
    publisher = MemoryPublisher()
    publisher.is_ready = False
    async with platform(settings(platform_url), publisher) as service:
        guest = await Guest.enter(service)
        await guest.begin()
        await guest.answer(1, choice=1)
        await guest.submit()
        publisher.is_ready = True
        await eventually(lambda: len(publisher.envelopes) >= 3)
    assert [it.event_type for it in publisher.envelopes] == ["SESSION_CREATED", "ANSWER_SELECTED", "SESSION_SUBMITTED"]


async def test_the_process_starts_serves_and_ends_without_kafka(platform_url: str) -> None:
    port = free_port()
    environment = {
        "DATABASE_URL": platform_url,
        "KAFKA_BOOTSTRAP_SERVERS": NOBODY_LISTENS,
        "JWT_SECRET": JWT_SECRET,
        "PORT": str(port),
    }
    process = start(environment)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:

            async def is_ready() -> bool:
                return (await client.get("/readyz")).status_code == httpx.codes.OK

            await eventually(is_ready)
            assert (await client.post("/v1/login", json={"name": "Ada"})).status_code == httpx.codes.OK
        process.terminate()
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert JWT_SECRET not in output
    assert output.count("\n") < 40
    assert "Kafka is away" in output


def start(environment: dict[str, str], *arguments: str) -> "subprocess.Popen[str]":
    others = {name: value for name, value in os.environ.items() if not name.startswith("EXAM_PLATFORM_")}
    return subprocess.Popen(
        [sys.executable, "-m", "examples.exam_platform.sessions", *arguments],
        env=others | {f"EXAM_PLATFORM_{name}": value for name, value in environment.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ("environment", "arguments", "sentence"),
    [
        ({}, [], "EXAM_PLATFORM_DATABASE_URL: Field required"),
        (
            {"DATABASE_URL": "postgresql:///x", "KAFKA_BOOTSTRAP_SERVERS": "x:1", "JWT_SECRET": "short"},
            [],
            "EXAM_PLATFORM_JWT_SECRET: Value error, must be 32 bytes or more",
        ),
        ({"DATABASE_URL": f"postgresql://{NOBODY_LISTENS}/x"}, ["prepare"], "PostgreSQL says: connection failed"),
        ({}, ["destroy"], "usage:"),
    ],
    ids=["nothing_set", "short_secret", "no_database", "unknown_command"],
)
def test_what_is_missing_is_told_in_one_sentence(
    environment: dict[str, str], arguments: list[str], sentence: str
) -> None:
    process = start(environment, *arguments)
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert output.startswith(sentence)
    assert output.count("\n") == 1


def test_preparing_a_database_that_is_not_migrated_says_what_to_do_first(empty_database_url: str) -> None:
    process = start({"DATABASE_URL": empty_database_url}, "prepare")
    output, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    assert output == "The database is not migrated: run `attemptlog migrate` first.\n"
