"""The gateway's connections as a real process on a real socket has them. It needs neither Kafka nor PostgreSQL."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from attemptlog.local_stack.ports import free_port
from tests.support.eventually import PATIENCE, eventually
from tests.support.http import JWT_SECRET, PATH, START_DEADLINE, Exam, end, token
from tests.support.signals import HEEDING_SIGNALS
from tests.support.wire import Answer, Answers, batch, chunked, cut, head, with_length

KAFKA_WAIT = 1.0  # seconds for which a batch is in flight, as Kafka is away
HEALTH = head(request=b"GET /healthz HTTP/1.1")
SETTINGS = {
    "kafka_bootstrap_servers": "127.0.0.1:1",
    "database_url": "postgresql://nobody@127.0.0.1:1/nothing",
    "jwt_secret": JWT_SECRET,
    "delivery_deadline": str(KAFKA_WAIT),
    "session_lookup_timeout": "0.05",
}


@dataclass
class Gateway:
    """A gateway process."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @contextmanager
    def connect(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as connection:
            yield connection

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE)

    def metric(self, line: str) -> float:
        found = [it for it in self.get("/metrics").text.splitlines() if it.startswith(line)]
        return float(found[0].rpartition(" ")[2]) if found else 0.0

    def memory(self) -> int:
        """Return what the process takes, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def actions(self) -> list[str]:
        """Return what the process logged that has a name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line["action"] for line in lines if "action" in line]


@contextmanager
def run(directory: Path, *prefix: str, **settings: str) -> Iterator[Gateway]:
    port, log = free_port(), directory / "log"
    environment = {f"ATTEMPTLOG_{name.upper()}": value for name, value in (SETTINGS | settings).items()}
    command = [*HEEDING_SIGNALS, *prefix, sys.executable, "-m", "attemptlog.cli", "ingest", "--port", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, env=os.environ | environment, stderr=file) as process:
        gateway = Gateway(process, port, log)
        try:
            _wait_until_serving(gateway)
            yield gateway
        finally:
            end(process)


def _wait_until_serving(gateway: Gateway) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while gateway.process.poll() is None and time.monotonic() < deadline:
        try:
            if gateway.get("/healthz").is_success:
                return
        except httpx.TransportError:
            continue
    raise AssertionError(gateway.log.read_text())


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with run(tmp_path_factory.mktemp("wire"), head_deadline="2", body_deadline="2", keep_alive="5") as it:
        yield it


def read(connection: socket.socket, answers: int = 1000) -> list[Answer]:
    """Return so many answers, or all until the connection is closed; raise ConnectionResetError when it is reset."""
    found = Answers()
    while len(found.complete) < answers and (data := connection.recv(65536)):
        found.feed(data)
    return found.complete


