"""What one connection may hold, and for how long; who is slow, sends too much or leaves is answered or closed."""

import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from attemptlog.ingest_api.protocol import LINE_BYTES, MAX_PIPELINED
from tests.support.eventually import eventually
from tests.support.http import PATH
from tests.support.series import values_of
from tests.support.wire import TURNS, Side, Wire, batch, chunked, cut, head, turns, wire, with_length

MAX_HEAD = 2048  # bytes
SHORT = 0.05  # seconds
LONG = 60.0
HEALTH = head(request=b"GET /healthz HTTP/1.1")
POST = with_length(batch())


@pytest.fixture
async def gateway() -> AsyncIterator[Wire]:
    """One on which nothing takes too long."""
    async with wire(max_head_bytes=MAX_HEAD, head_deadline=LONG, body_deadline=LONG, keep_alive=LONG) as it:
        yield it


def ended(gateway: Wire, reason: str) -> float:
    value = gateway.services.metrics.registry.get_sample_value(
        "attemptlog_ingest_connections_ended_total", {"reason": reason}
    )
    return value or 0.0


def refused(gateway: Wire) -> dict[str, float]:
    """What the protocol has refused, by code."""
    [family] = gateway.services.metrics.refused_early.collect()
    return {code: count for code, count in values_of(family, "code").items() if count}


def assert_last(side: Side, status: int, code: str) -> None:
    answer = side.answers[-1]
    assert (answer.status, answer.code, answer.is_last) == (status, code, True)
    assert side.is_over


# how large


