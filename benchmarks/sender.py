"""Sends requests with as few cycles as can be had: as fast as they are answered, or at a fixed pace."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Self

import orjson

from benchmarks.school import Request

CONNECTIONS = 64
HOST = "127.0.0.1"
ACCEPTED = 202

Sent = Callable[[Request, float], None]


class NotAccepted(Exception):
    """The gateway answered otherwise than 202."""


@dataclass
class Answers:
    """Counts of events, and the seconds from the time at which each request was due to its answer."""

    requests: int = 0
    accepted: int = 0
    rejected: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def events(self) -> int:
        return self.accepted + self.rejected

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds

    @property
    def requests_per_second(self) -> float:
        return self.requests / self.seconds


class Connection:
    """One request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection(HOST, port))

    @property
    def is_closed(self) -> bool:
        """True when the gateway has closed it, as it does with idle ones."""
        return self._reader.at_eof()

    def close(self) -> None:
        self._writer.close()

    async def ask(self, raw: bytes) -> tuple[int, bytes]:
        """Send a request and return status and body of the answer."""
        self._writer.write(raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        return int(head[9:12]), await self._reader.readexactly(length)

    async def post(self, request: Request, due: float, answers: Answers) -> None:
        """Send a batch and note the answer; raise NotAccepted."""
        status, body = await self.ask(request.raw)
        if status != ACCEPTED:
            raise NotAccepted(f"the gateway answered {status}: {body[:200].decode()}")
        reply = orjson.loads(body)
        answers.requests += 1
        answers.accepted += reply["accepted"]
        answers.rejected += reply["rejected"]
        answers.latencies.append(time.monotonic() - due)


async def send(port: int, requests: Iterable[Request], seconds: float = float("inf")) -> Answers:
    """Send as fast as CONNECTIONS connections are answered, until `requests` or `seconds` are over."""
    answers, queue = Answers(), iter(requests)
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(_send_on(port, queue, started + seconds, answers))
    answers.seconds = time.monotonic() - started
    return answers


async def _send_on(port: int, queue: Iterator[Request], until: float, answers: Answers) -> None:
    connection = await Connection.open(port)
    for request in queue:
        await connection.post(request, time.monotonic(), answers)
        if time.monotonic() > until:
            break
    connection.close()


Idle = asyncio.LifoQueue[Connection]  # those used last come first, so that they stay open


async def send_paced(
    port: int, requests: Iterable[Request], per_second: float, seconds: float, sent: Sent = lambda *_: None
) -> Answers:
    """Send `per_second` requests for `seconds`, whatever the answers take; each waits for a connection if it has to.

    `sent` is called for each with the time at which it was due.
    """
    answers, idle = Answers(), Idle()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await Connection.open(port))
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number, request in zip(range(round(per_second * seconds)), requests, strict=False):
            due = started + number / per_second
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            sent(request, due)
            group.create_task(_post_when_idle(port, idle, request, due, answers))
    answers.seconds = time.monotonic() - started
    while not idle.empty():
        idle.get_nowait().close()
    return answers


async def _post_when_idle(port: int, idle: Idle, request: Request, due: float, answers: Answers) -> None:
    connection = await idle.get()
    if connection.is_closed:
        connection = await Connection.open(port)
    await connection.post(request, due, answers)
    idle.put_nowait(connection)
