"""However requests are cut into segments: no more answers than requests, and no body is read as a request."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.http import PATH
from tests.support.patient import PatientLoop
from tests.support.property_tests import examples
from tests.support.wire import Side, Wire, batch, chunked, cut, head, turns, wire, with_length

MAX_HEAD = 2048
MAX_BODY = 4096
SETTINGS = {"max_head_bytes": MAX_HEAD, "max_body_bytes": MAX_BODY, "max_bytes_in_flight": 1024 * 1024}
HIDDEN = b"GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n"
HIDING = batch(payload={"a": "-"}).replace(b'"-"', b'"x"  \r\n\r\n' + HIDDEN)  # white space and a request: no JSON
WHITE = batch() + b"\r\n" * 3  # what looks like the end of a head, and is JSON


@dataclass(frozen=True)
class Request:
    """What is sent, and what may be the answer; when there is none, or it is the last, the connection is closed."""

    raw: bytes
    statuses: set[int]
    path: str = PATH
    is_last: bool = False


def post(raw: bytes, *statuses: int, **more: Any) -> Request:
    return Request(raw, {503, *statuses}, **more)


REQUESTS = {
    "batch": post(with_length(batch()), 202),
    "white": post(with_length(WHITE), 202),
    "chunked": post(head(b"Transfer-Encoding: Chunked") + chunked(batch(), 7), 202),
    "extensions": post(head(b"transfer-encoding: chunked") + chunked(batch(), 90, b";a=b", b"x: y\r\n"), 202),
    "hiding": post(with_length(HIDING), 400),
    "hiding in chunks": post(head(b"transfer-encoding: chunked") + chunked(HIDING, 41), 400),
    "stranger": post(with_length(HIDING, authorized=False), 401),
    "stranger in chunks": post(head(b"transfer-encoding: chunked", authorized=False) + chunked(HIDING, 33), 401),
    "large": post(with_length(b" " * MAX_BODY + HIDDEN), 413),
    "not found": Request(with_length(HIDING, request=b"POST /nowhere HTTP/1.1"), {404}, "/nowhere"),
    "health": Request(head(request=b"GET /healthz HTTP/1.1"), {200}, "/healthz"),
    "health with a body": Request(with_length(HIDING, request=b"GET /healthz HTTP/1.1"), {200}, "/healthz"),
    "expecting": post(with_length(batch(), b"expect: 100-continue"), 202),
    "expecting stranger": post(with_length(HIDDEN, b"expect: 100-continue", authorized=False), 401),
    "h2c": post(
        with_length(batch(), b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: A"), 202
    ),
    "h2c in chunks": post(
        head(b"connection: upgrade", b"upgrade: h2c", b"transfer-encoding: chunked") + chunked(WHITE), 202
    ),
    "h2c hiding": post(with_length(HIDING, b"connection: upgrade", b"upgrade: h2c"), 400),
    "websocket": post(with_length(batch(), b"upgrade: websocket", b"connection: upgrade"), 202),
    "no upgrade": post(with_length(batch(), b"upgrade: h2c"), 202),
    "close": post(with_length(batch(), b"connection: close"), 202, is_last=True),
    "old": post(with_length(batch(), request=f"POST {PATH} HTTP/1.0".encode()), 202, is_last=True),
}
BROKEN = {
    name: Request(raw, {400, 503, 401, 408, 413}, is_last=True)
    for name, raw in {
        "two lengths": head(b"content-length: %d" % len(batch()), b"content-length: 4") + batch() + HIDDEN,
        "equal lengths": head(b"content-length: 4", b"content-length: 4") + b"1234" + HIDDEN,
        "signed": head(b"content-length: +4") + b"1234" + HIDDEN,
        "negative": head(b"content-length: -4") + b"1234" + HIDDEN,
        "spaced": head(b"content-length: 1 0") + b"1234567890" + HIDDEN,
        "hex": head(b"content-length: 0x4") + b"1234" + HIDDEN,
        "list": head(b"content-length: 4, 4") + b"1234" + HIDDEN,
        "no number": head(b"content-length:") + HIDDEN,
        "enormous": head(b"content-length: " + b"9" * 30) + HIDDEN,
        "name and space": head(b"content-length : 4") + b"1234" + HIDDEN,
        "folded": head(b"content-length: 4\r\n 0") + b"1234" + HIDDEN,
        "folded before": head(b"x: y\r\n content-length: 40", b"content-length: 4") + b"1234" + HIDDEN,
        "line feeds": head(b"content-length: 4").replace(b"\r\n", b"\n") + b"1234" + HIDDEN,
        "one line feed": head(b"x: y\ncontent-length: 40", b"content-length: 4") + b"1234" + HIDDEN,
        "carriage returns": head(b"x: y\rcontent-length: 40", b"content-length: 4") + b"1234" + HIDDEN,
        "both": head(b"content-length: 4", b"transfer-encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
        "both, the other way": head(b"transfer-encoding: chunked", b"content-length: 5") + b"0\r\n\r\n" + HIDDEN,
        "no coding": head(b"transfer-encoding:") + b"0\r\n\r\n" + HIDDEN,
        "other coding": head(b"transfer-encoding: xchunked") + b"0\r\n\r\n" + HIDDEN,
        "identity last": head(b"transfer-encoding: chunked, identity") + b"0\r\n\r\n" + HIDDEN,
        "coding twice": head(b"transfer-encoding: chunked", b"transfer-encoding: chunked") + b"0\r\n\r\n" + HIDDEN,
        "coding after a tab": head(b"transfer-encoding: chunked\t") + b"0\r\n\r\n" + HIDDEN,
        "coding after a tab feed": head(b"transfer-encoding: \x0bchunked") + b"0\r\n\r\n" + HIDDEN,
        "coding and space": head(b"transfer-encoding : chunked") + b"0\r\n\r\n" + HIDDEN,
        "coding folded": head(b"transfer-encoding:\r\n chunked") + b"0\r\n\r\n" + HIDDEN,
        "signed chunk": head(b"transfer-encoding: chunked") + b"+4\r\n1234\r\n0\r\n\r\n" + HIDDEN,
        "hex chunk": head(b"transfer-encoding: chunked") + b"0x4\r\n1234\r\n0\r\n\r\n" + HIDDEN,
        "chunk and line feed": head(b"transfer-encoding: chunked") + b"4\n1234\n0\n\n" + HIDDEN,
        "lying chunk": head(b"transfer-encoding: chunked") + b"4\r\n12345\r\n0\r\n\r\n" + HIDDEN,
        "extension and line feed": head(b"transfer-encoding: chunked") + b"4;a\n\r\n1234\r\n0\r\n\r\n" + HIDDEN,
        "enormous chunk": head(b"transfer-encoding: chunked") + b"f" * 17 + b"\r\n1234\r\n0\r\n\r\n" + HIDDEN,
        "broken trailer": head(b"transfer-encoding: chunked") + b"4\r\n1234\r\n0\r\nx y\r\n\r\n" + HIDDEN,
        "h2c, two lengths": head(b"connection: upgrade", b"upgrade: h2c", b"content-length: 4", b"content-length: 9")
        + b"1234"
        + HIDDEN,
        "tunnel": head(b"content-length: 4", request=b"CONNECT x:443 HTTP/1.1") + b"1234" + HIDDEN,
        "http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN,
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + HIDDEN,
        "garbage": b"\0" * 40 + HIDDEN,
    }.items()
}
ALL = REQUESTS | BROKEN


@pytest.fixture
async def gateway() -> AsyncIterator[Wire]:
    async with wire(**SETTINGS) as it:
        yield it


def check(side: Side, asked: list[str], sent: list[Request]) -> None:
    """Hold what was answered against what was sent."""
    answers = side.answers
    assert len(answers) <= len(sent)
    for answer, request in zip(answers, sent, strict=False):
        assert answer.status in request.statuses, (answer, request)
    assert all(not answer.is_last for answer in answers[:-1])
    if len(answers) < len(sent) or (answers and answers[-1].is_last) or any(it.is_last for it in sent):
        assert side.is_over
    paths = iter(request.path for request in sent)
    assert all(path in paths for path in asked), "what came to the application is what was asked, in that order"


async def converse(gateway: Wire, sent: list[Request], places: list[int], prepare: Callable[[int], None]) -> Side:
    """Send requests in segments that are cut at `places`, and check what comes of it."""
    gateway.asked.clear()
    side = gateway.connect()
    for number, segment in enumerate(cut(b"".join(request.raw for request in sent), places)):
        prepare(number)
        await side.send(segment)
    gateway.publisher.go.set()
    await turns()
    check(side, gateway.asked, sent)
    await side.end()
    check(side, gateway.asked, sent)
    side.protocol.give_way()
    await turns()
    return side


def places_of(raw: bytes) -> list[int]:
    """Return every place where a request, or the beginning of the next, may be cut; not those within a long run."""
    dull = [range(match.start() + 2, match.end() - 2) for match in re.finditer(rb"[\w.-]{50,}| {50,}", raw)]
    return [place for place in range(len(raw) + 40) if not any(place in run for run in dull)]


@pytest.mark.parametrize("name", ALL)
async def test_at_every_split_there_is_one_answer_or_none_and_a_close(gateway: Wire, name: str) -> None:
    sent = [ALL[name], REQUESTS["batch"]]
    for place, full in product(places_of(ALL[name].raw), [False, True]):
        gateway.be_full(full=full)
        await converse(gateway, sent, [place], lambda _: None)
    gateway.be_full(full=False)
    assert gateway.services.gate.body_bytes == 0
    assert gateway.services.connections.open == 0


@pytest.mark.parametrize("name", REQUESTS)
async def test_byte_by_byte_a_request_is_answered_as_in_one_piece(gateway: Wire, name: str) -> None:
    request = REQUESTS[name]
    for full in (False, True):
        gateway.be_full(full=full)
        whole = await converse(gateway, [request], [], lambda _: None)
        single = await converse(gateway, [request], list(range(len(request.raw))), lambda _: None)
        assert whole.statuses == single.statuses
        assert len(whole.statuses) == 1


@pytest.mark.parametrize("full", [False, True])
async def test_what_means_no_harm_is_answered_on_one_connection(gateway: Wire, full: bool) -> None:
    kept = [it for name, it in REQUESTS.items() if not it.is_last and name not in {"expecting", "expecting stranger"}]
    for start in range(0, len(kept), 8):  # fewer than may wait
        gateway.be_full(full=full)
        side = await converse(gateway, kept[start : start + 8], [], lambda _: None)
        assert len(side.statuses) == len(kept[start : start + 8])


REQUEST = st.sampled_from(sorted(ALL)).map(ALL.__getitem__)


@examples(200)
@given(
    sent=st.lists(REQUEST, min_size=1, max_size=6),
    places=st.lists(st.integers(0, 20_000), max_size=12),
    full=st.lists(st.booleans(), min_size=1, max_size=13),
    held=st.lists(st.booleans(), min_size=1, max_size=13),
)
def test_random_requests_in_random_pieces_at_random_times(
    sent: list[Request], places: list[int], full: list[bool], held: list[bool]
) -> None:
    """Now and then the gateway is full, or Kafka does not answer."""

    async def run() -> None:
        async with wire(**SETTINGS) as gateway:

            def prepare(number: int) -> None:
                gateway.be_full(full=full[number % len(full)])
                (gateway.publisher.go.clear if held[number % len(held)] else gateway.publisher.go.set)()

            await converse(gateway, sent, places, prepare)

    with asyncio.Runner(loop_factory=PatientLoop) as runner:
        runner.run(run())