LARGE = {
    "a line": head(b"x: " + b"y" * MAX_HEAD),
    "lines": head(*[b"x: y"] * (MAX_HEAD // 6)),
    "target": head(request=b"GET /?" + b"x" * MAX_HEAD + b" HTTP/1.1"),
    "a batch": with_length(batch(), b"x: " + b"y" * MAX_HEAD),
    "h2c": with_length(batch(), b"connection: upgrade", b"upgrade: h2c", b"x: " + b"y" * MAX_HEAD),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", LARGE)
async def test_a_head_over_the_bound_is_refused_however_it_comes(gateway: Wire, name: str, full: bool) -> None:
    gateway.be_full(full=full)
    raw = LARGE[name]
    for places in ([], [len(raw) // 2], [10], [len(raw) - 1], range(0, len(raw), 100)):
        side = gateway.connect()
        await side.send(*cut(raw, places))
        assert side.statuses == [431]
        assert_last(side, 431, "head_too_large")
    assert gateway.asked == []
    assert ended(gateway, "head_too_large") == 5
    assert refused(gateway) == {"head_too_large": 5}


@pytest.mark.parametrize("before", [POST, HEALTH, with_length(b" " * 10_000)])
async def test_a_head_over_the_bound_behind_a_request_ends_the_connection(gateway: Wire, before: bytes) -> None:
    side = gateway.connect()
    await side.send(before + LARGE["a line"])
    assert len(side.answers) == 1
    assert side.answers[0].is_last
    assert side.is_over


async def test_a_head_just_within_the_bound_is_read_however_it_comes(gateway: Wire) -> None:
    lines = b"x: " + b"y" * (MAX_HEAD - len(HEALTH) - 3 * LINE_BYTES)
    raw = head(lines, request=b"GET /healthz HTTP/1.1")
    for places in ([], [len(raw) // 2], range(len(raw))):
        side = gateway.connect()
        await side.send(*cut(with_length(b" " * 5000) + raw, places))
        assert side.statuses == [400, 200]


ENDLESS = {
    "target": (b"GET /", b"x"),
    "header": (head(b"x: ")[:-4], b"y"),
    "name": (head(b"x")[:-4], b"y"),
    "headers": (head()[:-2], b"x: y\r\n"),
    "trailers": (head(b"transfer-encoding: chunked") + b"0\r\n", b"x: y\r\n"),
    "trailer": (head(b"transfer-encoding: chunked") + b"0\r\nx: ", b"y"),
    "extension": (head(b"transfer-encoding: chunked") + b"1;a=", b"y"),
}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("name", ENDLESS)
async def test_what_never_ends_is_given_up_before_it_is_large(gateway: Wire, name: str, full: bool) -> None:
    gateway.be_full(full=full)
    start, more = ENDLESS[name]
    side, piece, sent = gateway.connect(), more * (10_000 // len(more)), 0
    await side.send(start)
    while not side.is_over:
        await side.send(piece)
        sent += len(piece)
        assert sent < MAX_HEAD + 300 * 1024
    assert side.statuses == [431]
    assert_last(side, 431, "head_too_large")


async def test_a_head_of_many_short_lines_is_not_kept(gateway: Wire) -> None:
    side = gateway.connect()
    await side.send(head()[:-2] + b"x:\r\n" * 50_000)
    assert_last(side, 431, "head_too_large")
    assert len(side.protocol.headers) < MAX_HEAD // LINE_BYTES


async def test_of_requests_that_wait_behind_another_only_so_many_are_read(gateway: Wire) -> None:
    gateway.publisher.go.clear()
    side = gateway.connect()
    await side.send(POST * 1000)
    gateway.publisher.go.set()
    await eventually(lambda: side.is_over)
    assert side.statuses == [202] * (1 + MAX_PIPELINED)
    assert [it.is_last for it in side.answers] == [False] * MAX_PIPELINED + [True]


@pytest.mark.parametrize("full", [False, True])
async def test_so_many_upgrades_at_once_as_fit_into_a_segment_do_no_harm(gateway: Wire, full: bool) -> None:
    gateway.be_full(full=full)
    side = gateway.connect()
    many = 2000
    await side.send(f"POST {PATH} HTTP/1.1\r\nconnection:upgrade\r\nupgrade:x\r\n\r\n".encode() * many)
    assert side.statuses == [503] * many if full else [401] * (1 + MAX_PIPELINED)


# how long


@pytest.fixture
async def hasty() -> AsyncIterator[Wire]:
    async with wire(head_deadline=SHORT, body_deadline=SHORT, keep_alive=SHORT) as it:
        yield it


async def trickle(side: Side, piece: bytes = b"") -> None:
    """Send pieces until the gateway has had enough."""

    async def more() -> bool:
        await side.send(piece)
        return side.is_over

    await eventually(more, interval=SHORT / 10)


@pytest.mark.parametrize("piece", [b"", b"\r\n"])
async def test_a_connection_without_a_request_is_closed_without_a_word(hasty: Wire, piece: bytes) -> None:
    side = hasty.connect()
    await trickle(side, piece)
    assert side.answers == []
    assert ended(hasty, "idle") == 1


async def test_after_its_answer_a_connection_is_kept_for_as_long_as_it_says() -> None:
    async with wire(head_deadline=SHORT, body_deadline=SHORT, keep_alive=4 * SHORT) as it:
        busy, idle = it.connect(), it.connect()

        async def idle_is_over() -> bool:
            await busy.send(HEALTH)
            return idle.is_over

        clock = asyncio.get_running_loop().time
        began = clock()
        await eventually(idle_is_over, interval=SHORT)
        assert 4 * SHORT < clock() - began < 6 * SHORT
        assert not busy.is_over
        await trickle(busy)


@pytest.mark.parametrize("start", [b"P", head()[:-2], head(b"connection: upgrade", b"upgrade: h2c")[:-2]])
@pytest.mark.parametrize("piece", [b"", b"x"])
async def test_a_head_that_does_not_come_to_its_end_is_given_up(hasty: Wire, start: bytes, piece: bytes) -> None:
    side = hasty.connect()
    await side.send(start)
    await trickle(side, piece if start != b"P" else b"")
    assert_last(side, 408, "slow_head")
    assert ended(hasty, "slow_head") == 1
    assert refused(hasty) == {"slow_head": 1}


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("start", [head(b"content-length: 99"), head(b"transfer-encoding: chunked") + b"63\r\n"])
async def test_a_body_that_does_not_come_to_its_end_is_given_up(hasty: Wire, start: bytes, full: bool) -> None:
    hasty.be_full(full=full)
    side = hasty.connect()
    await side.send(start + b"x")
    hasty.be_full(full=False)
    await trickle(side)
    assert_last(side, 408, "slow_body")
    assert refused(hasty) == ({"slow_body": 1} if full else {}), "else it came to the application"


async def test_a_head_behind_a_request_has_its_time_once_that_is_answered(hasty: Wire) -> None:
    hasty.publisher.go.clear()
    side = hasty.connect()
    await side.send(POST + b"POST ")
    await trickle(hasty.connect())
    assert not side.is_over
    hasty.publisher.go.set()
    await trickle(side)
    assert side.statuses == [202, 408]


async def test_who_does_not_take_its_answers_is_closed(hasty: Wire) -> None:
    side = hasty.connect()
    await side.send(HEALTH)
    side.protocol.pause_writing()
    await side.send(HEALTH)
    await eventually(side.transport.is_closing)
    assert ended(hasty, "untaken") == 1
    await eventually(lambda: not hasty.server.tasks)


async def test_who_takes_its_answers_late_has_them_and_is_not_read_from_until_then(gateway: Wire) -> None:
    side = gateway.connect()
    side.protocol.pause_writing()
    assert not side.transport.reads
    await side.send(HEALTH)
    side.protocol.resume_writing()
    assert side.transport.reads
    await turns()
    assert side.statuses == [200]


# whose answer


@pytest.mark.parametrize("garbage", [b"\0", b"GET / HTTP/1.1\r\nx y\r\n\r\n", LARGE["a line"], LARGE["target"]])
async def test_garbage_behind_a_request_is_no_answer_to_it(gateway: Wire, garbage: bytes) -> None:
    gateway.publisher.go.clear()
    side = gateway.connect()
    await side.send(POST)
    await side.send(garbage, POST)
    assert side.answers == []
    gateway.publisher.go.set()
    await turns()
    assert side.statuses == [202]
    assert side.is_over
    assert len(gateway.publisher.envelopes) == 1


async def test_a_body_that_breaks_behind_a_request_has_its_answer_after_that(gateway: Wire) -> None:
    gateway.publisher.go.clear()
    side = gateway.connect()
    await side.send(POST, head(b"transfer-encoding: chunked") + b"x\r\n", POST)
    assert side.answers == []
    gateway.publisher.go.set()
    await turns()
    assert side.statuses == [202, 400]
    assert_last(side, 400, "bad_request")
    assert refused(gateway) == {"bad_request": 1}


@pytest.mark.parametrize("rest", [b"", b"x" * 500])
async def test_an_answer_before_the_body_is_the_last_and_the_rest_is_dropped(gateway: Wire, rest: bytes) -> None:
    side = gateway.connect()
    await side.send(head(b"content-length: 1000", authorized=False), rest)
    assert_last(side, 401, "unauthenticated")
    assert side.transport.has_eof
    assert not side.transport.is_closing(), "a reset would overtake the answer"
    await side.send(POST * 3)
    assert side.statuses == [401]
    await side.end()
    assert side.transport.is_closing()


async def test_who_is_told_that_it_was_the_last_answer_is_not_waited_for_long(hasty: Wire) -> None:
    side = hasty.connect()
    await side.send(head(b"content-length: 1000", authorized=False))
    await eventually(side.transport.is_closing)


@pytest.mark.parametrize("line", [b"connection: close", b"connection: keep-alive, Close"])
async def test_after_the_last_request_of_a_connection_nothing_is_read(gateway: Wire, line: bytes) -> None:
    side = gateway.connect()
    await side.send(with_length(batch(), line) + POST, POST)
    assert side.statuses == [202]
    assert side.answers[0].is_last
    assert not side.transport.is_closing(), "a reset would overtake the answer"
    assert len(gateway.publisher.envelopes) == len(gateway.asked) == 1


async def test_a_page_of_another_origin_can_read_that_the_gateway_is_full() -> None:
    async with wire(cors_origins="https://exam.example") as gateway:
        gateway.be_full()
        side = gateway.connect()
        await side.send(with_length(batch(), b"Origin: https://exam.example"), POST)
        foreign, own = side.answers
    assert (foreign.code, own.code) == ("unavailable", "unavailable")
    assert refused(gateway) == {"unavailable": 1}, "the foreign page's came to the application"
    assert foreign.headers[b"access-control-allow-origin"] == b"https://exam.example"
    assert foreign.headers[b"access-control-expose-headers"] == b"retry-after"
    assert foreign.headers[b"retry-after"] == own.headers[b"retry-after"] == b"1"


async def test_an_answer_is_the_same_whoever_was_given_it_before() -> None:
    async with wire(cors_origins="https://exam.example,https://app.example") as gateway:
        side = gateway.connect()
        origins = [b"https://exam.example", b"https://app.example", None, b"https://exam.example"]
        await side.send(*(with_length(batch(), *([b"origin: " + it] if it else [])) for it in origins))
        answers = side.answers
    assert [answer.headers.get(b"access-control-allow-origin") for answer in answers] == origins
    assert [json.loads(answer.body)["accepted"] for answer in answers] == [1] * 4
    assert answers[3].headers == answers[0].headers
    assert [answer.headers.keys() for answer in answers[1::2]] == [answers[0].headers.keys()] * 2


@pytest.mark.parametrize("line", [b"x: y", b"connection: close"])
async def test_an_answer_that_is_written_at_once_is_the_one_that_asgi_would_send(
    gateway: Wire, line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.server.default_headers.append((b"date", b"Thu, 01 Jan 1970 00:00:00 GMT"))
    written = []
    for _ in range(2):
        side = gateway.connect()
        await side.send(with_length(batch(), line), with_length(batch(payload=1), line))
        written.append(bytes(side.transport.written))
        monkeypatch.setattr("attemptlog.ingest_api.wire.answer_at_once", lambda *_: False)
    assert written[0] == written[1]
    assert written[0].count(b"date: Thu, 01 Jan 1970") == len(side.statuses)


async def test_trailers_are_no_headers(gateway: Wire) -> None:
    trailers = head()[head().index(b"authorization") : -2]
    side = gateway.connect()
    await side.send(head(b"transfer-encoding: chunked", authorized=False) + chunked(batch(), trailers=trailers))
    assert side.statuses == [401]


async def test_an_http_1_0_caller_is_sent_no_100(gateway: Wire) -> None:
    side = gateway.connect()
    raw = with_length(batch(), b"expect: 100-continue", request=f"POST {PATH} HTTP/1.0".encode())
    await side.send(raw[:-5])
    assert side.transport.written == b""
    await side.send(raw[-5:])
    assert side.statuses == [202]


# who leaves


async def test_who_ends_its_side_has_its_answers_all_the_same(gateway: Wire) -> None:
    gateway.publisher.go.clear()
    side = gateway.connect()
    await side.send(POST + POST)
    await side.end()
    assert not side.is_over
    gateway.publisher.go.set()
    await turns()
    assert side.statuses == [202, 202]
    assert side.transport.is_closing()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("raw", [POST, HEALTH, POST + HEALTH])
async def test_who_ends_its_side_has_its_answers_whenever_that_is(gateway: Wire, raw: bytes, full: bool) -> None:
    gateway.be_full(full=full)
    for later in range(TURNS):
        side = gateway.connect()
        side.protocol.data_received(raw)
        for _ in range(later):
            await asyncio.sleep(0)
        await side.end()
        assert len(side.statuses) == raw.count(b"HTTP/1.1"), later
        assert side.transport.is_closing()


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("start", [POST[:-1], POST[:50], head(b"transfer-encoding: chunked") + b"4\r\n12"])
async def test_who_ends_its_side_in_the_middle_of_a_request_is_told(gateway: Wire, start: bytes, full: bool) -> None:
    gateway.be_full(full=full)
    side = gateway.connect()
    await side.send(start)
    await side.end()
    assert_last(side, 400, "bad_request")
    assert side.transport.is_closing()
    assert gateway.publisher.envelopes == []


async def test_who_ends_its_side_between_requests_is_told_nothing(gateway: Wire) -> None:
    side = gateway.connect()
    await side.send(HEALTH)
    await side.end()
    assert side.statuses == [200]
    assert side.transport.is_closing()


async def test_a_stop_closes_what_waits_and_answers_what_was_asked(gateway: Wire) -> None:
    gateway.publisher.go.clear()
    idle, lingering, beginning, busy, sending = (gateway.connect() for _ in range(5))
    await idle.send(HEALTH)
    await lingering.send(head(b"content-length: 9", authorized=False))
    await beginning.send(POST[:20])
    await busy.send(POST)
    await sending.send(POST[:-1])
    for connection in list(gateway.server.connections):
        connection.shutdown()
    await turns()
    assert idle.transport.is_closing()
    assert lingering.transport.is_closing()
    assert beginning.transport.is_closing()
    await sending.send(POST[-1:])
    gateway.publisher.go.set()
    await turns()
    assert busy.statuses == sending.statuses == [202]
    assert busy.is_over
    assert sending.is_over


# how many


async def test_connections_that_only_wait_go_when_there_are_too_many(caplog: pytest.LogCaptureFixture) -> None:
    async with wire(max_connections=20, head_deadline=1, keep_alive=LONG, body_deadline=LONG) as gateway:
        gateway.publisher.go.clear()
        served = [gateway.connect() for _ in range(5)]
        for side in served:
            await side.send(POST)
        flood = [gateway.connect() for _ in range(100)]
        await turns()
        await flood[-1].send(b"POST ")
        late = [gateway.connect() for _ in range(3)]
        for side in late:
            await side.send(HEALTH)
        assert [side.statuses for side in late] == [[200]] * 3
        assert gateway.services.connections.open <= 21
        assert flood[-1].is_over, "of those that wait, the one that would be closed first goes first"
        gateway.publisher.go.set()
        await turns()
        assert [side.statuses for side in served] == [[202]] * 5
        assert refused(gateway) == {}, "nobody was turned away"
    assert ended(gateway, "crowded") >= 83
    assert [it.__dict__["action"] for it in caplog.records] == ["connections_crowded"]


async def test_when_all_are_served_one_more_is_told_to_come_again() -> None:
    async with wire(max_connections=3) as gateway:
        gateway.publisher.go.clear()
        served = [gateway.connect() for _ in range(3)]
        for side in served:
            await side.send(POST)
        more = gateway.connect()
        await turns()
        assert_last(more, 503, "unavailable")
        assert more.answers[0].headers[b"retry-after"] == b"1"
        gateway.publisher.go.set()
        await turns()
        assert [side.statuses for side in served] == [[202]] * 3


ROOM = """
import resource, sys
from attemptlog.ingest_api.connections import room_for
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
print(room_for(4096), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "room", "files"),
    [(256, 256, 192, 256), (256, 1000, 936, 1000), (256, 20_000, 4096, 4160), (8000, 20_000, 4096, 8000)],
)
def test_the_limit_of_open_files_is_raised_as_far_as_it_goes(soft: int, hard: int, room: int, files: int) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] < hard:
        pytest.skip("this process may not have so many files")
    run: Any = subprocess.run(
        [sys.executable, "-c", ROOM, str(soft), str(hard)], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == [str(room), str(files)]
    assert bool(run.stderr) == (room < 4096)
