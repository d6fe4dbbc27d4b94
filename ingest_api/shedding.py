"""Over its bounds the gateway refuses before it reads: what it has taken is served, and its memory does not grow."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

import orjson
from prometheus_client import Counter
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest_api.problems import Unavailable, document

RETRY_AFTER = 1  # seconds: what is in flight is through by then

REFUSAL = Unavailable("the gateway is full; send the same batch again later")
REFUSAL_BODY = orjson.dumps(document(REFUSAL))
REFUSAL_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"content-length", str(len(REFUSAL_BODY)).encode()),
    (b"retry-after", str(RETRY_AFTER).encode()),
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be in flight; a body never takes more than `body_bytes`."""

    requests: int
    total_bytes: int
    body_bytes: int


@dataclass(slots=True)
class Gate:
    """What is in flight: requests whose body has arrived, and the bytes that bodies may take up.

    A body counts with its Content-Length, and with the largest legal size where that is no bound: chunked or
    compressed. A slow body holds its bytes but no place among the requests, so slow senders cannot keep fast ones out.
    """

    bounds: Bounds
    shed: Counter
    requests: int = 0
    body_bytes: int = 0

    def is_full_for(self, size: int) -> bool:
        """Return whether a body of `size` bytes has to be refused now."""
        too_many = self.requests >= self.bounds.requests
        return too_many or self.body_bytes + size > self.bounds.total_bytes


class Shedding:
    """Answers 503 to a POST for which the gate has no room, and counts what it lets through."""

    def __init__(self, app: ASGIApp, *, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a POST or refuse it; let everything else pass: health and metrics are answered when it is full, too."""
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        size = self._size_of_body(scope)
        if self._gate.is_full_for(size):
            self._gate.shed.inc()
            await _refuse(send)
        else:
            await self._serve(size, scope, receive, send)

    async def _serve(self, size: int, scope: Scope, receive: Receive, send: Send) -> None:
        arrived = False

        async def noticing() -> Message:
            nonlocal arrived
            message = await receive()
            if not arrived and not message.get("more_body", False):
                arrived = True
                self._gate.requests += 1
            return message

        self._gate.body_bytes += size
        try:
            await self._app(scope, noticing, send)
        finally:
            self._gate.body_bytes -= size
            self._gate.requests -= arrived

    def _size_of_body(self, scope: Scope) -> int:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdecimal() or "content-encoding" in headers:
            return self._gate.bounds.body_bytes
        return min(int(length), self._gate.bounds.body_bytes)


async def _refuse(send: Callable[[Message], Awaitable[None]]) -> None:
    await send(
        {"type": "http.response.start", "status": HTTPStatus.SERVICE_UNAVAILABLE.value, "headers": REFUSAL_HEADERS}
    )
    await send({"type": "http.response.body", "body": REFUSAL_BODY})
