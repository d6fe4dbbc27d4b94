"""uvicorn's HTTP protocol, which refuses a batch before it is parsed while the gateway is full.

A refusal by the application costs 140 µs, a batch of 50 about 900: at four times the load, refusing would take most of
the CPU. Here it costs a search in the head of the request. Whatever is unusual goes the ordinary way: the middleware
in `ingest_api.shedding` decides again.
"""

import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ingest_api.shedding import REFUSAL_BODY, REFUSAL_HEADERS, Gate

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,9})[ \t]*\r\n", re.IGNORECASE)
UNUSUAL = re.compile(rb"\r\n(?:expect|transfer-encoding|content-encoding|connection|upgrade):", re.IGNORECASE)

REFUSAL = b"\r\n".join(
    [b"HTTP/1.1 503 Service Unavailable", *(b": ".join(header) for header in REFUSAL_HEADERS), b"", REFUSAL_BODY]
)


class SheddingProtocol(HttpToolsProtocol):
    """One connection; `_unread` bytes of a refused body are still to come and are dropped."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_request = False
        self._unread = 0

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
        """Note that the next bytes begin a request."""
        self._in_request = False
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
