"""uvicorn's HTTP protocol, with an answer in one write, and refused batches answered before they are parsed.

At several times the load, refusing in the application would take most of the CPU. Here it costs a search in the head
of the request. Whatever is unusual goes the ordinary way, where the gate decides again.
"""

import asyncio
import re
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ingest_api.body import BODY_HAS_ARRIVED
from ingest_api.shedding import REFUSAL_BODY, REFUSAL_HEADERS, Gate

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
UNUSUAL = re.compile(rb"\r\n(?:expect|transfer-encoding|content-encoding|connection|upgrade):", re.IGNORECASE)

REFUSAL = b"\r\n".join(
    [b"HTTP/1.1 503 Service Unavailable", *(b": ".join(header) for header in REFUSAL_HEADERS), b"", REFUSAL_BODY]
)


class WholeAnswers:
    """A transport that writes what comes within one turn of the event loop at once: head and body of an answer.

    Each write is a system call, and wakes whoever reads.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._waiting: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Write in a moment."""
        if not self._waiting:
            self._loop.call_soon(self._flush)
        self._waiting.append(data)

    def close(self) -> None:
        """Write what waits, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._waiting and not self._transport.is_closing():
            self._transport.write(b"".join(self._waiting))
        self._waiting.clear()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class SheddingProtocol(HttpToolsProtocol):
    """One connection; `_unread` bytes of a refused body are still to come and are dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_request = False
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin."""
        super().connection_made(cast("asyncio.Transport", WholeAnswers(transport, self.loop)))

    def data_received(self, data: bytes) -> None:
        """Drop, refuse or parse what has arrived."""
        if self._unread:
            dropped = min(self._unread, len(data))
            self._unread -= dropped
            data = data[dropped:]
        if data and not self._is_refused(data):
            super().data_received(data)

    def on_message_begin(self) -> None:
        """Note that a request is being parsed, so that what arrives next is not the start of one."""
        self._in_request = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that the next bytes begin a request, and tell the application, which has not begun yet as a rule."""
        self._in_request = False
        self.scope[BODY_HAS_ARRIVED] = True  # type: ignore[literal-required]  # ASGI allows a server keys of its own
        super().on_message_complete()

    def _is_refused(self, data: bytes) -> bool:
        if self._in_request or (self.cycle is not None and not self.cycle.response_complete):
            return False
        if not data.startswith(b"POST ") or not self._gate.is_full_for(0):
            return False
        head, _, body = data.partition(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(head + b"\r\n")
        if length is None or UNUSUAL.search(head) or int(length[1]) < len(body):
            return False
        self._gate.shed.inc()
        self._unread = int(length[1]) - len(body)
        self.transport.write(REFUSAL)
        self._keep_alive()
        return True

    def _keep_alive(self) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    @property
    def _gate(self) -> Gate:
        gate: Gate = self.app_state["services"].gate
        return gate
