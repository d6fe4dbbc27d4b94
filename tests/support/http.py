"""The gateway as a real process, and callers of it."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import jwt
import psycopg

from attemptlog.local_stack.ports import free_port
from tests.support.eventually import PATIENCE
from tests.support.landed_release import in_tree

JWT_SECRET = "a secret of the tests, long enough for every HMAC that a token may ask for: 64"
PATH = "/v1/telemetry/events"
STOP_DEADLINE = 40.0  # seconds; it promises 10 for requests in flight and 5 for Kafka
START_DEADLINE = 60.0  # seconds; about two


@dataclass(frozen=True)
class Exam:
    """Rows that a test may name: one user with a session of an exam that asks `question`."""

    user: str = field(default_factory=lambda: str(uuid.uuid4()))
    session: str = field(default_factory=lambda: str(uuid.uuid4()))
    exam: str = field(default_factory=lambda: str(uuid.uuid4()))
    question: str = field(default_factory=lambda: str(uuid.uuid4()))

    def event(self, **fields: Any) -> dict[str, Any]:
        """Return a valid event; `fields` replace or add."""
        return {
            "event_type": "ANSWER_SELECTED",
            "session_id": self.session,
            "question_id": self.question,
            "seq": 1,
            "client_ts": "2026-03-02T09:14:05.123Z",
            "payload": {"choice": 2},
        } | fields


def insert_exam(database_url: str) -> Exam:
    exam = Exam()
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO users (id) VALUES (%s)", [exam.user])
        connection.execute("INSERT INTO exams (id) VALUES (%s)", [exam.exam])
        connection.execute("INSERT INTO questions (id) VALUES (%s)", [exam.question])
        connection.execute(
            "INSERT INTO exam_questions (exam_id, question_id) VALUES (%s, %s)", [exam.exam, exam.question]
        )
        connection.execute(
            "INSERT INTO test_sessions (id, user_id, exam_id) VALUES (%s, %s, %s)", [exam.session, exam.user, exam.exam]
        )
    return exam


def token(user: str, key: Any = JWT_SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    """Return a token that is valid for a minute, with `claims` replaced or, when None, left out."""
    fields = {"sub": user, "exp": time.time() + 60} | claims
    return jwt.encode({k: v for k, v in fields.items() if v is not None}, key, algorithm=algorithm)


class Caller:
    """Posts batches as one user."""

    def __init__(self, url: str, user: str, **settings: Any) -> None:
        self.client = httpx.Client(base_url=url, timeout=PATIENCE, **settings)
        self.user = user

    def post(self, body: Any, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """Post a body: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        usual = {"authorization": f"Bearer {token(self.user)}", "content-type": "application/json"}
        sent = httpx.Headers(usual | dict(headers or {}), encoding="latin-1")
        return self.client.post(PATH, content=content, headers=sent)

    def post_events(self, *events: Any) -> httpx.Response:
        return self.post({"source": "web", "events": list(events)})


@contextmanager
def gateway(
    bootstrap_servers: str,
    database_url: str,
    topic: str,
    *,
    serving: str = "/readyz",
    workers: str = "1",
    tree: str | None = None,
    **settings: str | None,
) -> Iterator[str]:
    """Run a gateway process and yield its URL once it answers `serving` with 200.

    It is the one of another release's `tree`, if given. `settings` are environment variables without prefix; one that
    is None is not set. It is more patient with Kafka and PostgreSQL than it is by default.
    """
    port = free_port()
    given: dict[str, str | None] = {
        "kafka_bootstrap_servers": bootstrap_servers,
        "database_url": database_url,
        "topic": topic,
        "jwt_secret": JWT_SECRET,
        "delivery_deadline": "30",
        "session_lookup_timeout": "10",
    }
    environment = {
        f"ATTEMPTLOG_{name.upper()}": value for name, value in (given | settings).items() if value is not None
    }
    command = [sys.executable, "-m", "attemptlog.cli", "ingest"]
    process = subprocess.Popen(
        [*command, "--port", str(port), "--workers", workers],
        cwd=tree,
        env=os.environ | environment | in_tree(tree),
    )
    try:
        _wait_until_serving(f"http://127.0.0.1:{port}{serving}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        end(process)


def end(process: "subprocess.Popen[bytes]") -> None:
    """Ask a service to end; kill it, and raise subprocess.TimeoutExpired, when it takes too long."""
    process.terminate()
    try:
        process.wait(STOP_DEADLINE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def _wait_until_serving(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_DEADLINE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            if httpx.get(url, timeout=PATIENCE).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            continue
    raise AssertionError(f"the gateway is not ready (exit status {process.poll()})")
