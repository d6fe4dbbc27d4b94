"""The gateway's own protocol on a connection of this process, and requests on the wire that are told apart."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, cast

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState

from attemptlog.ingest_api.app import create_app
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.protocol import GatewayProtocol
from attemptlog.ingest_api.services import Services
from attemptlog.ingest_api.sessions import MemorySessions, Session
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.publisher import MemoryPublisher
from attemptlog.schemas import Envelope
from tests.support.http import JWT_SECRET, PATH, Exam, token
from tests.support.series import assert_nothing_was_born

TURNS = 8  # of the event loop, in which everything is through that waits for nobody
EXAM = Exam()
TOKEN = token(EXAM.user, exp=4_000_000_000)


class HeldPublisher(MemoryPublisher):
    """Publishes while it is not held."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.go.set()

    async def publish(self, envelopes: Sequence[Envelope]) -> None:
        await self.go.wait()
        await super().publish(envelopes)


class FakeTransport(asyncio.Transport):
    """Keeps what is written; `taken` is what the other side has read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.protocol: asyncio.Protocol | None = None
        self.has_eof = False
        self.reads = True
        self._is_closing = False

    def write(self, data: Any) -> None:
        assert not self._is_closing, "written after the end"
        assert not self.has_eof, "written after the end of this side"
        self.written += data

    def write_eof(self) -> None:
        self.has_eof = True

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            assert self.protocol is not None
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()

    def is_closing(self) -> bool:
        return self._is_closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


@dataclass(frozen=True)
class Answer:
    """One answer on the wire."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def is_last(self) -> bool:
        return self.headers.get(b"connection") == b"close"

    @property
    def code(self) -> str:
        """What a problem calls itself."""
        assert self.headers[b"content-type"] == b"application/problem+json", self
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["detail"]
        return str(problem["code"])


class Answers:
    """Reads answers with a parser of their own; informational ones are left out."""

    def __init__(self) -> None:
        self.complete: list[Answer] = []
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[bytes, bytes] = {}
        self._body = bytearray()

    def feed(self, data: bytes) -> list[Answer]:
        self._parser.feed_data(data)
        return self.complete

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, bytearray()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self.complete.append(Answer(self._parser.get_status_code(), self._headers, bytes(self._body)))


@dataclass
class Side:
    """A caller's side of one connection."""

    protocol: GatewayProtocol
    transport: FakeTransport

    async def send(self, *pieces: bytes) -> None:
        """Send pieces as segments; the gateway does what it can after each."""
        for piece in pieces:
            if self.transport.is_closing():
                return
            if piece:
                self.protocol.data_received(piece)
            await turns()

    async def end(self) -> None:
        """End this side, and go on reading."""
        if not self.transport.is_closing() and not self.protocol.eof_received():
            self.transport.close()
        await turns()

    @property
    def answers(self) -> list[Answer]:
        return Answers().feed(bytes(self.transport.written))

    @property
    def statuses(self) -> list[int]:
        return [answer.status for answer in self.answers]

    @property
    def is_over(self) -> bool:
        """True when the gateway answers nothing more on this connection."""
        return self.transport.is_closing() or self.transport.has_eof


@dataclass
class Wire:
    """A gateway that connections can be made to; `asked` has the requests that came to the application."""

    services: Services
    publisher: HeldPublisher
    config: Config
    state: dict[str, Any]
    asked: list[str]
    server: ServerState = field(default_factory=ServerState)

    def connect(self) -> Side:
        transport = FakeTransport()
        protocol = GatewayProtocol(config=self.config, server_state=self.server, app_state=self.state)
        transport.protocol = protocol
        protocol.connection_made(transport)
        return Side(protocol, transport)

    def be_full(self, *, full: bool = True) -> None:
        self.services.gate.requests = self.services.gate.bounds.requests if full else 0


async def turns() -> None:
    """Let the event loop do what waits for nobody."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


@asynccontextmanager
async def wire(**settings: Any) -> AsyncIterator[Wire]:
    """Run a gateway in this process, without a socket."""
    given = {"kafka_bootstrap_servers": "-:9", "database_url": "postgresql://-", "jwt_secret": JWT_SECRET}
    publisher, asked = HeldPublisher(), list[str]()
    app = create_app(
        IngestSettings.model_validate(
            given | {"rate_limit_events_per_second": 1e9, "rate_limit_burst": 10**9} | settings
        ),
        publisher=publisher,
        sessions=MemorySessions({EXAM.session: Session(EXAM.user, None)}),
    )
    async with app.router.lifespan_context(app) as state:
        assert state is not None
        config = Config(_noting(app, asked), access_log=False, http=GatewayProtocol, ws="none", log_config=None)
        config.load()
        yield Wire(state["services"], publisher, config, cast("dict[str, Any]", state), asked)
        assert_nothing_was_born(state["services"].metrics.registry, Metrics().registry)


def _noting(app: ASGIApp, asked: list[str]) -> ASGIApp:
    async def noting(scope: Scope, receive: Receive, send: Send) -> None:
        asked.append(scope["path"])
        await app(scope, receive, send)

    return noting


def head(*lines: bytes, request: bytes = b"POST " + PATH.encode() + b" HTTP/1.1", authorized: bool = True) -> bytes:
    """Return the head of a request, of a batch by default."""
    given = [b"authorization: Bearer " + TOKEN.encode()] if authorized else []
    return b"\r\n".join([request, b"host: x", *given, *lines, b"", b""])


def batch(**fields: Any) -> bytes:
    return json.dumps({"events": [EXAM.event(seq=None, **fields)]}).encode()


def with_length(body: bytes, *lines: bytes, **more: Any) -> bytes:
    """Return a request with a body."""
    return head(*lines, b"content-length: %d" % len(body), **more) + body


def chunked(body: bytes, size: int = 50, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """Return a body in chunks."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return b"%b0\r\n%b\r\n" % (chunks, trailers)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Return the data in segments."""
    at = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[start:end] for start, end in pairwise(at)]
