"""What the gateway relies on of its dependencies and they do not promise: an upgrade that changes it fails here."""

import asyncio
import hashlib
import inspect
import re
import socket
from collections.abc import Callable
from types import ModuleType

import httptools
import pytest
import uvloop
from uvicorn.protocols.http import flow_control, httptools_impl

from attemptlog.ingest_api.llhttp import behind_upgrade, raised_in_callback
from attemptlog.ingest_api.protocol import READ_BYTES
from tests.support.documents import ROOT

DIGESTS = {
    httptools_impl: "1d4e1c579df4168433a61a01f10c628b31c1790e72dd9769d2b8633b22214033",
    flow_control: "d39d16560df512f3ce907c329c2a0c3f5cd7165fef3b753876eae5739bf2a785",
}


@pytest.mark.parametrize("module", DIGESTS, ids=lambda module: module.__name__)
def test_uvicorns_connection_is_the_one_that_was_read(module: ModuleType) -> None:
    digest = hashlib.sha256(inspect.getsource(module).encode()).hexdigest()
    assert digest == DIGESTS[module], (
        f"{module.__name__} has changed: read what is new, mend ingest_api/uvicorn_connection.py, lifetime.py and "
        "protocol.py where it matters to them, and put the new digest here"
    )


@pytest.mark.parametrize("name", ["uvicorn", "httptools", "uvloop"])
def test_what_is_relied_on_has_an_upper_bound(name: str) -> None:
    assert re.search(rf'"{name}>=[\d.]+,<[\d.]+"', (ROOT / "pyproject.toml").read_text())


class Callbacks:
    """Notes what a parser finds, and fails in the callback that is named."""

    def __init__(self, failing: str = "") -> None:
        self.found: list[str] = []
        self._failing = failing

    def __getattr__(self, name: str) -> Callable[..., None]:
        if not name.startswith("on_"):
            raise AttributeError(name)
        return lambda *_: self._called(name)

    def _called(self, name: str) -> None:
        self.found.append(name)
        if name == self._failing:
            raise LookupError(name)


@pytest.mark.parametrize(
    "failing", ["on_message_begin", "on_url", "on_header", "on_headers_complete", "on_body", "on_message_complete"]
)
def test_what_a_callback_raises_can_be_had_of_the_parsers_error(failing: str) -> None:
    parser = httptools.HttpRequestParser(Callbacks(failing))
    with pytest.raises(httptools.HttpParserCallbackError) as raised:
        parser.feed_data(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx")
    assert repr(raised.value.__context__) == repr(raised_in_callback(raised.value)) == repr(LookupError(failing))


def test_bytes_that_are_no_http_are_nobodys_fault() -> None:
    with pytest.raises(httptools.HttpParserError) as raised:
        httptools.HttpRequestParser(Callbacks()).feed_data(b"\0")
    assert raised_in_callback(raised.value) is None


@pytest.mark.parametrize("behind", [b"", b"x", b"GET / HTTP/1.1\r\n\r\n"])
def test_a_head_that_asks_for_an_upgrade_stops_the_parser_right_behind_it(behind: bytes) -> None:
    callbacks = Callbacks()
    head = b"POST / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 1\r\n\r\n"
    with pytest.raises(httptools.HttpParserUpgrade) as raised:
        httptools.HttpRequestParser(callbacks).feed_data(head + behind)
    assert bytes(behind_upgrade(raised.value, head + behind)) == behind
    assert callbacks.found[-2:] == ["on_headers_complete", "on_message_complete"]
    assert "on_body" not in callbacks.found


class Reader(asyncio.Protocol):
    """Notes how much is read at a time, until the other side has ended."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.is_over = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.sizes.append(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_over.set()


async def sizes_read() -> list[int]:
    """Return in which pieces bytes are read that have all arrived before."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as sender:
        taken, _ = listener.accept()
        sender.setblocking(False)
        sent = sender.send(b"x" * 8 * READ_BYTES)
        reader = Reader()
        await asyncio.get_running_loop().connect_accepted_socket(lambda: reader, taken)
        sender.shutdown(socket.SHUT_WR)
        await asyncio.wait_for(reader.is_over.wait(), 10)
    assert sum(reader.sizes) == sent
    return reader.sizes


def test_uvloop_reads_as_much_at_a_time_as_the_bound_on_a_head_allows_for() -> None:
    assert max(uvloop.run(sizes_read())) == READ_BYTES
