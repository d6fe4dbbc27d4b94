"""How long it takes to purge a person from a large table, and how long a worker is kept waiting meanwhile."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import psycopg

from attemptlog.event_store.accesses import USER
from attemptlog.event_store.purge_subjects import Request, Subject
from attemptlog.event_store.purges import purge_subject
from attemptlog.runtime.pseudonyms import Pseudonyms
from benchmarks.drain import OURS, Backlog, backlog, settled, worker_environment
from benchmarks.figures import Figure, Target
from benchmarks.processes import running
from benchmarks.stage import Stage

KEY = "the key of the benchmark's pseudonyms"
REQUEST = Request("benchmark", "benchmark", Pseudonyms(KEY))

PERSONS = 5
SHARE_OF_LETTERS = (
    0.01  # dead letters to a row: far more than there ought to be, because each of them is looked through
)
BEGIN_AT = 0.1  # of the records: by then the worker stores at its own pace
POLL_INTERVAL = 0.05  # seconds
LOOK_INTERVAL = 0.005  # seconds: what a wait may be longer than it was seen to be
STORED_WITHIN = 180.0  # seconds

FILL_LETTERS = """
INSERT INTO dead_letters (topic, partition, kafka_offset, reason, detail, key, value)
SELECT
    'fill', 0, n, 'undecodable', 'no envelope', convert_to(gen_random_uuid()::text, 'UTF8'),
    convert_to(repeat(md5(n::text), 18), 'UTF8')  -- as long as an envelope
FROM generate_series(1, %s) AS n
"""
SELECT_PERSONS = "SELECT user_id FROM fill_sessions ORDER BY number LIMIT %s"
COUNT_OF = "SELECT count(*) FROM attempt_events WHERE user_id = ANY(%s)"
LOOK = """
SELECT max(clock_timestamp() - waitstart)
FROM pg_locks
JOIN pg_stat_activity USING (pid)
WHERE application_name LIKE 'worker-%' AND datname = current_database()
"""


@dataclass
class Waits:
    """The longest that somebody was seen to wait for a lock, and how often it was looked."""

    longest: timedelta = timedelta()
    looks: int = 0


def measure(stage: Stage, database: str) -> list[Figure]:
    """Return the rows of a purge, from a database that `table_size.fill` has filled."""
    rows, school = stage.scale.large_table, stage.school(stage.scale.large_table_rounds)  # a new class
    stage.enrol(database, school.roster)
    it = backlog(stage, school)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(FILL_LETTERS, [int(rows * SHARE_OF_LETTERS)])
        persons = [person for (person,) in connection.execute(SELECT_PERSONS, [PERSONS]).fetchall()]
        stage.say(f"purging {len(persons)} persons beside a worker …")
        with _storing(stage, connection, it, database), _watching(database) as waits:
            seconds = [_purge(database, person) for person in persons]
        wrong = _wrong(connection, it, persons, waits)
    slowest = f"purge of one person among {rows / 1e6:.0f} million rows, the slowest of {len(persons)}"
    waited = waits.longest.total_seconds()
    return [
        Figure(slowest, max(seconds), "s", Target("≤", 10), wrong=wrong),
        Figure("consumer, longest wait for a lock beside it", waited, "s", Target("≤", 1), wrong=wrong),
    ]


@contextmanager
def _storing(stage: Stage, connection: psycopg.Connection, it: Backlog, database: str) -> Iterator[None]:
    """Have a worker store the backlog meanwhile, which is not to be through before that is over."""
    environment = worker_environment(stage, it.topic, database)
    with running(OURS, environment | {"ATTEMPTLOG_PSEUDONYM_KEY": KEY}):
        deadline = time.monotonic() + STORED_WITHIN
        while settled(connection, it.topic) < BEGIN_AT * it.records:
            if time.monotonic() > deadline:
                raise TimeoutError("the worker does not store what waits in the topic")
            time.sleep(POLL_INTERVAL)
        yield


@contextmanager
def _watching(database: str) -> Iterator[Waits]:
    """Look all the time how long workers have been waiting for a lock."""
    waits, is_over = Waits(), threading.Event()

    def watch() -> None:
        with psycopg.connect(database, autocommit=True) as connection:
            while not is_over.wait(LOOK_INTERVAL):
                [[waited]] = connection.execute(LOOK).fetchall()
                waits.longest, waits.looks = max(waits.longest, waited or timedelta()), waits.looks + 1

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield waits
    finally:
        is_over.set()
        watcher.join()


def _purge(database: str, person: UUID) -> float:
    started = time.monotonic()
    asyncio.run(purge_subject(database, Subject(USER, person), REQUEST, lambda _: None))
    return time.monotonic() - started


def _wrong(connection: psycopg.Connection, it: Backlog, persons: list[UUID], waits: Waits) -> tuple[str, ...]:
    [[left]] = connection.execute(COUNT_OF, [persons]).fetchall()
    faults = {
        f"{left:,} rows of those who were purged are left": left > 0,
        "the worker was through before the last purge: nothing shows that it waited": _is_through(connection, it),
        "it was not looked whether the worker waits": not waits.looks,
    }
    return tuple(sentence for sentence, is_so in faults.items() if is_so)


def _is_through(connection: psycopg.Connection, it: Backlog) -> bool:
    return settled(connection, it.topic) >= it.records
