"""Who opened or exported whose data: written down, and committed, before anything is shown."""

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, ReadOnlySqlTransaction
from psycopg.rows import tuple_row

from attemptlog.event_store.suppression import LOCK_TO_STORE
from attemptlog.runtime.errors import OperatorError
from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.suppressions import READ_KEY, SELECT_SUPPRESSED, as_array, key_fault
from attemptlog.runtime.transactions import transaction

USER, SESSION, EVERYBODY = "user", "session", "everybody"

MAX_WORDS = 500  # characters; a reason, and no file

NAMES_AN_ID = re.compile(r"[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)

NOTE = """
INSERT INTO data_accesses (accessed_by, command, reason, subject_kind, subject, is_pseudonym)
VALUES (%(by)s, %(command)s, %(why)s, %(kind)s, %(subject)s, %(is_pseudonym)s)
"""

SELECT_OWNER = "SELECT user_id::text FROM test_sessions WHERE id = %(session)s"


@dataclass(frozen=True, slots=True)
class Looker:
    """Who looks, with which command, and why. Raises OperatorError for words that are not to be kept as they are."""

    by: str
    command: str
    why: str | None = None

    def __post_init__(self) -> None:
        for words, name in ((self.by, "The name of who looks"), (self.why, "The reason")):
            if words is not None and (fault := unfit(words)):
                raise OperatorError(f"{name} {fault}.")


def unfit(words: str) -> str | None:
    """Return why words of an operator cannot be kept for good, None when they can: they outlive a person's purge."""
    if len(words) > MAX_WORDS:
        return f"has {len(words)} characters: {MAX_WORDS} can be kept"
    if not words.isprintable():
        return "has characters that cannot be printed: write it in one line of plain text"
    if NAMES_AN_ID.search(words):
        return "names an id, which would stay when its person is purged: leave it out"
    return None


def note_access(
    database_url: str,
    looker: Looker,
    pseudonyms: Pseudonyms | None = None,
    *,
    user: UUID | str | None = None,
    session: UUID | str | None = None,
) -> None:
    """Write down who looks at whose data: the person's, the session's, or everybody's where neither is named.

    It is committed when this returns. Of whom nothing is stored any more, the pseudonym is written down. Raises
    OperatorError when it cannot be written down, or nobody can tell whether the person was purged: then nothing may be
    shown.
    """
    named = {kind: str(UUID(str(it))) for kind, it in ((USER, user), (SESSION, session)) if it}
    told = {"by": looker.by, "command": looker.command, "why": looker.why}
    try:
        with transaction(database_url) as connection:
            for entry in _entries(connection, named, pseudonyms):
                connection.execute(NOTE, told | entry)
    except InsufficientPrivilege as error:
        raise OperatorError(
            "This login may not write into data_accesses, and nobody's data are shown without its being kept who "
            "looked: use the owner's login, or GRANT INSERT ON data_accesses to this one."
        ) from error
    except ReadOnlySqlTransaction as error:
        raise OperatorError(
            "This database can only be read, so it could not be kept who looked: use the server that is written to."
        ) from error


def _entries(connection: Connection[Any], named: dict[str, str], pseudonyms: Pseudonyms | None) -> list[dict[str, Any]]:
    if not named:
        return [{"kind": EVERYBODY, "subject": None, "is_pseudonym": False}]
    connection.execute(LOCK_TO_STORE)
    require_key(connection, pseudonyms)
    if pseudonyms is None or not _is_suppressed(connection, named, pseudonyms):
        return [{"kind": kind, "subject": id_, "is_pseudonym": False} for kind, id_ in named.items()]
    make = {USER: pseudonyms.of_user, SESSION: pseudonyms.of_session}
    return [{"kind": kind, "subject": make[kind](id_.encode()), "is_pseudonym": True} for kind, id_ in named.items()]


def _is_suppressed(connection: Connection[Any], named: dict[str, str], pseudonyms: Pseudonyms) -> bool:
    """Say whether the person or the session was purged; or the session's owner, whose later sessions are not listed."""
    users = {named[USER]} if USER in named else set()
    if SESSION in named:
        users |= {owner for (owner,) in connection.execute(SELECT_OWNER, {"session": named[SESSION]}).fetchall()}
    of_sessions = [pseudonyms.of_session(named[SESSION].encode())] if SESSION in named else []
    listed = [*of_sessions, *(pseudonyms.of_user(user.encode()) for user in users)]
    return bool(connection.execute(SELECT_SUPPRESSED, {"pseudonyms": as_array(listed)}).fetchall())


def require_key(connection: Connection[Any], pseudonyms: Pseudonyms | None) -> None:
    """Raise OperatorError where somebody was purged under another key than ours: nobody could tell who."""
    for fingerprint, _ in connection.cursor(row_factory=tuple_row).execute(READ_KEY).fetchall():
        if fault := key_fault(fingerprint, pseudonyms):
            raise OperatorError(f"It cannot be told who was purged: {fault}.")
