"""The network between the services and a server, which can be slow, cut connections, or lose one direction of them."""

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Literal, Self

from attemptlog.local_stack.ports import HOST

CHUNK_BYTES = 64 * 1024
CLOSE_WITH_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: what is unsent is dropped, the peer gets a RST

End = Literal["server", "client"]
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """Passes TCP connections to `port` of 127.0.0.1 on to `target_port`; `delay` seconds for each piece of data."""

    def __init__(self, port: int, target_port: int) -> None:
        self.port = port
        self.delay = 0.0
        self._target_port = target_port
        self._connections: set[Connection] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, HOST, self.port)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self._server.close()
        self.reset()

    def reset(self) -> None:
        """End every connection with a RST on both sides."""
        for connection in self._connections:
            connection.reset()

    def half_close(self, towards: End) -> None:
        """End one direction of every connection with a FIN; the other one goes on."""
        for connection in self._connections:
            connection.half_close(towards)

    def heal(self) -> None:
        """Be a good network from now on, and end what was left half closed."""
        self.delay = 0.0
        for connection in self._connections:
            if connection.is_half_closed:
                connection.reset()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_connection(HOST, self._target_port)
        except OSError:
            _abort(writer)
            return
        connection = Connection(self, (reader, writer), server)
        self._connections.add(connection)
        try:
            await connection.pass_on()
        finally:
            self._connections.discard(connection)


class Connection:
    """A client's connection and the one to the server, and a pump for each direction."""

    def __init__(self, proxy: Proxy, client: Stream, server: Stream) -> None:
        self.is_half_closed = False
        self._proxy = proxy
        self._writers = {"server": server[1], "client": client[1]}
        self._pumps = {
            "server": asyncio.create_task(self._pump(client[0], server[1])),
            "client": asyncio.create_task(self._pump(server[0], client[1])),
        }

    async def pass_on(self) -> None:
        """Return when both directions have ended; an error in one ends both."""
        try:
            await asyncio.wait(self._pumps.values(), return_when=asyncio.FIRST_EXCEPTION)
        finally:
            self.reset()
            await asyncio.gather(*self._pumps.values(), return_exceptions=True)

    def half_close(self, towards: End) -> None:
        self.is_half_closed = True
        self._pumps[towards].cancel()
        with suppress(OSError):  # it has just been reset
            self._writers[towards].write_eof()

    def reset(self) -> None:
        for pump in self._pumps.values():
            pump.cancel()
        for writer in self._writers.values():
            _abort(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(CHUNK_BYTES):
            if self._proxy.delay:
                await asyncio.sleep(self._proxy.delay)
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


def _abort(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, CLOSE_WITH_RESET)
        writer.transport.abort()
