"""Events, records and what the database says about them; the consumer as a real process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import httpx
import psycopg
from psycopg.rows import dict_row

from attemptlog.event_store.columns import Line, line_of, usual_lines
from attemptlog.local_stack.ports import free_port
from attemptlog.schemas import Envelope, encode, new_event_id
from tests.support.eventually import PATIENCE
from tests.support.http import Exam
from tests.support.landed_release import in_tree

STOP_DEADLINE = 30.0  # seconds; it promises 10


@dataclass(frozen=True)
class FakeRecord:
    """What the consumer reads of a Kafka record."""

    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = b"key"


@dataclass
class Partition:
    """Gives the records of a partition their offsets."""

    number: int = 0
    next_offset: int = 0

    def records(self, *values: Envelope | bytes | None) -> list[FakeRecord]:
        return [self._record(encode(value) if isinstance(value, Envelope) else value) for value in values]

    def _record(self, value: bytes | None) -> FakeRecord:
        self.next_offset += 1
        return FakeRecord(self.number, self.next_offset - 1, value)


def line_for(value: bytes | None) -> Line:
    """Return a value's line, by whichever way it takes; raise Undecodable."""
    [line] = usual_lines([value])
    return line or line_of(value)


def envelope(exam: Exam, seq: int | None = 1, **fields: Any) -> Envelope:
    """Return a valid event of the exam's session; `fields` replace."""
    given: dict[str, Any] = {
        "id": new_event_id(),
        "event_type": "ANSWER_SELECTED",
        "event_ts": datetime.now(UTC),
        "seq": seq,
        "session_id": exam.session,
        "user_id": exam.user,
        "question_id": exam.question,
        "source": "web",
        "payload_json": b'{"choice":2}',
    }
    return Envelope(**(given | fields))


def query(database_url: str, statement: str, *parameters: Any) -> list[Any]:
    """Return the rows of a statement; of a single column, its values."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(statement.encode(), parameters).fetchall()
    return [row[0] if len(row) == 1 else row for row in rows]


def stored_ids(database_url: str) -> set[str]:
    return set(query(database_url, "SELECT id::text FROM attempt_events"))


def dead_letters(database_url: str) -> dict[tuple[int, int], str]:
    """Return the reasons by partition and offset."""
    found = query(database_url, "SELECT partition, kafka_offset, reason FROM dead_letters")
    return {(partition, offset): reason for partition, offset, reason in found}


def ledger(database_url: str) -> dict[int, dict[str, Any]]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return {row["partition"]: row for row in connection.execute("SELECT * FROM partition_ledger").fetchall()}


def assert_accounted(database_url: str, *partitions: Partition) -> None:
    """Every record up to the partitions' ends is counted once, and the counts are what the tables hold."""
    rows = ledger(database_url)
    for partition in partitions:
        assert rows[partition.number]["next_offset"] == partition.next_offset
        assert rows[partition.number]["records"] == partition.next_offset
    assert sum(row["inserted"] for row in rows.values()) == len(stored_ids(database_url))
    assert sum(row["dead_lettered"] for row in rows.values()) == len(dead_letters(database_url))


@contextmanager
def consumer_role(database_url: str, service: str = "consumer") -> Iterator[str]:
    """Yield the database's URL for a login role that has nothing but the grants of the consumer, or another service."""
    name = f"{service}_{os.urandom(4).hex()}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'secret' IN ROLE attemptlog_{service}".encode())
        try:
            address = httpx.URL(database_url)
            yield str(address.copy_with(username=name, password="secret"))
        finally:
            ending = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s"
            connection.execute(ending, [name])  # its temporary tables go with it
            connection.execute(f"DROP ROLE {name}".encode())


@dataclass
class ConsumerProcess:
    """`python -m attemptlog.consumer`, and what it answers."""

    settings: Mapping[str, str]
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None
    arguments: Sequence[str] = ("-m", "attemptlog.consumer")
    tree: str | None = None

    def start(self) -> Self:
        environment = {f"ATTEMPTLOG_{name.upper()}": value for name, value in self.settings.items()}
        environment |= {"ATTEMPTLOG_CONSUMER_HOST": "127.0.0.1", "ATTEMPTLOG_CONSUMER_PORT": str(self.port)}
        environment |= in_tree(self.tree)
        self.process = subprocess.Popen([sys.executable, *self.arguments], cwd=self.tree, env=os.environ | environment)
        return self

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """Ask it to end and return its exit status; subprocess.TimeoutExpired when it takes too long."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_DEADLINE)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE)

    def is_ready(self) -> bool:
        return self.get("/readyz").status_code == httpx.codes.OK

    def metric(self, name: str, **labels: str) -> float | None:
        """Return a metric's value, None while it has none."""
        shown = ",".join(f'{label}="{value}"' for label, value in labels.items())
        start = f"attemptlog_consumer_{name}{{{shown}}} " if shown else f"attemptlog_consumer_{name} "
        lines = [line for line in self.get("/metrics").text.splitlines() if line.startswith(start)]
        return float(lines[0].removeprefix(start)) if lines else None


@contextmanager
def consumer(
    bootstrap_servers: str,
    database_url: str,
    topic: str,
    *,
    program: str | None = None,
    tree: str | None = None,
    **settings: str,
) -> Iterator[ConsumerProcess]:
    """Run a consumer, or a `program` that runs it; what is left of it is killed afterwards.

    It is the one of another release's `tree`, if given. `settings` are environment variables without prefix.
    """
    given = {"kafka_bootstrap_servers": bootstrap_servers, "database_url": database_url, "topic": topic}
    process = ConsumerProcess(given | {"consumer_group": topic} | settings, tree=tree)
    if program is not None:
        process.arguments = ("-c", program)
    process.start()
    try:
        yield process
    finally:
        process.kill()
