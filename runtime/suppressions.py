"""The list of those who were purged, as whoever reads it asks for it: by pseudonyms, made with the right key."""

from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from attemptlog.runtime.pseudonyms import Pseudonyms

# The state is another one after every change of the list.
READ_KEY = "SELECT fingerprint, state FROM suppression_key"

SELECT_SUPPRESSED = """
SELECT DISTINCT pseudonym
FROM suppressions
WHERE pseudonym = ANY(%(pseudonyms)s::text::uuid[])
"""


class Subjects(NamedTuple):
    """Persons and sessions, by id: UUIDs as text in lower case."""

    users: frozenset[bytes]
    sessions: frozenset[bytes]


Names = dict[str, tuple[str, bytes]]  # by pseudonym: 'user' or 'session', and the id


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
