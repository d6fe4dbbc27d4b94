"""What is stored of a batch: all but what names a person or a session that was purged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import TypeVar
from uuid import UUID

from attemptlog.event_store.books import Connection
from attemptlog.event_store.columns import Owner, ids_of
from attemptlog.event_store.decoding import Batch, DeadLetter, EventRow
from attemptlog.event_store.rows import Outcome, store_rows
from attemptlog.event_store.suppression import LOCK_TO_STORE, ids_in, state_of_list, suppressed_among
from attemptlog.runtime.pseudonyms import Pseudonyms

MAX_CLEARED = 50_000  # sessions that are known not to be in the list, about 150 bytes each

OWNER = attrgetter("owner")
T = TypeVar("T")


class Sieve:
    """Stores batches without what is suppressed. Remembers who was not in the list while that stays the same."""

    def __init__(self, pseudonyms: Pseudonyms | None) -> None:
        self._pseudonyms = pseudonyms
        self._state: UUID | None = None
        self._cleared: set[Owner] = set()

    async def require_key(self, connection: Connection) -> None:
        """Raise CannotRun where somebody was purged under another key than ours."""
        await state_of_list(connection, self._pseudonyms)

    async def store(self, connection: Connection, batch: Batch) -> Outcome:
        """Store a batch as `store_rows` does; what is undecodable is refused. The list cannot change until the commit.

        An event is suppressed for its session or its user, and what would be a dead letter for any id in it. Raises
        CannotRun where somebody was purged under another key than ours.
        """
        await connection.execute(LOCK_TO_STORE)
        state = await state_of_list(connection, self._pseudonyms)
        if state is None or self._pseudonyms is None:
            outcome = await store_rows(connection, batch.rows)
            outcome.refused += batch.undecodable
            return outcome
        if state != self._state:
            self._state = state
            self._cleared.clear()
        return await self._store_unsuppressed(connection, batch, self._pseudonyms)

    async def _store_unsuppressed(self, connection: Connection, batch: Batch, pseudonyms: Pseudonyms) -> Outcome:
        forbidden = await self._forbidden_among(connection, set(map(OWNER, batch.rows)), pseudonyms)
        rows: list[EventRow] = batch.rows
        out: list[EventRow] = []
        if forbidden:
            rows, out = _parted(batch.rows, (row.owner in forbidden for row in batch.rows))
        outcome = await store_rows(connection, rows)
        if letters := outcome.refused + batch.undecodable:
            forbidden_letters = await _forbidden_letters(connection, letters, pseudonyms)
            outcome.refused, letters = _parted(letters, forbidden_letters)
        outcome.suppressed = [row.record for row in out] + [letter.record for letter in letters]
        return outcome

    async def _forbidden_among(
        self, connection: Connection, owners: set[Owner], pseudonyms: Pseudonyms
    ) -> Collection[Owner]:
        unknown = owners - self._cleared
        if not unknown:
            return ()
        ids = {owner: ids_of(owner) for owner in unknown}
        users, sessions = {user for _, user in ids.values()}, {session for session, _ in ids.values()}
        found = await suppressed_among(connection, pseudonyms, users, sessions)
        forbidden = {it for it, (session, user) in ids.items() if session in found.sessions or user in found.users}
        if len(self._cleared) + len(unknown) > MAX_CLEARED:
            self._cleared.clear()
        self._cleared |= unknown - forbidden
        return forbidden


async def _forbidden_letters(
    connection: Connection, letters: Sequence[DeadLetter], pseudonyms: Pseudonyms
) -> Iterator[bool]:
    """Return of each letter whether an id in its key or its value is in the list."""
    ids = [ids_in(letter.record.key, letter.record.value) for letter in letters]
    every = frozenset[bytes]().union(*ids)
    found = await suppressed_among(connection, pseudonyms, every, every)
    forbidden = found.users | found.sessions
    return (not forbidden.isdisjoint(named) for named in ids)


def _parted(items: Sequence[T], forbidden: Iterable[bool]) -> tuple[list[T], list[T]]:
    """Return what is not forbidden, and what is."""
    pairs = list(zip(items, forbidden, strict=True))
    return [item for item, is_out in pairs if not is_out], [item for item, is_out in pairs if is_out]
