"""Over its bounds the gateway refuses before it reads: what it has taken is served, and its memory does not grow."""

from dataclasses import dataclass, field
from typing import Self

from prometheus_client import Counter

from attemptlog.ingest_api.problems import TooManyRequests, Unavailable
from attemptlog.runtime.headers import Headers

RETRY_AFTER = 1  # seconds: what is in flight is through by then


class Full(Unavailable):
    """The gateway takes no more for now: send the same batch again after Retry-After."""

    def __init__(self) -> None:
        super().__init__("the gateway is full; send the same batch again later", retry_after=RETRY_AFTER)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much may be in flight, of all together and of one user; a body never takes more than `body_bytes`."""

    requests: int
    total_bytes: int
    body_bytes: int
    requests_per_user: int


@dataclass(slots=True)
class Gate:
    """What is in flight: requests whose body has arrived, the bytes of bodies that have arrived, requests by user.

    What a head announces takes up nothing, so nobody holds room by announcing. A slow body holds what has arrived of
    it and no place among the requests, so slow senders cannot keep fast ones out.
    """

    bounds: Bounds
    shed: Counter
    requests: int = 0
    body_bytes: int = 0
    by_user: dict[str, int] = field(default_factory=dict)

    def is_full_for(self, size: int) -> bool:
        """Return whether a body of `size` bytes has to be refused now."""
        too_many = self.requests >= self.bounds.requests
        return too_many or self.body_bytes + size > self.bounds.total_bytes

    def place_for(self, headers: Headers) -> "Place":
        """Return a place for a request; raise Full when there is no room for what it announces, and count that."""
        length = headers.get(b"content-length", b"")
        announced = min(int(length), self.bounds.body_bytes) if length.isdigit() else 0
        if self.is_full_for(announced):
            raise self.refusal()
        return Place(self)

    def refusal(self) -> Full:
        """Return what to raise when a request is refused, and count it."""
        self.shed.inc()
        return Full()


class Place:
    """What one request takes up at the gate while the block lasts."""

    __slots__ = ("_gate", "_has_body", "_size", "_user_id")

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._size = 0
        self._user_id = ""
        self._has_body = False

    def __enter__(self) -> Self:
        return self

    def belongs_to(self, user_id: str) -> None:
        """Count the request among the user's; raise TooManyRequests when they have as many as one user may have."""
        held = self._gate.by_user.get(user_id, 0)
        if held >= self._gate.bounds.requests_per_user:
            raise TooManyRequests("too many requests of this user at a time; send it again", retry_after=RETRY_AFTER)
        self._gate.by_user[user_id] = held + 1
        self._user_id = user_id

    def take(self, size: int) -> None:
        """Count bytes that have arrived and are kept; raise Full when there is no room for them."""
        gate = self._gate
        if gate.body_bytes + size > gate.bounds.total_bytes:
            raise gate.refusal()
        gate.body_bytes += size
        self._size += size

    def body_has_arrived(self) -> None:
        """Count the request among those that are worked on."""
        self._has_body = True
        self._gate.requests += 1

    def __exit__(self, *exc_info: object) -> None:
        self._gate.body_bytes -= self._size
        self._gate.requests -= self._has_body
        if self._user_id:
            self._leave(self._gate.by_user)

    def _leave(self, by_user: dict[str, int]) -> None:
        by_user[self._user_id] -= 1
        if not by_user[self._user_id]:
            del by_user[self._user_id]
