"""What is refused when the gateway is full, and what is not."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Scope

from ingest_api.app import create_app
from ingest_api.services import Services
from ingest_api.sessions import MemorySessions, Session
from ingest_api.settings import IngestSettings
from publisher import MemoryPublisher
from schemas import Envelope
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, PATH, Exam, token

BODY = 1024  # bytes, the largest
SETTINGS = IngestSettings.model_validate(
    {
        "kafka_bootstrap_servers": "nowhere:9092",
        "database_url": "postgresql://-",
        "jwt_secret": JWT_SECRET,
        "max_requests_in_flight": 2,
        "max_body_bytes": BODY,
        "max_bytes_in_flight": 2 * BODY + BODY // 2,
    }
)
EXAM = Exam()
BATCH = json.dumps({"events": [EXAM.event()]}).encode()
WHOLE: Message = {"type": "http.request", "body": BATCH, "more_body": False}


class SlowPublisher(MemoryPublisher):
    """Publishes once `finish` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.finish = asyncio.Event()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self.finish.wait()
        await super().publish(envelopes)


@dataclass
class Gateway:
    """The gateway in this process."""

    publisher: SlowPublisher = field(default_factory=SlowPublisher)

    def __post_init__(self) -> None:
        sessions = MemorySessions({EXAM.session: Session(EXAM.user, None)})
        self.app = create_app(SETTINGS, publisher=self.publisher, sessions=sessions)
        self.services: Services

    async def post(self, *body: Message, **headers: str) -> int:
        """Send a batch; a body without its last message goes on for ever. Return the status."""
        return await self._ask("POST", PATH, body, headers | {"authorization": f"Bearer {token(EXAM.user)}"})

    async def get(self, path: str) -> int:
        return await self._ask("GET", path, [{"type": "http.request", "body": b"", "more_body": False}], {})

    async def _ask(self, method: str, path: str, body: Sequence[Message], headers: dict[str, str]) -> int:
        messages, statuses = asyncio.Queue[Message](), list[Any]()
        for message in body:
            messages.put_nowait(message)

        async def send(message: Message) -> None:
            statuses.append(message.get("status"))

        scope: Scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
            "state": {"services": self.services},
        }
        await self.app(scope, messages.get, send)
        return int(statuses[0])


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    it = Gateway()
    async with it.app.router.lifespan_context(it.app) as state:
        assert state is not None
        it.services = state["services"]
        yield it


async def test_over_the_requests_in_flight_the_answer_is_503_at_once(gateway: Gateway) -> None:
    gate = gateway.services.gate
    async with asyncio.TaskGroup() as group:
        taken = [group.create_task(gateway.post(WHOLE, content_length="1")) for _ in range(2)]
        await eventually(lambda: gate.requests == 2)
        assert await gateway.post(WHOLE, content_length="1") == 503
        gateway.publisher.finish.set()
    assert [it.result() for it in taken] == [202, 202]
    assert len(gateway.publisher.envelopes) == 2
    assert await gateway.post(WHOLE, content_length="1") == 202
    assert gate.requests == gate.body_bytes == 0


@pytest.mark.parametrize(
    "headers",
    [{"content_length": str(BODY)}, {}, {"content_length": "1", "content_encoding": "gzip"}, {"content_length": "-"}],
)
async def test_bodies_may_not_take_more_than_the_bound_together(gateway: Gateway, headers: dict[str, str]) -> None:
    gate = gateway.services.gate
    gateway.publisher.finish.set()
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(gateway.post(**headers)) for _ in range(2)]
        await eventually(lambda: gate.body_bytes == 2 * BODY)
        assert await gateway.post(WHOLE, **headers) == 503
        assert gate.requests == 0, "slow bodies hold bytes, not places"
        assert await gateway.post(WHOLE, content_length=str(BODY // 2)) == 202
        for it in slow:
            it.cancel()
    assert gate.requests == gate.body_bytes == 0


async def test_what_is_no_batch_passes_when_it_is_full(gateway: Gateway) -> None:
    gateway.services.gate.requests = 2
    assert await gateway.get("/healthz") == 200
    assert await gateway.post(WHOLE) == 503
