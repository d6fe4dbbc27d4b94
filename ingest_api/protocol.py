"""How the gateway speaks HTTP/1.1: uvicorn's protocol, with bounds on everything that a caller may make it hold.

Where a request ends is decided by the parser (llhttp) alone, whatever the pieces are in which it arrives. When that is
in doubt (bytes that are no HTTP, a body that is not wanted any more) nothing more of the connection is read.
"""

from typing import Any

import httptools

from attemptlog.ingest_api.door import INGEST_PATH
from attemptlog.ingest_api.lifetime import BoundedConnection, Stage
from attemptlog.ingest_api.llhttp import behind_upgrade, raised_in_callback
from attemptlog.ingest_api.problems import BadRequest, HeadTooLarge, Problem
from attemptlog.ingest_api.shedding import Full
from attemptlog.ingest_api.wire import as_bytes, without_upgrade

MAX_PIPELINED = 16  # requests that wait behind the one that is served; more come from no client that means well
READ_BYTES = 256_000  # what uvloop reads at a time
LINE_BYTES = 32  # that a header counts beside name and value (as in RFC 9113, 6.5.2): kept, short ones take far more
REFUSED_PATH = INGEST_PATH.encode()


class GatewayProtocol(BoundedConnection):
    """Reads the requests of one connection."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._gate = self._services.gate
        self._crosses_origins = self._services.crosses_origins
        self._segment = 0  # bytes
        self._head = 0  # bytes of the headers that have arrived
        self._since_step = 0  # bytes since a request began, its head was complete, or a piece of its body came
        self._keeps_alive = True  # after the request that is being read
        self._again = b""

    def shutdown(self) -> None:
        """Close as soon as what was asked is answered: the server stops."""
        self._keeps_alive = False
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Parse what has arrived, or drop it."""
        if self._is_deaf:
            return
        self._segment = len(data)
        self._since_step += self._segment
        self._parse(data)
        if self._deadline is None and not self._is_deaf:
            self._stop_timer()
            if not self._is_served():
                self._wait()

    def _parse(self, data: bytes) -> None:
        rest: bytes | memoryview = data
        try:
            while rest:
                rest = self._parse_until_upgrade(rest)
        except httptools.HttpParserError as error:
            self._read_no_more(_problem_of(error))
        if self._since_step > self._limits.head_bytes + READ_BYTES:
            self._read_no_more(self._too_large())

    def _parse_until_upgrade(self, data: bytes | memoryview) -> bytes | memoryview:
        """Return what is behind the head of a request that asks for an upgrade, and read that head without it.

        An upgrade that is not taken is ignored (RFC 9110, 7.8); httptools would skip the body.
        """
        try:
            self.parser.feed_data(data)
            return b""
        except httptools.HttpParserUpgrade as upgrade:
            rest = behind_upgrade(upgrade, data)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(self._again)
        return rest

    def on_message_begin(self) -> None:
        if self._is_deaf:
            raise BadRequest("nothing is read after the last request of a connection")
        self._stage = Stage.HEAD
        self._deadline = None
        self._since_step = self._segment
        self._head = 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header, or a trailer, while there is room; as uvicorn does it, whose method costs a call."""
        self._head += len(name) + len(value) + LINE_BYTES
        if self._head > self._limits.head_bytes:
            raise self._too_large()
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Refuse a request, or have it served."""
        if self._head + len(self.url) > self._limits.head_bytes:
            raise self._too_large()
        self._deadline = None
        self._since_step = 0
        if self.parser.should_upgrade():
            self._ignore_upgrade()
        elif self._gate.is_full_for(0) and self._is_refused():
            self._stage = Stage.REFUSED
        else:
            self._serve()

    def _serve(self) -> None:
        if self._queued >= MAX_PIPELINED:
            raise BadRequest(f"over {MAX_PIPELINED} requests wait for their answers on this connection")
        if self.expect_100_continue and self.parser.get_http_version() == "1.0":
            self.expect_100_continue = False  # RFC 9110, 10.1.1
        self._keeps_alive = self._serve_newest()
        self._stage = Stage.BODY

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on, or drop it."""
        self._since_step = 0
        if self._stage is Stage.BODY:
            self._add_to_body(body)

    def on_message_complete(self) -> None:
        """End a request: what is served has its whole body, and what is refused is answered now, in its turn."""
        stage, self._stage, self._deadline = self._stage, Stage.BETWEEN, None
        if stage is Stage.BODY:
            self._is_deaf = not self._keeps_alive
            self._complete_body(keeps_alive=self._keeps_alive)
        elif stage is Stage.REFUSED:
            self._gate.shed.inc()
            self._connections.refused.labels(Full.code).inc()
            self.transport.write(REFUSAL)

    def _is_refused(self) -> bool:
        """Return whether a request is a batch to which "full" can be said as soon as its body is through."""
        is_batch = self.parser.get_method() == b"POST" and self.url.partition(b"?")[0] == REFUSED_PATH
        is_last = self.parser.get_http_version() == "1.0" or not self.parser.should_keep_alive()
        is_foreign = self._crosses_origins and any(name == b"origin" for name, _ in self.headers)
        is_usual = is_batch and not is_last and not is_foreign and not self.expect_100_continue
        return is_usual and not self._is_served()

    def _ignore_upgrade(self) -> None:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise BadRequest("CONNECT is for proxies")
        self._stage = Stage.AGAIN
        self._again = without_upgrade(method, self.url, self.parser.get_http_version(), self.headers)

    def _too_large(self) -> HeadTooLarge:
        return HeadTooLarge(f"the request has over {self._limits.head_bytes} bytes beside its body")


REFUSAL = as_bytes(Full(), is_last=False)


def _problem_of(error: httptools.HttpParserError) -> Problem:
    cause = raised_in_callback(error)
    if isinstance(cause, Problem):
        return cause
    if isinstance(error, httptools.HttpParserCallbackError):
        return BadRequest("the request's target cannot be read")
    return BadRequest(f"this is no HTTP/1.1: {error}")
