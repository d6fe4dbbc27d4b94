"""The gateway beside a PostgreSQL or a key server that is slow rather than down: every answer within its bound."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from psycopg.conninfo import conninfo_to_dict

from tests.support.eventually import PATIENCE, eventually
from tests.support.http import PATH, Exam, gateway, insert_exam
from tests.support.key_server import Answer, KeyServer, dripping, key_server_on, silence, token_of_key
from tests.support.slow import HANGING, SlowProxy, slow_proxy

ONE, TWO = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
LOOKUP_TIMEOUT = 0.25  # seconds
JWKS_TIMEOUT = 3.0  # seconds
UNPOOLED = httpx.Limits(max_keepalive_connections=0)  # a connection that waited may be closed when it is used
MARGIN = 2.0  # seconds, for Kafka; who has waited for one fetch of the keys is over it
BUSY = 5  # times what such answers took while all was well, measured in the same test, is what a busy machine may add


@dataclass
class Neighbourhood:
    """A gateway, and what it looks things up in."""

    client: httpx.AsyncClient
    database_url: str
    postgres: SlowProxy
    key_server: KeyServer

    async def post(self, exam: Exam, kid: str = "one", key: Any = ONE, **fields: Any) -> tuple[int, float]:
        """Post an event with a token that the gateway has not seen; return the status, and how long it took."""
        bearer = token_of_key(exam.user, kid, key, "ES256", jti=str(uuid.uuid4()))
        body, started = json.dumps({"events": [exam.event(**fields)]}), time.monotonic()
        answer = await self.client.post(PATH, content=body, headers={"authorization": f"Bearer {bearer}"})
        return answer.status_code, time.monotonic() - started

    async def is_well(self, exam: Exam, kid: str, key: Any) -> bool:
        return (await self.post(exam, kid, key))[0] == 202


@pytest.fixture
async def here(kafka_bootstrap: str, database_url: str, topic: str) -> AsyncIterator[Neighbourhood]:
    port = int(str(conninfo_to_dict(database_url)["port"]))
    async with AsyncExitStack() as stack, slow_proxy(port) as postgres, key_server_on() as key_server:
        key_server.keys = {"one": ONE}
        url = database_url.replace(f":{port}/", f":{postgres.port}/")
        running = gateway(
            kafka_bootstrap,
            url,
            topic,
            jwt_secret=None,
            jwt_jwks_url=key_server.url,
            session_lookup_timeout=str(LOOKUP_TIMEOUT),
        )
        processes = ExitStack()
        stack.push_async_callback(asyncio.to_thread, processes.close)
        address = await asyncio.to_thread(processes.enter_context, running)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=address, timeout=PATIENCE, limits=UNPOOLED))
        yield Neighbourhood(client, database_url, postgres, key_server)


def slowest(answers: Sequence[tuple[int, float]]) -> float:
    return max(seconds for _, seconds in answers)


def statuses(answers: Sequence[tuple[int, float]]) -> Counter[int]:
    return Counter(status for status, _ in answers)


async def usual_seconds(here: Neighbourhood, exam: Exam, count: int) -> float:
    """Return how long the slowest of so many posts at once takes while all is well."""
    await eventually(lambda: here.is_well(exam, "one", ONE))  # a busy machine may be late with the first keys
    answers = await asyncio.gather(*(here.post(exam) for _ in range(count)))
    assert statuses(answers) == {202: count}
    return slowest(answers)


@pytest.mark.parametrize("interval", [0.02, HANGING], ids=["dripping", "hanging"])
async def test_nobody_waits_long_for_a_slow_postgresql_and_nobody_is_refused_by_it(
    here: Neighbourhood, interval: float
) -> None:
    known, unknown = insert_exam(here.database_url), insert_exam(here.database_url)
    busy = BUSY * await usual_seconds(here, known, 4)
    here.postgres.interval = interval
    answers = await asyncio.gather(
        *(here.post(known) for _ in range(4)),
        *(here.post(known, question_id=str(uuid.uuid4())) for _ in range(4)),
        *(here.post(unknown) for _ in range(4)),
        *(here.post(unknown, session_id=known.session) for _ in range(4)),
    )
    assert statuses(answers) == {202: 16}
    assert slowest(answers) < 2 * LOOKUP_TIMEOUT + MARGIN + busy
    assert (await here.client.get("/readyz")).status_code == 200
    here.postgres.interval = 0
    await here.postgres.close()

    async def is_checked_again() -> bool:
        return (await here.post(known, question_id=str(uuid.uuid4())))[0] == 403

    await eventually(is_checked_again)


@pytest.mark.parametrize("answer", [silence, dripping(b'{"keys": []}', 0.5)], ids=["silent", "dripping"])
async def test_nobody_waits_long_for_a_slow_key_server_and_known_keys_not_at_all(
    here: Neighbourhood, answer: Answer
) -> None:
    exam = insert_exam(here.database_url)
    busy = BUSY * await usual_seconds(here, exam, 8)
    here.key_server.answer = answer
    strangers = asyncio.gather(*(here.post(exam, f"key {n}", TWO) for n in range(60)))
    known = await asyncio.gather(*(here.post(exam) for _ in range(8)))
    assert statuses(known) == {202: 8}
    assert slowest(known) < MARGIN + busy
    assert statuses(await strangers) == {503: 60}
    assert slowest(strangers.result()) < JWKS_TIMEOUT + 2 * MARGIN + busy  # one fetch each would take 180
    assert slowest([await here.post(exam, "two", TWO)]) < MARGIN + busy
    here.key_server.answer, here.key_server.keys = None, {"one": ONE, "two": TWO}
    await eventually(lambda: here.is_well(exam, "two", TWO), interval=0.2)
