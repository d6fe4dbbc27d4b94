"""Somebody who stores all the time what consumers store, in the tables of any release."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.support.consumer import query
from tests.support.eventually import eventually
from tests.support.http import insert_exam
from tests.support.lock_watch import SERVICES

PAUSE = 0.005  # seconds between two transactions
TOPIC = "stored all the time"

STORE = """
WITH ledger AS (
    INSERT INTO partition_ledger AS l (topic, partition, next_offset, records, inserted)
    VALUES (%(topic)s, 0, 1, 1, 1)
    ON CONFLICT (topic, partition) DO UPDATE
    SET next_offset = l.next_offset + 1, records = l.records + 1, inserted = l.inserted + 1
    RETURNING next_offset AS seq
),
session AS (
    SELECT s.id, s.user_id FROM test_sessions s JOIN exam_questions USING (exam_id) WHERE s.id = %(session)s
)
INSERT INTO attempt_events (id, event_version, event_type, event_ts, seq, session_id, user_id)
SELECT gen_random_uuid(), 1, 'PAUSE_BLUR', now(), ledger.seq, session.id, session.user_id
FROM session, ledger
"""


@contextmanager
def storing(database_url: str) -> Iterator[None]:
    """Store events, one after the other, until this is left; what goes wrong is raised then."""
    which, done, failures = {"topic": TOPIC, "session": insert_exam(database_url).session}, threading.Event(), []

    def keep_storing() -> None:
        try:
            with psycopg.connect(database_url, application_name=SERVICES[0], autocommit=True) as connection:
                while not done.wait(PAUSE):
                    connection.execute(STORE, which)
        except psycopg.Error as error:
            failures.append(error)

    thread = threading.Thread(target=keep_storing)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
    assert failures == []


async def more_is_stored(database_url: str) -> None:
    """Return once more has been stored than now."""

    def stored() -> int:
        found = query(database_url, "SELECT records FROM partition_ledger WHERE topic = %s", TOPIC)
        return int(found[0]) if found else 0

    before = stored()
    await eventually(lambda: stored() > before + 1)
