"""What is private to uvicorn's connection and the gateway relies on, in words of its own.

Beside this, the classes that go on from here use by name what the parser leaves: `parser`, `url`, `headers` and
`expect_100_continue`. tests/unit/test_private_parts_of_gateway.py fails when an upgrade changes any of it.
"""

from collections.abc import Collection
from typing import Any, Self, cast

from starlette.types import ASGIApp, Send
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from attemptlog.ingest_api.body import BODY_HAS_ARRIVED
from attemptlog.ingest_api.services import Services


class UvicornConnection(HttpToolsProtocol):
    """One request is served at a time, the newest is the one whose body arrives, and those between wait in a queue."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._services: Services = self.app_state["services"]

    @property
    def _all(self) -> Collection[Self]:
        """Every connection of the process."""
        return cast("Collection[Self]", self.connections)

    @property
    def _queued(self) -> int:
        return len(self.pipeline)

    def _read_later(self) -> None:
        self.flow.pause_reading()

    def _read_on(self) -> None:
        self.flow.resume_reading()

    def _is_served(self) -> bool:
        """Return whether the newest request is still to be answered."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and not cycle.disconnected

    def _serve_newest(self) -> bool:
        """Serve the request whose head is complete, in its turn; return whether the connection may be kept after it.

        Until `_complete_body`, its answer is the connection's last.
        """
        HttpToolsProtocol.on_headers_complete(self)
        self.headers = []  # trailers are no headers (RFC 9110, 6.5.1)
        keeps_alive = self.cycle.keep_alive
        self.cycle.keep_alive = False
        return keeps_alive

    def _serve_next(self) -> bool:
        """Serve the request that has waited longest; return False when none does."""
        self._read_on()
        if not self.pipeline:
            return False
        self._start_asgi_task(*self.pipeline.pop())
        return True

    def _add_to_body(self, piece: bytes) -> None:
        """Hand a piece on, and read no more for a while when what serves the request does not keep up."""
        cycle = self.cycle
        if cycle.response_complete:
            return
        cycle.body += piece
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self._read_later()
        cycle.message_event.set()

    def _complete_body(self, *, keeps_alive: bool) -> None:
        """Say that there is no more, and whether the connection is kept, unless the answer has said that already."""
        self.scope[BODY_HAS_ARRIVED] = True  # type: ignore[literal-required]  # ASGI allows a server keys of its own
        cycle = self.cycle
        cycle.more_body = False
        cycle.message_event.set()
        if not cycle.response_started:
            cycle.keep_alive = keeps_alive

    def _make_answer_last(self) -> None:
        """Close after the answer to the newest request."""
        self.cycle.keep_alive = False

    def _serve_by(self, app: ASGIApp) -> bool:
        """Have the newest request served by `app`; return False when it does not wait, but is being served."""
        if not self.pipeline:
            return False
        self.pipeline[0] = (self.cycle, cast("Any", app))
        return True

    def _take_back(self) -> bool:
        """Tell what serves a request that its caller is gone; return False when it has begun to answer."""
        cycle = self.cycle
        if cycle.response_started:
            return False
        cycle.disconnected = True
        cycle.message_event.set()
        return True


def header_line(header: tuple[bytes, bytes]) -> bytes:
    """Return a header as it is written."""
    return b"%b: %b\r\n" % header


def answer_at_once(send: Send, status: bytes, rest: bytes) -> bool:
    """Write an answer as it is, with the server's headers behind its status line; return False where that may not be.

    Sending a head and a body takes an eighth of what a request of one event costs. It may not be where something stands
    between the application and uvicorn, or where the answer is the connection's last.
    """
    cycle = getattr(send, "__self__", None)
    if not isinstance(cycle, RequestResponseCycle) or not cycle.keep_alive or cycle.flow.write_paused:
        return False
    if not cycle.disconnected:
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join([status, *map(header_line, cycle.default_headers), rest]))
        cycle.message_event.set()
        cycle.on_response()
    return True
