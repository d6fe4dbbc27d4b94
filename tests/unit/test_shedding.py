"""What is refused when the gateway is full, and what is not."""

import asyncio
import json
import uuid
import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Scope

from attemptlog.ingest_api.app import create_app
from attemptlog.ingest_api.services import Services
from attemptlog.ingest_api.sessions import MemorySessions, Session
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.publisher import MemoryPublisher
from attemptlog.schemas import Envelope
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, PATH, Exam, token

BODY = 1024  # bytes, the largest
PER_USER = 3
SETTINGS = IngestSettings.model_validate(
    {
        "kafka_bootstrap_servers": "nowhere:9092",
        "database_url": "postgresql://-",
        "jwt_secret": JWT_SECRET,
        "max_requests_in_flight": 2,
        "max_body_bytes": BODY,
        "max_bytes_in_flight": 2 * BODY + BODY // 2,
        "max_requests_per_user": PER_USER,
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

    async def post(self, *body: Message, user: str = EXAM.user, **headers: str) -> int:
        """Send a batch; a body without its last message goes on for ever. Return the status."""
        return await self._ask("POST", PATH, body, headers | {"authorization": f"Bearer {token(user)}"})

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


def part(size: int) -> Message:
    return {"type": "http.request", "body": b" " * size, "more_body": True}


@pytest.mark.parametrize("headers", [{"content_length": str(BODY)}, {}, {"content_length": "-"}])
async def test_what_is_announced_takes_up_nothing(gateway: Gateway, headers: dict[str, str]) -> None:
    gate = gateway.services.gate
    gateway.publisher.finish.set()
    async with asyncio.TaskGroup() as group:
        silent = [group.create_task(gateway.post(user=str(uuid.uuid4()), **headers)) for _ in range(100)]
        await eventually(lambda: len(gate.by_user) == 100)
        assert gate.requests == gate.body_bytes == 0
        assert await gateway.post(WHOLE, **headers) == 202
        for it in silent:
            it.cancel()
    assert not gate.by_user


async def test_bodies_that_have_arrived_in_part_take_no_more_than_the_bound_together(gateway: Gateway) -> None:
    gate = gateway.services.gate
    gateway.publisher.finish.set()
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(gateway.post(part(BODY), user=str(uuid.uuid4()))) for _ in range(2)]
        await eventually(lambda: gate.body_bytes == 2 * BODY)
        assert await gateway.post(WHOLE, content_length=str(BODY)) == 503, "announces more than there is room for"
        assert await gateway.post(part(BODY // 2), part(BODY // 2)) == 503, "brings more than there is room for"
        assert gate.requests == 0, "slow bodies hold bytes, not places"
        assert await gateway.post(WHOLE, content_length=str(BODY // 2)) == 202
        for it in slow:
            it.cancel()
    assert gate.requests == gate.body_bytes == 0


async def test_a_body_counts_as_it_is_kept_inflated(gateway: Gateway) -> None:
    gate = gateway.services.gate
    beginning = zlib.compressobj(wbits=31)
    small = beginning.compress(b" " * BODY) + beginning.flush(zlib.Z_SYNC_FLUSH)
    assert len(small) < BODY // 10
    async with asyncio.TaskGroup() as group:
        slow = group.create_task(
            gateway.post({"type": "http.request", "body": small, "more_body": True}, content_encoding="gzip")
        )
        await eventually(lambda: gate.body_bytes == BODY)
        slow.cancel()


async def test_one_user_has_only_so_many_requests_in_flight_and_others_have_theirs(gateway: Gateway) -> None:
    gate = gateway.services.gate
    gateway.publisher.finish.set()
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(gateway.post(part(1))) for _ in range(PER_USER)]
        await eventually(lambda: gate.by_user == {EXAM.user: PER_USER})
        assert await gateway.post(WHOLE) == 429
        assert await gateway.post(WHOLE, user=str(uuid.uuid4())) == 403, "another user, whose session it is not"
        slow.pop().cancel()
        await eventually(lambda: gate.by_user == {EXAM.user: PER_USER - 1})
        assert await gateway.post(WHOLE) == 202
        for it in slow:
            it.cancel()
    assert not gate.by_user


async def test_what_is_no_batch_passes_when_it_is_full(gateway: Gateway) -> None:
    gateway.services.gate.requests = 2
    assert await gateway.get("/healthz") == 200
    assert await gateway.post(WHOLE) == 503
