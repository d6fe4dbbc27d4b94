"""Dead letters once more through the checks of every record: the same decoding, the same statements."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from attemptlog.event_store import replay_sql
from attemptlog.event_store.books import Connection
from attemptlog.event_store.database import STATEMENT_TIMEOUT, Connected
from attemptlog.event_store.dead_letters import Selection, select_open
from attemptlog.event_store.decoding import decode_batch
from attemptlog.event_store.errors import StoreError
from attemptlog.event_store.rows import Outcome
from attemptlog.event_store.sieve import Sieve
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.schemas.dead_letters import DUPLICATE, INSERTED, SUPPRESSED, DeadLetterReason

BATCH_LETTERS = 500  # in one transaction: what it inserts keeps whoever stores the same events waiting
MAX_RETRIED_BYTES = 16 * 1024  # an envelope with the largest payload has less than half of that

CONSUMER = "attemptlog-consumer"


Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]  # of a total; is told how many are done


@contextmanager
def silently(_: int) -> Iterator[Callable[[int], None]]:
    """Show nobody how far it is: a Progress."""
    yield lambda _: None


class ReplayedLetter(NamedTuple):
    """A dead letter; it passes for the record that it was."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    id: int


class Verdict(NamedTuple):
    """What became of a letter: `inserted`, `duplicate`, `suppressed`, or the reason why it stays a dead letter."""

    letter_id: int
    outcome: str
    detail: str | None


class Replays(Connected):
    """Replays the dead letters of a database. Every method may raise StoreUnavailable, or CannotRun for the schema.

    Letters that are stored or known to be duplicates are skipped, so that nothing is replayed twice. One of a person or
    a session that was purged stays a letter.
    """

    def __init__(
        self,
        database_url: str,
        statement_timeout: timedelta = STATEMENT_TIMEOUT,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        super().__init__(database_url, statement_timeout)
        self._sieve = Sieve(pseudonyms)

    async def begin(self, by: str, selection: Mapping[str, Any]) -> int:
        """Keep who begins to replay what, and return the number of the replay."""
        async with self._database.transaction() as connection:
            return await _begin(connection, by, selection)

    async def replay(self, number: int, topic: str, letter_ids: Sequence[int]) -> list[Verdict]:
        """Replay letters of one topic in one transaction, as part of replay `number`; return what became of each."""
        async with self._database.transaction() as connection:
            letters = await _lock(connection, topic, letter_ids)
            return await _mark(connection, number, await self._store(connection, letters))

    async def try_out(self, topic: str, letter_ids: Sequence[int]) -> list[Verdict]:
        """Return what `replay` would, and change nothing."""
        async with self._database.transaction(force_rollback=True) as connection:
            letters = await _lock(connection, topic, letter_ids)
            return await self._store(connection, letters)

    async def retry(self, topic: str, within: timedelta) -> Counter[str]:
        """Replay up to BATCH_LETTERS whose session was unknown and is known now, if they came `within` that time.

        Letters that somebody else is replaying are left to them.
        """
        which = {"topic": topic, "within": within, "limit": BATCH_LETTERS, "max_bytes": MAX_RETRIED_BYTES}
        async with self._database.transaction() as connection:
            letters = await _fetch(connection, replay_sql.LOCK_LETTERS_OF_LATE_SESSIONS, which)
            if not letters:
                return Counter()
            number = await _begin(connection, CONSUMER, {"reason": DeadLetterReason.UNKNOWN_SESSION, "topic": topic})
            return count_outcomes(await _mark(connection, number, await self._store(connection, letters)))

    async def _store(self, connection: Connection, letters: Sequence[ReplayedLetter]) -> list[Verdict]:
        return _verdicts(letters, await self._sieve.store(connection, decode_batch(letters)))


async def replay_selected(
    database_url: str, selection: Selection, by: str | None, progress: Progress, pseudonyms: Pseudonyms | None = None
) -> Counter[str]:
    """Replay the dead letters that fit for `by`, or try it out when nobody is named; return how many by outcome.

    Raises OperatorError when it stops half way; what was replayed until then stays so.
    """
    outcomes = Counter[str]()
    async for verdicts in replay_in_batches(database_url, selection, by, progress, pseudonyms):
        outcomes += count_outcomes(verdicts)
    return outcomes


async def replay_in_batches(
    database_url: str, selection: Selection, by: str | None, progress: Progress, pseudonyms: Pseudonyms | None = None
) -> AsyncIterator[list[Verdict]]:
    """Replay as `replay_selected` does; yield what became of each letter, a transaction's together."""
    letters = await asyncio.to_thread(select_open, database_url, selection)
    total = sum(map(len, letters.values()))
    done = 0
    try:
        async with Replays(database_url, pseudonyms=pseudonyms) as replays:
            number = await replays.begin(by, selection.as_data()) if by and total else None
            with progress(total) as advance:
                for topic, batch in _batches(letters):
                    attempt = replays.try_out(topic, batch) if number is None else replays.replay(number, topic, batch)
                    yield await attempt
                    done += len(batch)
                    advance(len(batch))
    except StoreError as error:
        raise OperatorError(f"The replay stopped after {done} of {total} letters: {error}.") from error


def _batches(letters: Mapping[str, list[int]]) -> Iterator[tuple[str, list[int]]]:
    for topic, ids in letters.items():
        for start in range(0, len(ids), BATCH_LETTERS):
            yield topic, ids[start : start + BATCH_LETTERS]


async def _begin(connection: Connection, by: str, selection: Mapping[str, Any]) -> int:
    cursor = await connection.execute(replay_sql.BEGIN_REPLAY, {"by": by, "filter": Jsonb(selection)})
    [[number]] = await cursor.fetchall()
    return int(number)


async def _lock(connection: Connection, topic: str, letter_ids: Sequence[int]) -> list[ReplayedLetter]:
    return await _fetch(connection, replay_sql.LOCK_LETTERS, {"topic": topic, "ids": list(letter_ids)})


async def _fetch(connection: Connection, statement: str, parameters: Mapping[str, Any]) -> list[ReplayedLetter]:
    cursor = await connection.execute(statement.encode(), parameters)
    return [ReplayedLetter(*row) for row in await cursor.fetchall()]


def _verdicts(letters: Sequence[ReplayedLetter], outcome: Outcome) -> list[Verdict]:
    found: dict[int, tuple[str, str | None]] = {}  # by the letter itself: two logs may have records at the same place
    found |= {id(row.record): (DUPLICATE, None) for row in outcome.duplicates}
    found |= {id(refused.record): (refused.reason, refused.detail) for refused in outcome.refused}
    found |= {id(record): (SUPPRESSED, None) for record in outcome.suppressed}
    return [Verdict(letter.id, *found.get(id(letter), (INSERTED, None))) for letter in letters]


async def _mark(connection: Connection, number: int, verdicts: list[Verdict]) -> list[Verdict]:
    await connection.execute(
        replay_sql.MARK_LETTERS,
        {
            "replay": number,
            "ids": [verdict.letter_id for verdict in verdicts],
            "outcomes": [verdict.outcome for verdict in verdicts],
            "details": [verdict.detail for verdict in verdicts],
        },
    )
    return verdicts


def count_outcomes(verdicts: Iterable[Verdict]) -> Counter[str]:
    """Return how many letters came to which outcome."""
    return Counter(verdict.outcome for verdict in verdicts)
