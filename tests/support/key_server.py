"""A server of a JWK set, on a real socket, that can also be everything that a key server should not be."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class KeyServer:
    """Serves the public halves of `keys`, by key id; set `answer` for something else, None for the keys again."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.answer: Answer | None = None
        self.fetches = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request and close."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            self.fetches += 1
            await (self.answer or answering(self.document()))(writer)
        writer.close()

    def document(self) -> bytes:
        """Return the set."""
        return json.dumps({"keys": [public_jwk(key) | {"kid": kid} for kid, key in self.keys.items()]}).encode()


@asynccontextmanager
async def key_server_on(port: int = 0) -> AsyncIterator[KeyServer]:
    """Run a key server; what it still answers at the end is cut off."""
    it, connections = KeyServer(), set[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        connections.add(connection)
        with contextlib.suppress(asyncio.CancelledError):
            await it.serve(reader, writer)
        connections.discard(connection)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    it.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
    try:
        yield it
    finally:
        server.close()
        for connection in list(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def answering(body: bytes, status: str = "200 OK", *headers: str) -> Answer:
    """Return an answer with a body."""
    head = "".join(f"{line}\r\n" for line in [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *headers])

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode() + b"\r\n" + body)
        await writer.drain()

    return answer


async def silence(_: asyncio.StreamWriter) -> None:
    """Accept, and never answer."""
    await asyncio.Event().wait()


def dripping(body: bytes, interval: float) -> Answer:
    """Return an answer that comes byte by byte, `interval` seconds apart."""
    head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n".encode()

    async def answer(writer: asyncio.StreamWriter) -> None:
        for byte in head + body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(interval)

    return answer


async def endless(writer: asyncio.StreamWriter) -> None:
    """Answer with a body that has no end."""
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" " * 65_536)
        await writer.drain()


def public_jwk(key: Any) -> dict[str, Any]:
    """Return the public half of a private key."""
    return dict(_algorithm(key).to_jwk(key.public_key(), as_dict=True))


def private_jwk(key: Any) -> dict[str, Any]:
    """Return a private key as nobody should publish it."""
    return dict(_algorithm(key).to_jwk(key, as_dict=True))


def _algorithm(key: Any) -> Any:
    kinds: dict[type, Any] = {
        rsa.RSAPrivateKey: RSAAlgorithm,
        ec.EllipticCurvePrivateKey: ECAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm,
    }
    [algorithm] = [algorithm for kind, algorithm in kinds.items() if isinstance(key, kind)]
    return algorithm


def token_of_key(user: str, kid: str | None, key: Any, algorithm: str = "RS256", **header: Any) -> str:
    """Return a token, good for a minute, that names the key that signed it."""
    named = {} if kid is None else {"kid": kid}
    return jwt.encode({"sub": user, "exp": time.time() + 60}, key, algorithm=algorithm, headers=named | header)
