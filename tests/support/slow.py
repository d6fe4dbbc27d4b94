"""A network on which what a server says comes byte by byte, or not at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HANGING = 3600.0  # seconds


class SlowProxy:
    """Passes connections on to a port of this machine; each byte from there takes `interval` seconds, 0 for none."""

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self.interval = 0.0
        self._target_port = target_port
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        serving = asyncio.current_task()
        assert serving is not None
        self._connections.add(serving)
        serving.add_done_callback(self._connections.discard)
        with contextlib.suppress(OSError, asyncio.CancelledError), contextlib.closing(writer):
            from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target_port)
            with contextlib.closing(to_server):
                pumps = [
                    asyncio.create_task(_pass_on(reader, to_server)),
                    asyncio.create_task(self._drip(from_server, writer)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
                    await asyncio.gather(*pumps, return_exceptions=True)

    async def close(self) -> None:
        """End all connections."""
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _drip(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            for part in [data[i : i + 1] for i in range(len(data))] if self.interval else [data]:
                await asyncio.sleep(self.interval)
                writer.write(part)
                await writer.drain()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def slow_proxy(target_port: int) -> AsyncIterator[SlowProxy]:
    """Run a proxy, which is fast at first."""
    it = SlowProxy(target_port)
    server = await asyncio.start_server(it.serve, "127.0.0.1", 0)
    it.port = server.sockets[0].getsockname()[1]
    try:
        yield it
    finally:
        server.close()
        await it.close()
