"""Whose session it is and what it may ask: what a batch wants to know of PostgreSQL, and a fake without one."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True)
class Session:
    """Who owns a session, and the questions it may name; None: any (a session without an exam)."""

    user_id: str
    questions: frozenset[str] | None


class SessionDirectory(Protocol):
    """Use as `async with`; opening never fails and never waits for PostgreSQL."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    @property
    def is_ready(self) -> bool:
        """False after a look-up that failed, until one succeeds."""
        ...

    @property
    def cached(self) -> int:
        """How many sessions are remembered."""
        ...

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return a Session or, where there is none, None; an id that could not be looked up is not in the mapping.

        The answer about a session of somebody else than `user_id` takes the way of one about an unknown session.
        """
        ...

    async def find_anew(self, ids: Collection[str]) -> Mapping[str, Session | None]:
        """The same of any user's sessions, and never from what is remembered: what a refusal may rest on."""
        ...


class MemorySessions:
    """A directory without PostgreSQL, for tests: set `sessions`; `is_ready` False makes every look-up fail."""

    cached = 0

    def __init__(self, sessions: Mapping[str, Session] | None = None) -> None:
        self.sessions = dict(sessions or {})
        self.is_ready = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def find(self, ids: Collection[str], user_id: str) -> Mapping[str, Session | None]:
        """Return what `sessions` says."""
        return await self.find_anew(ids)

    async def find_anew(self, ids: Collection[str]) -> Mapping[str, Session | None]:
        """Return what `sessions` says."""
        return {id_: self.sessions.get(id_) for id_ in ids} if self.is_ready else {}
