"""The example platform in this process, on a real PostgreSQL; candidates, and publishers that are in trouble."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx
import orjson
import psycopg

from attemptlog.publisher import MemoryPublisher, Publisher
from attemptlog.schemas import Envelope
from examples.exam_platform.sessions.app import create_app
from examples.exam_platform.sessions.exam import EXAM_ID, question_id
from examples.exam_platform.sessions.settings import PlatformSettings
from tests.support.http import JWT_SECRET

ORIGIN = "http://127.0.0.1:8080"
NOBODY_LISTENS = "127.0.0.1:1"


def settings(database_url: str, **changed: Any) -> PlatformSettings:
    """Return the platform's settings, none of them from the environment."""
    given = {"database_url": database_url, "kafka_bootstrap_servers": NOBODY_LISTENS, "jwt_secret": JWT_SECRET}
    return PlatformSettings(**(given | changed))


@asynccontextmanager
async def platform(
    given: PlatformSettings, publisher: Publisher | None = None, **options: Any
) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """Run the service; yield what takes a client's requests to it. Its events are flushed when the block is left."""
    app = create_app(given, publisher=publisher, **options)
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            await app(scope | {"state": dict(state or {})}, receive, send)

        yield httpx.ASGITransport(with_state)


def browser(service: httpx.AsyncBaseTransport, **options: Any) -> httpx.AsyncClient:
    """Return a client with cookies of its own."""
    return httpx.AsyncClient(transport=service, base_url=ORIGIN, **options)


@dataclass
class Guest:
    """A candidate who is logged in, at one session at a time."""

    client: httpx.AsyncClient
    user: str
    session: str = ""

    @classmethod
    async def enter(cls, service: httpx.AsyncBaseTransport, name: str = "Ada") -> Self:
        """Log in at a service."""
        client = browser(service)
        reply = await client.post("/v1/login", json={"name": name})
        return cls(client, reply.json()["user_id"])

    async def begin(self) -> str:
        """Begin a session and return its id."""
        reply = await self.client.post("/v1/sessions", json={"exam_id": str(EXAM_ID)})
        assert reply.status_code == httpx.codes.CREATED, reply.text
        self.session = reply.json()["id"]
        return self.session

    async def read(self) -> httpx.Response:
        return await self.client.get(f"/v1/sessions/{self.session}")

    async def answer(self, pos: int, **change: Any) -> httpx.Response:
        body = {"question_id": str(question_id(pos))} | change
        return await self.client.post(f"/v1/sessions/{self.session}/answer", json=body)

    async def submit(self) -> httpx.Response:
        return await self.client.post(f"/v1/sessions/{self.session}/submit")

    async def review(self, **opening: str) -> httpx.Response:
        return await self.client.get(f"/v1/sessions/{self.session}/review", params=opening)

    async def events(self) -> httpx.Response:
        return await self.client.get(f"/v1/sessions/{self.session}/events")


def told(envelopes: Sequence[Envelope], session: str) -> list[tuple[str, dict[str, Any]]]:
    """Return type and payload of a session's events, in the order in which they were logged."""
    return [(it.event_type, orjson.loads(it.payload_json)) for it in envelopes if it.session_id == session]


def counted(envelopes: Sequence[Envelope], session: str) -> Counter[str]:
    """Return how often each type of event was logged."""
    return Counter(it.event_type for it in envelopes if it.session_id == session)


def let_expire(database_url: str, session: str, *, in_ms: int = 0) -> None:
    """Have a session's time be up, as the owner of the tables."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE exam_platform.attempts SET expires_at = now() + %s * interval '1 ms' WHERE session_id = %s",
            [in_ms, session],
        )


class RaisingPublisher(MemoryPublisher):
    """Fails in a way that no publisher promises."""

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        raise RuntimeError("this publisher always fails")


class HangingPublisher(MemoryPublisher):
    """Says nothing until it is told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self.go_on.wait()
        await super().publish(envelopes)