POST = with_length(batch())
KINDS = {
    "batch": (POST, 503),
    "chunked": (head(b"transfer-encoding: chunked") + chunked(batch()), 503),
    "h2c": (
        with_length(batch(), b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABk"),
        503,
    ),
    "websocket": (with_length(batch(), b"connection: upgrade", b"upgrade: websocket", b"sec-websocket-key: x"), 503),
    "stranger": (with_length(b"GET /hidden HTTP/1.1\r\n\r\n", authorized=False), 401),
    "health": (HEALTH, 200),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_request_in_pieces_is_answered_and_the_connection_goes_on(gateway: Gateway, name: str) -> None:
    raw, status = KINDS[name]
    with gateway.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in cut(raw + HEALTH, range(0, len(raw), 40)):
            connection.sendall(piece)
        statuses = [answer.status for answer in read(connection, answers=2)]
    assert statuses in ([status, 200], [401])  # a body that came late after a 401 ends the connection


def test_a_large_body_that_is_not_wanted_does_not_cost_the_answer(gateway: Gateway) -> None:
    for _ in range(5):
        with gateway.connect() as connection:
            connection.sendall(head(b"content-length: 100000000") + b" " * 1_000_000)
            (answer,) = read(connection)
            assert (answer.status, answer.is_last) == (413, True)


def test_who_ends_its_side_after_a_request_has_its_answer(gateway: Gateway) -> None:
    with gateway.connect() as connection:
        connection.sendall(POST + HEALTH)
        connection.shutdown(socket.SHUT_WR)
        assert [answer.status for answer in read(connection)] == [503, 200]


async def test_who_ends_its_side_in_the_middle_is_told_and_counted(gateway: Gateway) -> None:
    before = gateway.metric('attemptlog_ingest_requests_total{status="499"}')
    with gateway.connect() as connection:
        connection.sendall(POST[:-1])
        connection.shutdown(socket.SHUT_WR)
        assert [answer.code for answer in read(connection)] == ["bad_request"]
    await eventually(lambda: gateway.metric('attemptlog_ingest_requests_total{status="499"}') == before + 1)


def test_half_a_head_and_silence_are_given_up(gateway: Gateway) -> None:
    with gateway.connect() as half, gateway.connect() as silent:
        half.sendall(POST[:20])
        assert [answer.code for answer in read(half)] == ["slow_head"]
        assert read(silent) == []


async def test_an_endless_head_takes_no_memory(gateway: Gateway) -> None:
    before = gateway.memory()
    with gateway.connect() as connection, suppress(ConnectionError, TimeoutError):
        connection.sendall(HEALTH[:-2])
        for _ in range(160):
            connection.sendall(b"x: y\r\n" * 170_000)
    assert gateway.memory() - before < 20_000_000
    await eventually(lambda: gateway.metric('attemptlog_ingest_connections_ended_total{reason="head_too_large"}') == 1)


def test_who_never_reads_its_answers_is_closed_and_takes_no_memory(gateway: Gateway) -> None:
    before = gateway.memory()
    url = f"http://127.0.0.1:{gateway.port}/healthz"
    with gateway.connect() as connection, httpx.Client(timeout=PATIENCE) as other, suppress(ConnectionError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # or many come at once, and too many wait
        for _ in range(20_000):
            connection.sendall(head(request=b"GET /openapi.json HTTP/1.1"))
            assert other.get(url).is_success  # by then the one before was answered
    assert gateway.memory() - before < 20_000_000
    assert gateway.metric('attemptlog_ingest_connections_ended_total{reason="untaken"}') == 1


def test_one_user_with_many_heads_and_no_bodies_leaves_room_for_others(gateway: Gateway) -> None:
    one, others = Exam(), [Exam() for _ in range(20)]
    start = (
        f"POST {PATH} HTTP/1.1\r\nhost: x\r\ncontent-length: 320000\r\nauthorization: Bearer {token(one.user)}\r\n\r\n"
    )
    with ExitStack() as stack:
        held = [stack.enter_context(gateway.connect()) for _ in range(150)]
        for connection in held:
            connection.sendall(start.encode() + b"{")
        for other in others:
            url = f"http://127.0.0.1:{gateway.port}{PATH}"
            headers = {"authorization": f"Bearer {token(other.user)}"}
            assert httpx.post(url, json={"events": []}, headers=headers).json()["code"] == "bad_body"
        codes = [answer.code for connection in held for answer in read(connection)]
    assert set(codes) == {"slow_body", "too_many_requests"}
    assert codes.count("slow_body") <= 8


def test_more_silent_connections_than_files_leave_room_for_others(tmp_path: Path) -> None:
    with run(tmp_path, "prlimit", "--nofile=256:256") as gateway, ExitStack() as stack:
        for _ in range(600):
            stack.enter_context(gateway.connect())
        for _ in range(20):
            assert gateway.get("/healthz").is_success
        assert gateway.metric("attemptlog_ingest_connections ") <= 256 - 64 + 1
        assert gateway.metric('attemptlog_ingest_connections_ended_total{reason="crowded"}') >= 400
    assert {"connections_bounded", "connections_crowded"} <= set(gateway.actions())


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_ends_it_once_what_was_asked_is_answered(tmp_path: Path, number: signal.Signals) -> None:
    with run(tmp_path, keep_alive="60") as gateway, gateway.connect() as busy, gateway.connect() as idle:
        busy.sendall(POST)
        idle.sendall(HEALTH)
        assert [answer.status for answer in read(idle, 1)] == [200]
        gateway.process.send_signal(number)
        (answer,) = read(busy)
        assert (answer.status, answer.code) == (503, "unavailable")
        assert read(idle) == []
        gateway.process.wait(PATIENCE)


def test_a_signal_that_was_ignored_at_the_start_is_ignored(tmp_path: Path) -> None:
    with run(tmp_path, "nohup") as gateway:
        gateway.process.send_signal(signal.SIGHUP)
        assert gateway.get("/healthz").is_success
        assert gateway.process.poll() is None
