"""Who looked into a dead letter: written down, and committed, before what is in it is shown."""

from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import DictRow, tuple_row

from attemptlog.event_store.accesses import EVERYBODY, NOTE, SESSION, USER
from attemptlog.event_store.suppression import LOCK_TO_STORE, state_of_list, suppressed_among
from attemptlog.event_store.viewing import Viewer
from attemptlog.runtime.pseudonyms import Pseudonyms

COMMAND = "console"

# Of whom it is, as far as it could be read.
READ_OWNER = """
SELECT session_id::text, user_id::text
FROM readable_letters
WHERE id = %(id)s
"""


async def note_look_into(
    writing: AsyncConnection[DictRow], viewer: Viewer, letter_id: int, pseudonyms: Pseudonyms | None
) -> bool:
    """Write down that the viewer looks into a letter; False where there is none, or its person or session was purged.

    `writing` is a transaction in which the viewer looks; only once it is committed may anything be shown. Raises
    CannotRun where nobody can tell who was purged.
    """
    await writing.execute(LOCK_TO_STORE)
    owner = await (await writing.execute(READ_OWNER, {"id": letter_id})).fetchone()
    if owner is None or await _is_purged(writing, owner, pseudonyms):
        return False
    told = {"by": viewer.user_id, "command": COMMAND, "why": None, "is_pseudonym": False}
    await writing.execute(NOTE, told | _subject(owner))
    return True


def _subject(owner: DictRow) -> dict[str, Any]:
    for kind, column in ((SESSION, "session_id"), (USER, "user_id")):
        if owner[column]:
            return {"kind": kind, "subject": owner[column]}
    return {"kind": EVERYBODY, "subject": None}  # nobody can tell whose it is


async def _is_purged(writing: AsyncConnection[DictRow], owner: DictRow, pseudonyms: Pseudonyms | None) -> bool:
    cursor: Any = writing.cursor(row_factory=tuple_row)
    if await state_of_list(cursor, pseudonyms) is None or pseudonyms is None:
        return False
    users, sessions = ({owner[column].encode()} if owner[column] else set() for column in ("user_id", "session_id"))
    found = await suppressed_among(cursor, pseudonyms, users, sessions)
    return bool(found.users or found.sessions)
