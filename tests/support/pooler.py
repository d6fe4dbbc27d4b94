"""A pooler before PostgreSQL as PgBouncer is one in transaction mode: each transaction may meet another server session.

It is nastier than the real one: no two transactions in a row of a client get the same session, and what a client leaves
behind in one stays there. As with the real one, cancelling does nothing here, and `options` in the URL are refused.
"""

import asyncio
import contextlib
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import psycopg

from attemptlog.local_stack.ports import HOST, free_port

SSL_REQUEST, GSS_REQUEST, CANCEL_REQUEST = 80877103, 80877104, 80877102
REPORTED = (
    *("server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "IntervalStyle"),
    *("integer_datetimes", "standard_conforming_strings"),
)
ENDS_A_TRANSACTION = (b"Q", b"S")  # a simple query and Sync: each is answered with ReadyForQuery

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Message = tuple[bytes, bytes]  # its kind, and all of it
GONE: Message = (b"X", b"")
NO_TRANSACTIONS = b"transaction blocks not allowed in statement pooling mode"  # as PgBouncer says it


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


async def read_message(reader: asyncio.StreamReader) -> Message:
    head = await reader.readexactly(5)
    return head[:1], head + await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@dataclass
class Pooler:
    """Server sessions of one login, lent for a transaction each, in turn; whoever connects is let in."""

    sessions: "list[psycopg.Connection[tuple[object, ...]]]"
    port: int = field(default_factory=free_port)
    lent: int = 0
    for_a_statement: bool = False  # as PgBouncer with pool_mode = statement

    async def serve(self, ready: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        self._free: asyncio.Queue[Streams] = asyncio.Queue()
        self._clients: set[asyncio.Task[None]] = set()
        for session in self.sessions:
            duplicate = socket.socket(fileno=os.dup(session.fileno()))
            self._free.put_nowait(await asyncio.open_connection(sock=duplicate))
        async with await asyncio.start_server(self._serve, HOST, self.port):
            ready.set()
            await self._ending.wait()
        await asyncio.gather(*self._clients)  # a test closes its connections before it ends the pooler
        while not self._free.empty():
            await close(self._free.get_nowait()[1])

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._ending.set)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked: asyncio.Queue[Message] = asyncio.Queue()
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            if await self._greet(reader, writer):
                reading = asyncio.create_task(self._read(reader, asked))
                while (first := await asked.get())[0] != b"X":
                    await self._lend(first, asked, writer)
                await reading
        finally:
            self._clients.discard(task)
            await close(writer)

    async def _read(self, reader: asyncio.StreamReader, asked: "asyncio.Queue[Message]") -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                asked.put_nowait(await read_message(reader))
        asked.put_nowait(GONE)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        body = await self._startup(reader)
        while struct.unpack("!I", body[:4])[0] in (SSL_REQUEST, GSS_REQUEST):
            writer.write(b"N")
            body = await self._startup(reader)
        if struct.unpack("!I", body[:4])[0] == CANCEL_REQUEST:
            return False
        if b"\0options\0" in body:
            writer.write(message(b"E", b"SFATAL\0C08P01\0Munsupported startup parameter: options\0\0"))
            return False
        status = self.sessions[0].pgconn.parameter_status
        shown = {name: status(name.encode()) or b"" for name in REPORTED}
        parameters = b"".join(message(b"S", name.encode() + b"\0" + value + b"\0") for name, value in shown.items())
        writer.write(message(b"R", b"\0\0\0\0") + parameters + message(b"K", os.urandom(8)) + message(b"Z", b"I"))
        return True

    async def _startup(self, reader: asyncio.StreamReader) -> bytes:
        [length] = struct.unpack("!I", await reader.readexactly(4))
        return await reader.readexactly(length - 4)

    async def _lend(self, first: Message, asked: "asyncio.Queue[Message]", client: asyncio.StreamWriter) -> None:
        """Pass one transaction on; a server session that a client leaves in the middle of one is not lent again."""
        if self.for_a_statement and b"BEGIN" in first[1]:
            client.write(message(b"E", b"SFATAL\0C08P01\0M" + NO_TRANSACTIONS + b"\0\0"))
            client.close()
            return
        server = await self._free.get()
        self.lent += 1
        if await Loan(server, client, asked).serve(first):
            self._free.put_nowait(server)
        else:
            await close(server[1])


@dataclass
class Loan:
    """A server session while a client has it."""

    server: Streams
    client: asyncio.StreamWriter
    asked: "asyncio.Queue[Message]"
    unanswered: int = 0

    async def serve(self, first: Message) -> bool:
        """Return whether the transaction ended, and not the client."""
        answering = asyncio.create_task(self._answer())
        kind, whole = first
        while kind != b"X":
            self.unanswered += kind in ENDS_A_TRANSACTION
            self.server[1].write(whole)
            asking = asyncio.create_task(self.asked.get())
            await asyncio.wait({asking, answering}, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                asking.cancel()
                return True
            kind, whole = asking.result()
            if answering.done():
                self.asked._queue.appendleft((kind, whole))  # type: ignore[attr-defined]
                return True
        answering.cancel()
        return False

    async def _answer(self) -> None:
        while True:
            kind, whole = await read_message(self.server[0])
            self.unanswered -= kind == b"Z"
            self.client.write(whole)
            if kind == b"Z" and whole[-1:] == b"I" and not self.unanswered:
                return


@contextmanager
def pooler(url: str, sessions: int = 3) -> Iterator[tuple[Pooler, str]]:
    """Run a pooler of this login's sessions in a thread; yield it and the URL that goes through it."""
    connections = [psycopg.connect(url, autocommit=True) for _ in range(sessions)]
    it, ready = Pooler(connections), threading.Event()
    thread = threading.Thread(target=asyncio.run, args=[it.serve(ready)])
    thread.start()
    assert ready.wait(10)
    try:
        address = urlsplit(url)
        yield it, urlunsplit(address._replace(netloc=f"{address.netloc.rpartition(':')[0]}:{it.port}"))
    finally:
        it.end()
        thread.join()
        for connection in connections:
            connection.close()
