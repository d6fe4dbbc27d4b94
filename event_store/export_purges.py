"""The purges that a target has to follow: which are to be done there, of whom, and that they are done."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from psycopg import Connection

from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.export_claim import Claimed
from attemptlog.event_store.export_sql import GRANTS
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import READ_KEY, Names, as_array, by_pseudonym, key_fault
from attemptlog.runtime.transactions import transaction

# What only PostgreSQL has erased yet. A purge that is not finished there may leave rows that were exported meanwhile.
IS_PENDING = """
    purges.kind <> 'lift'
    AND NOT keeps_exports
    AND finished_at IS NOT NULL
    AND NOT EXISTS (SELECT FROM purge_targets WHERE purge_id = purges.id AND target = export_targets.name)
"""

SELECT_PENDING = f"""
SELECT purges.id
FROM purges, export_targets
WHERE export_targets.name = %(target)s AND {IS_PENDING}
ORDER BY purges.id
"""  # noqa: S608 (a condition of ours)

# Somebody may be back in the target who was purged there: it was restored. And whoever was let back in since a purge
# is not in the list any more, and what was exported before is to go.
FIND_PURGED = """
SELECT pseudonym, min(purge_id) FILTER (WHERE purge_id = ANY(%(pending)s))
FROM (
    SELECT pseudonym, purge_id
    FROM suppressions
    JOIN purges ON id = purge_id
    WHERE pseudonym = ANY(%(pseudonyms)s::text::uuid[]) AND finished_at IS NOT NULL AND NOT keeps_exports
    UNION ALL
    SELECT subject, id
    FROM purges
    WHERE subject = ANY(%(pseudonyms)s::text::uuid[]) AND id = ANY(%(pending)s)
) AS purged
GROUP BY pseudonym
"""

ENTER_DONE = """
INSERT INTO purge_targets (purge_id, target, rows)
SELECT %(purge)s, name, %(rows)s
FROM export_targets
WHERE name = %(target)s AND fence = %(fence)s
FOR UPDATE
"""

# Of whoever is in the target and not in PostgreSQL any more: is that purge still to be done there, or was it, when
# the audit began? Or is it a retention that leaves what was exported?
FIND_REASONS = """
SELECT pseudonym, bool_or(NOT keeps_exports AND coalesce(done_at >= %(began)s, true)), bool_or(keeps_exports)
FROM (
    SELECT pseudonym, purge_id
    FROM suppressions
    WHERE pseudonym = ANY(%(pseudonyms)s::text::uuid[])
    UNION
    SELECT subject, id
    FROM purges
    WHERE subject = ANY(%(pseudonyms)s::text::uuid[]) AND kind = 'purge'
) AS named
JOIN purges ON purges.id = named.purge_id
LEFT JOIN purge_targets ON purge_targets.purge_id = purges.id AND target = %(target)s
GROUP BY pseudonym
"""

Purge = int | None
"""The number of a purge that is pending; None stands for those that are done."""

PENDING, KEPT = "pending", "kept"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found(Generic[T]):
    """What was found of persons and sessions, by their ids."""

    users: Mapping[str, T]
    sessions: Mapping[str, T]

    def of(self, user: str, session: str) -> Iterator[T]:
        """Yield what was found of a person in a session."""
        for found, name in ((self.users, user), (self.sessions, session)):
            if name in found:
                yield found[name]


class PurgeBooks(Claimed):
    """What the books of a target say about purges."""

    def __init__(
        self,
        database_url: str,
        target: str,
        grants: Mapping[str, str] = GRANTS,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        super().__init__(database_url, target, grants)
        self._pseudonyms = pseudonyms

    def has_purges(self) -> bool:
        """Say whether anybody was ever purged; raise CannotRun where somebody was, under another key than ours."""
        with self._transaction() as connection:
            return has_list(connection, self._pseudonyms)

    def pending_purges(self) -> list[int]:
        """Return those that are finished here and not done in the target; raises as `has_purges` does."""
        with self._transaction() as connection:
            if not has_list(connection, self._pseudonyms):
                return []
            return [number for (number,) in connection.execute(SELECT_PENDING, self._names()).fetchall()]

    def find_purged(self, users: Iterable[str], sessions: Iterable[str], pending: list[int]) -> Found[Purge]:
        """Return who of these was purged, and with which of the pending purges."""
        if self._pseudonyms is None:
            return Found({}, {})
        named = _named(self._pseudonyms, users, sessions)
        values = {"pseudonyms": as_array(named), "pending": pending}
        with self._transaction() as connection:
            found = connection.execute(FIND_PURGED, values).fetchall()
        return _found(named, {pseudonym.hex: purge for pseudonym, purge in found})

    def finish_purges(self, rows: Mapping[int, int | None]) -> None:
        """Write down that purges are done in the target, and how many rows went; None where it cannot delete."""
        with self._transaction() as connection:
            for purge, number in rows.items():
                self._change(connection, ENTER_DONE, purge=purge, rows=number)


def has_list(connection: Connection[Any], pseudonyms: Pseudonyms | None) -> bool:
    """Say whether anybody was ever purged; raise CannotRun where somebody was, under another key than ours."""
    found = connection.execute(READ_KEY).fetchall()
    for fingerprint, *_ in found:
        if fault := key_fault(fingerprint, pseudonyms):
            raise CannotRun(fault)
    return bool(found)


@dataclass(frozen=True, slots=True)
class Reasons:
    """Why a target may hold what PostgreSQL does not; `began` is when it was first looked at, by PostgreSQL's clock.

    Raises CannotRun where persons were purged under another key, psycopg.Error and OperatorError.
    """

    database_url: str
    target: str
    began: datetime
    pseudonyms: Pseudonyms | None

    def find(self, users: Iterable[str], sessions: Iterable[str]) -> Found[str]:
        """Return for who is known of PENDING, a purge that is still to be done there, or KEPT, by a retention."""
        with transaction(self.database_url) as connection:
            if not has_list(connection, self.pseudonyms) or self.pseudonyms is None:
                return Found({}, {})
            named = _named(self.pseudonyms, users, sessions)
            values = {"pseudonyms": as_array(named), "target": self.target, "began": self.began}
            found = connection.execute(FIND_REASONS, values).fetchall()
        reasons = {pseudonym.hex: _reason(*flags) for pseudonym, *flags in found}
        return _found(named, {pseudonym: reason for pseudonym, reason in reasons.items() if reason})


def _reason(is_pending: bool, is_kept: bool) -> str | None:
    if is_pending:
        return PENDING
    return KEPT if is_kept else None


def _named(pseudonyms: Pseudonyms, users: Iterable[str], sessions: Iterable[str]) -> Names:
    return by_pseudonym(pseudonyms, map(str.encode, users), map(str.encode, sessions))


def _found(named: Names, by_pseudonym: Mapping[str, T]) -> Found[T]:
    by_name = [(*named[pseudonym], what) for pseudonym, what in by_pseudonym.items()]
    return Found(
        {name.decode(): what for kind, name, what in by_name if kind == "user"},
        {name.decode(): what for kind, name, what in by_name if kind == "session"},
    )
