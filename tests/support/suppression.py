"""Persons and sessions entered in the list of those whose events are not stored."""

from collections.abc import Iterable
from typing import Any

import psycopg

from attemptlog.event_store.suppression import ENTER_KEY, LOCK_TO_SUPPRESS
from attemptlog.runtime.pseudonyms import Pseudonyms

KEY = "a key of the tests, 32 characters or more"
OURS = Pseudonyms(KEY)

ENTER_PURGE = """
INSERT INTO purges (kind, subject_kind, subject, ended_before, requested_by, reason)
SELECT kind, CASE WHEN kind = 'purge' THEN 'user' END, CASE WHEN kind = 'purge' THEN gen_random_uuid() END,
    CASE WHEN kind = 'retention' THEN now() END, 'tests', 'asked to be forgotten'
FROM (SELECT %s::text AS kind) AS given
RETURNING id
"""
ENTER = "INSERT INTO suppressions (pseudonym, purge_id) SELECT unnest(%s::text[])::uuid, %s"


def suppress(
    connection: psycopg.Connection[Any],
    *,
    users: Iterable[str] = (),
    sessions: Iterable[str] = (),
    by: Pseudonyms = OURS,
    kind: str = "purge",
) -> int:
    """Enter them within the connection's transaction, and return the number of the purge."""
    connection.execute(LOCK_TO_SUPPRESS)
    connection.execute(ENTER_KEY, {"fingerprint": by.fingerprint})
    [[number]] = connection.execute(ENTER_PURGE, [kind]).fetchall()
    names = [by.of_user(user.encode()) for user in users] + [by.of_session(each.encode()) for each in sessions]
    connection.execute(ENTER, [names, number])
    return int(number)


def suppressing(
    database_url: str, *, users: Iterable[str] = (), sessions: Iterable[str] = (), by: Pseudonyms = OURS
) -> int:
    """Enter them, and commit."""
    with psycopg.connect(database_url) as connection:
        return suppress(connection, users=users, sessions=sessions, by=by)
