"""What a browser meets where it looks for the gateway: the gateway itself, or what can go wrong on the way to it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from attemptlog.local_stack.ports import free_port
from tests.support.eventually import eventually
from tests.support.http import PATH

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # else each client reads all certificates of the machine
RETRY_AFTER = "1"  # seconds
END_TO_END = {"connection", "content-length", "date", "host", "server", "transfer-encoding"}


class Front:
    """Passes requests on to the gateway as long as it is well; see the methods for what else it can be.

    Of several `gateways`, which may be replaced at any time, each gets a request in turn.
    """

    def __init__(self, gateway_url: str) -> None:
        self.port = free_port()
        self.requests = 0
        self.gateways = [gateway_url]
        self._status: int | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """The address that a page is told."""
        return f"http://127.0.0.1:{self.port}{PATH}"

    async def be_well(self) -> None:
        """Pass everything on again."""
        self._status = None
        self._open.set()
        await self._start()

    def answer(self, status: int) -> None:
        """Answer every batch with this status, as the gateway would."""
        self._status = status

    def be_slow(self) -> None:
        """Keep every batch until the gateway is well again."""
        self._open.clear()

    async def be_down(self) -> None:
        """Refuse connections."""
        self._open.set()
        if self._server is not None and self._serving is not None:
            self._server.should_exit = self._server.force_exit = True
            await self._serving
        self._server = None

    async def _start(self) -> None:
        if self._server is not None:
            return
        app = Starlette(routes=[Route(PATH, self._handle, methods=["POST", "OPTIONS"])])
        self._server = _Server(uvicorn.Config(app, port=self.port, log_level="error", lifespan="off"))
        self._serving = asyncio.create_task(self._server.serve())
        await eventually(lambda: self._server and self._server.started)

    async def _handle(self, request: Request) -> Response:
        body = await request.body()
        if request.method == "POST":
            self.requests += 1
            await self._open.wait()
            if self._status is not None:
                return Response(status_code=self._status, headers=_headers_of_the_gateway(request))
        return await self._pass_on(request, body)

    def _next_gateway(self) -> str:
        return self.gateways[self.requests % len(self.gateways)]

    async def _pass_on(self, request: Request, body: bytes) -> Response:
        headers = {name: value for name, value in request.headers.items() if name not in END_TO_END}
        async with httpx.AsyncClient(base_url=self._next_gateway(), verify=NO_TLS) as client:
            try:
                answer = await client.request(request.method, PATH, content=body, headers=headers)
            except httpx.TransportError:
                return Response(status_code=httpx.codes.BAD_GATEWAY)
        kept = {name: value for name, value in answer.headers.items() if name not in END_TO_END}
        return Response(answer.content, answer.status_code, kept)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the test run's own


def _headers_of_the_gateway(request: Request) -> dict[str, str]:
    return {
        "access-control-allow-origin": request.headers["origin"],
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "retry-after",
        "retry-after": RETRY_AFTER,
    }


@asynccontextmanager
async def front(gateway_url: str) -> AsyncIterator[Front]:
    """Run a front before a gateway, well at first."""
    it = Front(gateway_url)
    await it.be_well()
    try:
        yield it
    finally:
        await it.be_down()
