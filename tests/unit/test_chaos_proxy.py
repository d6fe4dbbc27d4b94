"""The network that `python -m chaos` puts between the services and the servers."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from attemptlog.local_stack.ports import HOST, free_port
from chaos.proxy import Proxy
from tests.support.eventually import eventually

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that sends back what it is sent, until nothing more comes; `received` is all of it."""

    def __init__(self) -> None:
        self.received = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(1024):
                self.received += chunk
                writer.write(chunk)
        except ConnectionError:
            pass
        finally:
            writer.close()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[Proxy]:
    port = free_port()
    server = await asyncio.start_server(echo.serve, HOST, port)
    async with server, Proxy(free_port(), port) as proxy:
        yield proxy


async def dial(proxy: Proxy) -> Stream:
    """Return a connection that has been answered once."""
    stream = await asyncio.open_connection(HOST, proxy.port)
    assert await exchange(stream, b"hello") == b"hello"
    return stream


async def exchange(stream: Stream, data: bytes) -> bytes:
    stream[1].write(data)
    return await stream[0].read(1024)


def is_refused(writer: asyncio.StreamWriter) -> bool:
    writer.write(b"too late")
    return writer.transport.is_closing()


async def test_data_pass_and_an_end_passes_too(proxy: Proxy) -> None:
    reader, writer = await dial(proxy)
    assert await exchange((reader, writer), b"more") == b"more"
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()


async def test_a_slow_network_delays_each_way(proxy: Proxy) -> None:
    stream = await dial(proxy)
    proxy.delay = 0.1
    clock = asyncio.get_running_loop().time
    started = clock()
    assert await exchange(stream, b"slow") == b"slow"
    assert clock() - started >= 2 * proxy.delay
    stream[1].close()


async def test_a_reset_is_a_reset_to_the_client_and_the_next_connection_is_good(proxy: Proxy) -> None:
    reader, writer = await dial(proxy)
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    (await dial(proxy))[1].close()


async def test_half_closed_towards_the_client_requests_arrive_and_replies_do_not(proxy: Proxy, echo: Echo) -> None:
    reader, writer = await dial(proxy)
    proxy.half_close("client")
    assert await exchange((reader, writer), b"lost reply") == b""
    await eventually(lambda: echo.received.endswith(b"lost reply"))
    writer.close()


async def test_healing_ends_what_is_half_closed_and_nothing_else(proxy: Proxy) -> None:
    _, writer = await dial(proxy)
    proxy.half_close("client")
    whole = await dial(proxy)
    proxy.heal()
    await eventually(lambda: is_refused(writer))
    assert await exchange(whole, b"whole") == b"whole"
    writer.close()
    whole[1].close()


async def test_without_a_server_a_connection_ends_at_once() -> None:
    async with Proxy(free_port(), free_port()) as proxy:
        reader, writer = await asyncio.open_connection(HOST, proxy.port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
