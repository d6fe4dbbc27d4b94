"""The bytes of a body, with every bound in force while they arrive."""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from attemptlog.ingest_api.problems import BadBody, BodyTooLarge, SlowBody
from attemptlog.runtime.headers import Headers

BODY_HAS_ARRIVED = "attemptlog.body_has_arrived"  # in the ASGI scope: our server's word that nobody has to wait for it
GZIP_WINDOW = zlib.MAX_WBITS | 16  # zlib: a gzip header and trailer are expected


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """Bounds on one body: bytes after inflating, and the time it may take to arrive."""

    max_bytes: int
    deadline: timedelta


async def read_body(
    scope: Scope, receive: Receive, headers: Headers, limits: BodyLimits, take: Callable[[int], None]
) -> bytes:
    """Return the body of a request, inflated; `take` hears of bytes before they are kept, and may raise.

    Raises BadBody, BodyTooLarge, SlowBody, or ClientDisconnect when the caller has left.
    """
    if scope.get(BODY_HAS_ARRIVED):  # a deadline would cost more than the reading
        return await _read(receive, headers, limits.max_bytes, take)
    try:
        async with asyncio.timeout(limits.deadline.total_seconds()):
            return await _read(receive, headers, limits.max_bytes, take)
    except TimeoutError as error:
        raise SlowBody(f"the body took longer than {limits.deadline.total_seconds():g} s to arrive") from error


async def _read(receive: Receive, headers: Headers, max_bytes: int, take: Callable[[int], None]) -> bytes:
    coding = _coding(headers.get(b"content-encoding", b"identity").strip().lower())
    body, arrived, is_last = bytearray(), 0, False
    while not is_last:
        piece, is_last = _piece(await receive())
        arrived += len(piece)
        kept = coding.decode(piece, max_bytes + 1 - len(body)) if coding else piece
        if arrived > max_bytes or len(body) + len(kept) > max_bytes:
            raise BodyTooLarge(f"the body is over {max_bytes} bytes (after inflating); send smaller batches")
        take(len(kept))
        body += kept
    if coding:
        coding.check_end()
    return bytes(body)


def _piece(message: Message) -> tuple[bytes, bool]:
    """Return the next bytes of a body, and whether they are its last."""
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return message.get("body", b""), not message.get("more_body", False)


def _coding(name: bytes) -> "_Gzip | None":
    if name not in {b"identity", b"gzip"}:
        raise BadBody("content-encoding must be gzip or absent")
    return _Gzip() if name == b"gzip" else None


class _Gzip:
    """One gzip member."""

    def __init__(self) -> None:
        self._inflater = zlib.decompressobj(GZIP_WINDOW)

    def decode(self, piece: bytes, most: int) -> bytes:
        """Inflate a piece, to `most` bytes."""
        try:
            return self._inflater.decompress(piece, most)
        except zlib.error as error:
            raise BadBody("the body is not gzip, though content-encoding says so") from error

    def check_end(self) -> None:
        if not self._inflater.eof or self._inflater.unused_data:
            raise BadBody("the body must be one complete gzip member")
