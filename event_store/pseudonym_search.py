"""Whom a pseudonym stands for, among the sessions of the platform: it cannot be turned back, only be made again."""

from uuid import UUID

from attemptlog.runtime.pseudonyms import Pseudonyms
from attemptlog.runtime.transactions import transaction

SELECT_SESSIONS = "SELECT id::text, user_id::text FROM test_sessions"

SESSIONS_AT_A_TIME = 10_000  # that are fetched; a million take some five seconds


def find(database_url: str, pseudonyms: Pseudonyms, wanted: UUID) -> tuple[str, str | None] | None:
    """Return the user and the session that it stands for, no session where it is a user's; None for nobody's."""
    with transaction(database_url) as connection, connection.cursor("sessions") as cursor:
        cursor.itersize = SESSIONS_AT_A_TIME
        for session, user in cursor.execute(SELECT_SESSIONS):
            if pseudonyms.of_session(session.encode()) == wanted.hex:
                return user, session
            if pseudonyms.of_user(user.encode()) == wanted.hex:
                return user, None
    return None
