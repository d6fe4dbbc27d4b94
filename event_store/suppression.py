"""Whose events are not stored: a list of pseudonyms, when it may be read, and the key that it was made with."""

import re
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import NamedTuple
from uuid import UUID

from attemptlog.event_store.books import Connection
from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.pseudonyms import Pseudonyms

# Whoever stores holds it shared, from before the list is read until the commit; whoever changes the list has it alone.
# With the list's lock, the next statement sees all that was committed by then (READ COMMITTED).
LOCK_TO_STORE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('attemptlog suppressions', 0))"
LOCK_TO_SUPPRESS = "SELECT pg_advisory_xact_lock(hashtextextended('attemptlog suppressions', 0))"

# The state is another one after every change of the list.
READ_KEY = "SELECT fingerprint, state FROM suppression_key"

# Whoever enters the first name reads the key again: another's may have come before.
ENTER_KEY = """
INSERT INTO suppression_key (fingerprint)
VALUES (%(fingerprint)s)
ON CONFLICT DO NOTHING
"""

SELECT_SUPPRESSED = """
SELECT DISTINCT pseudonym
FROM suppressions
WHERE pseudonym = ANY(%(pseudonyms)s::text::uuid[])
"""

UUIDS = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
MAX_IDS_IN_RECORD = 1_000  # that are looked up; an envelope has five


class Subjects(NamedTuple):
    """Persons and sessions, by id: UUIDs as text in lower case."""

    users: frozenset[bytes]
    sessions: frozenset[bytes]


NOBODY = Subjects(frozenset(), frozenset())


def key_fault(fingerprint: UUID | None, pseudonyms: Pseudonyms | None) -> str | None:
    """Return why a list that was made with the key of this fingerprint cannot be read, in one sentence.

    None when it can be, or when there is none yet: nobody was ever purged.
    """
    if fingerprint is None or (pseudonyms is not None and pseudonyms.fingerprint == fingerprint):
        return None
    what = "another one is set" if pseudonyms else "none is set"
    return (
        f"persons were purged here under a key, and {what}: set ATTEMPTLOG_PSEUDONYM_KEY to the key that the first "
        "purge was made with, or events of theirs would be stored again"
    )


async def state_of_list(connection: Connection, pseudonyms: Pseudonyms | None) -> UUID | None:
    """Return what the list's next change changes, None when nobody was ever purged.

    Raises CannotRun where somebody was, under another key than ours.
    """
    for fingerprint, state in await (await connection.execute(READ_KEY)).fetchall():
        if fault := key_fault(fingerprint, pseudonyms):
            raise CannotRun(fault)
        return UUID(str(state))
    return None


async def suppressed_among(
    connection: Connection, pseudonyms: Pseudonyms, users: Iterable[bytes], sessions: Iterable[bytes]
) -> Subjects:
    """Return those of the ids that are in the list."""
    named = by_pseudonym(pseudonyms, users, sessions)
    cursor = await connection.execute(SELECT_SUPPRESSED, {"pseudonyms": as_array(named)})
    return subjects(named, [pseudonym for (pseudonym,) in await cursor.fetchall()])


Names = dict[str, tuple[str, bytes]]  # by pseudonym: 'user' or 'session', and the id


def by_pseudonym(pseudonyms: Pseudonyms, users: Iterable[bytes], sessions: Iterable[bytes]) -> Names:
    """Return what to look up for these ids; together with `as_array` and `subjects`, the way for any connection."""
    of_users: Names = {pseudonyms.of_user(user): ("user", user) for user in users}
    return of_users | {pseudonyms.of_session(session): ("session", session) for session in sessions}


def as_array(pseudonyms: Iterable[str]) -> str:
    """Return them as the parameter of SELECT_SUPPRESSED."""
    return f"{{{','.join(pseudonyms)}}}"


def subjects(named: Names, found: Collection[UUID]) -> Subjects:
    """Return whom the pseudonyms that were found stand for."""
    hits = [named[pseudonym.hex] for pseudonym in found]
    return Subjects(
        frozenset(id_ for kind, id_ in hits if kind == "user"),
        frozenset(id_ for kind, id_ in hits if kind == "session"),
    )


def ids_in(*texts: bytes | None) -> frozenset[bytes]:
    """Return the first MAX_IDS_IN_RECORD UUIDs in the texts, however they are written, as text in lower case."""
    return frozenset(islice(dict.fromkeys(map(_usual, _uuids(texts))), MAX_IDS_IN_RECORD))


def _uuids(texts: Iterable[bytes | None]) -> Iterator[bytes]:
    for text in filter(None, texts):
        yield from UUIDS.findall(text)


def _usual(written: bytes) -> bytes:
    return str(UUID(written.decode())).encode()
