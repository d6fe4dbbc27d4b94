"""Whose events are not stored: a list of pseudonyms, when it may be read, and the key that it was made with."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from uuid import UUID

from attemptlog.event_store.books import Connection
from attemptlog.event_store.errors import CannotRun
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import (
    READ_KEY,
    SELECT_SUPPRESSED,
    Subjects,
    as_array,
    by_pseudonym,
    key_fault,
    subjects,
)

# Whoever stores holds it shared, from before the list is read until the commit; whoever changes the list has it alone.
# With the list's lock, the next statement sees all that was committed by then (READ COMMITTED).
LOCK_TO_STORE = "SELECT pg_advisory_xact_lock_shared(hashtextextended('attemptlog suppressions', 0))"
LOCK_TO_SUPPRESS = "SELECT pg_advisory_xact_lock(hashtextextended('attemptlog suppressions', 0))"

# Whoever enters the first name reads the key again: another's may have come before.
ENTER_KEY = """
INSERT INTO suppression_key (fingerprint)
VALUES (%(fingerprint)s)
ON CONFLICT DO NOTHING
"""

UUIDS = re.compile(rb"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
MAX_IDS_IN_RECORD = 1_000  # that are looked up; an envelope has five


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


def ids_in(*texts: bytes | None) -> frozenset[bytes]:
    """Return the first MAX_IDS_IN_RECORD UUIDs in the texts, however they are written, as text in lower case."""
    return frozenset(islice(dict.fromkeys(map(_usual, _uuids(texts))), MAX_IDS_IN_RECORD))


def _uuids(texts: Iterable[bytes | None]) -> Iterator[bytes]:
    for text in filter(None, texts):
        yield from UUIDS.findall(text)


def _usual(written: bytes) -> bytes:
    return str(UUID(written.decode())).encode()
