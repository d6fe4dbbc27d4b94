"""What is refused when the gateway is full, and what is not."""

import asyncio
from dataclasses import dataclass, field

import pytest
from prometheus_client import Counter
from starlette.types import Message, Receive, Scope, Send

from ingest_api.shedding import Bounds, Gate, Shedding
from tests.support.eventually import eventually

BOUNDS = Bounds(requests=2, total_bytes=1000, body_bytes=400)
LAST: Message = {"type": "http.request", "body": b"x", "more_body": False}


@dataclass
class Gateway:
    """A gateway that reads a request's body and then works until `finish` is set."""

    gate: Gate = field(default_factory=lambda: Gate(BOUNDS, Counter("shed", "Refused.", registry=None)))
    finish: asyncio.Event = field(default_factory=asyncio.Event)
    served: int = 0

    def __post_init__(self) -> None:
        self.app = Shedding(self._work, gate=self.gate)

    async def _work(self, _: Scope, receive: Receive, send: Send) -> None:
        self.served += 1
        while (await receive()).get("more_body"):
            pass
        await self.finish.wait()
        await send({"type": "http.response.start", "status": 202, "headers": []})

    async def post(self, *body: Message, **headers: str) -> int:
        """Send a request; a body without its last message goes on for ever. Return the status."""
        messages, statuses = asyncio.Queue[Message](), []
        for message in body:
            messages.put_nowait(message)

        async def send(message: Message) -> None:
            statuses.append(message.get("status"))

        raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        await self.app({"type": "http", "method": "POST", "headers": raw}, messages.get, send)
        return int(statuses[0] or 0)


@pytest.fixture
async def gateway() -> Gateway:
    return Gateway()


async def test_over_the_requests_in_flight_the_answer_is_503_at_once(gateway: Gateway) -> None:
    async with asyncio.TaskGroup() as group:
        taken = [group.create_task(gateway.post(LAST, content_length="1")) for _ in range(2)]
        await eventually(lambda: gateway.gate.requests == 2)
        assert await gateway.post(LAST, content_length="1") == 503
        assert gateway.served == 2
        gateway.finish.set()
    assert [it.result() for it in taken] == [202, 202]
    assert await gateway.post(LAST, content_length="1") == 202
    assert gateway.gate.requests == gateway.gate.body_bytes == 0


@pytest.mark.parametrize(
    "headers",
    [{"content_length": "400"}, {}, {"content_length": "1", "content_encoding": "gzip"}, {"content_length": "-"}],
)
async def test_bodies_may_not_take_more_than_the_bound_together(gateway: Gateway, headers: dict[str, str]) -> None:
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(gateway.post(**headers)) for _ in range(2)]
        await eventually(lambda: gateway.gate.body_bytes == 800)
        assert await gateway.post(LAST, **headers) == 503
        assert gateway.gate.requests == 0, "slow bodies hold bytes, not places"
        gateway.finish.set()
        assert await gateway.post(LAST, content_length="200") == 202
        for it in slow:
            it.cancel()
    assert gateway.gate.requests == gateway.gate.body_bytes == 0


async def test_other_requests_pass_when_it_is_full(gateway: Gateway) -> None:
    gateway.gate.requests = 2
    gateway.finish.set()
    statuses: list[int] = []

    async def send(message: Message) -> None:
        statuses.append(message["status"])

    async def receive() -> Message:
        return LAST

    await gateway.app({"type": "http", "method": "GET", "headers": []}, receive, send)
    assert statuses == [202]
