"""What a target does about purges: it forgets whom PostgreSQL has forgotten, before anything else is sent to it."""

import logging
from collections.abc import Callable, Iterator

import pyarrow as pa

from attemptlog.event_store.export_purges import Purge, PurgeBooks
from attemptlog.exporter.errors import NotAvailable, Stopped
from attemptlog.exporter.pairs import PAIRS, Pairs
from attemptlog.exporter.target import Target

PAIRS_AT_A_TIME = 5_000  # that are looked up in one statement: two pseudonyms each, of 32 characters

logger = logging.getLogger(__name__)


class Purged:
    """Picks the pairs of whom purges were; `rows` are the rows picked so far, by purge. Raises Stopped."""

    def __init__(self, books: PurgeBooks, pending: list[int], is_stopping: Callable[[], bool]) -> None:
        self.rows: dict[Purge, int] = dict.fromkeys(pending, 0)
        self._books = books
        self._pending = pending
        self._is_stopping = is_stopping

    def __call__(self, pairs: Pairs) -> Pairs:
        return pa.concat_tables([PAIRS.empty_table(), *map(self._of_these, _parts(pairs))])

    def _of_these(self, pairs: Pairs) -> Pairs:
        if self._is_stopping():
            raise Stopped
        users, sessions, rows = (pairs.column(name).to_pylist() for name in PAIRS.names)
        found = self._books.find_purged(set(users), set(sessions), self._pending)
        by_whom = [[*found.of(user, session)] for user, session in zip(users, sessions, strict=True)]
        for purges, number in zip(by_whom, rows, strict=True):
            if purges:
                self._count(purges, number)
        return pairs.filter(pa.array(map(bool, by_whom), pa.bool_()))

    def _count(self, purges: list[Purge], rows: int) -> None:
        """Count rows that several purges may be of for the first that is pending."""
        purge = min((each for each in purges if each is not None), default=None)
        self.rows[purge] = self.rows.get(purge, 0) + rows


def follow_purges(
    books: PurgeBooks, target: Target, is_stopping: Callable[[], bool] = lambda: False, *, again: bool = False
) -> int:
    """Have the target forget, and the books say so; return how many rows went.

    With `again`, also where no purge is pending: the target may have been restored. Raises what Target.forget
    does, and Stopped: whoever comes next ends what was begun.
    """
    pending = books.pending_purges()
    if not pending and not (again and books.has_purges()):
        return 0
    purged = Purged(books, pending, is_stopping)
    try:
        target.forget(purged)
    except NotAvailable as error:
        books.finish_purges(dict.fromkeys(pending))
        logger.warning("purges are not done: %s", error, extra={"action": "purges_not_done", "purges": pending})
        return 0
    books.finish_purges({purge: purged.rows[purge] for purge in pending})
    rows = sum(purged.rows.values())
    logger.info("purges done", extra={"action": "purges_done", "purges": pending, "rows": rows})
    return rows


def _parts(pairs: Pairs) -> Iterator[Pairs]:
    for start in range(0, pairs.num_rows, PAIRS_AT_A_TIME):
        yield pairs.slice(start, PAIRS_AT_A_TIME)
