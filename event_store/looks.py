"""Who looked at whose data in the console: written down, and committed, before anything is shown."""

from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from attemptlog.event_store.accesses import NOTE, SESSION
from attemptlog.event_store.errors import CannotRun
from attemptlog.event_store.suppression import LOCK_TO_STORE
from attemptlog.event_store.viewing import Viewer
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import READ_KEY, SELECT_SUPPRESSED, as_array, key_fault

COMMAND = "console"
PAGE_OF_ACCESSES = 100

# The console shows nothing of a session of which nothing is stored: then nobody has looked.
SELECT_OWNER = """
SELECT user_id::text
FROM readable_sessions
WHERE session_id = %(session)s
    AND (
        has_events
        OR EXISTS (SELECT FROM readable_session_letters WHERE session_id = %(session)s)
    )
"""

SELECT_ACCESSES = """
SELECT
    id, accessed_at AS at, accessed_by AS by, command, reason, subject_kind, subject::text, is_pseudonym
FROM readable_accesses
WHERE %(before)s::bigint IS NULL OR id < %(before)s
ORDER BY id DESC
LIMIT %(limit)s
"""


async def note_look(
    writing: AsyncConnection[DictRow], viewer: Viewer, session_id: UUID, why: str | None, pseudonyms: Pseudonyms | None
) -> bool:
    """Write down that the viewer looks at a session, unless it is their own; False where there is nothing to look at.

    So it is where the session may not be seen, nothing is stored of it, or it or its person was purged. `writing` is a
    transaction in which the viewer looks; only once it is committed may anything be shown. Raises CannotRun where
    nobody can tell who was purged.
    """
    which = {"session": session_id}
    await writing.execute(LOCK_TO_STORE)
    found = await (await writing.execute(SELECT_OWNER, which)).fetchone()
    if found is None or await _is_suppressed(writing, str(session_id), found["user_id"], pseudonyms):
        return False
    if found["user_id"] != viewer.user_id:
        told = {"by": viewer.user_id, "command": COMMAND, "why": why}
        await writing.execute(NOTE, told | {"kind": SESSION, "subject": session_id, "is_pseudonym": False})
    return True


async def _is_suppressed(
    writing: AsyncConnection[DictRow], session: str, user: str, pseudonyms: Pseudonyms | None
) -> bool:
    keys = await (await writing.execute(READ_KEY)).fetchall()
    for key in keys:
        if fault := key_fault(key["fingerprint"], pseudonyms):
            raise CannotRun(f"it cannot be told who was purged: {fault}")
    if not keys or pseudonyms is None:
        return False
    listed = [pseudonyms.of_session(session.encode()), pseudonyms.of_user(user.encode())]
    return bool(await (await writing.execute(SELECT_SUPPRESSED, {"pseudonyms": as_array(listed)})).fetchall())


async def read_accesses(looking: AsyncConnection[DictRow], before: int | None) -> list[DictRow]:
    """Return who looked at whose data, newest first, from before an id on; one more than PAGE_OF_ACCESSES at most."""
    which = {"before": before, "limit": PAGE_OF_ACCESSES + 1}
    return await (await looking.execute(SELECT_ACCESSES, which)).fetchall()
