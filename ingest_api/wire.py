"""Answers and requests as bytes on a connection."""

import asyncio
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from attemptlog.ingest_api.problems import Problem, answer
from attemptlog.ingest_api.uvicorn_connection import answer_at_once, header_line

HeaderLines = Iterable[tuple[bytes, bytes]]


class WholeAnswers:
    """A transport that writes what comes within one turn of the event loop at once: head and body of an answer.

    Each write is a system call, and wakes whoever reads. `closing` is called once the last answer is written, and
    closes the connection in its own way, with `end` or `abort`.
    """

    def __init__(
        self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, closing: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._closing = closing
        self._is_closing = False
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write in a moment."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Write what waits, and nothing after it."""
        if not self.is_closing():
            self._flush()
            self._is_closing = True
            self._closing()

    def end(self) -> None:
        """Close as soon as everything is sent."""
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether nothing is written any more."""
        return self._is_closing or self._transport.is_closing()

    def _flush(self) -> None:
        if self._waiting and not self.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class AtOnce(Response):
    """A response that is written at once where it can be, because a batch waits for two messages of ASGI otherwise."""

    def __init__(self, body: str, status: HTTPStatus, media_type: str) -> None:
        super().__init__(body, status, media_type=media_type)
        self._status = _status_line(status)
        self._rest = b"".join([*map(header_line, self.raw_headers), b"\r\n", self.body])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; see the ASGI specification."""
        if not answer_at_once(send, self._status, self._rest):
            await super().__call__(scope, receive, send)


def as_bytes(problem: Problem, headers: HeaderLines = (), *, is_last: bool) -> bytes:
    """Return a problem as a whole answer; the last one of a connection says so."""
    response = answer(problem)
    lines = [(b"connection", b"close")] if is_last else []
    head = map(header_line, (*headers, *response.raw_headers, *lines))
    return b"".join([_status_line(problem.status), *head, b"\r\n", response.body])


def _status_line(status: HTTPStatus) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode())


def answering(problem: Problem) -> ASGIApp:
    """Return an application that answers with a problem."""

    async def answering_it(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(problem)(scope, receive, send)

    return answering_it


def without_upgrade(method: bytes, target: bytes, version: str, headers: HeaderLines) -> bytes:
    """Return the head of a request without what asks for another protocol."""
    kept = b"".join(header_line(header) for header in headers if header[0] != b"upgrade")
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), kept)
