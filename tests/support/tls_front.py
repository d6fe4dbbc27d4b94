"""TLS in front of a PostgreSQL that was built without it."""

import asyncio
import ssl
import struct
import threading
from pathlib import Path
from typing import Self

from attemptlog.local_stack.ports import HOST, free_port

# The first eight bytes of a connection, as the PostgreSQL protocol has them ("Message Formats").
SSL_REQUEST = struct.pack(">ii", 8, 80_877_103)
GSS_REQUEST = struct.pack(">ii", 8, 80_877_104)
CHUNK_BYTES = 64 * 1024


def _refusal(message: str) -> bytes:
    """Return an ErrorResponse with SQLSTATE 28000, as PostgreSQL sends it to a client that is not in pg_hba.conf."""
    fields = b"".join(key + text.encode() + b"\0" for key, text in ((b"S", "FATAL"), (b"C", "28000"), (b"M", message)))
    return b"E" + struct.pack(">i", len(fields) + 5) + fields + b"\0"


class TlsFront:
    """Lets clients through to `target_port` that ask for TLS, as `hostssl` alone in pg_hba.conf would; in a thread."""

    def __init__(self, key_and_certificate: Path, target_port: int) -> None:
        self.port = free_port()
        self._target_port = target_port
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(key_and_certificate)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.start_server(self._serve, HOST, self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result()
        return self

    def __exit__(self, *exc_info: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if await self._is_encrypted(reader, writer):
                await self._pass_on(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):  # the client went, or did not like our certificate; the end
            pass
        finally:
            writer.transport.abort()

    async def _is_encrypted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await reader.readexactly(len(SSL_REQUEST))
        if request == GSS_REQUEST:
            writer.write(b"N")
            request = await reader.readexactly(len(SSL_REQUEST))
        if request != SSL_REQUEST:
            writer.write(_refusal("no pg_hba.conf entry for this host, no encryption"))
            await writer.drain()
            return False
        writer.write(b"S")
        await writer.start_tls(self._tls)
        return True

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind_reader, behind_writer = await asyncio.open_connection(HOST, self._target_port)
        ways = [(reader, behind_writer), (behind_reader, writer)]
        tasks = [asyncio.create_task(_copy(*way)) for way in ways]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            behind_writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK_BYTES):
        writer.write(data)
        await writer.drain()
