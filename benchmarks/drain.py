"""Workers of any make that store what waits in a topic, from the moment at which all of them are at work."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode

import psutil
import psycopg

from attemptlog.local_stack.ports import HOST, free_port
from attemptlog.simulation.sitting import Roster
from benchmarks.figures import rate_of
from benchmarks.processes import ROOT, cpu_seconds, is_alive, memory_of, running
from benchmarks.school import School
from benchmarks.stage import Stage

OURS = [sys.executable, "-m", "attemptlog.consumer"]
QUIX_PYTHON = ROOT / ".venv/bench/bin/python"
QUIX = [QUIX_PYTHON, ROOT / "benchmarks/references/quix_sink.py"]

AT_WORK_WITHIN = 60.0  # seconds
POLL_INTERVAL = 0.1  # seconds; it is not in the figures, which go by the times of the commits
PEER_POLL_INTERVAL = 0.5  # seconds; there is no ledger to ask, and counting rows costs
IN_HAND = 30_000  # records that a worker may have decoded before the clock starts: stored, waiting and polled

CLOSE_GATE = "LOCK TABLE attempt_events IN SHARE ROW EXCLUSIVE MODE"
COUNT_AT_GATE = """
SELECT count(DISTINCT application_name)
FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
# Commit times are also there for the subtransactions that rows may belong to.
COMMITS = """
SELECT pg_xact_commit_timestamp(xmin), count(*)
FROM attempt_events
WHERE session_id = ANY(%s::uuid[])
GROUP BY xmin
"""
COUNT_ALL = "SELECT count(*) FROM attempt_events"
COUNT_SETTLED = "SELECT coalesce(sum(records), 0) FROM partition_ledger WHERE topic = %s"

Commits = list[tuple[datetime, int]]


@dataclass
class Backlog:
    """What waits in a topic: `records` of them hold the `events` of the classes, some of these twice."""

    topic: str
    rosters: list[Roster] = field(default_factory=list)
    events: int = 0
    records: int = 0

    def add(self, school: School, records: int) -> None:
        """Count a class that was published in so many records."""
        self.rosters.append(school.roster)
        self.events += school.size
        self.records += records

    @property
    def session_ids(self) -> list[str]:
        return [session for roster in self.rosters for session in roster.sessions]


@dataclass(frozen=True, slots=True)
class Drained:
    """Rows per second of all workers; their CPU µs per record; the peak of the first one's memory in MB."""

    rate: float
    cpu: float
    memory: float
    wrong: tuple[str, ...]


def backlog(stage: Stage, school: School) -> Backlog:
    """Publish a class to a new topic."""
    it = Backlog(stage.topic())
    stage.say(f"{school.size:,} events into Kafka …")
    it.add(school, stage.publish(it.topic, school.envelopes()))
    return it


def drain(
    stage: Stage,
    it: Backlog,
    database: str,
    *,
    workers: int = 1,
    command: Sequence[str | Path] = OURS,
    within: float = 120,  # seconds
) -> Drained:
    """Have so many workers store a backlog in a database, and count what is there afterwards."""
    with psycopg.connect(database, autocommit=True) as connection, ExitStack() as exits:
        with _gate(connection, database, workers) as wait_at_gate:
            environments = [worker_environment(stage, it.topic, database, number) for number in range(workers)]
            processes = [exits.enter_context(running(command, each)) for each in environments]
            memory = exits.enter_context(memory_of(processes[0]))
            wait_at_gate()
            before = cpu_seconds(*processes)
        _wait_until_done(connection, it, processes, within, is_ours=command is OURS)
        cpu = cpu_seconds(*processes) - before
        commits: Commits = connection.execute(COMMITS, [it.session_ids]).fetchall()
    stored = sum(rows for _, rows in commits)
    wrong = () if stored == it.events else (f"{stored:,} rows are stored instead of {it.events:,}",)
    return Drained(rate_of(commits), 1e6 * cpu / (it.records - IN_HAND * workers), memory.peak / 1e6, wrong)


@contextmanager
def _gate(connection: psycopg.Connection, database: str, workers: int) -> Iterator[Callable[[], None]]:
    """Let nobody insert until the block is over; yield what returns when so many workers want to."""

    def wait_at_gate() -> None:
        deadline = time.monotonic() + AT_WORK_WITHIN
        while _number(connection, COUNT_AT_GATE, []) < workers:
            if time.monotonic() > deadline:
                raise TimeoutError("not every worker came to its first batch")
            time.sleep(POLL_INTERVAL)

    with psycopg.connect(database) as keeper:
        keeper.execute(CLOSE_GATE)
        yield wait_at_gate


def _wait_until_done(
    connection: psycopg.Connection, it: Backlog, processes: Sequence[psutil.Process], within: float, *, is_ours: bool
) -> None:
    """Return when all is stored, and also when that will not be: the count that follows says so."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and all(map(is_alive, processes)):
        if is_ours and settled(connection, it.topic) >= it.records:
            return
        if not is_ours and _number(connection, COUNT_ALL, []) >= it.events:
            return
        time.sleep(POLL_INTERVAL if is_ours else PEER_POLL_INTERVAL)


def _number(connection: psycopg.Connection, query: str, arguments: Sequence[object]) -> int:
    row = connection.execute(query, arguments).fetchone()
    return int(row[0]) if row else 0


def settled(connection: psycopg.Connection, topic: str) -> int:
    """Return how many records of a topic our workers have accounted for."""
    return _number(connection, COUNT_SETTLED, [topic])


def worker_environment(stage: Stage, topic: str, database: str, number: int = 0) -> dict[str, str]:
    """Return what a worker reads; a database is stored into by one group, so a topic can be read again for another."""
    name = f"worker-{number}"
    return {
        "ATTEMPTLOG_KAFKA_BOOTSTRAP_SERVERS": stage.bootstrap_servers,
        "ATTEMPTLOG_DATABASE_URL": f"{database}?{urlencode({'application_name': name})}",
        "ATTEMPTLOG_TOPIC": topic,
        "ATTEMPTLOG_CONSUMER_GROUP": database.rpartition("/")[2],
        "ATTEMPTLOG_CONSUMER_PORT": str(free_port()),
        "ATTEMPTLOG_CONSUMER_HOST": HOST,
        "ATTEMPTLOG_LOG_LEVEL": "WARNING",
        "PGAPPNAME": name,  # for those that do not read the URL
    }
