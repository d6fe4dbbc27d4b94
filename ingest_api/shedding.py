"""Over its bounds the gateway refuses before it reads: what it has taken is served, and its memory does not grow."""

from dataclasses import dataclass
from typing import Self

import orjson
from prometheus_client import Counter

from ingest_api.auth import Headers
from ingest_api.problems import Unavailable, document

RETRY_AFTER = 1  # seconds: what is in flight is through by then


class Full(Unavailable):
    """The gateway takes no more for now: send the same batch again after Retry-After."""

    def __init__(self) -> None:
        super().__init__("the gateway is full; send the same batch again later", retry_after=RETRY_AFTER)


REFUSAL_BODY = orjson.dumps(document(Full()))
REFUSAL_HEADERS = [
    (b"content-type", b"application/problem+json"),
    (b"content-length", str(len(REFUSAL_BODY)).encode()),
    (b"retry-after", str(RETRY_AFTER).encode()),
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be in flight; a body never takes more than `body_bytes`."""

    requests: int
    total_bytes: int
    body_bytes: int


@dataclass(slots=True)
class Gate:
    """What is in flight: requests whose body has arrived, and the bytes that bodies may take up.

    A body counts with its Content-Length, and with the largest legal size where that is no bound: chunked or
    compressed. A slow body holds its bytes but no place among the requests, so slow senders cannot keep fast ones out.
    """

    bounds: Bounds
    shed: Counter
    requests: int = 0
    body_bytes: int = 0

    def is_full_for(self, size: int) -> bool:
        """Return whether a body of `size` bytes has to be refused now."""
        too_many = self.requests >= self.bounds.requests
        return too_many or self.body_bytes + size > self.bounds.total_bytes

    def admit(self, headers: Headers) -> "Place":
        """Return a place for a request; raise Full when there is none, and count that."""
        size = self._size_of_body(headers)
        if self.is_full_for(size):
            self.shed.inc()
            raise Full
        return Place(self, size)

    def _size_of_body(self, headers: Headers) -> int:
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or b"content-encoding" in headers:
            return self.bounds.body_bytes
        return min(int(length), self.bounds.body_bytes)


class Place:
    """What one request takes up at the gate while the block lasts."""

    __slots__ = ("_gate", "_has_body", "_size")

    def __init__(self, gate: Gate, size: int) -> None:
        self._gate = gate
        self._size = size
        self._has_body = False

    def __enter__(self) -> Self:
        self._gate.body_bytes += self._size
        return self

    def body_has_arrived(self) -> None:
        """Count the request among those that are worked on."""
        self._has_body = True
        self._gate.requests += 1

    def __exit__(self, *exc_info: object) -> None:
        self._gate.body_bytes -= self._size
        self._gate.requests -= self._has_body
