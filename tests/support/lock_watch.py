"""How long consumers and gateways wait for locks that others hold, as PostgreSQL itself times it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

LIMIT = 1.0  # seconds that an upgrade may keep a consumer waiting
INTERVAL = 0.005  # seconds between two looks: that much of a wait may go unseen

# Services wait for one another, too, which is none of an upgrade's fault.
SELECT_WAITING = """
SELECT service.pid, lock.waitstart, extract(epoch FROM clock_timestamp() - lock.waitstart)::float8
FROM pg_locks lock
JOIN pg_stat_activity service ON service.pid = lock.pid
WHERE NOT lock.granted
    AND lock.waitstart IS NOT NULL
    AND service.datname = current_database()
    AND service.application_name = ANY(%(services)s)
    AND EXISTS (
        SELECT
        FROM unnest(pg_blocking_pids(lock.pid)) AS holding (pid)
        JOIN pg_stat_activity other ON other.pid = holding.pid
        WHERE other.application_name <> ALL(%(services)s)
    )
"""
SERVICES = ["attemptlog-consumer", "attemptlog gateway"]


@dataclass
class LockWatch:
    """What was seen of the waiting so far, in seconds: the longest of one service, and how often one waited."""

    longest: float = 0.0
    _seen: set[tuple[object, object]] = field(default_factory=set)
    looks: int = 0

    @property
    def count(self) -> int:
        return len(self._seen)

    def look(self, connection: psycopg.Connection) -> None:
        for pid, since, seconds in connection.execute(SELECT_WAITING, {"services": SERVICES}).fetchall():
            self._seen.add((pid, since))
            self.longest = max(self.longest, seconds)
        self.looks += 1

    def assert_short(self) -> None:
        assert self.looks
        assert self.longest < LIMIT, f"a service waited for {self.longest:.2f} s for a lock"


@contextmanager
def watch_locks(database_url: str) -> Iterator[LockWatch]:
    """Look again and again, in a thread, until this is left."""
    watch, done = LockWatch(), threading.Event()

    def keep_looking() -> None:
        with psycopg.connect(database_url, autocommit=True) as connection:
            while not done.wait(INTERVAL):
                watch.look(connection)

    thread = threading.Thread(target=keep_looking)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        thread.join()
